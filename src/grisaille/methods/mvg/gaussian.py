"""A multivariate Gaussian fitted in one pass, mergeable and removable, in float64.

Source: Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional
covariance matrices"; the Mahalanobis distance over deep features follows Rippel, Mertens
and Merhof 2020, arXiv 2005.14140.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import require_shape
from grisaille.core.errors import InputError, ShapeError

Array = npt.NDArray[np.float64]

RIDGE = 1e-8
"""Share of the mean variance added to the diagonal where nothing was shrunk."""

FAR = 1e8
"""Removed rows whose squared offset exceeds this many variances leave too few digits behind."""


@dataclass(frozen=True, eq=False)
class Moments:
    """What Ledoit-Wolf needs to know of n rows, in memory that does not grow with n.

    With z = row - mean over the rows:

    Parameters
    ----------
    count
        n.
    mean
        (d,).
    scatter
        (d, d), sum of z z'.
    cubic
        (d,), sum of |z|^2 z.
    quartic
        Sum of |z|^4.
    """

    count: int
    mean: Array
    scatter: Array
    cubic: Array
    quartic: float

    @classmethod
    def zero(cls, dimensions: int) -> Self:
        """Of no rows at all."""
        empty = np.zeros(dimensions)
        return cls(0, empty, np.zeros((dimensions, dimensions)), empty, 0.0)

    @classmethod
    def of(cls, rows: npt.ArrayLike) -> Self:
        """Of (n, d) rows; the sums are made in float64."""
        values = np.asarray(rows, dtype=np.float64)
        if values.ndim != 2:
            raise ShapeError(f"features are rows of (n, d), found shape {values.shape}")
        if not len(values):
            return cls.zero(values.shape[1])
        mean = values.mean(axis=0)
        z = values - mean
        squares = np.einsum("nd,nd->n", z, z)
        return cls(len(z), mean, z.T @ z, squares @ z, float(squares @ squares))

    @property
    def dimensions(self) -> int:
        """d."""
        return len(self.mean)

    def __add__(self, other: Self) -> Self:
        """Of the rows of both: of a chunk more, or of another site."""
        self._require_same_dimensions(other)
        count = self.count + other.count
        if not other.count or not self.count:
            return self if self.count else other
        mean = self.mean + (other.mean - self.mean) * (other.count / count)
        a, b = self._about(mean), other._about(mean)
        return type(self)(count, mean, a[0] + b[0], a[1] + b[1], a[2] + b[2])

    def __sub__(self, other: Self) -> Self:
        """Of the rows that remain once those of ``other`` are taken away.

        Raises
        ------
        InputError
            If ``other`` holds more rows, or lies so far off that the digits of the rest are lost;
            the rest then has to be added up again.
        """
        self._require_same_dimensions(other)
        count = self.count - other.count
        if count < 0:
            raise InputError(f"{other.count} rows cannot be removed from {self.count}")
        if not other.count:
            return self
        if not count:
            return self.zero(self.dimensions)
        mean = self.mean + (self.mean - other.mean) * (other.count / count)
        offset = mean - other.mean
        a, b = self._about(mean), other._about(mean)
        rest = type(self)(count, mean, a[0] - b[0], a[1] - b[1], a[2] - b[2])
        if count > 1 and other.count * (offset @ offset) > FAR * np.trace(rest.scatter) / count:
            raise InputError(
                "the rows to remove lie too far from the rest to be subtracted; merge the remaining patients again"
            )
        return rest

    def arrays(self) -> Mapping[str, npt.NDArray[np.float64]]:
        """Plain arrays for a file; inverse of ``from_arrays``."""
        return {
            "mean": self.mean,
            "scatter": self.scatter,
            "cubic": self.cubic,
            "count_quartic": np.array([float(self.count), self.quartic]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.float64]]) -> Self:
        """The inverse of ``arrays``."""
        count, quartic = arrays["count_quartic"]
        return cls(int(count), arrays["mean"], arrays["scatter"], arrays["cubic"], float(quartic))

    def _about(self, centre: Array) -> tuple[Array, Array, float]:
        """Scatter, cubic and quartic sums about ``centre`` instead of the mean."""
        e = self.mean - centre
        square, trace, pulled = float(e @ e), float(np.trace(self.scatter)), self.scatter @ e
        scatter = self.scatter + self.count * np.outer(e, e)
        cubic = self.cubic + trace * e + 2 * pulled + self.count * square * e
        quartic = (
            self.quartic + 4 * float(e @ pulled) + 4 * float(e @ self.cubic) + 2 * square * trace
            + self.count * square**2
        )  # fmt: skip
        return scatter, cubic, quartic

    def _require_same_dimensions(self, other: Moments) -> None:
        if self.dimensions != other.dimensions:
            raise ShapeError(f"features have {other.dimensions} dimensions, expected {self.dimensions}")


@dataclass(frozen=True, eq=False)
class Covariance:
    """A covariance drawn towards a multiple of the identity by ``shrinkage`` in 0..1."""

    matrix: Array
    shrinkage: float


def ledoit_wolf(moments: Moments) -> Covariance:
    """The Ledoit-Wolf estimate of the rows behind ``moments``.

    Raises
    ------
    InputError
        If there are fewer than two rows, or they are all equal.
    """
    return shrunk(moments.scatter, moments.count, moments.quartic)


def shrunk(scatter: Array, count: int, quartic: float | None = None) -> Covariance:
    """Ledoit-Wolf from the scatter of ``count`` rows and their sum of |z|^4.

    Without ``quartic``, its value for normally distributed rows is taken: E|z|^4 =
    tr(S)^2 + 2 |S|^2. Residuals of a regression have no other sum that is known in one pass.
    """
    if count < 2:
        raise InputError(f"a covariance needs at least two rows, found {count}")
    dimensions = len(scatter)
    sample = scatter / count
    trace = float(np.trace(sample))
    if not np.isfinite(trace) or trace <= 0:
        raise InputError("all training features are equal (or not finite): a Gaussian of them would know no distance")
    mean_variance = trace / dimensions
    squared = float(np.sum(sample * sample))
    fourth = trace**2 + 2 * squared if quartic is None else quartic / count
    spread = (squared - dimensions * mean_variance**2) / dimensions
    noise = min(spread, (fourth - squared) / (dimensions * count))
    shrinkage = noise / spread if noise > 0 else 0.0
    matrix = (1 - shrinkage) * sample
    matrix.flat[:: dimensions + 1] += shrinkage * mean_variance
    return Covariance(matrix, shrinkage)


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A healthy Gaussian, ready to measure distances.

    Parameters
    ----------
    mean
        (d,).
    factor
        (k, k) lower triangular; ``factor @ factor.T`` is the covariance, of the kept directions
        where there are some.
    directions
        (k, d) orthonormal rows that features are projected on first; None keeps all.
    """

    mean: Array
    factor: Array
    directions: Array | None = None

    def __post_init__(self) -> None:
        kept = len(self.mean) if self.directions is None else len(self.directions)
        require_shape(self.factor, (kept, kept), "the factor of a covariance")

    @classmethod
    def of(cls, mean: Array, covariance: Covariance, directions: Array | None = None) -> Self:
        """From a mean and a covariance; of the ``directions`` only, where given."""
        from scipy.linalg import cholesky  # the settings are read, and this module with them, before any number is

        matrix = covariance.matrix
        if covariance.shrinkage <= 0:
            matrix = matrix + RIDGE * np.trace(matrix) / len(matrix) * np.eye(len(matrix))
        if directions is not None:
            matrix = directions @ matrix @ directions.T
        return cls(mean, cholesky(matrix, lower=True), directions)

    @property
    def degrees(self) -> int:
        """Directions that count: the degrees of freedom of a squared distance."""
        return len(self.factor)

    def distances(self, rows: npt.ArrayLike) -> Array:
        """(n, d) rows to (n,) Mahalanobis distances, in standard deviations.

        Raises
        ------
        ShapeError
            If d differs.
        """
        from scipy.linalg import solve_triangular

        values = np.asarray(rows, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.mean):
            raise ShapeError(f"features have shape {values.shape}, expected (n, {len(self.mean)})")
        offsets = values - self.mean
        if self.directions is not None:
            offsets = offsets @ self.directions.T
        white = solve_triangular(self.factor, offsets.T, lower=True, check_finite=False, overwrite_b=True)
        distances: Array = np.sqrt(np.einsum("dn,dn->n", white, white))
        return distances
