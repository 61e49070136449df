"""Tissue known to be sick, or feared to be: never learned from, never shown, never counted as healthy."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.measure import block_reduce

from grisaille.core.arrays import box_of
from grisaille.core.errors import UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.study import Case
from grisaille.imaging.resample import resample_array
from grisaille.methods.autopaint.candidates import Mask
from grisaille.methods.autopaint.frame import Frame

MARGIN_MM = 10.0
"""Around a lesion's mask: readers draw tightly, and PET spills over."""

_FINE_MM = 2.0
"""Masks on finer voxels are taken in blocks of about this size, which keeps a CT's mask affordable."""


def is_healthy(case: Case) -> bool:
    """Whether nothing of the case is to be withheld."""
    return case.truth is None or not case.truth.voxels.any()


def near_lesions(truth: Labels, grid: Grid, margin_mm: float = MARGIN_MM) -> Mask:
    """(z, y, x) of ``grid``: every voxel whose centre lies within ``margin_mm`` of a lesion's edge, and some beyond."""
    lesion, place = _coarse(truth.voxels > 0, truth.grid)
    box = box_of(lesion)
    if box is None:
        return np.zeros(grid.shape, dtype=bool)
    spacing = np.asarray(place.spacing_mm)
    # From centre to centre: a lesion's voxel reaches half a diagonal, and the nearest voxel may be half a one off.
    reach_mm = margin_mm + float(np.linalg.norm(spacing))
    more = np.ceil(reach_mm / spacing).astype(int)
    part = np.pad(lesion[box], [(size, size) for size in more])
    near = ndimage.distance_transform_edt(~part, sampling=tuple(spacing)) <= reach_mm
    first = place.to_mm(np.array([side.start for side in box]) - more)
    around = Grid(_shape(near), _moved(place, first))
    return np.asarray(resample_array(near, around, grid, nearest=True), dtype=bool)


def frame_without_lesions(frame: Frame, case: Case, what: str = "the study") -> Frame:
    """The frame of a case, called ``what``, its lesions hidden with their margin.

    Raises
    ------
    UnsuitableVolume
        If none of them lies in the body, so that the mask must be of something else.
    """
    if is_healthy(case) or case.truth is None:
        return frame
    hidden = near_lesions(case.truth, frame.grid)
    if not (hidden & frame.body).any():
        raise UnsuitableVolume(
            f"{what}: the mask of the lesions lies outside the body; give the mask that was drawn on this study"
        )
    return frame.hiding(hidden)


def _coarse(lesion: Mask, grid: Grid) -> tuple[Mask, Grid]:
    blocks = [max(1, int(_FINE_MM / step + 1e-6)) for step in grid.spacing_mm]
    if max(blocks) == 1:
        return lesion, grid
    coarse = block_reduce(lesion, tuple(blocks), np.max)
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.to_mm((np.asarray(blocks) - 1) / 2)
    affine[:3, :3] = affine[:3, :3] * np.asarray(blocks)
    return coarse, Grid(_shape(coarse), affine)


def _moved(grid: Grid, origin_mm: np.ndarray) -> np.ndarray:
    affine = np.array(grid.affine)
    affine[:3, 3] = origin_mm
    return affine


def _shape(array: np.ndarray) -> tuple[int, int, int]:
    z, y, x = array.shape
    return z, y, x
