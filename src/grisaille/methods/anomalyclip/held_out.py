"""How well prompts find what is marked on slices of patients that they were not learned from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

if TYPE_CHECKING:
    from torch import Tensor

_LEVELS = 2**16
"""Scores of pixels are counted by so many steps, so that memory does not grow with the slices."""


@dataclass(frozen=True)
class Figures:
    """Of slices left out.

    Parameters
    ----------
    pixel_ap
        Average precision of all pixels; None if none is marked.
    slice_auroc
        Area under the ROC curve of the slices' scores; None unless some are marked and some are not.
    """

    pixel_ap: float | None = None
    slice_auroc: float | None = None


@dataclass(eq=False)
class Counted:
    """What of the slices seen so far the figures are made of."""

    pixels: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, _LEVELS), np.int64))
    """By mark, then by score."""
    slices: list[float] = field(default_factory=list)
    marks: list[bool] = field(default_factory=list)

    def count(self, map_: Tensor, score: float, mask: npt.NDArray[np.bool_]) -> None:
        """Take in a slice: its (y, x) map of 0 to 1, its score, its (y, x) mask."""
        steps = (map_.clamp(0, 1) * (_LEVELS - 1)).round().int().cpu().numpy()
        for marked, of in enumerate((~mask, mask)):
            self.pixels[marked] += np.bincount(steps[of], minlength=_LEVELS)
        self.slices.append(score)
        self.marks.append(bool(mask.any()))

    def figures(self) -> Figures:
        """Of all slices that were counted."""
        return Figures(_average_precision(self.pixels), _auroc(np.array(self.slices), np.array(self.marks, dtype=bool)))


def _average_precision(pixels: npt.NDArray[np.int64]) -> float | None:
    """Of counts by mark and score, as scikit-learn's: precision, weighted by what each threshold adds to recall."""
    others, marked = pixels[:, ::-1]
    total = marked.sum()
    if not total:
        return None
    found = np.cumsum(marked)
    precision = found / np.maximum(found + np.cumsum(others), 1)
    return float((precision * marked).sum() / total)


def _auroc(scores: npt.NDArray[np.float64], marks: npt.NDArray[np.bool_]) -> float | None:
    """The chance that a marked slice scores higher than another, ties counted by half (Mann and Whitney)."""
    count = int(marks.sum())
    others = len(marks) - count
    if not count or not others:
        return None
    return float((rankdata(scores)[marks].sum() - count * (count + 1) / 2) / (count * others))
