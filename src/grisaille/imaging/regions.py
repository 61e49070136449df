"""A set of voxels as a box and a mask, and the same set on another grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Grid

_PARALLEL = 1e-9
"""Largest step across that still counts as none, in voxels a voxel."""

_HALF = 0.5 + 1e-6
"""To the nearest voxel; what lies between two, up to rounding errors, belongs to the upper one."""


@dataclass(frozen=True, eq=False)
class Region:
    """Voxels of a grid.

    Parameters
    ----------
    start
        Index (z, y, x) of the mask's first voxel in the grid.
    mask
        (z, y, x) bool.
    """

    start: tuple[int, int, int]
    mask: npt.NDArray[np.bool_]

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The mask's place in an array of the grid's shape."""
        z, y, x = (slice(first, first + size) for first, size in zip(self.start, self.mask.shape, strict=True))
        return z, y, x

    @property
    def indices(self) -> npt.NDArray[np.intp]:
        """(n, 3) indices (z, y, x) in the grid, in raster order."""
        places: npt.NDArray[np.intp] = np.argwhere(self.mask) + np.asarray(self.start)
        return places

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.count_nonzero(self.mask))

    def values(self, voxels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(n,) the numbers of ``voxels`` (z, y, x) in this region, in raster order."""
        numbers: npt.NDArray[Any] = voxels[self.box][self.mask]
        return numbers

    def onto(self, target: Grid, grid: Grid) -> Region:
        """The voxels of ``target`` whose centres lie in this region of ``grid``.

        A region that lies between the centres of a coarser target takes the voxels that hold
        its own centres instead. Empty where the target's field of view does not reach.
        Nothing is resampled: each value that is measured was measured by the scanner.
        """
        if target.is_close(grid):
            return self
        start, shape = self._reach(target, grid)
        mask = np.zeros(shape, dtype=bool)
        if mask.size:
            _mark_centres_inside(mask, start, self, np.linalg.inv(grid.affine) @ target.affine)
        if not mask.any():
            nearest = np.floor(target.to_index(grid.to_mm(self.indices)) + _HALF).astype(int)
            return _of_indices(nearest, target.shape)
        return Region(start, mask)

    def touches_edge(self, grid: Grid) -> bool:
        """Whether a voxel lies on the rim of ``grid``; a grid of one voxel across has no rim there."""
        reaches = zip(self.start, self.mask.shape, grid.shape, strict=True)
        return any(size > 1 and (first == 0 or first + across == size) for first, across, size in reaches)

    def is_within(self, target: Grid, grid: Grid) -> bool:
        """Whether the field of view of ``target`` holds the centre of every voxel of this region of ``grid``."""
        if target.is_close(grid):
            return True
        ends = np.stack([np.asarray(self.start), np.asarray(self.start) + self.mask.shape - 1])
        corners = np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(8, 3)
        return _holds(target, grid.to_mm(corners)) or _holds(target, grid.to_mm(self.indices))

    def _reach(self, target: Grid, grid: Grid) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Start and shape of the box of ``target`` that encloses this region; a size may be 0."""
        first = np.asarray(self.start)
        ends = np.stack([first - _HALF, first + self.mask.shape - 1 + _HALF])
        corners = np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(8, 3)
        places = target.to_index(grid.to_mm(corners))
        low = np.clip(np.ceil(places.min(axis=0)), 0, target.shape).astype(int)
        high = np.clip(np.floor(places.max(axis=0)) + 1, low, target.shape).astype(int)
        return _triple(low), _triple(high - low)


def _holds(grid: Grid, points_mm: npt.NDArray[np.float64]) -> bool:
    """Whether all (n, 3) points lie in a voxel of ``grid``."""
    indices = grid.to_index(points_mm)
    return bool((indices >= -_HALF).all() and (indices <= np.asarray(grid.shape) - 1 + _HALF).all())


def _mark_centres_inside(
    mask: npt.NDArray[np.bool_], start: Sequence[int], region: Region, to_region: npt.NDArray[np.float64]
) -> None:
    """Mark each voxel of ``mask`` whose centre, put through the index affine, lies in ``region``."""
    axes = [np.arange(first, first + size) for first, size in zip(start, mask.shape, strict=True)]
    offset = to_region[:3, 3] - region.start + _HALF
    turn = to_region[:3, :3]
    if np.abs(turn - np.diag(np.diag(turn))).max() < _PARALLEL:
        places = [np.floor(turn[i, i] * axes[i] + offset[i]).astype(int) for i in range(3)]
        held = [(place >= 0) & (place < size) for place, size in zip(places, region.mask.shape, strict=True)]
        inside = [place[kept] for place, kept in zip(places, held, strict=True)]
        mask[np.ix_(*held)] = region.mask[np.ix_(*inside)]
        return
    in_plane = [turn[i, 1] * axes[1][:, None] + turn[i, 2] * axes[2] + offset[i] for i in range(3)]
    for z, plane in zip(axes[0], mask, strict=True):  # a slice at a time bounds the memory of whole-body labels
        places = [np.floor(in_plane[i] + turn[i, 0] * z).astype(int) for i in range(3)]
        kept = np.logical_and.reduce(
            [(place >= 0) & (place < size) for place, size in zip(places, region.mask.shape, strict=True)]
        )
        plane[kept] = region.mask[places[0][kept], places[1][kept], places[2][kept]]


def _of_indices(indices: npt.NDArray[np.int_], shape: tuple[int, int, int]) -> Region:
    """The region of those (n, 3) indices that lie in an array of ``shape``."""
    kept = indices[((indices >= 0) & (indices < shape)).all(axis=1)]
    if not len(kept):
        return Region((0, 0, 0), np.zeros((0, 0, 0), dtype=bool))
    start = kept.min(axis=0)
    mask = np.zeros(kept.max(axis=0) - start + 1, dtype=bool)
    mask[tuple((kept - start).T)] = True
    return Region(_triple(start), mask)


def _triple(numbers: npt.NDArray[np.int_]) -> tuple[int, int, int]:
    z, y, x = (int(number) for number in numbers)
    return z, y, x
