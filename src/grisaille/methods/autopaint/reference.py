"""How hot a scanner paints: the SUV of a tissue that is in every scan, to bring another scanner's to the cohort's.

Offered is skeletal muscle alone: by far the most soft tissue of any stretch of the body, so that the
most frequent SUV is its. The liver, which readers prefer, needs a mask of the organ on real scans (contrast
agent, fat, a scan that ends above it), the blood pool one of the aorta.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from grisaille.core.errors import ConfigError, UnsuitableVolume
from grisaille.methods.autopaint.candidates import Mask
from grisaille.methods.autopaint.config import AutoPaintConfig, SuvReference
from grisaille.methods.autopaint.frame import Floats, Frame, suv
from grisaille.methods.autopaint.frame import hu as hu_of

SOFT_HU = 0.0, 80.0
"""Muscle and organs, neither fat nor bone."""
PLAUSIBLE_SUV = 0.05, 20.0
"""Of which the most frequent is looked for: wide enough for any wrong scale that is worth mending."""
FURTHEST_FACTOR = 4.0
"""A scale that is off by more is no matter of scanners: units, weight or dose are wrong."""
FEWEST_ML = 200.0
"""Of tissue to measure on."""

_BIN, _SMOOTH = 0.02, 4.0
"""Of the histogram, in the logarithm of SUV: bins of 2 %, smoothed by 8 %."""


def muscle_suv(frame: Frame, windows: tuple[tuple[float, float], ...]) -> float | None:
    """The most frequent SUV of soft tissue where there is a CT, of the body where there is none.

    None without PET, or with too little tissue. It grows as SUV do: scaled by a factor, it is scaled
    by it too, to the width of a bin.
    """
    if "pet" not in frame.images:
        return None
    tissue: Mask = np.asarray(frame.body) & frame.covered["pet"]
    if "ct" in frame.images:
        tissue = tissue & frame.covered["ct"] & _soft(frame, windows)
    values = suv(frame.images["pet"][0][tissue])
    values = values[(values > PLAUSIBLE_SUV[0]) & (values < PLAUSIBLE_SUV[1])]
    if values.size * frame.grid.voxel_ml < FEWEST_ML:
        return None
    logarithms = np.log(values)
    middle = float(np.median(logarithms))  # bins round it, so that the same values scaled fall alike
    edges = np.arange(middle - 4.0, middle + 4.0, _BIN)
    counts = ndimage.gaussian_filter1d(np.histogram(logarithms, edges)[0].astype(np.float64), _SMOOTH)
    top = int(counts[1:-1].argmax()) + 1
    before, there, after = counts[top - 1 : top + 2]
    beside = 0.5 * (before - after) / (before - 2 * there + after)  # where the parabola through them has its top
    return float(np.exp(edges[top] + (0.5 + beside) * _BIN))


def as_in_cohort(frame: Frame, usual: Mapping[str, float], config: AutoPaintConfig) -> Frame:
    """The frame with its SUV scaled as the settings ask.

    Parameters
    ----------
    usual
        The cohort's median SUV of muscle by modalities, ``ct+pet`` or ``pet``.

    Raises
    ------
    ConfigError
        If the cohort's is not known.
    UnsuitableVolume
        As ``factor``.
    """
    if config.suv_reference is SuvReference.NONE or "pet" not in frame.images:
        return frame
    key = "+".join(sorted(frame.images))
    if key not in usual:
        raise ConfigError(
            f"this model does not know the muscle of its patients in {key.upper()}; "
            "set suv_reference to none, or calibrate it on healthy patients"
        )
    return frame.scaled(factor(muscle_suv(frame, config.windows), usual[key]))


def factor(measured: float | None, wanted: float) -> float:
    """What SUV are to be multiplied by, so that muscle has the SUV ``wanted``.

    Raises
    ------
    UnsuitableVolume
        If none was measured, or it is so far off that the scale of the file must be wrong.
    """
    if measured is None:
        raise UnsuitableVolume(
            "the PET shows too little muscle to scale its SUV by; give a longer scan, or set suv_reference to none"
        )
    scale = wanted / measured
    if not 1 / FURTHEST_FACTOR <= scale <= FURTHEST_FACTOR:
        raise UnsuitableVolume(
            f"muscle has SUV {measured:.2g}, in the training it had {wanted:.2g}; so far apart are no two scanners: "
            "check weight, dose and unit, or set suv_reference to none"
        )
    return scale


def _soft(frame: Frame, windows: tuple[tuple[float, float], ...]) -> Mask:
    values: Floats = hu_of(np.asarray(frame.images["ct"], dtype=np.float32), windows)
    return (values >= SOFT_HU[0]) & (values <= SOFT_HU[1])
