"""Polygons to pixels and back, in a plane: what contours enclose, and the contours of a mask."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_DIGITS = 6
"""Places after the point to which vertices are taken: a centre this near to a line lies on it."""

_HALF_WAY = 0.501
"""Between an empty pixel (0) and a marked one (1)."""


def filled(contours: Iterable[Points], shape: tuple[int, int]) -> Mask:
    """The pixels whose centres the contours enclose an odd number of times, or whose centres lie on a line.

    So a contour within another is a hole, contours side by side are parts of one thing, and a line
    that is run there and back (a keyhole from the rim to a hole) encloses nothing.

    Parameters
    ----------
    contours
        (n, 2) vertices (row, column) each, pixel centres at whole numbers; closed without repeating the first.
    shape
        Rows and columns; what lies outside is cut off.

    Returns
    -------
    (row, column).
    """
    starts, ends = _edges(contours)
    if not len(starts):
        return np.zeros(shape, dtype=bool)
    is_level = starts[:, 0] == ends[:, 0]
    rows, at = _crossings(starts[~is_level], ends[~is_level], shape[0])
    # A crossing turns inside to outside for every centre from it on.
    columns = np.clip(np.ceil(at), 0, shape[1]).astype(np.int64)
    turns = np.bincount(rows * (shape[1] + 1) + columns, minlength=shape[0] * (shape[1] + 1))
    mask: Mask = (np.cumsum(turns.reshape(shape[0], -1), axis=1)[:, :-1] % 2).astype(bool)
    is_on = at == np.round(at)
    _mark(mask, np.stack([rows[is_on], at[is_on]], axis=1))
    _mark(mask, starts[(starts == np.round(starts)).all(axis=1)])
    for start, end in zip(starts[is_level], ends[is_level], strict=True):
        if start[0] == round(start[0]) and 0 <= start[0] < shape[0]:
            low, high = sorted((start[1], end[1]))
            mask[int(start[0]), max(0, int(np.ceil(low))) : max(0, int(np.floor(high)) + 1)] = True
    return mask


def traced(mask: Mask) -> list[Points]:
    """Contours that ``filled`` turns into ``mask`` again, one for each part of it.

    They run half-way between the centres inside and outside, by a thousandth nearer to the inside: readers that
    round vertices to pixels (rt-utils) then find those inside. A hole is joined to the rim of its part
    by a line run there and back along a row of marked pixels (a keyhole), so that a reader
    that fills contours one by one keeps it too.

    Parameters
    ----------
    mask
        (row, column).

    Returns
    -------
    (n, 2) vertices (row, column) each, the first not repeated.

    Source: DICOM PS3.3 C.8.8.6.3, inner and outer contours.
    """
    from skimage.measure import find_contours

    # A frame of empty pixels closes contours at the border. Low values are connected at corners, so
    # that pixels which only touch at one get contours of their own.
    loops = [loop[:-1] - 1.0 for loop in find_contours(np.pad(mask, 1).astype(np.float64), _HALF_WAY)]
    rims, holes = _rims_and_holes(loops, mask)
    for hole in sorted(holes, key=lambda loop: float(loop[:, 1].min())):
        _join(rims, hole, mask)
    return [_without_midpoints(rim) for rim in rims]


def _edges(contours: Iterable[Points]) -> tuple[Points, Points]:
    starts, ends = [], []
    for contour in contours:
        points = np.round(np.asarray(contour, dtype=np.float64), _DIGITS) + 0.0
        starts.append(points)
        ends.append(np.roll(points, -1, axis=0))
    if not starts:
        return np.empty((0, 2)), np.empty((0, 2))
    return np.concatenate(starts), np.concatenate(ends)


def _crossings(starts: Points, ends: Points, n_rows: int) -> tuple[npt.NDArray[np.int64], Points]:
    """Every row of centres that an edge crosses, its upper end in, its lower end out; and the column where."""
    is_up = starts[:, 0] > ends[:, 0]
    upper, lower = np.where(is_up[:, None], ends, starts), np.where(is_up[:, None], starts, ends)
    first = np.clip(np.ceil(upper[:, 0]), 0, n_rows).astype(np.int64)
    last = np.clip(np.ceil(lower[:, 0]), 0, n_rows).astype(np.int64)
    counts = last - first
    edge = np.repeat(np.arange(len(counts)), counts)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    share = (rows - upper[edge, 0]) / (lower[edge, 0] - upper[edge, 0])
    return rows, np.round(upper[edge, 1] + share * (lower[edge, 1] - upper[edge, 1]), _DIGITS)


def _mark(mask: Mask, points: Points) -> None:
    is_inside = ((points >= 0) & (points < mask.shape)).all(axis=1)
    mask[tuple(points[is_inside].astype(np.int64).T)] = True


def _rims_and_holes(loops: list[Points], mask: Mask) -> tuple[list[Points], list[Points]]:
    """A loop is a hole if the pixel right of its leftmost vertex, which lies within it, is empty."""
    rims: list[Points] = []
    holes: list[Points] = []
    for loop in loops:
        row, column = _leftmost(loop)
        (rims if mask[row, column] else holes).append(loop)
    return rims, holes


def _leftmost(loop: Points) -> tuple[int, int]:
    """The pixel right of the leftmost vertex; that vertex lies on a row of centres, between two columns."""
    row, column = loop[np.argmin(loop[:, 1])]
    return round(float(row)), int(np.ceil(column))


def _join(rims: list[Points], hole: Points, mask: Mask) -> None:
    """Run from the hole along its row to the left, through marked pixels, to the loop that ends them."""
    row, column = _leftmost(hole)
    empty = np.flatnonzero(~mask[row, :column])
    ends_after = int(empty[-1]) if len(empty) else -1
    start = int(np.argmin(hole[:, 1]))
    around = np.concatenate([hole[start:], hole[: start + 1]])
    for index, rim in enumerate(rims):
        found = np.flatnonzero((rim[:, 0] == row) & (np.floor(rim[:, 1]) == ends_after))
        if len(found):
            rims[index] = np.concatenate([rim[: found[0] + 1], around, rim[found[0] :]])
            return
    raise AssertionError("a run of marked pixels ends at a contour")


def _without_midpoints(loop: Points) -> Points:
    """Without the vertices in the middle of a straight run; where a line turns back they stay."""
    before, after = loop - np.roll(loop, 1, axis=0), np.roll(loop, -1, axis=0) - loop
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    is_straight = (turn == 0) & ((before * after).sum(axis=1) > 0)
    kept: Points = loop[~is_straight]
    return kept
