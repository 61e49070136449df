"""The command that learns the prompts that ship."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")

from grisaille.core.calibration import CalibrationSource
from grisaille.core.run import Run
from grisaille.flows import make_anomalyclip
from grisaille.flows.load import load_method
from grisaille.methods.anomalyclip.method import AnomalyCLIP
from grisaille.phantom import Scan, Station

pytestmark = pytest.mark.ai


def test_it_writes_a_model_that_promises_for_phantoms_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_anomalyclip, "SCAN", Scan(Station.CHEST, ct_spacing_mm=8.0, pet_spacing_mm=10.0))
    monkeypatch.setattr(make_anomalyclip, "CONFIG", replace(make_anomalyclip.CONFIG, epochs=1, step_mm=20.0))
    out, run = tmp_path / "demo.safetensors", Run(device="cpu", threads=1, seed=1)
    make_anomalyclip.make_anomalyclip(out, shown=2, healthy=1, work=tmp_path / "work", run=run)
    method = load_method(out)
    assert isinstance(method, AnomalyCLIP)
    assert {key: one.source for key, one in method.known.calibrations.items()} == {"pet": CalibrationSource.SYNTHETIC}


def test_the_model_that_ships_is_found_by_the_methods_name() -> None:
    method = load_method("anomalyclip")
    assert isinstance(method, AnomalyCLIP)
    assert method.config == make_anomalyclip.CONFIG
    assert method.known.prompts.start.size
    assert {one.source for one in method.known.calibrations.values()} == {CalibrationSource.SYNTHETIC}
