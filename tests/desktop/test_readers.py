"""File > Open, with and without somebody to ask."""

from __future__ import annotations

import json
import zipfile
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest

from dicom_builder import SUV_FACTOR, put, stored, tracer, write_index, write_series
from grisaille.core.errors import AmbiguousSeries, NoImages, SeveralFrames, UnevenSlices, UnknownUnit, UnreadableFile
from grisaille.core.volume import Modality, Unit
from grisaille.desktop import layers, readers
from grisaille.desktop.ask import Kind, likely_kind
from grisaille.desktop.readers import NOTHING, Questions, get_reader, read
from grisaille.imaging.suv import SuvOverrides
from image_builder import save_nifti
from series_files import CENTRE_MM, write_sphere


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
        ("sub-01_pet.nii.gz", Kind.PET_SUV),
        ("carpet.nii.gz", Kind.CT),
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


def uneven(folder: Path) -> Path:
    files = write_series(folder, "CT", count=6)
    files[2].unlink()
    return folder


def dynamic(folder: Path, modality: str = "CT") -> Path:
    def change(image: Any, k: int) -> None:
        image.ImagePositionPatient = [0, 0, 3 * (k % 4)]
        put(image, TemporalPositionIdentifier=k // 4)

    write_series(folder, modality, count=8, change=change)
    return folder


def test_whether_uneven_slices_are_interpolated_is_asked_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def yes(reason: str) -> bool:
        asked.append(reason)
        return True

    folder = uneven(tmp_path / "case")
    ((data, arguments, _),) = read(str(folder), Questions(never, never, never, yes))
    assert len(data) == 6
    assert "1 slice missing: index 2 at z = -24.0 mm" in asked[0]
    assert len(asked) == 1
    assert "regridded on request" in arguments["metadata"][layers.THING].provenance.geometry
    assert read(str(folder), Questions(never, never, never, lambda reason: False)) == NOTHING
    with pytest.raises(UnevenSlices):
        read(str(folder))


def test_which_of_several_frames_is_asked_for(tmp_path: Path) -> None:
    folder = dynamic(tmp_path / "case")
    asked: list[Any] = []

    def second(frames: Any) -> int:
        asked.append(frames)
        return 1

    ((data, arguments, _),) = read(str(folder), Questions(never, never, second, never))
    assert len(data) == 4
    assert asked == [("frame 0: temporal position 0", "frame 1: temporal position 1")]
    assert arguments["name"].endswith("frame 1 (temporal position 1)")
    assert read(str(folder), Questions(never, never, lambda frames: None, never)) == NOTHING
    with pytest.raises(SeveralFrames):
        read(str(folder))


def test_one_question_follows_the_other(tmp_path: Path) -> None:
    """Two CT series, of which the one that is chosen has two frames, and a PET that lacks a slice."""

    def change(image: Any, k: int) -> None:
        put(image, TemporalPositionIdentifier=k // 6)
        image.ImagePositionPatient = [*image.ImagePositionPatient[:2], 3 * (k % 6) - 30]

    write_series(tmp_path / "one", "CT", series=1)
    write_series(tmp_path / "two", "CT", series=2, count=12, change=change)
    write_series(tmp_path / "pet", "PT", series=3)[2].unlink()
    questions = Questions(
        kind=never,
        series=lambda found: {kind: series[-1].uid for kind, series in found.items()},
        frame=lambda frames: 1,
        regrid=lambda reason: "PT series 3" in reason,
    )
    ct, pet = read(str(tmp_path), questions)
    assert ct[1]["name"].endswith("frame 1 (temporal position 1)")
    assert len(pet[0]) == 5


def test_a_tilted_series_is_drawn_straight_and_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(readers, "show_warning", told.append)
    write_sphere(tmp_path / "case", 15)
    ((data, arguments, _),) = read(str(tmp_path / "case"))
    assert arguments["name"].endswith(layers.RESAMPLED)
    assert not arguments["metadata"][layers.THING].grid.is_orthogonal
    middle = np.argwhere(data > 0).mean(axis=0) * arguments["scale"] + arguments["translate"]
    np.testing.assert_allclose(layers.lps_from_world(middle), CENTRE_MM[::-1], atol=0.1)
    assert "tilted by 15.0 degrees" in told[0]


@pytest.mark.screen
def test_frames_and_interpolating_are_asked_in_dialogs(
    make_napari_viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qtpy.QtWidgets import QComboBox, QDialog, QMessageBox

    texts: list[str] = []

    def press(words: str) -> Any:
        def pressed(box: QMessageBox) -> int:
            texts.append(box.informativeText())
            next(button for button in box.buttons() if words in button.text().replace("&", "")).click()
            return 0

        return pressed

    def take_second(dialog: QDialog) -> int:
        dialog.findChild(QComboBox).setCurrentIndex(1)
        return int(QDialog.DialogCode.Accepted.value)

    viewer = make_napari_viewer()
    folder = str(uneven(tmp_path / "uneven"))
    monkeypatch.setattr(QMessageBox, "exec", press("Cancel"))
    assert viewer.open(folder, plugin="napari-grisaille") == []
    monkeypatch.setattr(QMessageBox, "exec", press("Interpolate"))
    (layer,) = viewer.open(folder, plugin="napari-grisaille")
    assert layer.data.shape[0] == 6
    assert all("index 2 at z = -24.0 mm" in text for text in texts)
    monkeypatch.setattr(QDialog, "exec", take_second)
    (layer,) = viewer.open(str(dynamic(tmp_path / "dynamic")), plugin="napari-grisaille")
    assert "frame 1" in layer.name


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


def bare_pet(folder: Path) -> Path:
    """A PET of a patient without weight, its injection not written down."""

    def forget(image: Any, k: int) -> None:
        tracer(image, RadiopharmaceuticalStartDateTime=None, RadiopharmaceuticalStartTime=None)

    write_series(folder, "PT", change=forget, PatientWeight=None)
    return folder


def test_a_pet_that_lacks_values_for_suv_has_exactly_these_asked_for(tmp_path: Path) -> None:
    folder = bare_pet(tmp_path / "pet")
    asked: list[Any] = []

    def answer(reason: str, missing: Any) -> SuvOverrides:
        asked.append((reason, tuple(missing)))
        return SuvOverrides(weight_kg=70, injected=time(10))

    ((data, arguments, _),) = read(str(folder), Questions(never, never, suv=answer))
    ((reason, missing),) = asked
    assert missing == ("weight_kg", "injected")
    assert "PatientWeight (0010,1030)" in reason
    volume = arguments["metadata"][layers.THING]
    assert volume.unit is Unit.SUVBW
    np.testing.assert_allclose(data[1], stored(1) * SUV_FACTOR, rtol=1e-6)
    assert dict(volume.provenance.suv.overrides) == {"weight_kg": 70.0, "injected": "10:00:00"}
    ((single, _, _),) = read(str(next(folder.iterdir())), Questions(never, never, suv=answer))
    np.testing.assert_array_equal(single, data)


def test_a_dismissed_question_for_suv_opens_the_activity_with_its_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(readers, "show_warning", told.append)
    folder = bare_pet(tmp_path / "pet")
    for questions in (Questions(never, never, suv=lambda reason, missing: None), None):
        ((_, arguments, _),) = read(str(folder), questions)
        assert arguments["metadata"][layers.THING].unit is Unit.BQML
        (warning,) = told
        assert "PatientWeight (0010,1030)" in warning
        told.clear()


def test_a_pet_whose_suv_no_entry_mends_has_nothing_asked_for(tmp_path: Path) -> None:
    write_series(tmp_path, "PT", CorrectedImage=["ATTN"])
    asking = Questions(never, never, suv=lambda reason, missing: never(missing))
    ((_, arguments, _),) = read(str(tmp_path), asking)
    assert arguments["metadata"][layers.THING].unit is Unit.BQML


@pytest.mark.screen
def test_the_question_for_suv_is_a_dialog(
    make_napari_viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qtpy.QtWidgets import QDialog, QLineEdit, QPushButton

    seen: list[str] = []

    def fill(dialog: QDialog) -> int:
        lines = {line.objectName(): line for line in dialog.findChildren(QLineEdit)}
        (compute,) = (one for one in dialog.findChildren(QPushButton) if one.text() == "Compute SUV")
        assert set(lines) == {"weight_kg", "injected"}
        seen.extend(line.placeholderText() for line in lines.values())
        for weight, at, is_enough in (("", "10:00", False), ("7", "", False), ("700", "10:00", False)):
            lines["weight_kg"].setText(weight)
            lines["injected"].setText(at)
            assert compute.isEnabled() is is_enough
        lines["weight_kg"].setText("70")
        assert compute.isEnabled()
        return int(QDialog.DialogCode.Accepted.value)

    monkeypatch.setattr(QDialog, "exec", fill)
    viewer = make_napari_viewer()
    folder = bare_pet(tmp_path / "pet")
    (layer,) = viewer.open(str(folder), plugin="napari-grisaille")
    assert layers.volume_from(layer).unit is Unit.SUVBW
    assert seen == ["2 to 400 kg", "HH:MM, or YYYY-MM-DD HH:MM"]
    monkeypatch.setattr(QDialog, "exec", lambda dialog: int(QDialog.DialogCode.Rejected.value))
    (layer,) = viewer.open(str(folder), plugin="napari-grisaille")
    assert layers.volume_from(layer).unit is Unit.BQML


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
