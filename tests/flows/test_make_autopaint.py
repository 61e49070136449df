"""The command that trains AutoPaint on phantoms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grisaille import phantom
from grisaille.core.calibration import CalibrationSource
from grisaille.core.errors import ConfigError
from grisaille.core.run import Run
from grisaille.flows.load import load_method
from grisaille.flows.make_autopaint import healthy_patients, make_autopaint, measure_anew
from grisaille.methods.autopaint.config import AutoPaintConfig
from phantoms import small_phantom

pytestmark = pytest.mark.ai
pytest.importorskip("torch")

RUN = Run(device="cpu", threads=1)


def test_the_model_it_writes_scores_and_calls_its_promise_synthetic(tmp_path: Path) -> None:
    config = AutoPaintConfig(spacing_mm=6.0, slab=32, width=4, cells_mm=(96.0,), rounds=0, steps=2, batch=1)
    make_autopaint(
        tmp_path / "model.safetensors",
        healthy_patients(2, 7, phantom.Station.CHEST),
        config,
        work=tmp_path / "work",
        run=RUN,
    )
    method = load_method(tmp_path / "model.safetensors")
    assert method.config == config
    assert method.modalities == ("pet", "ct")
    assert method.score(small_phantom(5).study, RUN).calibration.source is CalibrationSource.SYNTHETIC
    assert any((tmp_path / "work" / "training").iterdir())


def test_a_model_is_measured_anew_on_patients_it_never_saw_and_its_network_stays(tmp_path: Path) -> None:
    config = AutoPaintConfig(spacing_mm=6.0, slab=32, width=4, cells_mm=(96.0,), rounds=0, steps=2, batch=1)
    whole = healthy_patients(3, 7, phantom.Station.CHEST)
    make_autopaint(tmp_path / "old.safetensors", whole, config, run=RUN)
    others = healthy_patients(2, 8, phantom.Station.CHEST)
    measure_anew(tmp_path / "old.safetensors", tmp_path / "new.safetensors", whole, others, run=RUN)
    old, new = (load_method(tmp_path / f"{name}.safetensors") for name in ("old", "new"))
    assert all(
        np.array_equal(one, new.state().arrays[name]) for name, one in old.state().arrays.items() if "unet" in name
    )
    assert [old.calibrations["pet"].patients, new.calibrations["pet"].patients] == [1, 3]
    assert {one.source for one in new.calibrations.values()} == {CalibrationSource.SYNTHETIC}


def test_only_a_model_of_autopaint_is_measured_anew(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model of mvg, expected one of autopaint"):
        measure_anew("mvg", tmp_path / "new.safetensors", (), (), run=RUN)


def test_its_patients_are_healthy_and_different() -> None:
    cases = healthy_patients(3, 7)
    assert all(case.healthy for case in cases)
    assert len({case.patient for case in cases}) == 3
