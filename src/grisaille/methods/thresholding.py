"""The plain threshold: components of the body at or above one cut."""

from __future__ import annotations

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.calibration import Per
from grisaille.core.labels import Labels
from grisaille.imaging.findings import label_above


def cut_at(anomaly: AnomalyMap, amount: float, per: Per) -> float:
    """The score that keeps the promise, or that the most anomalous share of the body reaches."""
    return anomaly.cut_of_share(amount) if per is Per.SHARE else anomaly.calibration.cut(amount, per)


def labelled(anomaly: AnomalyMap, amount: float, per: Per, smallest_ml: float) -> Labels:
    """Components at or above that cut, without those that are too small; the highest score is label 1."""
    cut = cut_at(anomaly, amount, per)
    voxels = label_above(
        anomaly.scores, cut, anomaly.body, smallest_ml=smallest_ml, voxel_ml=anomaly.grid.voxel_ml
    )  # fmt: skip
    return Labels(voxels, anomaly.grid, source=anomaly.source)
