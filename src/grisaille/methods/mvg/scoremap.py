"""From the modalities' maps to one score a voxel."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Grid
from grisaille.methods.mvg.modality import Known, onto

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
