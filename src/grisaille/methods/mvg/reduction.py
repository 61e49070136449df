"""Which principal directions of the healthy features are kept.

Source: Rippel, Mertens and Merhof 2020, arXiv 2005.14140, table 3.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from grisaille.core.errors import ConfigError
from grisaille.methods.mvg.gaussian import Array, Gaussian, Moments, ledoit_wolf

RANK_TOLERANCE = 1e-12
"""Eigenvalues below this share of the largest are the null space of too few rows."""


class Reduction(StrEnum):
    """``PCA`` keeps the directions of most variance, ``NPCA`` those of least."""

    NONE = "none"
    PCA = "pca"
    NPCA = "npca"


def principal_directions(scatter: Array, reduction: Reduction, share: float) -> Array | None:
    """(k, d) orthonormal rows, by falling variance; None where all are kept.

    ``PCA`` keeps the leading directions up to the first at which more than ``share`` of the
    variance is explained, ``NPCA`` those from the one before it on. Where one single
    direction explains more than the share (the place along the body does), NPCA keeps all,
    not the last alone. Directions without any variance are never kept.
    """
    if reduction is Reduction.NONE:
        return None
    if not 0 < share < 1:
        raise ConfigError(f"the share of variance kept is {share}, expected a number between 0 and 1")
    variances, vectors = np.linalg.eigh(scatter)
    variances, rows = variances[::-1], vectors.T[::-1]
    rank = int(np.count_nonzero(variances > RANK_TOLERANCE * variances[0]))
    explained = np.cumsum(variances[:rank]) / variances[:rank].sum()
    beyond = int(np.argmax(explained > share))
    kept = slice(0, beyond + 1) if reduction is Reduction.PCA else slice(max(beyond - 1, 0), rank)
    return np.ascontiguousarray(rows[kept])


def reduced_gaussian(moments: Moments, reduction: Reduction, share: float) -> Gaussian:
    """The Ledoit-Wolf Gaussian of ``moments`` on the kept directions.

    The shrinkage is that of all directions: shrinking anew among the kept ones would take
    another pass over the data.
    """
    directions = principal_directions(moments.scatter, reduction, share)
    return Gaussian.of(moments.mean, ledoit_wolf(moments), directions)
