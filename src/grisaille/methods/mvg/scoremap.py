"""From the modalities' maps to one score a voxel and one a slice."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Axis, Grid
from grisaille.methods.mvg.modality import Known, onto

SLICE_AREA_MM2 = 400.0
"""A slice scores the mean of its most anomalous tissue of this area, as large as a small lesion."""

Scores = npt.NDArray[np.float32]


def voxel_scores(maps: Iterable[Known], body: npt.NDArray[np.bool_], grid: Grid) -> Scores:
    """(z, y, x) on ``grid``: the mean over modalities where they were seen, 0 outside the body.

    Standard deviations above healthy, pressed through log(1 + exp(s)): above 3 that is s itself,
    and it never falls to the 0 of what was not judged.
    """
    total, weight = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    for known in maps:
        values, share = onto(known, grid)
        total += values
        weight += share
    scores = np.logaddexp(np.float32(0), total / np.maximum(weight, 1e-6), dtype=np.float32)
    scores[~(body & (weight > 1e-3))] = 0
    return scores


def slice_scores(scores: Scores, grid: Grid, axis: Axis) -> npt.NDArray[np.float32]:
    """(slices,) along ``axis``: the mean of the highest scores over ``SLICE_AREA_MM2``."""
    turned = np.moveaxis(scores, axis.dimension, 0).reshape(scores.shape[axis.dimension], -1)
    pixel_mm2 = 1000.0 * grid.voxel_ml / grid.spacing_mm[axis.dimension]
    highest = min(max(1, round(SLICE_AREA_MM2 / pixel_mm2)), turned.shape[1])
    top = np.partition(turned, turned.shape[1] - highest, axis=1)[:, -highest:]
    return np.asarray(top.mean(axis=1), dtype=np.float32)
