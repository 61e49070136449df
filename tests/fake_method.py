"""The method of ``intensity_method`` as the panel's tests need it: slow where asked, its promise known beforehand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.core.config import Config, knob
from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.desktop.maker import Maker, Model
from intensity_method import IntensityConfig, IntensityMethod, Side


@dataclass(frozen=True)
class FakeConfig(IntensityConfig):
    side: Side = knob(Side.ABOVE, "Which side of the mean is unusual")
    smallest_ml: float = knob(0.1, "Smaller findings are left out", low=0.0, high=100.0, unit="ml", after_fit=True)
    levels: tuple[int, ...] = knob((1, 2), "A list", low=0, high=8, advanced=True)
    width_mm: float | None = knob(None, "May be left open", low=0.0, high=50.0, unit="mm", advanced=True)
    fast: bool = knob(True, "Yes or no", advanced=True, after_fit=True)
    folds: int = knob(3, "A count", low=1, high=10, advanced=True)


def calibration(source: CalibrationSource = CalibrationSource.SYNTHETIC) -> Calibration:
    cuts = np.linspace(1.0, 8.0, 29)
    findings = np.tile(np.where(cuts < 3, 12.0, np.where(cuts < 6, 1.0, 0.0)), (10, 1))
    return Calibration(source, cuts, findings, findings / 1e4, body_voxels=100_000, patients=10)


@dataclass(frozen=True, eq=False)
class FakeMethod(IntensityMethod):
    """Scores are SUV itself, as mean 0 and spread 1 make them; slices take ``seconds`` each."""

    name: ClassVar[str] = "fake"
    config_class: ClassVar[type[Config]] = FakeConfig

    config: FakeConfig = field(default_factory=FakeConfig)
    calibration: Calibration = field(default_factory=calibration)
    seconds: float = 0.0
    before_slice: Callable[[int], None] = lambda index: None

    def score(self, study: Study, run: Run) -> AnomalyMap:
        for z in run.track(range(study.reference.shape[0]), "scoring slices"):
            self.before_slice(z)
            time.sleep(self.seconds)
        return super().score(study, replace(run, on_progress=lambda step: None))


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
    z, y, x = np.indices(shape)
    voxels = np.where((y - shape[1] / 2) ** 2 + (x - shape[2] / 2) ** 2 < (0.45 * shape[1]) ** 2, 0.8, 0.0)
    for centre, suv in (((0.25, 0.5, 0.7), 7.0), ((0.6, 0.4, 0.35), 5.0), ((0.8, 0.6, 0.5), 3.2)):
        middle = np.asarray(centre) * shape
        voxels[(z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2 < 9] = suv
    grid = Grid.from_spacing(shape, 4.0, (-50.0, -60.0, -64.0))
    return Volume(voxels.astype(np.float32), grid, Modality.PET, Unit.SUVBW, name="PET")
