"""What healthy patients score, who were kept out of the training: the yardstick of a new patient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import frozen

RARE = 1e-3
"""Share of healthy tissue that candidates rise from; they spread over ten times as much."""

SPREADING = 10.0

_NORMAL = 3.2905
"""What this share, split on both sides, is of a normal distribution in standard deviations."""

SHARES = np.geomspace(1e-6, 0.2, 64)
"""Shares of healthy tissue of which the score is kept."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Norms:
    """Of one combination of modalities.

    Parameters
    ----------
    spreads
        (scales,) what the distance from the painted mean is divided by at each size of cubes.
    high, low
        Scores of which candidates are made, as rare as ``RARE`` and ten times as frequent.
    tail
        (64,) score that each of ``SHARES`` of healthy tissue reaches, falling.
    usual
        (scales,) distance either way that a fifth of healthy tissue exceeds, before it is divided by the
        spread; what lesions hardly move. Empty in older models.
    """

    spreads: npt.NDArray[np.float64]
    high: float
    low: float
    tail: npt.NDArray[np.float64]
    usual: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        object.__setattr__(self, "spreads", frozen(self.spreads, np.float64))
        object.__setattr__(self, "tail", frozen(self.tail, np.float64))
        object.__setattr__(self, "usual", frozen(self.usual, np.float64))

    @classmethod
    def unmeasured(cls, scales: int) -> Self:
        """As if the network's own scale were right and its errors normal; promises nothing."""
        return cls(np.ones(scales), 3.0, 2.0, np.linspace(5.0, 1.0, SHARES.size))

    def spreading(self, high: float) -> float:
        """The score that ten times as much healthy tissue reaches as reaches ``high``."""
        share = float(np.interp(-high, -self.tail, SHARES))
        return float(np.interp(min(SPREADING * share, SHARES[-1]), SHARES, self.tail))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """For a file."""
        return {
            "spreads": self.spreads,
            "ends": np.array([self.high, self.low]),
            "tail": self.tail,
            "usual": self.usual,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """The inverse of ``arrays``."""
        high, low = arrays["ends"].tolist()
        return cls(arrays["spreads"], high, low, arrays["tail"], arrays.get("usual", np.empty(0)))


def spreads(distances: Iterable[Sequence[Floats]]) -> npt.NDArray[np.float64]:
    """(scales,) of the signed distances of each scan at each scale, all of the body.

    Measured where it matters, in the tail: 1 if healthy tissue were normal and the network's scale right.
    """
    reached = [[np.quantile(np.abs(values), 1 - RARE) for values in scan] for scan in distances]
    width: npt.NDArray[np.float64] = np.maximum(np.mean(reached, axis=0) / _NORMAL, 1e-3)
    return width


def usual(distances: Iterable[Sequence[Floats]]) -> npt.NDArray[np.float64]:
    """(scales,) what a fifth of the signed distances exceed, either way, of each scan at each scale."""
    exceeded = [[np.quantile(np.abs(values), 0.8) for values in scan] for scan in distances]
    return np.asarray(np.mean(exceeded, axis=0), dtype=np.float64)


def tail(scores: Iterable[Floats]) -> npt.NDArray[np.float64]:
    """(64,) the score that each of ``SHARES`` reaches; each scan, all of its body, counts alike."""
    levels = np.geomspace(1e-3, 100.0, 2001)
    reached = [1 - np.searchsorted(np.sort(values), levels, side="left") / values.size for values in scores]
    share = np.mean(reached, axis=0)
    # Rarer than one voxel of all scans is above all that was seen.
    return np.asarray(np.interp(-SHARES, -share, levels), dtype=np.float64)


def ends(tail: npt.NDArray[np.float64]) -> tuple[float, float]:
    """High and low of which candidates are made."""
    high, low = np.interp([RARE, SPREADING * RARE], SHARES, tail)
    return float(high), float(low)
