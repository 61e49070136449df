"""The largest extent of a set of voxels in space."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist, pdist

from grisaille.core.grid import Grid

_FACES = np.vstack([np.eye(3), -np.eye(3)]) / 2
"""Centres of a voxel's faces, in voxels from its own centre."""

_FEW = 500
"""So many points are compared pair by pair; of more, only those on their convex hull."""

_AT_ONCE = 4_000_000
"""Pairs held in memory at a time."""

_SLACK_MM = 1e-6


def feret_mm(mask: npt.NDArray[np.bool_], grid: Grid) -> float:
    """3D Feret diameter: the largest distance between the centres of two outer faces of a finding's voxels.

    That is the maximum 3D diameter of the Image Biomarker Standardisation Initiative: marching cubes
    halfway put the surface's corners on just these points. One voxel reads its longest edge, a row of
    voxels along an axis its length; spheres read 0.5 to 0.9 voxels long, boxes across the grid up to a
    voxel's diagonal short (``benchmarks/measures.py``).

    Parameters
    ----------
    mask
        (z, y, x) with at least one voxel set.
    grid
        Where the directions come from; the mask may be a crop of it.
    """
    directions = grid.affine[:3, :3]
    faces_mm = _FACES @ directions.T
    centres_mm = _outermost(row_ends(mask) @ directions.T, slack_mm=2 * float(np.linalg.norm(faces_mm, axis=1).max()))
    return largest_distance((centres_mm[:, None] + faces_mm).reshape(-1, 3))


def largest_distance(points_mm: npt.NDArray[np.float64]) -> float:
    """Largest distance between two of (n, 3) points; 0 for one."""
    points = _outermost(points_mm, slack_mm=_SLACK_MM)
    if len(points) > _FEW:
        points = _on_hull(points)
    if len(points) <= _FEW:
        return float(pdist(points).max(initial=0.0))
    step = max(1, _AT_ONCE // len(points))
    return max(float(cdist(points[first : first + step], points).max()) for first in range(0, len(points), step))


def row_ends(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """(n, 3) indices of the first and the last voxel of each row along x: the outermost voxels are among them."""
    z, y = np.nonzero(mask.any(axis=2))
    rows = mask[z, y]
    first, last = rows.argmax(axis=1), mask.shape[2] - 1 - rows[:, ::-1].argmax(axis=1)
    return np.concatenate([np.stack([z, y, x], axis=1) for x in (first, last)])


def _outermost(points: npt.NDArray[np.float64], *, slack_mm: float) -> npt.NDArray[np.float64]:
    """Those of (n, 3) points that can be an end of the largest distance, or of one shorter by ``slack_mm``.

    With a pair found that is ``longest`` apart, and no point further than ``reach`` from its middle, an
    end of a longer one is at least ``longest - reach`` from there: most points of most shapes are not.
    """
    if len(points) <= _FEW:
        return points
    end = points[np.argmax(np.linalg.norm(points - points.mean(axis=0), axis=1))]
    other = points[np.argmax(np.linalg.norm(points - end, axis=1))]
    away = np.linalg.norm(points - (end + other) / 2, axis=1)
    longest, reach = float(np.linalg.norm(end - other)), float(away.max())
    kept: npt.NDArray[np.float64] = points[away >= longest - reach - slack_mm - _SLACK_MM]
    return kept


def _on_hull(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    try:
        corners: npt.NDArray[np.float64] = points[ConvexHull(points).vertices]
    except QhullError:  # all in one plane: no body, no hull
        return points
    return corners
