"""The hottest part of a set of voxels that is no noise: large enough, and in one piece."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_AT_FIRST = 64
"""The highest voxels looked at first, in units of the size wanted: a lesion is among them, and noise takes more."""

_MORE = 8

_FORWARD = [step for step in itertools.product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]
"""Half of the 26 neighbours, those that come later in raster order."""


def top_component(
    scores: npt.NDArray[np.floating], inside: npt.NDArray[np.bool_], voxels: int
) -> npt.NDArray[np.bool_]:
    """The first part of at least ``voxels`` that hangs together as a cut is lowered from the highest score.

    Of a mask whose pieces are all smaller, the first that is as large as the largest. Corners join; equal scores
    come in together; of equal parts the one with the highest score is taken.

    Parameters
    ----------
    scores, inside
        (z, y, x) of one shape; ``inside`` holds something.

    Returns
    -------
    (z, y, x) bool.
    """
    places = np.flatnonzero(inside)
    values = scores.ravel()[places]
    count = min(_AT_FIRST * voxels, values.size)
    while True:
        kept = values >= np.partition(values, values.size - count)[values.size - count]
        graph = _Graph(places[kept], values[kept], inside.shape)
        largest = graph.largest().size
        if largest >= voxels or count == values.size:
            break
        count = min(_MORE * count, values.size)
    top = np.zeros(inside.size, dtype=bool)
    top[graph.first(min(voxels, largest))] = True
    return top.reshape(inside.shape)


class _Graph:
    """Voxels from the highest score down, and which of them touch."""

    def __init__(self, places: npt.NDArray[np.intp], values: npt.NDArray[np.floating], shape: tuple[int, ...]) -> None:
        order = np.argsort(-values, kind="stable")
        self._places, self._values = places[order], values[order]
        rank = np.empty_like(order)
        rank[order] = np.arange(order.size)
        # With a margin around, no step leads from the end of a row to the beginning of the next.
        wide = [size + 2 for size in shape]
        numbers = np.ravel_multi_index([axis + 1 for axis in np.unravel_index(places, shape)], wide)
        ends = []
        for z, y, x in _FORWARD:
            wanted = numbers + ((z * wide[1] + y) * wide[2] + x)
            found = np.minimum(np.searchsorted(numbers, wanted), numbers.size - 1)
            touching = np.flatnonzero(numbers[found] == wanted)
            ends.append(np.sort([rank[touching], rank[found[touching]]], axis=0))
        joined = np.concatenate(ends, axis=1)
        self._ends = joined[:, np.argsort(joined[1], kind="stable")]

    def largest(self, count: int | None = None) -> npt.NDArray[np.intp]:
        """The places of the largest part of the highest ``count`` voxels and those that equal the last of them."""
        count = self._values.size if count is None else count
        count = int(np.searchsorted(-self._values, -self._values[count - 1], side="right"))
        edges = self._ends[:, : np.searchsorted(self._ends[1], count)]
        joined = coo_array((np.ones(edges.shape[1], dtype=bool), (edges[0], edges[1])), shape=(count, count))
        part = connected_components(joined, directed=False)[1]
        places: npt.NDArray[np.intp] = self._places[:count][part == np.bincount(part).argmax()]
        return places

    def first(self, least: int) -> npt.NDArray[np.intp]:
        """The largest part at the highest cut at which it has at least ``least`` voxels; some cut has to do."""
        fails, holds = least - 1, least
        while self.largest(holds).size < least:
            fails, holds = holds, min(2 * holds, self._values.size)
        while holds - fails > 1:
            middle = (fails + holds) // 2
            if self.largest(middle).size < least:
                fails = middle
            else:
                holds = middle
        return self.largest(holds)
