"""Maps of planes, windows and modalities become one score a voxel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.imaging.resample import resample_array
from grisaille.methods.anomalyclip.config import Fusion
from grisaille.methods.anomalyclip.pictures import Sheet
from grisaille.methods.anomalyclip.tokens import smooth_maps

FINE = 4
"""Parts that a token is cut into along rows and columns before its map goes to the voxels."""

LEAST = 1e-6
"""No voxel that was judged scores less: 0 is for those that were not."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SheetMap:
    """The smooth scores (slices, rows, columns) of a sheet, and their places."""

    key: str
    scores: Floats
    grid: Grid


def sheet_map(sheet: Sheet, tokens: Floats, done: npt.NDArray[np.intp], sigma_px: float) -> SheetMap:
    """The map of a sheet whose slices ``done``, ascending, have (k, rows, columns) token scores.

    Slices between them are interpolated, those beyond them are as the nearest.
    """
    import torch

    slices, rows, columns = sheet.shape
    places = np.interp(np.arange(slices), done, np.arange(len(done)))
    below = places.astype(int)
    above = np.minimum(below + 1, len(done) - 1)
    share = (places - below).astype(np.float32)[:, None, None]
    between = torch.from_numpy(tokens[below] * (1 - share) + tokens[above] * share)  # tokens: far fewer than pixels
    fine = smooth_maps(between, (rows * FINE, columns * FINE), sigma_px * FINE / sheet.patch)
    return SheetMap(sheet.key, fine.numpy(), sheet.fine_grid(FINE))


def fused(
    maps: Sequence[SheetMap], body: npt.NDArray[np.bool_], grid: Grid, fusion: Fusion, run: Run | None = None
) -> npt.NDArray[np.float32]:
    """(z, y, x) on ``grid``: windows and planes of a modality first, then the mean of the modalities; 0 off the body.

    Where a modality was not scanned the others count alone. ``run`` may stop it.
    """
    total, weight = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    for key in dict.fromkeys(one.key for one in maps):
        values, known = _of_modality([one for one in maps if one.key == key], grid, fusion, run)
        total += values * known
        weight += known
    scores = np.maximum(total / np.maximum(weight, 1), np.float32(LEAST))
    scores[~(body & (weight > 0))] = 0
    return scores


def _of_modality(maps: Sequence[SheetMap], grid: Grid, fusion: Fusion, run: Run | None) -> tuple[Floats, Floats]:
    total, times = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    for one in maps:
        values = resample_array(one.scores, one.grid, grid, outside=-1.0, run=run)
        known = values >= 0
        if fusion is Fusion.GEOMETRIC:
            values = np.log(np.maximum(values, np.float32(LEAST)))
        total = np.where(known, np.maximum(total, values) if fusion is Fusion.HIGHEST else total + values, total)
        times += known
    if fusion is not Fusion.HIGHEST:
        total /= np.maximum(times, 1)
    return (np.exp(total) if fusion is Fusion.GEOMETRIC else total), (times > 0).astype(np.float32)
