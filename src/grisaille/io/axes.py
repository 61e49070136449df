"""From a file's axes to grisaille's and back: turns and flips only, never a resampling.

A file keeps its voxels as (i, j, k) with an affine to LPS millimetres (x, y, z). Inside
grisaille index axes 0, 1, 2 run most nearly to superior, posterior, left, and everything
is listed z, y, x. ``canonical`` and ``to_source`` are exact inverses, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import require_shape
from grisaille.core.errors import InputError, ShapeError
from grisaille.core.grid import Grid
from grisaille.core.volume import Source, SourceFormat

Affine = npt.NDArray[np.float64]

_TOWARDS = ("S", "P", "L")
_AWAY = ("I", "A", "R")


def canonical(
    array_ijk: npt.NDArray[Any], affine_lps_xyz: Affine, *, format: SourceFormat, name: str, series: str = ""
) -> tuple[npt.NDArray[Any], Grid, Source]:
    """Turn a file's array round so that it runs to superior, posterior, left.

    Parameters
    ----------
    array_ijk
        (i, j, k) as the file counts them.
    affine_lps_xyz
        (4, 4) from index (i, j, k) to LPS millimetres (x, y, z).
    format, name, series
        Kept in the source.

    Returns
    -------
    The same numbers as (z, y, x), their grid, and what ``to_source`` needs.

    Raises
    ------
    ShapeError
        If the array is not three-dimensional or the affine not 4 x 4.
    InputError
        If the affine is singular or not finite.
    """
    affine = np.array(affine_lps_xyz, dtype=np.float64)
    if array_ijk.ndim != 3 or min(array_ijk.shape) < 1:
        raise ShapeError(f"{name} has shape {array_ijk.shape}, expected three axes, none of them empty")
    if affine.shape != (4, 4):
        raise ShapeError(f"the affine of {name} is {affine.shape}, expected 4 x 4")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise InputError(f"the affine of {name} is singular or not finite, so its voxels have no place in millimetres")
    order, flipped = _nearest_axes(affine)
    shape = tuple(array_ijk.shape[axis] for axis in order)
    grid = Grid(shape, _to_grid(affine, shape, order, flipped))
    affine.flags.writeable = False
    source = Source(format, order, flipped, affine, name, series, _letters(order, flipped))
    turned = np.flip(array_ijk.transpose(order), _flipped_axes(flipped))
    return np.ascontiguousarray(turned), grid, source


def laid_out(
    shape_ijk: tuple[int, int, int],
    affine_lps_xyz: Affine,
    allocate: Callable[[tuple[int, int, int]], npt.NDArray[Any]],
) -> npt.NDArray[Any]:
    """An array of a file's (i, j, k) whose memory lies as ``canonical`` wants it, which then copies nothing.

    ``allocate`` is given the shape in memory, (z, y, x), and gives the array.
    """
    order, flipped = _nearest_axes(np.asarray(affine_lps_xyz, dtype=np.float64))
    z, y, x = (shape_ijk[axis] for axis in order)
    return np.flip(allocate((z, y, x)), _flipped_axes(flipped)).transpose(np.argsort(order))


def to_source(array_zyx: npt.NDArray[Any], grid: Grid, source: Source) -> tuple[npt.NDArray[Any], Affine]:
    """The inverse of ``canonical``: the array (i, j, k) and its affine to LPS millimetres (x, y, z).

    Where ``grid`` is still that of the source, the affine is the source's own, bit for bit;
    else it is that of ``grid`` in the source's order.
    """
    require_shape(array_zyx, grid.shape, "an array to be written")
    array = np.flip(array_zyx, _flipped_axes(source.flipped)).transpose(np.argsort(source.order))
    if source.affine is not None:
        own = _to_grid(source.affine, grid.shape, source.order, source.flipped)
        if np.array_equal(own, grid.affine):
            return array, np.array(source.affine)
    return array, _from_grid(grid, source)


def _nearest_axes(affine: Affine) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """The file axis that runs most nearly along each of S, P, L, and whether against it."""
    columns = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = columns[::-1]  # (s p l, i j k)

    def closeness(order: tuple[int, ...]) -> tuple[float, ...]:
        along = cosines[:, order]
        turned = along * np.where(np.diag(along) < 0, -1.0, 1.0)
        # Axes at 45 degrees tie. The place in the patient decides then, not the file's order, so
        # that one image in two files is turned to the same indices.
        return tuple(np.round([np.abs(np.diag(along)).sum(), *turned.ravel()], 6))

    i, j, k = max(permutations(range(3)), key=closeness)
    against = np.diag(cosines[:, (i, j, k)]) < 0
    return (i, j, k), (bool(against[0]), bool(against[1]), bool(against[2]))


def _flipped_axes(flipped: tuple[bool, bool, bool]) -> tuple[int, ...]:
    return tuple(axis for axis in range(3) if flipped[axis])


def _to_grid(
    affine: Affine, shape: tuple[int, ...], order: tuple[int, int, int], flipped: tuple[bool, bool, bool]
) -> Affine:
    grid = np.eye(4)
    grid[:3, 3] = affine[2::-1, 3]
    for axis in range(3):
        column = affine[2::-1, order[axis]]
        grid[:3, axis] = -column if flipped[axis] else column
        if flipped[axis]:
            grid[:3, 3] += column * (shape[axis] - 1)
    return grid + 0.0  # no -0.0: equal grids hash alike


def _from_grid(grid: Grid, source: Source) -> Affine:
    affine = np.eye(4)
    affine[:3, 3] = grid.affine[2::-1, 3]
    for axis in range(3):
        column = grid.affine[2::-1, axis]
        affine[:3, source.order[axis]] = -column if source.flipped[axis] else column
        if source.flipped[axis]:
            affine[:3, 3] += column * (grid.shape[axis] - 1)
    return affine + 0.0


def _letters(order: tuple[int, int, int], flipped: tuple[bool, bool, bool]) -> str:
    """Where the file's axes run, such as ``LPS``."""
    by_file_axis = {order[axis]: (_AWAY if flipped[axis] else _TOWARDS)[axis] for axis in range(3)}
    return "".join(by_file_axis[axis] for axis in range(3))
