"""The method of ``fake_method``, which paints a healthy twin besides, and a region of it again."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from fake_method import FakeMethod
from grisaille.core.anomaly import AnomalyMap
from grisaille.core.measure import Measure, Statistic
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Volume


class FakePainter(FakeMethod):
    """Paints 1 SUV, or 40 HU, wherever there is more; its z is what it took away."""

    def score(self, study: Study, run: Run) -> AnomalyMap:
        anomaly = super().score(study, run)
        most = {"pet": 1.0, "ct": 40.0}
        healthy = [one.with_voxels(np.minimum(one.voxels, most[key])) for key, one in study.volumes.items()]
        z = Volume(study.main.voxels - np.minimum(study.main.voxels, 1.0), study.reference, name="z")
        peak = Measure("peak_z", "Peak z", "Furthest from healthy", "z", Statistic.FURTHEST, form="+.1f")
        return replace(anomaly, healthy=Study.of(*healthy), extras={**anomaly.extras, "z": z}, measures=(peak,))

    def repaint(self, study: Study, anomaly: AnomalyMap, region: np.ndarray, run: Run) -> AnomalyMap:
        """Paints 0.5 SUV, or 20 HU, in the region."""
        for step in run.track(range(4), "painting slabs"):
            self.before_slice(-1 - step)
            time.sleep(self.seconds)
        assert anomaly.healthy is not None
        painted = {"pet": 0.5, "ct": 20}
        volumes = anomaly.healthy.volumes.items()
        healthy = [
            one.with_voxels(np.where(region, painted[key], one.voxels).astype(one.voxels.dtype)) for key, one in volumes
        ]
        z = np.where(region, study.main.voxels - np.float32(0.5), anomaly.extras["z"].voxels)
        scores = np.where(region, anomaly.scores + np.float32(1), anomaly.scores)
        extras = {**anomaly.extras, "z": anomaly.extras["z"].with_voxels(z)}
        return replace(anomaly, scores=scores, healthy=Study.of(*healthy), extras=extras)
