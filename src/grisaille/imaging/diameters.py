"""Long and short axis of a finding, the way RECIST measures: in one axial slice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull

from grisaille.core.grid import Grid

_TIE_MM = 1e-6
_EDGE_MIDPOINTS = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, -0.5], [0.0, 0.5]])


def axes_mm(mask: npt.NDArray[np.bool_], grid: Grid) -> tuple[float, float]:
    """Longest in-plane extent of a finding over its axial slices, and the extent across it.

    The outline of a slice is the convex hull of the midpoints of its voxels' edges, as marching
    squares draw it: a rectangle along the axes reads its true sides and one voxel its own width.
    Discs read 0.4 to 0.9 voxels long; the hull of voxel corners reads about a whole
    voxel long, voxel centres up to half a voxel short. Of equal long axes the one with the
    largest short axis is taken.

    Parameters
    ----------
    mask
        (z, y, x) with at least one voxel set.
    grid
        Where the spacing comes from; the mask may be a crop of it.

    Returns
    -------
    Long and short axis in millimetres.
    """
    to_plane_mm = np.linalg.qr(grid.affine[:3, 1:3])[1].T  # (y, x) steps to orthogonal mm
    z, ends = _row_ends(mask)
    points = ends @ to_plane_mm
    planes = np.flatnonzero(np.diff(z, prepend=-1))
    spans = np.maximum.reduceat(points, planes) - np.minimum.reduceat(points, planes)
    bounds = np.hypot(spans[:, 0], spans[:, 1])
    outlines = np.split(points, planes[1:])
    best = (0.0, 0.0)
    for i in np.argsort(bounds, kind="stable")[::-1]:
        if bounds[i] < best[0] - _TIE_MM:  # no slice left can be longer
            break
        found = _axes_of(outlines[i])
        if found[0] > best[0] + _TIE_MM or (found[0] > best[0] - _TIE_MM and found[1] > best[1]):
            best = found
    return best


def _row_ends(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Edge midpoints of the first and last voxel of each row: no other point can be on a slice's hull.

    Returns
    -------
    (n,) z ascending, and (n, 2) places (y, x) in voxels.
    """
    z, y = np.nonzero(mask.any(axis=2))
    rows = mask[z, y]
    first = rows.argmax(axis=1)
    last = mask.shape[2] - 1 - rows[:, ::-1].argmax(axis=1)
    voxels = np.stack([np.stack([y, first], axis=1), np.stack([y, last], axis=1)], axis=1)
    points = voxels[:, :, None] + _EDGE_MIDPOINTS
    return np.repeat(z, 2 * len(_EDGE_MIDPOINTS)), points.reshape(-1, 2)


def _axes_of(points: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Largest distance among (n, 2) points, and the extent at right angles to it."""
    hull = points[ConvexHull(points).vertices]
    steps = hull[:, None] - hull
    lengths = np.hypot(steps[..., 0], steps[..., 1])
    long_axis = float(lengths.max())
    longest = steps[lengths >= long_axis - _TIE_MM]
    across = np.stack([-longest[:, 1], longest[:, 0]], axis=1) / long_axis
    return long_axis, float(np.ptp(hull @ across.T, axis=0).max())
