"""From a score for each voxel to one for each slice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Axis, Grid

SLICE_AREA_MM2 = 400.0
"""A slice scores the mean of its most anomalous tissue of this area, as large as a small lesion."""


def slice_scores(scores: npt.NDArray[np.float32], grid: Grid, axis: Axis) -> npt.NDArray[np.float32]:
    """(slices,) along ``axis``: the mean of the highest scores over ``SLICE_AREA_MM2``."""
    turned = np.moveaxis(scores, axis.dimension, 0).reshape(scores.shape[axis.dimension], -1)
    pixel_mm2 = 1000.0 * grid.voxel_ml / grid.spacing_mm[axis.dimension]
    highest = min(max(1, round(SLICE_AREA_MM2 / pixel_mm2)), turned.shape[1])
    top = np.partition(turned, turned.shape[1] - highest, axis=1)[:, -highest:]
    return np.asarray(top.mean(axis=1), dtype=np.float32)
