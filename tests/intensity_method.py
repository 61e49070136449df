"""A real method, small enough for tests: how far a voxel's value lies from the healthy mean.

It keeps every promise of ``methods/base.Method`` without a network, so that flows, commands and
panel can be tested on their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar

import numpy as np

from grisaille.core.anomaly import BODY, AnomalyMap, SliceScores
from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.config import Config, knob
from grisaille.core.errors import UnsuitableVolume
from grisaille.core.grid import Axis
from grisaille.core.labels import Labels
from grisaille.core.result import WeightsUsed
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.imaging.findings import components, label_above
from grisaille.weights.bundle import Bundle
from grisaille.weights.store import WeightsFile

CUTS = np.linspace(0, 40, 81)


class Side(StrEnum):
    """Which side of the mean is unusual."""

    BOTH = "both"
    ABOVE = "above"


@dataclass(frozen=True)
class IntensityConfig(Config):
    """Its settings, one of each kind."""

    side: Side = knob(Side.BOTH, "Which side of the mean is unusual")
    smallest_ml: float = knob(
        0.0, "Smaller findings are left out", low=0, high=100, unit="ml", after_fit=True, spares_scores=True
    )
    robust: bool = knob(False, "Median instead of mean")
    weights_wanted: int = knob(0, "How many weights files to ask for, 100 % pretence", low=0, high=2)
    windows: tuple[float, ...] = knob((0.0, 30.0), "Low and high value", advanced=True)
    floor: float | None = knob(None, "Smallest spread", advanced=True)


@dataclass(frozen=True, eq=False)
class IntensityMethod:
    """Distance from the healthy mean in standard deviations."""

    name: ClassVar[str] = "intensity"
    config_class: ClassVar[type[Config]] = IntensityConfig
    learns_around_lesions: ClassVar[bool] = False

    config: IntensityConfig
    mean: float = 0.0
    std: float = 1.0
    calibration: Calibration = field(default_factory=Calibration.none)
    weights: tuple[WeightsUsed, ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        return ("pet",)

    @classmethod
    def required_weights(cls, config: Config) -> tuple[str, ...]:
        assert isinstance(config, IntensityConfig)
        return ("efficientnet-lite0", "efficientnet-b4")[: config.weights_wanted]

    @classmethod
    def create(cls, config: Config, files: Mapping[str, WeightsFile]) -> IntensityMethod:
        assert isinstance(config, IntensityConfig)
        return cls(config, weights=_used(files))

    def fit(self, cases: Sequence[Case], run: Run) -> IntensityMethod:
        studies = [case.load() for case in run.track(cases, "learning")]
        parts = []
        for left_out, study in zip(cases, studies, strict=True):
            others = [s for c, s in zip(cases, studies, strict=True) if c.patient != left_out.patient]
            parts.append((self._learned(others or studies), study))
        return self._learned(studies)._promising(parts, len({case.patient for case in cases}))

    def calibrate(self, cases: Sequence[Case], run: Run) -> IntensityMethod:
        parts = [(self, case.load()) for case in run.track(cases, "calibrating")]
        return self._promising(parts, len({case.patient for case in cases}))

    def score(self, study: Study, run: Run) -> AnomalyMap:
        pet = study.pet
        if pet is None:
            raise UnsuitableVolume("no PET")
        scores = np.zeros(pet.grid.shape, dtype=np.float32)
        for z in run.track(range(len(scores)), "scoring slices"):
            apart = (pet.voxels[z] - self.mean) / self.std
            scores[z] = np.abs(apart) if self.config.side is Side.BOTH else apart.clip(0)
        body = pet.voxels > 0.1
        return AnomalyMap(
            scores * body,
            SliceScores(Axis.AXIAL, (scores * body).max(axis=(1, 2))),
            pet.grid,
            self.calibration,
            extras={BODY: replace(pet, voxels=body.astype(np.uint8))},
            source=pet.source,
        )

    def label(self, anomaly: AnomalyMap, false_positives: float, per: Per) -> Labels:
        if per is Per.SHARE:
            inside = np.sort(anomaly.scores[anomaly.body])[::-1]
            cut = float(inside[max(0, round(false_positives * inside.size) - 1)])
        else:
            cut = self.calibration.cut(false_positives, per)
        voxels = label_above(
            anomaly.scores, cut, anomaly.body, smallest_ml=self.config.smallest_ml, voxel_ml=anomaly.grid.voxel_ml
        )
        return Labels(voxels, anomaly.grid)

    def state(self) -> Bundle:
        one = self.calibration
        arrays = {"cuts": one.cuts, "findings": one.findings, "voxels": one.voxels}
        header = {
            "config": self.config.to_mapping(),
            "mean": self.mean,
            "std": self.std,
            "calibration": [one.source.value, one.body_voxels, one.patients],
        }
        return Bundle(arrays, header)

    @classmethod
    def from_state(cls, bundle: Bundle, files: Mapping[str, WeightsFile]) -> IntensityMethod:
        source, body_voxels, patients = bundle.header["calibration"]
        calibration = Calibration(
            CalibrationSource(source), **bundle.arrays, body_voxels=body_voxels, patients=patients
        )
        config = IntensityConfig.from_mapping(bundle.header["config"])
        return cls(config, bundle.header["mean"], bundle.header["std"], calibration, _used(files))

    def _learned(self, studies: Sequence[Study]) -> IntensityMethod:
        values = np.concatenate([s.pet.voxels[s.pet.voxels > 0.1] for s in studies if s.pet is not None])
        centre = np.median(values) if self.config.robust else values.mean()
        return replace(self, mean=float(centre), std=max(float(values.std()), self.config.floor or 1e-6))

    def _promising(self, parts: Sequence[tuple[IntensityMethod, Study]], patients: int) -> IntensityMethod:
        findings, voxels, body_voxels = [], [], 0
        for method, study in parts:
            anomaly = method.score(study, Run())
            inside = anomaly.scores[anomaly.body]
            findings.append([components((anomaly.scores >= cut) & anomaly.body).max() for cut in CUTS])
            voxels.append([(inside >= cut).mean() for cut in CUTS])
            body_voxels += inside.size
        calibration = Calibration(
            CalibrationSource.PATIENTS, CUTS, np.array(findings), np.array(voxels), body_voxels, patients
        )
        return replace(self, calibration=calibration)


def _used(files: Mapping[str, WeightsFile]) -> tuple[WeightsUsed, ...]:
    return tuple(WeightsUsed(file.name, file.sha256) for file in files.values())
