"""A tiny method on intensities, so that the panel is tested without networks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from grisaille.core.anomaly import BODY, AnomalyMap, SliceScores
from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.config import Config, knob
from grisaille.core.grid import Axis
from grisaille.core.labels import Labels
from grisaille.core.result import WeightsUsed
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.core.volume import Volume
from grisaille.desktop.maker import Maker, Model
from grisaille.imaging.findings import label_above
from grisaille.weights.bundle import Bundle
from grisaille.weights.store import WeightsFile


class Scale(StrEnum):
    PLAIN = "plain"
    LOG = "log"


@dataclass(frozen=True)
class FakeConfig(Config):
    scale: Scale = knob(Scale.PLAIN, "How intensities become scores")
    smallest_ml: float = knob(0.1, "Smaller findings are left out", low=0.0, high=100.0, unit="ml", after_fit=True)
    levels: tuple[int, ...] = knob((1, 2), "A list", low=0, high=8, advanced=True)
    width_mm: float | None = knob(None, "May be left open", low=0.0, high=50.0, unit="mm", advanced=True)
    fast: bool = knob(True, "Yes or no", advanced=True, after_fit=True)
    folds: int = knob(3, "A count", low=1, high=10, advanced=True)


def calibration(source: CalibrationSource = CalibrationSource.SYNTHETIC) -> Calibration:
    cuts = np.linspace(1.0, 8.0, 29)
    findings = np.tile(np.where(cuts < 3, 12.0, np.where(cuts < 6, 1.0, 0.0)), (10, 1))
    return Calibration(source, cuts, findings, findings / 1e4, body_voxels=100_000, patients=10)


@dataclass(frozen=True)
class FakeMethod:
    """Scores are SUV (or HU above 0 by hundreds); slices take ``seconds`` each."""

    name: ClassVar[str] = "fake"
    config_class: ClassVar[type[Config]] = FakeConfig
    modalities: ClassVar[tuple[str, ...]] = ("ct", "pet")

    config: FakeConfig = field(default_factory=FakeConfig)
    calibration: Calibration = field(default_factory=calibration)
    seconds: float = 0.0
    before_slice: Callable[[int], None] = lambda index: None

    @property
    def weights(self) -> tuple[WeightsUsed, ...]:
        return ()

    @classmethod
    def required_weights(cls, config: Config) -> tuple[str, ...]:
        return ()

    @classmethod
    def create(cls, config: Config, files: Mapping[str, WeightsFile]) -> FakeMethod:
        return cls(config)

    def fit(self, cases: Sequence[Case], run: Run) -> FakeMethod:
        for _ in run.track(cases, "fitting studies"):
            pass
        return self

    def calibrate(self, cases: Sequence[Case], run: Run) -> FakeMethod:
        return self

    def score(self, study: Study, run: Run) -> AnomalyMap:
        volume = study.main
        scores = np.zeros(volume.grid.shape, np.float32)
        for z in run.track(range(len(scores)), "scoring slices"):
            self.before_slice(z)
            time.sleep(self.seconds)
            scores[z] = np.clip(volume.voxels[z], 0, None)
        body = volume.with_voxels((volume.voxels > 0.05).astype(np.uint8))
        values = scores.max(axis=(1, 2))
        return AnomalyMap(
            scores,
            SliceScores(Axis.AXIAL, values),
            volume.grid,
            self.calibration,
            extras={BODY: body},
            source=volume.source,
        )

    def label(self, anomaly: AnomalyMap, false_positives: float, per: Per) -> Labels:
        if per is Per.SHARE:
            cut = float(np.quantile(anomaly.scores[anomaly.body], 1 - false_positives))
        else:
            cut = anomaly.calibration.cut(false_positives, per)
        voxels = label_above(
            anomaly.scores, cut, anomaly.body, smallest_ml=self.config.smallest_ml, voxel_ml=anomaly.grid.voxel_ml
        )
        return Labels(voxels, anomaly.grid)

    def state(self) -> Bundle:
        return Bundle({}, {"config": self.config.to_mapping()})

    @classmethod
    def from_state(cls, bundle: Bundle, files: Mapping[str, WeightsFile]) -> FakeMethod:
        return cls(FakeConfig.from_mapping(bundle.header["config"]))


def fake_maker(method: FakeMethod | None = None, error: Exception | None = None, **changes: Any) -> Maker:
    """A maker whose models are all ``method``; loading raises ``error`` if given."""
    made = method or FakeMethod()

    def load(ref: str, config: Config) -> FakeMethod:
        if error is not None:
            raise error
        assert isinstance(config, FakeConfig)
        return replace(made, config=config)

    def fit(config: Config, folders: Sequence[Path], out: Path, run: Run) -> FakeMethod:
        for _ in run.track(folders, "fitting studies"):
            time.sleep(made.seconds)
        out.write_bytes(b"model")
        return made

    maker = Maker(
        name="fake",
        title="Fake",
        config_class=FakeConfig,
        models=(Model("fake/one", "fake/one", "A fake."),),
        fitted_config=lambda ref: FakeConfig(),
        load=load,
        fit=fit,
        engine=(),
    )
    return replace(maker, **changes)


def pet_with_spots(shape: tuple[int, int, int] = (24, 32, 32)) -> Volume:
    """PET with three hot balls of falling SUV, one of them on the patient's left."""
    from grisaille.core.grid import Grid
    from grisaille.core.volume import Modality, Unit

    z, y, x = np.indices(shape)
    voxels = np.where((y - shape[1] / 2) ** 2 + (x - shape[2] / 2) ** 2 < (0.45 * shape[1]) ** 2, 0.8, 0.0)
    for centre, suv in (((0.25, 0.5, 0.7), 7.0), ((0.6, 0.4, 0.35), 5.0), ((0.8, 0.6, 0.5), 3.2)):
        middle = np.asarray(centre) * shape
        voxels[(z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2 < 9] = suv
    grid = Grid.from_spacing(shape, 4.0, (-50.0, -60.0, -64.0))
    return Volume(voxels.astype(np.float32), grid, Modality.PET, Unit.SUVBW, name="PET")
