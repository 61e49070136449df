"""The command that trains AutoPaint on phantoms."""

from __future__ import annotations

from pathlib import Path

import pytest

from grisaille import phantom
from grisaille.core.calibration import CalibrationSource
from grisaille.core.run import Run
from grisaille.flows.load import load_method
from grisaille.flows.make_autopaint import healthy_patients, make_autopaint
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


def test_its_patients_are_healthy_and_different() -> None:
    cases = healthy_patients(3, 7)
    assert all(case.healthy for case in cases)
    assert len({case.patient for case in cases}) == 3
