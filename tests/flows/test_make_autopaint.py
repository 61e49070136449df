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
from grisaille.flows.make_autopaint import CT_SPACING_MM, healthy_patients, make_autopaint, measure_anew
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.method import AutoPaint
from phantoms import small_cohort, small_phantom

pytestmark = pytest.mark.ai
pytest.importorskip("torch")

RUN = Run(device="cpu", threads=1)


CONFIG = AutoPaintConfig(spacing_mm=6.0, slab=32, width=4, cells_mm=(96.0,), rounds=0, steps=2, batch=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of three patients and of what its training kept; only read."""
    folder = tmp_path_factory.mktemp("made")
    make_autopaint(folder / "model.safetensors", small_cohort(3, 7), CONFIG, work=folder / "work", run=RUN)
    return folder


def test_the_model_it_writes_scores_and_calls_its_promise_synthetic(made: Path) -> None:
    method = load_method(made / "model.safetensors")
    assert method.config == CONFIG
    assert method.modalities == ("pet", "ct")
    assert method.score(small_phantom(5).study, RUN).calibration.source is CalibrationSource.SYNTHETIC
    assert any((made / "work" / "training").iterdir())


def test_a_model_is_measured_anew_on_patients_it_never_saw_and_its_network_stays(made: Path, tmp_path: Path) -> None:
    measure_anew(
        made / "model.safetensors", tmp_path / "new.safetensors", small_cohort(3, 7), small_cohort(2, 8), run=RUN
    )
    old, new = load_method(made / "model.safetensors"), load_method(tmp_path / "new.safetensors")
    assert all(
        np.array_equal(one, new.state().arrays[name]) for name, one in old.state().arrays.items() if "unet" in name
    )
    assert [old.calibrations["pet"].patients, new.calibrations["pet"].patients] == [1, 3]
    assert {one.source for one in new.calibrations.values()} == {CalibrationSource.SYNTHETIC}


def test_without_a_work_folder_nothing_of_the_training_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []

    def fit_in(self: AutoPaint, folder: Path, cases: object, run: Run) -> AutoPaint:
        assert folder.is_dir()
        folders.append(folder)
        return self

    monkeypatch.setattr(AutoPaint, "fit_in", fit_in)
    make_autopaint(tmp_path / "model.safetensors", (), CONFIG, run=RUN)
    assert len(folders) == 1
    assert not folders[0].exists()
    assert [one.name for one in tmp_path.iterdir()] == ["model.safetensors"]


def test_only_a_model_of_autopaint_is_measured_anew(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model of mvg, expected one of autopaint"):
        measure_anew("mvg", tmp_path / "new.safetensors", (), (), run=RUN)


def test_its_patients_are_healthy_and_different_and_as_fine_as_the_network_sees() -> None:
    cases = healthy_patients(3, 7, phantom.Station.CHEST)
    assert all(case.healthy for case in cases)
    assert len({case.patient for case in cases}) == 3
    ct = cases[0].load().ct
    assert ct is not None
    assert ct.grid.spacing_mm == pytest.approx((CT_SPACING_MM,) * 3)
