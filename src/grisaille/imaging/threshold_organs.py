"""Organs for those who have none: what thresholds tell apart, which is little, but takes no network."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.errors import UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.organ import THRESHOLDS
from grisaille.core.study import Study
from grisaille.core.volume import Unit, Volume
from grisaille.imaging.body import body_mask
from grisaille.imaging.findings import components
from grisaille.imaging.resample import resample

WORKING_MM = 3.0
"""Organs are told apart on voxels of about this width: finer ones cost time and show noise."""

GAS_HU = -400.0
"""What is thinner than this in the body is lung or air."""

AIR_HU = -930.0
"""What is thinner than this on the mean over neighbours is air: lung is rarely, bowel gas nearly always."""

RIM = 2
"""Voxels by which the blurred rim of air, as dense as lung, is taken off: lung is thicker than a rim on both sides."""

BONE_HU = 200.0

SKIN_MM = 8.0
"""No lung or air is looked for nearer to the skin, where a voxel is half room."""

LUNG_ML = 10.0
AIR_ML = 1.0
BONE_ML = 2.0
"""Smaller parts are noise, clips and the like, and belong to the body."""


class Tissue(IntEnum):
    """The label numbers; every voxel is of one only, so ``body`` is what is none of the others."""

    BODY = 1
    LUNG = 2
    BONE = 3
    AIR = 4


def threshold_organs(study: Study) -> Labels:
    """Body, lung, bone and air inside the body from a CT in HU; without one the body alone.

    Coarse by intent: contrast medium above ``BONE_HU`` counts as bone, marrow below it as body,
    emphysema as air, and the windpipe as lung where the two hang together.

    Returns
    -------
    On the study's reference grid, in the order of its source.

    Raises
    ------
    UnsuitableVolume
        If nothing in the study looks like a body, or the CT shows nothing of what the reference shows.
    """
    main, ct = study.main, study.ct
    if ct is None or ct.unit is not Unit.HU:
        numbers = body_mask(main).astype(np.uint16) * Tissue.BODY
    else:
        grid = main.grid.spaced([max(step, WORKING_MM) for step in main.grid.spacing_mm])
        grid = main.grid if grid.size * 4 > main.grid.size * 3 else grid
        working = Labels(_tissues(resample(ct, grid)), grid)
        numbers = resample(working, main.grid).voxels
    names = {int(tissue): tissue.name.lower() for tissue in Tissue if (numbers == tissue).any()}
    if not names:
        raise UnsuitableVolume("no organ was found by thresholds; give organs as a label image instead")
    return Labels(numbers, main.grid, names, replace(main.source, name=THRESHOLDS))


def _tissues(ct: Volume) -> npt.NDArray[np.uint16]:
    """(z, y, x) the tissue of each voxel of a CT, 0 outside the body."""
    hu = np.asarray(ct.voxels, dtype=np.float32)
    body = body_mask(ct)
    tissues = np.where(body, Tissue.BODY, 0).astype(np.uint16)
    bone = ndimage.binary_closing(body & (hu > BONE_HU), ndimage.generate_binary_structure(3, 1)) & body
    tissues[_at_least(bone, BONE_ML, ct.grid)] = Tissue.BONE
    dark = body & (hu < GAS_HU) & _under_skin(body, ct.grid)
    lung = _at_least(_lung(hu, dark), LUNG_ML, ct.grid)
    tissues[lung] = Tissue.LUNG
    tissues[_at_least(dark & ~lung, AIR_ML, ct.grid)] = Tissue.AIR
    return tissues


def _lung(hu: npt.NDArray[np.float32], dark: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """What of the dark is as dense as lung and no rim of air: the deep of it, and the dense parts it touches."""
    mean = ndimage.uniform_filter(hu, 3)
    dense = dark & (mean >= AIR_HU) & (mean < GAS_HU)
    deep = ndimage.binary_erosion(dense, iterations=RIM, border_value=1)
    grown = ndimage.binary_dilation(deep, iterations=2 * RIM, mask=dark & (mean >= AIR_HU))
    lung = ndimage.binary_closing(grown, iterations=RIM) & dark
    rest = components(dark & ~lung)
    sizes = np.bincount(rest.ravel())
    touching = np.bincount(rest[ndimage.binary_dilation(lung)], minlength=sizes.size) > 0
    is_lung = touching & (np.bincount(rest.ravel(), weights=(mean >= AIR_HU).ravel()) > 0.9 * sizes)
    is_lung[0] = False
    return np.asarray(lung | is_lung[rest])


def _at_least(mask: npt.NDArray[np.bool_], smallest_ml: float, grid: Grid) -> npt.NDArray[np.bool_]:
    numbered = components(mask)
    kept = np.bincount(numbered.ravel()) * grid.voxel_ml >= smallest_ml
    kept[0] = False
    large: npt.NDArray[np.bool_] = kept[numbered]
    return large


def _under_skin(body: npt.NDArray[np.bool_], grid: Grid) -> npt.NDArray[np.bool_]:
    """Deeper than the skin; the image's edge is none."""
    if body.all():
        return body
    return np.asarray(ndimage.distance_transform_edt(body, sampling=grid.spacing_mm) > SKIN_MM)
