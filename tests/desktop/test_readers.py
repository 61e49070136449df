"""File > Open, with and without somebody to ask."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest

from dicom_builder import write_index, write_series
from grisaille.core.errors import AmbiguousSeries, NoImages, UnknownUnit, UnreadableFile
from grisaille.core.volume import Modality, Unit
from grisaille.desktop import layers, readers
from grisaille.desktop.ask import Kind, likely_kind
from grisaille.desktop.readers import NOTHING, Questions, get_reader, read
from image_builder import save_nifti


def voxels() -> np.ndarray:
    return np.arange(60, dtype=np.int16).reshape(3, 4, 5) - 1000


def never(_: Any) -> Any:
    raise AssertionError("nobody should have been asked")


def answering(kind: Kind | None) -> Questions:
    return Questions(kind=lambda path: kind, series=never)


@pytest.mark.parametrize(
    "name", ["a.nii", "b.NII.GZ", "c.nrrd", "d.mha", "e.mhd", "f.dcm", "g.IMA", "patient.1.nii.gz"]
)
def test_our_files_are_taken_by_their_names(tmp_path: Path, name: str) -> None:
    assert get_reader(str(tmp_path / name)) is read


@pytest.mark.parametrize("name", ["a.tif", "b.png", "c", "d.json"])
def test_other_files_are_left_to_others(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes(200))
    assert get_reader(str(tmp_path / name)) is None
    assert get_reader([str(tmp_path / "a.nii"), str(tmp_path / name)]) is None
    assert get_reader(str(tmp_path / "absent")) is None


def test_a_dicom_file_without_an_ending_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "IM0001").write_bytes(bytes(128) + b"DICM")
    assert get_reader(str(tmp_path / "IM0001")) is read


def test_folders_are_taken_but_for_zarr(tmp_path: Path) -> None:
    (tmp_path / "cells.zarr").mkdir()
    assert get_reader(str(tmp_path)) is read
    assert get_reader(str(tmp_path / "cells.zarr")) is None


def test_a_named_file_is_read_without_a_question(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "CT.nii.gz", voxels())
    ((data, arguments, kind),) = read(str(path), Questions(never, never))
    assert kind == "image"
    volume = arguments["metadata"][layers.THING]
    assert (volume.modality, volume.unit, arguments["name"]) == (Modality.CT, Unit.HU, "CT")
    assert data is volume.voxels


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.LABELS])
def test_the_answer_is_what_the_file_measures(tmp_path: Path, kind: Kind) -> None:
    path = save_nifti(tmp_path / "scan.nii.gz", voxels())
    ((_, arguments, _),) = read(str(path), answering(kind))
    volume = arguments["metadata"][layers.THING]
    assert (volume.modality, volume.unit) == (kind.modality, kind.unit)


def test_labels_are_opened_as_labels(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "tumour_mask.nii.gz", np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    ((_, arguments, kind),) = read(str(path), answering(Kind.LABELS))
    assert (kind, arguments["name"]) == ("labels", "tumour_mask")
    assert arguments["metadata"][layers.THING].ids == tuple(range(1, 60))


def test_labels_that_grisaille_named_are_known_without_a_question(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "truth.nii.gz", np.ones((3, 4, 5), np.uint8))
    (tmp_path / "truth.json").write_text(json.dumps({"names": {"1": "liver"}}))
    ((_, arguments, kind),) = read(str(path), Questions(never, never))
    assert kind == "labels"
    assert arguments["features"]["name"] == ["liver"]


def test_a_dismissed_question_opens_nothing(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "scan.nii.gz", voxels())
    assert read(str(path), answering(None)) == NOTHING


def test_without_a_window_a_sentence_names_the_file(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "scan.nii.gz", voxels())
    with pytest.raises(UnknownUnit, match=r"scan\.nii\.gz"):
        read(str(path))


def test_an_empty_folder_and_a_text_file_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NoImages, match=tmp_path.name):
        read(str(tmp_path))
    (tmp_path / "notes.dcm").write_text("no image")
    with pytest.raises(UnreadableFile, match=r"notes\.dcm"):
        read(str(tmp_path / "notes.dcm"))


def test_a_folder_is_a_study_with_pet_on_top(tmp_path: Path) -> None:
    save_nifti(tmp_path / "PET.nii.gz", np.abs(voxels()))
    (tmp_path / "PET.json").write_text(json.dumps({"modality": "PT", "unit": "SUVbw"}))
    save_nifti(tmp_path / "CT.nii.gz", voxels())
    names = [arguments["name"] for _, arguments, _ in read(str(tmp_path), Questions(never, never))]
    assert names == ["CT", "PET"]


def test_several_files_are_opened_together(tmp_path: Path) -> None:
    paths = [str(save_nifti(tmp_path / name, voxels())) for name in ("CT_a.nii.gz", "CT_b.nii.gz")]
    assert [arguments["name"] for _, arguments, _ in read(paths)] == ["CT_a", "CT_b"]


def test_warnings_reach_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(readers, "show_warning", told.append)
    read(str(save_nifti(tmp_path / "CT.nii.gz", np.zeros((3, 4, 5), np.int16))))
    assert told == ["every voxel of CT.nii.gz is 0"]


def two_ct_series(folder: Path) -> Path:
    for number in (1, 2):
        (folder / str(number)).mkdir(parents=True)
        write_series(folder / str(number), "CT", series=number)
    return folder


def test_of_two_series_one_is_asked_for(tmp_path: Path) -> None:
    folder = two_ct_series(tmp_path / "case")
    asked: list[Any] = []

    def second(found: Any) -> dict[Modality, str]:
        asked.append(found)
        return {Modality.CT: found[Modality.CT][1].uid}

    ((_, arguments, _),) = read(str(folder), Questions(never, second))
    assert list(asked[0]) == [Modality.CT]
    assert arguments["metadata"][layers.THING].source.series == asked[0][Modality.CT][1].uid
    assert read(str(folder), Questions(never, lambda found: None)) == NOTHING
    with pytest.raises(AmbiguousSeries):
        read(str(folder))


def test_a_dicom_file_opens_its_whole_series(tmp_path: Path) -> None:
    files = sorted(two_ct_series(tmp_path / "case").joinpath("1").iterdir())
    ((data, _, _),) = read(str(files[0]))
    assert len(data) == len(files)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("PET_x.nii", Kind.PET_SUV),
        ("liver_seg.nii.gz", Kind.LABELS),
        ("scan.mha", Kind.CT),
        ("CT_gtv.nii", Kind.LABELS),
    ],
)
def test_the_likely_answer_comes_first(name: str, kind: Kind) -> None:
    assert likely_kind(Path(name)) is kind


@pytest.mark.screen
def test_opening_in_a_window_writes_letters_and_opens_a_series_once(make_napari_viewer: Any, tmp_path: Path) -> None:
    viewer = make_napari_viewer()
    files = sorted(str(file) for file in two_ct_series(tmp_path / "case").joinpath("1").iterdir())
    viewer.open(files, plugin="napari-grisaille")
    assert len(viewer.layers) == 1
    assert viewer.canvas.overlays["grisaille_right"].text == "L"


@pytest.mark.screen
def test_the_question_is_a_dialog(make_napari_viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qtpy.QtWidgets import QComboBox, QDialog

    def press_open(dialog: QDialog) -> int:
        dialog.findChild(QComboBox).setCurrentText(Kind.MR.words)
        return int(QDialog.DialogCode.Accepted.value)

    monkeypatch.setattr(QDialog, "exec", press_open)
    viewer = make_napari_viewer()
    path = save_nifti(tmp_path / "scan.nii.gz", voxels())
    (layer,) = viewer.open(str(path), plugin="napari-grisaille")
    assert layers.volume_from(layer).modality is Modality.MR
    two_ct_series(tmp_path / "case")
    monkeypatch.setattr(QDialog, "exec", lambda dialog: int(QDialog.DialogCode.Rejected.value))
    assert viewer.open(str(tmp_path / "case"), plugin="napari-grisaille") == []


def test_a_zip_and_a_dicomdir_are_opened_as_the_studies_they_hold(tmp_path: Path) -> None:
    write_series(tmp_path / "disc" / "IMAGES", "CT")
    write_series(tmp_path / "disc" / "IMAGES", "PT")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for file in sorted((tmp_path / "disc").rglob("*.dcm")):
            archive.write(file, f"SMITH_JOHN/{file.name}")
    write_index(tmp_path / "disc", [["IMAGES", file.name] for file in (tmp_path / "disc" / "IMAGES").iterdir()])
    for path in (tmp_path / "study.zip", tmp_path / "disc" / "DICOMDIR", tmp_path / "disc"):
        take = get_reader(str(path))
        assert take is not None
        opened = take(str(path))
        assert [len(layer[0]) for layer in opened] == [5, 5]
        assert "SMITH" not in str([layer[1]["name"] for layer in opened])


@pytest.mark.parametrize("name", ["study.zip", "STUDY.ZIP", "DICOMDIR", "IM000001", "series.dcm"])
def test_napari_offers_our_reader_for_the_files_of_a_disc(tmp_path: Path, name: str) -> None:
    manager = PluginManager()
    manager.register(PluginManifest.from_file(Path(__file__).parents[2] / "napari.yaml"))
    assert [one.command for one in manager.iter_compatible_readers([str(tmp_path / name)])]
