"""Where the patient is: without the table, the air and the noise around."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.errors import UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.volume import Unit, Volume
from grisaille.imaging.resample import resample_array

SKIN_HU = -400.0
SKIN_SUV = 0.12
RELATIVE_CUT = 0.12
"""Share of the mean inside the body that its edge reaches where the unit says nothing."""

WORKING_MM = 4.0
"""The mask is found on voxels of about this width: finer ones cost time and change nothing."""

TABLE_MM = 5.0
"""Sheets thinner than twice this are no part of the patient: table shell, mattress cover, blanket."""

SMALLEST_SHARE = 0.01
"""Parts smaller than this share of the largest are dropped; a forearm is about 0.02."""


def body_mask(volume: Volume) -> npt.NDArray[np.bool_]:
    """(z, y, x) the patient in a CT, a PET or any other volume, holes filled slice by slice.

    Raises
    ------
    UnsuitableVolume
        If nothing in the volume looks like a body.
    """
    working = volume.grid.spaced([max(step, WORKING_MM) for step in volume.grid.spacing_mm])
    if max(working.shape) < 2 or working.size * 4 > volume.grid.size * 3:
        working = volume.grid
    values = np.asarray(volume.voxels, dtype=np.float32)
    if working is not volume.grid:
        values = resample_array(values, volume.grid, working, outside=float(values.min()))
    mask = _parts(values > _cut(values, volume), working)
    if not mask.any():
        raise UnsuitableVolume(
            f"{volume.name or 'this volume'} holds no body: no solid part of it is above {_cut(values, volume):.3g} "
            f"{volume.unit.value or 'units'}; check that its values are in {_expected(volume)}"
        )
    if working is volume.grid:
        return mask
    return np.asarray(resample_array(mask.astype(np.float32), working, volume.grid) >= 0.5)


def _cut(values: npt.NDArray[np.float32], volume: Volume) -> float:
    """The value between air and body."""
    if volume.unit is Unit.HU:
        return SKIN_HU
    if volume.unit is Unit.SUVBW:
        return SKIN_SUV
    cut = RELATIVE_CUT * float(values.mean())
    for _ in range(10):
        above = values[values > cut]
        if not above.size:
            break
        cut = RELATIVE_CUT * float(above.mean())
    return cut


def _expected(volume: Volume) -> str:
    return volume.unit.value or "the unit of its scanner"


def _parts(above: npt.NDArray[np.bool_], grid: Grid) -> npt.NDArray[np.bool_]:
    """The solid parts of a mask, without sheets; filled slice by slice only then, or hollow tables become solid."""
    cores = _deeper_than(above, TABLE_MM, grid)
    numbered, count = ndimage.label(cores, np.ones((3, 3, 3)))
    if count == 0:
        return np.zeros_like(above)
    sizes = np.bincount(numbered.ravel())
    sizes[0] = 0
    cores = np.isin(numbered, np.flatnonzero(sizes >= SMALLEST_SHARE * sizes.max()))
    # Half a voxel more than was taken off, or slender ends are lost to rounding.
    regrown = above & ~_deeper_than(~cores, TABLE_MM + 0.5 * max(grid.spacing_mm), grid)
    return np.stack([ndimage.binary_fill_holes(plane) for plane in regrown])


def _deeper_than(mask: npt.NDArray[Any], depth_mm: float, grid: Grid) -> npt.NDArray[np.bool_]:
    """Voxels of ``mask`` further than ``depth_mm`` from what is not; the volume's edge is no border."""
    if mask.all():
        return np.asarray(mask, dtype=bool)
    distances = ndimage.distance_transform_edt(mask, sampling=grid.spacing_mm)
    return np.asarray(distances > depth_mm)
