"""Results, their folders and label files out again: what is written, what is refused, and what each file tells."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

import dicom_builder as dicom
from grisaille.core.anomaly import BODY, AnomalyMap, SliceScores
from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.errors import ConfigError, GridMismatch, InputError, OutputError, UnreadableFile
from grisaille.core.grid import Axis
from grisaille.core.labels import Labels
from grisaille.core.result import RESEARCH_USE, Asked, Provenance, Result, WeightsUsed
from grisaille.core.study import Study
from grisaille.core.volume import Modality, SuvRecord, Unit, Volume
from grisaille.flows.export import ExportOptions, Format, Identity, export, told
from grisaille.imaging.burden import burden_of
from grisaille.imaging.findings import find_findings
from grisaille.io.export.segments import Choice
from grisaille.io.labels import read_labels, write_labels
from grisaille.io.results import write_result
from grisaille.io.study import read_study

ALL = "seg,sr,rtstruct,pm,nifti,nrrd,csv,json"
DEIDENTIFIED = ExportOptions(identity=Identity.DEIDENTIFIED)
SECRETS = ("SMITH", "ID-4711", "19500101", "ACC-0815", dicom.ROOT)


def spots(image: Any, k: int) -> None:
    """Two hot spots in a cold body."""
    pixels = np.full((16, 14), 3000, np.int16)
    if 2 <= k <= 4:
        pixels[3:6, 3:6] = 32000
    if 6 <= k <= 7:
        pixels[9:13, 8:10] = 30000
    dicom.put_pixels(image, pixels)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    dicom.write_series(folder, "PT", count=10, change=spots, AccessionNumber="ACC-0815")
    return folder


@pytest.fixture(scope="module")
def study(place: Path) -> Study:
    return read_study(place)


@pytest.fixture(scope="module")
def result(study: Study) -> Result:
    pet = study.pet
    assert pet is not None
    scores = (pet.voxels / pet.voxels.max() * 6).astype(np.float32)
    body = np.zeros(pet.grid.shape, bool)
    body[1:9, 2:14, 2:12] = True
    scores[~body] = 0
    extras = {BODY: Volume(body, pet.grid)}
    slices = SliceScores(Axis.AXIAL, scores.max(axis=(1, 2)))
    anomaly = AnomalyMap(scores, slices, pet.grid, Calibration.none(), extras=extras, source=pet.source)
    labels = Labels(np.select([scores > 5.9, scores > 5], [1, 2]).astype(np.uint16), pet.grid, source=pet.source)
    findings = find_findings(labels, study, anomaly)
    assert [one.id for one in findings] == [1, 2]
    suv: SuvRecord | None = pet.provenance.suv
    made = Provenance(
        grisaille="0.1.0", method="mvg", config={"axis": "axial"}, weights=(WeightsUsed("mvg/phantom", "ab" * 32),),
        device="cpu", seed=0, series={"pet": pet.source.series}, grid=str(pet.grid),
        suv={"path": suv.path, "factor_range": suv.factor_range, "inputs": suv.inputs} if suv else None,
        calibration_source=CalibrationSource.NONE, calibration_patients=0, asked=Asked(0.02, Per.SHARE),
        warnings=("CT.1.2.3.dcm is odd",),
    )  # fmt: skip
    return Result(anomaly, labels, findings, made)


@pytest.fixture
def folder(tmp_path: Path, result: Result) -> Path:
    write_result(result, tmp_path / "result")
    return tmp_path / "result"


def test_a_folder_gives_what_the_result_gives(
    tmp_path: Path, folder: Path, result: Result, study: Study, place: Path
) -> None:
    formats = "seg,nifti,nrrd,csv,json"
    export(result, tmp_path / "one", formats, like=study)
    export(folder, tmp_path / "other", formats, like=place)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "other").iterdir())
    assert len(names) == 5 + 4  # a provenance beside each but the record itself
    for name in ("findings.csv", "findings.nrrd", "result.json", "findings.nrrd.provenance.json"):
        one, other = ((tmp_path / where / name).read_text("latin-1") for where in ("one", "other"))
        assert one == other, name
    one, other = (dcmread(tmp_path / where / "findings.seg.dcm") for where in ("one", "other"))
    assert one.PixelData == other.PixelData
    assert [item.TrackingUID for item in one.SegmentSequence] == [item.TrackingUID for item in other.SegmentSequence]
    assert (tmp_path / "one" / "findings.csv").read_text() == (folder / "findings.csv").read_text()
    np.testing.assert_array_equal(
        read_labels(tmp_path / "one" / "findings.nrrd", like=study.pet).voxels, result.labels.voxels
    )


@pytest.fixture(scope="module", params=Identity, ids=lambda one: one.value)
def out(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, result: Result, study: Study) -> Path:
    folder: Path = tmp_path_factory.mktemp("out") / request.param.value
    export(result, folder, ALL, like=study, options=ExportOptions(identity=request.param))
    return folder


def test_one_finding_has_one_tracking_id_in_every_file(out: Path, result: Result) -> None:
    seg = [one.TrackingUID for one in dcmread(out / "findings.seg.dcm").SegmentSequence]
    with (out / "findings.csv").open() as file:
        table = [row["tracking_uid"] for row in csv.DictReader(file)]
    record = [one["tracking_uid"] for one in json.loads((out / "result.json").read_text())["findings"]]
    beside = json.loads((out / "findings.sr.dcm.provenance.json").read_text())["export"]["findings"]
    assert seg == table == record == [one["tracking_uid"] for one in beside]
    assert (seg == [one.tracking_uid for one in result.findings]) == (out.name == "identified")
    regions = dcmread(out / "findings.rtstruct.dcm")
    assert [one.ROIName for one in regions.StructureSetROISequence] == ["Finding 1", "Finding 2"]
    assert regions.StudyInstanceUID == dcmread(out / "findings.seg.dcm").StudyInstanceUID
    report = (out / "findings.sr.dcm").read_bytes()
    assert all(uid.encode() in report for uid in seg)


def test_nothing_of_the_patient_is_where_it_should_not_be(out: Path, result: Result, study: Study) -> None:
    assert study.pet is not None
    ids = [study.pet.source.series, *(one.tracking_uid for one in result.findings)]
    for file in out.iterdir():
        hidden = [] if file.name.endswith(".dcm") else list(SECRETS)
        if out.name == "de-identified":
            hidden = [*SECRETS, "weight_kg", "CT.1.2.3.dcm", *ids]
        content = file.read_bytes()
        assert not [secret for secret in hidden if secret.encode() in content], file.name


def test_the_regions_of_an_rtstruct_are_the_findings(out: Path, result: Result, study: Study) -> None:
    labels = read_labels(out / "findings.rtstruct.dcm", like=study.reference)
    segments = read_labels(out / "findings.seg.dcm", like=study.reference)
    assert np.array_equal(labels.voxels, segments.voxels)
    assert np.array_equal(labels.voxels > 0, result.labels.voxels > 0)
    assert dict(labels.names) == dict(segments.names)
    plan = dcmread(out / "findings.rtstruct.dcm")
    assert {one.ROIGenerationAlgorithm for one in plan.StructureSetROISequence} == {"AUTOMATIC"}


def test_the_provenance_says_how_it_came_about(out: Path) -> None:
    told_beside = json.loads((out / "findings.seg.dcm.provenance.json").read_text())
    assert told_beside["notice"] == RESEARCH_USE
    assert told_beside["export"]["identity"] == out.name
    assert told_beside["source"]["images"] == 10
    assert told_beside["source"]["suv"]["path"].startswith("BQML")
    assert told_beside["result"]["weights"] == [{"name": "mvg/phantom", "sha256": "ab" * 32}]
    assert told_beside["versions"]["highdicom"]
    if out.name == "identified":
        assert told_beside["source"]["suv"]["inputs"]["weight_kg"] == 70.0


def test_labels_painted_since_are_measured_again_once_that_is_said(
    tmp_path: Path, folder: Path, study: Study, result: Result
) -> None:
    painted = result.labels.voxels.copy()
    painted[2:4, 3, 3] = 0
    write_labels(replace(result.labels, voxels=painted), folder / "labels.nii.gz")
    with pytest.raises(InputError, match=r"changed after they were measured; say that they were edited"):
        export(folder, tmp_path / "a.dcm", "seg", like=study)
    assert not (tmp_path / "a.dcm").exists()
    export(folder, tmp_path / "out", "seg,csv", like=study, edited=True)
    kinds = [one.SegmentAlgorithmType for one in dcmread(tmp_path / "out" / "findings.seg.dcm").SegmentSequence]
    assert kinds == ["SEMIAUTOMATIC", "AUTOMATIC"]
    with (tmp_path / "out" / "findings.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["edited"], second["edited"]) == ("true", "false")
    assert float(first["volume_ml"]) == pytest.approx(25 * 9 / 1000, rel=1e-5)
    assert float(first["score"]) == 6
    assert float(second["score"]) == pytest.approx(result.findings[1].score, rel=1e-5)


def test_a_label_file_is_the_work_of_a_person(tmp_path: Path, result: Result, study: Study) -> None:
    write_labels(replace(result.labels, names={1: "left lung"}), tmp_path / "mine.nii.gz")
    export(tmp_path / "mine.nii.gz", tmp_path / "out", "seg,sr,json", like=study)
    first, second = dcmread(tmp_path / "out" / "findings.seg.dcm").SegmentSequence
    assert (first.SegmentLabel, second.SegmentLabel) == ("left lung", "Finding 2")
    assert first.SegmentAlgorithmType == "MANUAL"
    assert "SegmentationAlgorithmIdentificationSequence" not in first
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert record["method"] is None
    assert record["findings"][0]["suv_max"] == pytest.approx(result.findings[0].suv_max)
    with pytest.raises(InputError, match="no anomaly scores"):
        export(tmp_path / "mine.nii.gz", tmp_path / "a.dcm", "pm", like=study)


def test_only_what_was_chosen_is_in_every_file(tmp_path: Path, result: Result, study: Study) -> None:
    export(result, tmp_path, "seg,csv,nifti,json", like=study, options=ExportOptions(choice=Choice(include=(2,))))
    assert len(dcmread(tmp_path / "findings.seg.dcm").SegmentSequence) == 1
    assert len((tmp_path / "findings.csv").read_text().splitlines()) == 2
    assert read_labels(tmp_path / "findings.nii.gz").ids == (2,)
    assert [one["id"] for one in json.loads((tmp_path / "result.json").read_text())["findings"]] == [2]


def test_labels_on_another_grid_are_refused_not_resampled(tmp_path: Path, study: Study, result: Result) -> None:
    coarse = result.labels.grid.spaced(4.0)
    elsewhere = Labels(np.ones(coarse.shape, np.uint16), coarse)
    with pytest.raises(GridMismatch, match=r"expected one of the study's: PT .* Labels are not resampled"):
        export(elsewhere, tmp_path / "a.dcm", "seg", like=study)
    write_labels(elsewhere, tmp_path / "other.nii.gz")
    with pytest.raises(GridMismatch, match=r"other.nii.gz lies on none of the grids"):
        export(tmp_path / "other.nii.gz", tmp_path / "a.dcm", "seg", like=study)


def test_dicom_needs_dicom_and_the_rest_does_not(tmp_path: Path, result: Result) -> None:
    grid = result.labels.grid
    plain = Study.of(Volume(np.zeros(grid.shape, np.float32), grid, Modality.PET, Unit.SUVBW, "PET"))
    with pytest.raises(InputError, match="PET was not read from a DICOM series"):
        export(result, tmp_path / "a.dcm", "seg", like=plain)
    export(result, tmp_path / "out", "nifti,csv,json", like=plain, options=DEIDENTIFIED)
    assert (tmp_path / "out" / "findings.csv").is_file()


def test_names_and_places_are_checked_before_anything_is_read(tmp_path: Path, study: Study, result: Result) -> None:
    with pytest.raises(OutputError, match=r"a.nii.gz is not a name for seg"):
        export(result, tmp_path / "a.nii.gz", "seg", like=study)
    (tmp_path / "a.dcm").write_text("mine")
    with pytest.raises(OutputError, match=r"a.dcm is there already"):
        export(result, tmp_path / "a.dcm", "seg", like=study)
    with pytest.raises(OutputError, match="give a folder"):
        export(result, tmp_path / "a.dcm", "seg,sr", like=study)
    with pytest.raises(OutputError, match=r"b.dcm is the name of a file, and 2 are to be written; give a folder"):
        export(result, tmp_path / "b.dcm", "seg,sr", like=study)
    assert not (tmp_path / "b.dcm").exists()
    assert (tmp_path / "a.dcm").read_text() == "mine"
    with pytest.raises(ConfigError, match="no format is called 'dwg'"):
        export(result, tmp_path / "a.dcm", "dwg", like=study)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no result.json"):
        export(tmp_path / "empty", tmp_path / "b.dcm", "seg", like=study)
    (tmp_path / "empty" / "result.json").write_text("{}")
    with pytest.raises(UnreadableFile, match="is not the record of a result"):
        export(tmp_path / "empty", tmp_path / "b.dcm", "seg", like=study)


def test_an_empty_result_is_refused(tmp_path: Path, study: Study, result: Result) -> None:
    nothing = replace(result, labels=replace(result.labels, voxels=result.labels.voxels * np.uint16(0)), findings=())
    with pytest.raises(InputError, match="nothing to export"):
        export(nothing, tmp_path / "a.dcm", "seg", like=study)
    assert list(tmp_path.iterdir()) == []


def test_what_will_be_told_is_said_before(result: Result) -> None:
    (dicom_only,) = told((Format.SEG,), Identity.IDENTIFIED)
    assert dicom_only.startswith("identified: patient name, id, birth date")
    hidden, plain = told((Format.SR, Format.CSV), Identity.DEIDENTIFIED)
    assert hidden.startswith("de-identified: a pseudonym")
    assert plain.startswith("csv: no name, id or date")


_KILLED = """
import os, sys
from pathlib import Path
import grisaille.io.export.objects as objects
real = objects.write
def half(made, path):
    real(made, path)
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)
    os.kill(os.getpid(), 9)
