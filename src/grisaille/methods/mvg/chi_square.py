"""The published working point: a slice is anomalous where chi-square says so. For comparison only.

Source: Rippel, Mertens and Merhof 2020, arXiv 2005.14140. It takes healthy features for
normally distributed with exactly the fitted covariance, and slices of one patient for
independent. Neither holds. At 3 sigma, which names a false-positive rate of 0.27 %, the rate on
healthy phantom slices of patients not fitted on was 0 % at levels 0 to 2, 10 % at level 4, 40 % at
level 6 and 44 % at level 7; in simulations it ran from 0 % to 89 %. The promise of ``Calibration``,
measured by leaving patients out, is what ``label`` goes by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.special import erfc
from scipy.stats import chi2

from grisaille.core.errors import ConfigError
from grisaille.methods.mvg.config import MvgConfig, Preset
from grisaille.methods.mvg.gaussian import Array
from grisaille.methods.mvg.levels import PooledModel, ReferenceModel
from grisaille.methods.mvg.modality import ModalityModel
from grisaille.methods.mvg.observation import Observation
from grisaille.methods.mvg.spool import Spool

MOST_SIGMA = 30.0
"""Beyond this the probability leaves the range of float64."""


def chi_square_threshold(degrees: int, sigma: float) -> float:
    """The distance sqrt(chi2.ppf(p, degrees)) with p = erf(sigma / sqrt 2), as published.

    Parameters
    ----------
    degrees
        Directions kept.
    sigma
        The published tables go from 1 to 8. In one dimension it is the threshold itself.

    Raises
    ------
    ConfigError
        If ``sigma`` is not above 0 and at most ``MOST_SIGMA``.
    """
    if not 0 < sigma <= MOST_SIGMA:
        raise ConfigError(f"sigma is {sigma}, expected more than 0 and at most {MOST_SIGMA:g}")
    # The upper tail, for p itself rounds to 1 beyond 8 sigma.
    return math.sqrt(chi2.isf(erfc(sigma / math.sqrt(2)), degrees))


def published_thresholds(
    config: MvgConfig, models: Mapping[str, ModalityModel], sigma: float
) -> Mapping[str, Mapping[int, float]]:
    """By modality key and level, the threshold on the distance of a slice.

    Raises
    ------
    ConfigError
        If the preset is another than ``rippel2020``, or ``sigma`` is out of bounds.
    """
    require_published(config, "chi-square thresholds belong")
    return {
        key: {
            tap: chi_square_threshold(level.degrees, sigma)
            for tap, level in zip(config.taps, model.levels, strict=True)
            if isinstance(level, (PooledModel, ReferenceModel))
        }
        for key, model in models.items()
    }


def slice_distances(config: MvgConfig, model: ModalityModel, seen: Observation, spool: Spool) -> Mapping[int, Array]:
    """By level, the (slices,) distances of one volume's slices; NaN where a slice shows no body."""
    distances = {}
    for number, (tap, level) in enumerate(zip(config.taps, model.levels, strict=True)):
        body = seen.patches[number].body.ravel()
        distances[tap] = np.full(body.shape, np.nan)
        distances[tap][body] = level.distances(seen.rows(number, spool), seen.places(number))
    return distances


def require_published(config: MvgConfig, what: str) -> None:
    """Raise ``ConfigError`` unless a slice has one feature vector, as published."""
    if config.preset is not Preset.RIPPEL2020:
        raise ConfigError(f"{what} to the preset rippel2020; this is {config.preset.value}")
