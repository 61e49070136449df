"""``grisaille export``: what is shown, what is written, and the sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

import dicom_builder as dicom
from grisaille.cli.main import main
from grisaille.core.labels import Labels
from grisaille.io.labels import write_labels
from grisaille.io.study import read_study
from series_files import phases


@pytest.fixture
def place(tmp_path: Path) -> Path:
    dicom.write_series(tmp_path / "study", "PT", count=5)
    study = read_study(tmp_path / "study")
    voxels = np.zeros(study.reference.shape, np.uint16)
    voxels[1, 1, 1], voxels[3, 3, 1] = 1, 2
    write_labels(Labels(voxels, study.reference, source=study.main.source), tmp_path / "mine.nii.gz")
    return tmp_path


def run(place: Path, *arguments: str) -> int:
    return main(["export", str(place / "mine.nii.gz"), "--like", str(place / "study"), *arguments])


def test_the_choice_of_identity_is_shown_before_writing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(place, "--format", "seg", "--out", str(place / "a.dcm")) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("identified: patient name, id, birth date")
    assert shown.out.split() == [str(place / "a.dcm")]
    assert dcmread(place / "a.dcm").PatientID == "ID-4711"
    assert run(place, "--format", "seg", "--de-identified", "--out", str(place / "b.dcm")) == 0
    assert capsys.readouterr().err.startswith("de-identified: a pseudonym")
    assert dcmread(place / "b.dcm").PatientID != "ID-4711"


def test_some_findings_of_another_type_as_a_labelmap_with_their_report(place: Path) -> None:
    chosen = ["--include", "2", "--type", "367643001,SCT,Cyst", "--labelmap"]
    assert run(place, "--format", "seg,sr", "--out", str(place / "out"), *chosen) == 0
    seg = dcmread(place / "out" / "findings.seg.dcm")
    assert seg.SegmentationType == "LABELMAP"
    assert seg.SegmentSequence[-1].SegmentLabel == "Finding 2"
    assert seg.SegmentSequence[-1].SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Cyst"
    again = ["--format", "sr", "--include", "2", "--seg", str(place / "out" / "findings.seg.dcm")]
    assert run(place, *again, "--out", str(place / "sr.dcm")) == 0
    assert seg.SOPInstanceUID.encode() in (place / "sr.dcm").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--format", "dwg", "--out", "x.dcm"], "no format is called 'dwg'"),
        (["--format", "seg", "--out", "x.nrrd"], "x.nrrd is not a name for seg"),
        (["--format", "seg", "--out", "x.dcm", "--include", "one"], "expected numbers of findings"),
        (["--format", "seg", "--out", "x.dcm", "--type", "cyst"], "is no coded term"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_exit_code_1(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert run(place, *(str(place / one) if one.startswith("x.") else one for one in arguments)) == 1
    assert sentence in capsys.readouterr().err
    assert not list(place.glob("x.*"))


def test_a_study_is_read_as_it_was_for_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    phases(tmp_path / "study", "PT", lambda image, phase: dicom.put(image, AcquisitionNumber=phase + 1))
    pet = read_study(tmp_path / "study", frame=1).main
    voxels = np.zeros(pet.grid.shape, np.uint16)
    voxels[1, 1, 1] = 1
    write_labels(Labels(voxels, pet.grid, source=pet.source), tmp_path / "mine.nii.gz")
    csv = ["--format", "csv", "--out", str(tmp_path / "a.csv")]
    assert run(tmp_path, *csv) == 1
    assert "--frame" in capsys.readouterr().err
    assert run(tmp_path, *csv, "--frame", "1", "--weight-kg", "50") == 0
    measured = (tmp_path / "a.csv").read_text().splitlines()
    suv_max = float(measured[1].split(",")[measured[0].split(",").index("suv_max")])
    assert suv_max == pytest.approx(float(pet.voxels[1, 1, 1]) * 50 / 70, rel=1e-5)
