"""The holes that the published network learns from: scribbles of lines and discs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

MOST_SHAPES = 69
THINNEST = 3.0
THICKEST = 0.03
"""Of width and height together: 15 pixels of 256 x 256."""
LINES = 1 / 3
"""Share of lines; what is called a circle and what is called an ellipse there are both drawn as discs."""


def training_mask(shape: tuple[int, int], rng: np.random.Generator) -> Mask:
    """(y, x) a random hole of one slice: 1 to 69 lines, as thick, and discs, of radius, 3 to 0.03 (W + H) pixels."""
    height, width = shape
    hole = np.zeros(shape, dtype=bool)
    y, x = np.ogrid[:height, :width]
    for _ in range(int(rng.integers(1, MOST_SHAPES + 1))):
        size = rng.uniform(THINNEST, max(THINNEST, THICKEST * (height + width)))
        start = rng.uniform(0, shape)
        if rng.random() < LINES:
            hole |= _distance(y, x, start, rng.uniform(0, shape)) <= size / 2
        else:
            hole |= _distance(y, x, start, start) <= size
    return hole


def _distance(
    y: npt.NDArray[np.intp], x: npt.NDArray[np.intp], start: npt.NDArray[np.float64], end: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(y, x) from each pixel to a segment, a point where both ends are one."""
    along = end - start
    length = max(float(along @ along), 1e-12)
    share = np.clip(((y - start[0]) * along[0] + (x - start[1]) * along[1]) / length, 0, 1)
    distance: npt.NDArray[np.float64] = np.hypot(y - start[0] - share * along[0], x - start[1] - share * along[1])
    return distance
