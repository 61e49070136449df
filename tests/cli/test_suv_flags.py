"""SUV from the command line: which one, and what is entered where a PET lacks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from dicom_builder import SUV_FACTOR, put_pixels, stored, tracer, write_series
from grisaille.cli.main import main
from grisaille.core.run import Run
from grisaille.flows.cases import healthy_cases
from grisaille.flows.load import save_method
from grisaille.methods import catalog
from intensity_method import IntensityConfig, IntensityMethod

ENTERED = ("--weight-kg", "70", "--dose-mbq", "368.08", "--injection-time", "10:00")


@pytest.fixture(autouse=True)
def catalogued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "names", lambda: ("intensity",))
    monkeypatch.setattr(catalog, "method_class", lambda name: IntensityMethod)
    monkeypatch.setattr(catalog, "config_class", lambda name: IntensityConfig)


def bare(image: Dataset, k: int) -> None:
    """8 x 8 pixels, of a patient without weight and of a dose and an injection that nobody wrote down."""
    put_pixels(image, stored(k, 8, 8))
    tracer(image, RadionuclideTotalDose=None, RadiopharmaceuticalStartDateTime=None, RadiopharmaceuticalStartTime=None)
    del image.PatientWeight


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("suv")
    write_series(root / "bare", "PT", count=6, change=bare)
    write_series(root / "whole", "PT", count=6, change=lambda image, k: put_pixels(image, stored(k, 8, 8)))
    method = IntensityMethod(IntensityConfig()).fit(healthy_cases([root / "whole"] * 3), Run())
    save_method(method, root / "model.safetensors")
    return root


def call(*words: object) -> int:
    try:
        return main([str(word) for word in words])
    except SystemExit as left:  # argparse
        return int(left.code or 0)


def described(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert call("info", "--json", *words) == 0
    (series,) = json.loads(capsys.readouterr().out)["series"]
    return dict(series)


def test_a_result_records_what_was_entered(place: Path, tmp_path: Path) -> None:
    model, out = place / "model.safetensors", tmp_path / "out"
    assert call("detect", place / "bare", "--method", model, "--out", out, *ENTERED) == 0
    record = json.loads((out / "result.json").read_text())["suv"]
    assert record["overrides"] == {"weight_kg": 70.0, "dose_bq": pytest.approx(368.08e6), "injected": "10:00:00"}
    assert record["factor_range"] == pytest.approx([SUV_FACTOR, SUV_FACTOR])


def test_without_it_the_sentence_names_tag_and_flag(place: Path, tmp_path: Path, capsys: Any) -> None:
    assert call("detect", place / "bare", "--method", place / "model.safetensors", "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "PatientWeight (0010,1030)" in said
    assert "--weight-kg" in said
    assert not (tmp_path / "out").exists()


def test_another_suv_than_by_weight_is_refused_by_the_methods(place: Path, tmp_path: Path, capsys: Any) -> None:
    words = ("detect", place / "whole", "--method", place / "model.safetensors", "--out", tmp_path / "out")
    assert call(*words, "--pet-unit", "sul") == 1
    assert "is in SUL, expected SUVbw; read it with pet_unit='suvbw'" in capsys.readouterr().err
    assert call(*words, "--pet-unit", "suvbw") == 0


def test_info_shows_what_is_missing_and_what_was_entered(place: Path, capsys: Any) -> None:
    lacking = described(capsys, place / "bare")
    assert (lacking["unit"], lacking["suv"]["missing"]) == ("Bq/ml", ["weight_kg", "dose_bq", "injected"])
    mended = described(capsys, place / "bare", *ENTERED)
    assert (mended["unit"], mended["suv"]["missing"]) == ("SUVbw", [])
    assert mended["suv"]["overrides"]["injected"] == "10:00:00"
    assert call("info", place / "bare", *ENTERED) == 0
    assert "entered   weight_kg 70.0, dose_bq 368080000.0, injected 10:00:00" in capsys.readouterr().out


def test_info_shows_another_suv(place: Path, capsys: Any) -> None:
    lean = described(capsys, place / "whole", "--pet-unit", "sul", "--sex", "F", "--height-m", "1.75")
    assert lean["unit"] == "SUL"
    share = 9270 / (8780 + 244 * 70 / 1.75**2)
    assert lean["suv"]["factor_range"] == pytest.approx([SUV_FACTOR * share] * 2)
    assert lean["suv"]["overrides"] == {"height_m": 1.75, "sex": "F"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--weight-kg", "700"), "weight of the patient is '700', expected 2 to 400 kg (--weight-kg)"),
        (("--dose-mbq", "368080000"), "expected 0.1 to 100000 MBq"),
        (("--injection-time", "quarter past"), "expected HH:MM"),
    ],
)
def test_what_is_not_plausible_is_refused(place: Path, words: tuple[str, ...], says: str, capsys: Any) -> None:
    assert call("info", place / "bare", *words) == 1
    assert says in capsys.readouterr().err


def test_one_weight_is_not_taken_for_several_patients(place: Path, tmp_path: Path, capsys: Any) -> None:
    two = (place / "bare", place / "whole")
    assert call("detect", *two, "--method", place / "model.safetensors", "--out", tmp_path / "o", *ENTERED) == 1
    assert "given for 2 studies, expected one" in capsys.readouterr().err
    assert call("info", *two, *ENTERED) == 1
