"""How well maps of many pictures agree with their masks, counted picture by picture in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.arrays import require_shape
from grisaille.core.packages import require

THRESHOLDS = 200
"""Cuts of AUPRO, evenly spaced from the lowest score of all maps towards the highest: as published."""

LARGEST_FPR = 0.3
"""AUPRO looks at cuts that mark a smaller share of the healthy pixels than this."""

_FINE = 256
"""Steps between two cuts, by which scores are counted for AUROC and average precision."""

_EIGHT = np.ones((3, 3), dtype=bool)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PixelFigures:
    """Over the pixels of all pictures, 0 to 1; None where it is not defined.

    Parameters
    ----------
    auroc, precision
        Area under the ROC curve and average precision; None unless some pixels are marked and some are not.
    aupro
        Area under the mean overlap with each marked region over the share of healthy pixels that is
        marked too, up to ``LARGEST_FPR`` and divided by it; None as well if fewer than two cuts are below that.
    """

    auroc: float | None
    precision: float | None
    aupro: float | None


@dataclass(eq=False)
class PixelCounts:
    """What of the pictures seen so far the figures are made of.

    Scores are counted in ``THRESHOLDS`` times 256 steps from ``low`` to ``high``: exact for the
    cuts of AUPRO; for the others pixels of one step count as ties.

    Parameters
    ----------
    low, high
        The lowest and the highest score of all maps.
    """

    low: float
    high: float
    pixels: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, THRESHOLDS * _FINE + 1), np.int64))
    """By mark, then by score."""
    overlaps: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(THRESHOLDS))
    """Summed over regions, by cut."""
    regions: int = 0

    def count(self, scores: npt.NDArray[np.float32], mask: Mask) -> None:
        """Take in a picture: its (y, x) map and its (y, x) mask, whose 8-connected parts are the regions."""
        require_shape(mask, scores.shape, "the mask of a picture")
        width = self.high - self.low
        parts = np.zeros(scores.shape) if width <= 0 else (scores.astype(np.float64) - self.low) / width
        # A score lies above cut k if its step is more than k * _FINE.
        steps = np.ceil(parts * (THRESHOLDS * _FINE)).astype(np.int64).clip(0, THRESHOLDS * _FINE)
        for marked, of in enumerate((~mask, mask)):
            self.pixels[marked] += np.bincount(steps[of], minlength=self.pixels.shape[1])
        numbers, found = ndimage.label(mask, _EIGHT)
        if not found:
            return
        passed = -(-steps[mask] // _FINE)  # cuts below the score
        places = (numbers[mask] - 1) * (THRESHOLDS + 1) + passed
        sizes = np.bincount(places, minlength=found * (THRESHOLDS + 1)).reshape(found, THRESHOLDS + 1)
        above = sizes[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
        self.overlaps += (above / sizes.sum(axis=1, keepdims=True)).sum(axis=0)
        self.regions += found

    def figures(self) -> PixelFigures:
        """Of all pictures that were counted.

        Raises
        ------
        MissingDependency
            If scikit-learn is not installed.
        """
        if not self.pixels.sum(axis=1).all():
            return PixelFigures(None, None, None)
        require("sklearn")
        from sklearn.metrics import average_precision_score, roc_auc_score

        marked, steps = np.nonzero(self.pixels)
        times = self.pixels[marked, steps]
        return PixelFigures(
            float(roc_auc_score(marked, steps, sample_weight=times)),
            float(average_precision_score(marked, steps, sample_weight=times)),
            self._aupro(),
        )

    def _aupro(self) -> float | None:
        from sklearn.metrics import auc

        healthy = self.pixels[0]
        wrong = (healthy.sum() - healthy.cumsum()[: THRESHOLDS * _FINE : _FINE]) / healthy.sum()
        kept = wrong < LARGEST_FPR
        shares = wrong[kept]
        if len(shares) < 2 or shares[0] == shares[-1]:
            return None
        spread = (shares - shares.min()) / (shares.max() - shares.min())
        return float(auc(spread, self.overlaps[kept] / self.regions))


def picture_figures(scores: npt.NDArray[np.float64], abnormal: Mask) -> tuple[float, float]:
    """Area under the ROC curve and average precision of (n,) scores of pictures, some abnormal and some not.

    Raises
    ------
    MissingDependency
        If scikit-learn is not installed.
    """
    require("sklearn")
    from sklearn.metrics import average_precision_score, roc_auc_score

    return float(roc_auc_score(abnormal, scores)), float(average_precision_score(abnormal, scores))
