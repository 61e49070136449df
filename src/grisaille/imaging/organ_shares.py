"""A cut of its own for each organ: the most anomalous share of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage


def top_shares(
    scores: npt.NDArray[np.floating], body: npt.NDArray[np.bool_], organs: npt.NDArray[np.integer], share: float
) -> npt.NDArray[np.bool_]:
    """The most anomalous share of each organ, as far as it was judged.

    Equal scores at an organ's cut are marked together, unless they are what most of the organ scores: of an even organ
    nothing is marked but what stands out of it. What lies in no organ is never marked.

    Parameters
    ----------
    scores, body, organs
        (z, y, x) of one shape; ``body`` is what was judged, ``organs`` holds label numbers, 0 for none.
    share
        Above 0, at most 1.
    """
    marked = np.zeros(scores.shape, dtype=bool)
    for number, box in enumerate(ndimage.find_objects(organs), start=1):
        if box is None:
            continue
        inside = (organs[box] == number) & body[box]
        values = scores[box][inside]
        if values.size:
            cut = float(np.quantile(values, 1 - share))
            top = values >= cut
            is_even = np.count_nonzero(top) > share * values.size + 1 and cut <= np.median(values)
            marked[box][inside] = values > cut if is_even else top
    return marked