objects.write = half
from grisaille.cli.main import main
main(["export", sys.argv[1], "--like", sys.argv[2], "--format", "seg", "--out", sys.argv[3], "--overwrite"])
"""


def test_a_process_killed_while_it_writes_leaves_the_old_file(tmp_path: Path, folder: Path, place: Path) -> None:
    target = tmp_path / "out" / "a.dcm"
    target.parent.mkdir()
    target.write_text("old")
    run = subprocess.run([sys.executable, "-c", _KILLED, str(folder), str(place), str(target)], capture_output=True)
    assert run.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
    assert [file.name for file in target.parent.iterdir() if not file.name.startswith(".")] == ["a.dcm"]


def test_findings_joined_by_faces_alone_are_exported_so(tmp_path: Path, result: Result, study: Study) -> None:
    voxels = np.zeros(result.labels.grid.shape, np.uint16)
    voxels[3, 3, 3] = voxels[4, 4, 4] = 1
    labels = replace(result.labels, voxels=voxels)
    findings = find_findings(labels, study, connectivity=6)
    assert len(findings) == 2
    export(replace(result, labels=labels, findings=findings), tmp_path / "a.dcm", "seg", like=study)
    assert len(dcmread(tmp_path / "a.dcm").SegmentSequence) == 2
    assert json.loads((tmp_path / "a.dcm.provenance.json").read_text())["export"]["connectivity"] == 6


def test_painted_labels_are_measured_again_by_the_same_neighbours(tmp_path: Path, result: Result, study: Study) -> None:
    voxels = np.zeros(result.labels.grid.shape, np.uint16)
    voxels[3, 3, 3] = voxels[4, 4, 4] = 1
    labels = replace(result.labels, voxels=voxels)
    findings = find_findings(labels, study, connectivity=6)
    write_result(replace(result, labels=labels, findings=findings), tmp_path / "result")
    export(tmp_path / "result", tmp_path / "a.csv", "csv", like=study, edited=True)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 3


def test_the_burden_is_that_of_the_findings_exported(tmp_path: Path, result: Result, study: Study) -> None:
    whole = replace(result, burden=burden_of(result.findings, result.labels))
    only = ExportOptions(choice=Choice(include=(2,)))
    export(whole, tmp_path / "a.json", "json", like=study, options=only)
    record = json.loads((tmp_path / "a.json").read_text())
    assert record["burden"]["findings"] == 1
    assert record["burden"]["volume_ml"] == pytest.approx(result.findings[1].volume_ml)
    export(whole, tmp_path / "b.json", "json", like=study)
    assert json.loads((tmp_path / "b.json").read_text())["burden"] == asdict(whole.burden)


def test_de_identified_hides_weight_warnings_and_ids_where_no_image_is_referred_to_too(
    tmp_path: Path, result: Result, study: Study
) -> None:
    assert study.pet is not None
    interpolated = Study.of(replace(study.pet, source=replace(study.pet.source, files=())), patient=study.patient)
    export(result, tmp_path / "out", "nifti,csv,json", like=interpolated, options=DEIDENTIFIED)
    told_there = "".join(path.read_text("latin-1") for path in (tmp_path / "out").iterdir())
    for secret in ("weight_kg", "is odd", study.pet.source.series, *(one.tracking_uid for one in result.findings)):
        assert secret not in told_there
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    with (tmp_path / "out" / "findings.csv").open() as file:
        assert [one["tracking_uid"] for one in csv.DictReader(file)] == [
            one["tracking_uid"] for one in record["findings"]
        ]


def test_a_result_of_an_older_version_lacks_measures_and_is_exported(
    tmp_path: Path, folder: Path, study: Study
) -> None:
    record = json.loads((folder / "result.json").read_text())
    for one in record["findings"]:
        for name in ("connectivity", "cautions", "feret_mm", "hu_sd"):
            del one[name]
    (folder / "result.json").write_text(json.dumps(record))
    export(folder, tmp_path / "out", "seg,csv", like=study)
    with (tmp_path / "out" / "findings.csv").open() as file:
        first = next(csv.DictReader(file))
    assert (first["feret_mm"], first["connectivity"]) == ("", "26")
