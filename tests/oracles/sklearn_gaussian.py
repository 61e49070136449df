"""The Gaussian of Rippel et al. 2020 written plainly with scikit-learn: slow, all rows in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

Array = npt.NDArray[np.float64]


def shrinkage_and_covariance(rows: Array) -> tuple[float, Array]:
    fitted = LedoitWolf().fit(np.asarray(rows, dtype=np.float64))
    return float(fitted.shrinkage_), fitted.covariance_


def distances(train: Array, test: Array) -> Array:
    """Mahalanobis distances of ``test`` from the float64 Ledoit-Wolf Gaussian of ``train``."""
    fitted = LedoitWolf().fit(np.asarray(train, dtype=np.float64))
    return np.sqrt(fitted.mahalanobis(np.asarray(test, dtype=np.float64)))


def principal_components_kept(rows: Array, share: float) -> int:
    """Components that PCA keeps: up to the first beyond ``share`` of the variance."""
    explained = np.cumsum(PCA().fit(rows).explained_variance_ratio_)
    return int(np.argmax(explained > share)) + 1
