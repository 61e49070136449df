"""What a method can tell of each finding beyond what every finding has: named numbers, described once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import frozen, require_shape
from grisaille.core.errors import InputError

SCORES = "scores"
"""In place of the key of an extra: the scores themselves."""


class Statistic(StrEnum):
    """What is taken of a finding's voxels: the highest, the one furthest from 0 with its sign, or the mean."""

    HIGHEST = "highest"
    FURTHEST = "furthest"
    MEAN = "mean"


@dataclass(frozen=True, eq=False)
class Curve:
    """What a statistic is turned into: linear between (n,) points ``x``, ascending, and ``y``; flat beyond its ends."""

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", frozen(self.x, np.float64))
        object.__setattr__(self, "y", frozen(self.y, np.float64))
        require_shape(self.y, self.x.shape, "the values of a curve")
        if not self.x.size or np.any(np.diff(self.x) < 0):
            raise InputError("a curve has at least one point, and its points ascend")

    def __call__(self, value: float) -> float:
        """The value of the curve."""
        return float(np.interp(value, self.x, self.y))


@dataclass(frozen=True, eq=False)
class Measure:
    """One number of each finding.

    Parameters
    ----------
    name
        Its column in ``findings.csv`` and its key in ``Finding.extra``.
    title, help
        Its heading in a table, and a sentence on what it means.
    of
        Key of the extra volume that it is taken of, or ``SCORES``.
    statistic
        What is taken of the finding's voxels.
    curve
        What that is turned into, if anything. A value at one of its ends is a bound, not a measurement.
    form
        How a table writes it, as Python's format specification.
    """

    name: str
    title: str
    help: str
    of: str
    statistic: Statistic
    curve: Curve | None = None
    form: str = ".2f"

    def of_values(self, values: npt.NDArray[Any]) -> float | None:
        """The number of a finding of (n,) voxels; None of no voxel."""
        if not values.size:
            return None
        if self.statistic is Statistic.MEAN:
            number = float(values.mean(dtype=np.float64))
        elif self.statistic is Statistic.HIGHEST:
            number = float(values.max())
        else:
            number = float(values[np.abs(values).argmax()])
        return number if self.curve is None else self.curve(number)

    def write(self, value: float | None) -> str:
        """``value`` as a table shows it; what lies beyond all that was measured as ``< 2e-06``."""
        if value is None:
            return "–"
        figures = format(value, self.form)
        if self.curve is not None and value <= self.curve.y.min():
            return f"< {figures}"
        if self.curve is not None and value >= self.curve.y.max():
            return f"> {figures}"
        return figures
