"""What AutoPaint tells of each finding besides its score."""

from __future__ import annotations

import numpy as np

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.calibration import CalibrationSource
from grisaille.core.measure import SCORES, Curve, Measure, Statistic
from grisaille.methods.autopaint.norms import SHARES, Norms
from grisaille.methods.autopaint.twin import CONFIDENCE, Z

PEAK_Z = Measure(
    "peak_z",
    "Peak z",
    "Largest distance from what was painted in the finding, in healthy spreads: + is hotter or denser, - the opposite",
    Z,
    Statistic.FURTHEST,
    form="+.1f",
)

STEADY = Measure(
    "confidence",
    "Confidence",
    "How steady the painting was: 1 where all phases, and CT shown or hidden, gave the same; 0.5 where they differed "
    "by as much as the patient does from them. No probability",
    CONFIDENCE,
    Statistic.MEAN,
)


def figures(anomaly: AnomalyMap, norms: Norms | None) -> tuple[Measure, ...]:
    """The measures of a map.

    Parameters
    ----------
    norms
        Those that were measured on healthy patients, if any: without them nothing is said of the healthy.
    """
    measures = [PEAK_Z]
    healthy = anomaly.calibration
    if norms is not None and healthy.source is not CalibrationSource.NONE and healthy.body_voxels:
        measures.append(healthy_tail(norms, healthy.body_voxels))
    if CONFIDENCE in anomaly.extras:
        measures.append(STEADY)
    return tuple(measures)


def healthy_tail(norms: Norms, voxels: int) -> Measure:
    """The share of healthy tissue that scores as high as the finding does at its highest.

    Parameters
    ----------
    voxels
        Healthy ones behind the norms: rarer than one of them was not measured.
    """
    # One voxel more than was seen, as in ``Calibration.expected``.
    shares = np.maximum(SHARES, 1 / (voxels + 1))
    return Measure(
        "healthy_tail",
        "Healthy tail",
        "Share of the healthy tissue measured that scores as high as the finding's highest score; "
        "the least that could be measured stands for all that is rarer",
        SCORES,
        Statistic.HIGHEST,
        Curve(norms.tail[::-1], shares[::-1]),
        form=".2g",
    )
