"""A result is written whole or not at all, and says where it comes from."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grisaille.core.anomaly import AnomalyMap, SliceScores
from grisaille.core.burden import Burden
from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.errors import OutputError
from grisaille.core.finding import FINDING_COLUMNS, FURTHER_COLUMNS, Caution, Finding
from grisaille.core.grid import Axis
from grisaille.core.labels import Labels
from grisaille.core.measure import SCORES, Measure, Statistic
from grisaille.core.result import RESEARCH_USE, SYNTHETIC_CAVEAT, Asked, Provenance, Result, WeightsUsed
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.io import results
from grisaille.io.labels import read_labels
from grisaille.io.nifti import read_nifti
from grisaille.io.results import findings_rows, result_json, write_findings_csv, write_result
from grisaille.io.study import read_volume
from image_builder import affine_of, numbers, save_nifti

FINDING = Finding(
    id=1, label=1, tracking_uid="2.25.12", volume_ml=1.23456789, suv_max=7.9, suv_mean=2.5, suv_peak=None, tlg=3.0,
    hu_mean=-35.25, long_axis_mm=12.0, short_axis_mm=8.0, centroid_l_mm=-123.456, centroid_p_mm=0.0,
    centroid_s_mm=1e-7, slice_first=3, slice_last=5, score=float("nan"), edited=True,
)  # fmt: skip


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    folder = tmp_path / "in"
    folder.mkdir()
    path = save_nifti(folder / "PET.nii.gz", numbers(dtype=np.float32), affine_of((1, 0, 2), (-1, 1, -1)))
    return read_volume(path, unit="suvbw")


@pytest.fixture
def result(volume: Volume) -> Result:
    grid = volume.grid
    ct = Volume(volume.voxels - 1000, grid, Modality.CT, Unit.HU, source=volume.source)
    healthy = Study.of(volume.with_voxels(volume.voxels / 2), ct)
    slices = SliceScores(Axis.AXIAL, np.arange(grid.shape[0]))
    anomaly = AnomalyMap(volume.voxels / 60, slices, grid, Calibration.none(), healthy, source=volume.source)
    provenance = Provenance(
        grisaille="0.1.0",
        method="mvg",
        config={"preset": Axis.AXIAL, "levels": (1, 2), "share": np.float32(0.5)},
        weights=(WeightsUsed("lite0", "ab" * 32),),
        device="cpu",
        seed=3,
        series={"pet": "abcdef012345"},
        grid=str(grid),
        suv={"factor_range": (0.1, 0.2), "path": "BQML", "overrides": {}},
        calibration_source=CalibrationSource.SYNTHETIC,
        calibration_patients=9,
        asked=Asked(1.0, Per.SCAN),
        warnings=("a warning",),
        seconds={"score": 1.5, "load": float("inf")},
        versions={"numpy": "2"},
    )
    labels = Labels((volume.voxels > 50).astype(np.uint16), grid, source=volume.source)
    return Result(anomaly, labels, (FINDING,), provenance)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_files_of_a_result_lie_on_the_grid_and_in_the_order_of_the_source(
    tmp_path: Path, result: Result, volume: Volume
) -> None:
    out = tmp_path / "out" / "case"
    write_result(result, out)
    assert names(out) == {
        "anomaly.nii.gz", "labels.nii.gz", "healthy_pet.nii.gz", "healthy_pet.json", "healthy_ct.nii.gz",
        "healthy_ct.json", "findings.csv", "result.json",
    }  # fmt: skip
    assert names(out.parent) == {"case"}
    anomaly = read_nifti(out / "anomaly.nii.gz")
    assert anomaly.voxels.dtype == np.float32
    assert np.array_equal(anomaly.voxels, result.anomaly.scores)
    assert anomaly.source.affine is not None
    assert volume.source.affine is not None
    assert anomaly.source.affine.tobytes() == volume.source.affine.tobytes()
    assert np.array_equal(read_labels(out / "labels.nii.gz", like=volume).voxels, result.labels.voxels)
    healthy = read_volume(out / "healthy_pet.nii.gz")
    assert (healthy.modality, healthy.unit) == (Modality.PET, Unit.SUVBW)
    assert np.array_equal(healthy.voxels, volume.voxels / 2)


def test_the_record_holds_what_the_interface_says(tmp_path: Path, result: Result) -> None:
    write_result(result, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "result.json").read_text(), parse_constant=pytest.fail)
    assert record == result_json(result)
    assert record["notice"] == RESEARCH_USE
    assert record["config"] == {"preset": "axial", "levels": [1, 2], "share": 0.5}
    assert record["weights"] == [{"name": "lite0", "sha256": "ab" * 32}]
    assert record["study"]["series"] == [{"modality": "pet", "uid": "abcdef012345"}]
    assert record["suv"]["factor_range"] == [0.1, 0.2]
    assert record["calibration"] == {
        "source": "synthetic", "patients": 9, "per": "scan", "asked": 1.0, "caveat": SYNTHETIC_CAVEAT,
    }  # fmt: skip
    assert record["slice_scores"] == {"axis": "axial", "values": [0, 1, 2, 3, 4]}
    assert record["findings"][0]["volume_ml"] == 1.23456789
    assert record["findings"][0]["score"] is None
    assert record["warnings"] == ["a warning"]
    assert record["seconds"] == {"score": 1.5, "load": None}
    assert {"grisaille", "method", "device", "seed", "versions"} <= set(record)


def test_the_table_has_the_columns_of_the_interface_and_says_what_the_promise_is_worth(
    tmp_path: Path, result: Result
) -> None:
    write_result(result, tmp_path / "out")
    with (tmp_path / "out" / "findings.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == [*FINDING_COLUMNS, "calibration", *FURTHER_COLUMNS]
    cells = dict(zip(*rows, strict=True))
    assert cells["calibration"] == f"synthetic: {SYNTHETIC_CAVEAT}"
    assert (cells["volume_ml"], cells["suv_peak"], cells["score"], cells["edited"]) == ("1.23457", "", "", "true")
    assert (cells["centroid_l_mm"], cells["hu_mean"], cells["slice_last"]) == ("-123.456", "-35.25", "5")


def test_what_only_some_methods_measure_follows_in_table_and_record(tmp_path: Path, result: Result) -> None:
    measure = Measure("peak_z", "Peak z", "Furthest from healthy", SCORES, Statistic.FURTHEST)
    told = replace(FINDING, extra={"peak_z": -4.25, "healthy_tail": 2e-6})
    other = replace(FINDING, id=2, extra={"peak_z": 3.0})
    anomaly = replace(result.anomaly, measures=(measure,))
    write_result(replace(result, anomaly=anomaly, findings=(told, other)), tmp_path / "out")
    with (tmp_path / "out" / "findings.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == [*FINDING_COLUMNS, "calibration", *FURTHER_COLUMNS, "peak_z", "healthy_tail"]
    assert [row[-2:] for row in rows[1:]] == [["-4.25", "2e-06"], ["3", ""]]
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert record["findings"][0]["extra"] == {"peak_z": -4.25, "healthy_tail": 2e-6}
    assert record["measures"] == {"peak_z": "Furthest from healthy"}


def last_cell(result: Result, made: Provenance | None, path: Path) -> str:
    """What the table says of the promise."""
    write_findings_csv(result.findings, path, made)
    with path.open(newline="") as file:
        return next(csv.DictReader(file))["calibration"]


def test_a_promise_of_patients_has_no_caveat(result: Result, tmp_path: Path) -> None:
    real = replace(result, provenance=replace(result.provenance, calibration_source=CalibrationSource.PATIENTS))
    assert last_cell(real, real.provenance, tmp_path / "f.csv") == "patients"
    assert "caveat" not in result_json(real)["calibration"]


@pytest.mark.parametrize("source", list(CalibrationSource))
def test_a_share_of_the_body_names_no_promise_whatever_the_model_could_promise(
    result: Result, tmp_path: Path, source: CalibrationSource
) -> None:
    made = replace(result.provenance, calibration_source=source, asked=Asked(0.025, Per.SHARE))
    assert last_cell(result, made, tmp_path / "f.csv") == "none: the most anomalous 0.025 of the body"
    assert "caveat" not in result_json(replace(result, provenance=made))["calibration"]


def test_labels_that_no_threshold_made_have_the_column_and_nothing_in_it(result: Result, tmp_path: Path) -> None:
    assert last_cell(result, None, tmp_path / "f.csv") == ""


def test_without_findings_the_table_is_its_head(tmp_path: Path) -> None:
    write_findings_csv((), tmp_path / "f.csv")
    head = [*FINDING_COLUMNS, "calibration", *FURTHER_COLUMNS]
    assert (tmp_path / "f.csv").read_text() == ",".join(head) + "\n"


def test_cautions_and_connectivity_stand_in_table_and_record(tmp_path: Path, result: Result) -> None:
    warned = replace(FINDING, cautions=(Caution.AT_EDGE, Caution.PEAK_CLIPPED), connectivity=18, feret_mm=20.5)
    write_result(replace(result, findings=(warned,)), tmp_path / "out")
    with (tmp_path / "out" / "findings.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["cautions"] == f"{Caution.AT_EDGE}; {Caution.PEAK_CLIPPED}"
    assert (row["connectivity"], row["feret_mm"], row["suv_min"]) == ("18", "20.5", "")
    (record,) = json.loads((tmp_path / "out" / "result.json").read_text())["findings"]
    assert record["cautions"] == [Caution.AT_EDGE, Caution.PEAK_CLIPPED]


def test_the_record_adds_the_findings_up(result: Result) -> None:
    assert result_json(result)["burden"] is None
    burden = Burden(2, 3.5, 12.0, 7.9, 100.0, 120.0, connectivity=18)
    assert result_json(replace(result, burden=burden))["burden"] == {
        "findings": 2, "volume_ml": 3.5, "tlg": 12.0, "suv_max": 7.9, "dmax_mm": 100.0, "dmax_voxels_mm": 120.0,
        "connectivity": 18, "delineation": "mask as drawn",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1+1", "＠SUM(A1)"])
def test_a_spreadsheet_does_not_run_what_a_cell_says(text: str) -> None:
    row = findings_rows([replace(FINDING, tracking_uid=text)])[0]
    assert row[FINDING_COLUMNS.index("tracking_uid")] == f"'{text}"
    assert row[FINDING_COLUMNS.index("centroid_l_mm")] == "-123.456"


def test_a_folder_in_use_is_refused_and_with_overwrite_replaced_without_a_rest(tmp_path: Path, result: Result) -> None:
    out = tmp_path / "out"
    write_result(result, out)
    (out / "my_notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="out is not empty"):
        write_result(result, out)
    plain = replace(result, anomaly=replace(result.anomaly, healthy=None))
    write_result(plain, out, overwrite=True)
    assert names(out) == {"anomaly.nii.gz", "labels.nii.gz", "findings.csv", "result.json", "my_notes.txt"}


@pytest.mark.parametrize("step", ["write_nifti", "write_labels", "write_volume", "write_findings_csv", "_write_json"])
def test_a_failure_at_any_step_leaves_no_folder(
    tmp_path: Path, result: Result, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results, step, full)
    with pytest.raises(OutputError, match="cannot write out: the disk is full"):
        write_result(result, tmp_path / "out")
    assert names(tmp_path) == {"in"}


def test_a_disk_that_is_really_full_is_left_empty(tiny_disk: Path, result: Result) -> None:
    (tiny_disk / "filler").write_bytes(bytes(60_000))
    with pytest.raises(OutputError, match="the disk is full"):
        write_result(result, tiny_disk / "out")
    assert names(tiny_disk) == {"filler"}
