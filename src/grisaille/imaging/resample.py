"""Values of one grid at the places of another."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import require_shape
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Unit, Volume

_SLAB = 16
"""Slices after which somebody may have changed his mind."""

AIR_HU = -1024.0
"""What a CT is taken to hold outside its field of view."""


@overload
def resample(thing: Volume, grid: Grid) -> Volume: ...
@overload
def resample(thing: Study, grid: Grid) -> Study: ...
@overload
def resample(thing: Labels, grid: Grid) -> Labels: ...
def resample(thing: Volume | Study | Labels, grid: Grid) -> Volume | Study | Labels:
    """``thing`` on ``grid``: volumes linear, labels nearest; beyond the field of view air, 0 or no label.

    Labels lose or gain volume on the way (a 4 mm sphere a quarter of it between usual CT and
    PET grids), so measure them where they were drawn.
    """
    if isinstance(thing, Study):
        return Study({key: resample(volume, grid) for key, volume in thing.volumes.items()}, thing.patient)
    if thing.grid == grid:
        return thing
    if isinstance(thing, Labels):
        return Labels(resample_array(thing.voxels, thing.grid, grid, nearest=True), grid, thing.names)
    outside = AIR_HU if thing.unit is Unit.HU else 0.0
    return thing.with_voxels(resample_array(thing.voxels, thing.grid, grid, outside=outside), grid)


def resample_array(
    array: npt.NDArray[Any],
    from_grid: Grid,
    to_grid: Grid,
    *,
    nearest: bool = False,
    outside: float = 0.0,
    run: Run | None = None,
) -> npt.NDArray[Any]:
    """The values of ``array`` at the voxel centres of ``to_grid``.

    Parameters
    ----------
    array
        (z, y, x) on ``from_grid``.
    nearest
        Take the nearest voxel and keep the dtype, as labels need; else interpolate linearly, in
        float32. Where voxels of ``to_grid`` are 1.5 times as wide or more, whole blocks of source
        voxels are averaged first, so that thin things are dimmed and not dropped.
    outside
        Value beyond the outer faces of the source's edge voxels.
    run
        Who may stop it, every few slices.

    Raises
    ------
    Cancelled
        If ``run`` says so.
    """
    require_shape(array, from_grid.shape, "an array to resample")
    if not nearest:
        array, from_grid = _averaged(array, from_grid, _blocks(from_grid, to_grid))
    to_source = np.linalg.inv(from_grid.affine) @ to_grid.affine
    linear, offset = np.where(np.abs(to_source) < 1e-12, 0.0, to_source)[:3, :3], to_source[:3, 3]
    straight = np.array_equal(linear, np.diag(np.diag(linear)))
    from scipy import ndimage  # a fifth of a second, which opening a panel need not take

    readable = _readable(array)
    values: npt.NDArray[Any] = np.empty(to_grid.shape, array.dtype if nearest else np.float32)
    for start in range(0, len(values), len(values) if run is None else _SLAB):
        if run is not None:
            run.check_cancelled()
        slab = values[start:][: None if run is None else _SLAB]
        there = offset + linear[:, 0] * start
        ndimage.affine_transform(
            readable,
            np.diag(linear) if straight else linear,
            there,
            output_shape=slab.shape,
            output=slab,
            order=0 if nearest else 1,
            mode="nearest",
            prefilter=False,
        )
        slab[~_inside(linear, there, from_grid.shape, slab.shape)] = outside
    return values


def _blocks(from_grid: Grid, to_grid: Grid) -> tuple[int, ...]:
    """Source voxels along each source axis that one target voxel spans, rounded."""
    to_source = np.linalg.inv(from_grid.affine[:3, :3]) @ to_grid.affine[:3, :3]
    spans = np.linalg.norm(to_source, axis=1)
    return tuple(
        max(1, min(int(np.floor(span + 0.5)), size)) for span, size in zip(spans, from_grid.shape, strict=True)
    )


def _averaged(array: npt.NDArray[Any], grid: Grid, blocks: tuple[int, ...]) -> tuple[npt.NDArray[Any], Grid]:
    """Means over blocks of voxels, and their grid; an incomplete last block repeats its edge."""
    if max(blocks) == 1:
        return array, grid
    lacking = [(0, -size % block) for size, block in zip(array.shape, blocks, strict=True)]
    values = np.pad(array, lacking, mode="edge") if any(pad for _, pad in lacking) else array
    for axis, block in enumerate(blocks):
        if block > 1:
            # Strided sums: several times faster than a mean over a reshaped axis.
            first = [slice(None)] * 3
            total = np.zeros([*values.shape[:axis], values.shape[axis] // block, *values.shape[axis + 1 :]], np.float32)
            for step in range(block):
                first[axis] = slice(step, None, block)
                total += values[tuple(first)]
            values = total / np.float32(block)
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.to_mm([(block - 1) / 2 for block in blocks])
    affine[:3, :3] *= blocks
    z, y, x = values.shape
    return values, Grid((z, y, x), affine)


def _readable(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``array`` in a dtype and byte order that scipy reads."""
    if array.dtype == np.float16:
        return array.astype(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _inside(
    linear: npt.NDArray[np.float64], offset: npt.NDArray[np.float64], source: tuple[int, ...], shape: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    """(z, y, x) of ``shape``: whether each centre lies within half a voxel of the source's centres."""
    steps = np.ogrid[tuple(slice(size) for size in shape)]
    inside = np.ones(shape, dtype=bool)
    for row, start, size in zip(linear, offset, source, strict=True):
        # Zero factors are left out, so that a straight grid is tested along lines and not in space.
        index = start + sum(factor * step for factor, step in zip(row, steps, strict=True) if factor)
        inside &= (index >= -0.5 - 1e-6) & (index <= size - 0.5 + 1e-6)
    return inside
