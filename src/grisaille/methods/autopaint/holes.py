"""What is painted over: random holes to learn from, checkerboards to judge every voxel by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Shape = tuple[int, int, int]

_ELLIPSOIDS, _CUBES = 0.50, 0.35
"""Shares of the training holes; the rest hides almost everything."""
_HALF_AXIS_MM = 8.0, 90.0
_CELL_MM = 24.0, 160.0
_OFFSETS = (0, 0, 0), (1, 2, 3), (2, 3, 1), (3, 1, 2)
"""Of the checkerboards, in quarters of a cell along z, y, x. Along each axis all four differ, so that
each axis can bring a voxel within an eighth of a cell of an edge in one of them only: of four, at
least one is left in which the voxel lies deeper than that along all three. Offsets of half cells
leave voxels that lie on an edge in all of them, where the neighbours give them away."""


def training_hole(shape: Shape, spacing_mm: float, rng: np.random.Generator, *, within: Mask | None = None) -> Mask:
    """A random hole (z, y, x): half are ellipsoids, a third cubes of a checkerboard, the rest almost everything.

    Parameters
    ----------
    within
        Where ellipsoids may have their centres, the body say; everywhere by default.
    """
    kind = rng.random()
    if kind < _ELLIPSOIDS:
        return _ellipsoids(shape, spacing_mm, rng, int(rng.integers(1, 9)), within)
    if kind < _ELLIPSOIDS + _CUBES:
        cell = max(1.0, _log_uniform(rng, *_CELL_MM) / spacing_mm)
        return _checkerboard(shape, cell, rng.uniform(0.0, 2.0 * cell, 3))
    return ~_ellipsoids(shape, spacing_mm, rng, int(rng.integers(0, 4)), within)


def checkerboards(shape: Shape, spacing_mm: float, cell_mm: float) -> Iterator[Mask]:
    """Eight holes (z, y, x): both colours of a checkerboard of cubes, at four offsets.

    Every voxel lies in four of them, and in one of these at least an eighth of ``cell_mm`` deep,
    the rounding to voxels aside.
    """
    cell = max(1.0, round(cell_mm / spacing_mm))
    middle = np.asarray(shape) / 2.0
    for quarters in _OFFSETS:
        board = _checkerboard(shape, cell, np.round(np.asarray(quarters) * cell / 4.0) - middle)
        yield board
        yield ~board


def require_cover(holes: Iterable[Mask], body: Mask) -> None:
    """Assert that every voxel of the body lies in a hole: one that never does cannot be judged."""
    bare = body.copy()
    for hole in holes:
        bare &= ~hole
    if bare.any():
        raise AssertionError(f"{int(bare.sum())} voxels of the body lie in no hole and would never be judged")


def _checkerboard(shape: Shape, cell: float, offset: npt.NDArray[np.float64]) -> Mask:
    z, y, x = (
        np.floor((np.arange(size) + 0.5 + start) / cell).astype(np.int64)
        for size, start in zip(shape, offset, strict=True)
    )
    board: Mask = (z[:, None, None] + y[:, None] + x) % 2 == 0
    return board


def _ellipsoids(shape: Shape, spacing_mm: float, rng: np.random.Generator, count: int, within: Mask | None) -> Mask:
    hole = np.zeros(shape, dtype=bool)
    centres = np.flatnonzero(within) if within is not None else np.arange(hole.size)
    for _ in range(count if centres.size else 0):
        centre = np.unravel_index(int(rng.choice(centres)), shape)
        radius_mm = np.clip(_log_uniform(rng, *_HALF_AXIS_MM, skew=1.5) * rng.uniform(0.7, 1.4, 3), *_HALF_AXIS_MM)
        box, squares = [], []
        for middle, radius, size in zip(centre, radius_mm / spacing_mm, shape, strict=True):
            span = slice(max(0, int(middle - radius)), min(size, int(middle + radius) + 1))
            box.append(span)
            squares.append(((np.arange(span.start, span.stop) - middle) / radius) ** 2)
        z, y, x = squares
        hole[tuple(box)] |= z[:, None, None] + y[:, None] + x <= 1.0
    return hole


def _log_uniform(rng: np.random.Generator, low: float, high: float, skew: float = 1.0) -> float:
    """Between ``low`` and ``high``, evenly in the logarithm; a ``skew`` above 1 favours the low end."""
    return float(low * (high / low) ** (rng.random() ** skew))
