"""SEG and RTSTRUCT in the viewer: on the volume that they were made on, or a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicom_builder import ORIGIN_MM, ROOT, write_series
from grisaille.core.errors import InputError
from grisaille.core.labels import Labels
from grisaille.core.volume import Modality
from grisaille.desktop import layers, readers
from grisaille.desktop.dicom_labels import labels_of_file
from grisaille.desktop.readers import read
from grisaille.io.study import read_volume
from labels_builder import write_contours, write_seg

X, Y, Z = ORIGIN_MM
ALL = [(X - 0.5, Y - 0.5, Z + 3), (X + 3.5, Y - 0.5, Z + 3), (X + 3.5, Y + 6.5, Z + 3), (X - 0.5, Y + 6.5, Z + 3)]
STRANGER = {"frame": f"{ROOT}.66", "series": f"{ROOT}.67"}


def things(opened: list[Any]) -> list[tuple[str, str]]:
    return [(kind, arguments["name"]) for _, arguments, kind in opened]


def labels_in(opened: list[Any]) -> Labels:
    (labels,) = [arguments["metadata"][layers.THING] for _, arguments, kind in opened if kind == "labels"]
    assert isinstance(labels, Labels)
    return labels


def test_a_folder_opens_its_labels_over_its_images(tmp_path: Path) -> None:
    images = write_series(tmp_path / "ct", "CT")
    write_contours(tmp_path / "ct" / "plan.dcm", {"mass": [ALL]})
    write_seg(tmp_path / "ct" / "seg.dcm", images, np.ones((5, 4, 3), np.uint8), {1: "all"})
    opened = read(str(tmp_path / "ct"))
    assert [kind for kind, _ in things(opened)] == ["image", "labels", "labels"]
    volume = opened[0][1]["metadata"][layers.THING]
    for (_, arguments, _), marked in zip(opened[1:], (12, 60), strict=True):
        labels = arguments["metadata"][layers.THING]
        assert labels.grid is volume.grid
        assert (labels.voxels > 0).sum() == marked
    assert opened[1][1]["features"]["name"] == ["mass"]


def test_of_two_images_the_one_that_was_drawn_on_is_taken(tmp_path: Path) -> None:
    write_series(tmp_path / "case" / "ct", "CT")
    write_series(tmp_path / "case" / "pet", "PT", PixelSpacing=[3, 3])
    write_contours(tmp_path / "case" / "plan.dcm", {"mass": [ALL]}, series=f"{ROOT}.1.2")
    opened = read(str(tmp_path / "case"))
    pet = next(
        arguments["metadata"][layers.THING]
        for _, arguments, kind in opened
        if kind == "image" and arguments["metadata"][layers.THING].modality is Modality.PET
    )
    assert labels_in(opened).grid is pet.grid


def test_labels_that_lie_elsewhere_are_told_and_the_images_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(readers, "show_warning", told.append)
    write_series(tmp_path / "ct", "CT")
    write_contours(tmp_path / "ct" / "plan.dcm", {"mass": [ALL]}, **STRANGER)
    assert [kind for kind, _ in things(read(str(tmp_path / "ct")))] == ["image"]
    (sentence,) = told
    assert sentence.startswith("plan.dcm is an RTSTRUCT that lies on none of the open volumes")


def test_an_rtstruct_alone_brings_its_series_from_beside_it(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", "CT")
    write_series(tmp_path / "other", "CT", series=2)
    plan = write_contours(tmp_path / "plan.dcm", {"mass": [ALL]})
    opened = read(str(plan))
    assert [kind for kind, _ in things(opened)] == ["image", "labels"]
    assert things(opened)[1] == ("labels", "plan")
    assert labels_in(opened).grid is opened[0][1]["metadata"][layers.THING].grid


def test_an_rtstruct_without_any_volume_gets_a_sentence(tmp_path: Path) -> None:
    plan = write_contours(tmp_path / "plan.dcm", {"mass": [ALL]})
    with pytest.raises(
        InputError, match=r"plan\.dcm is an RTSTRUCT that needs the volume.*open its DICOM series first"
    ):
        read(str(plan))


def test_a_folder_of_labels_alone_is_opened_too(tmp_path: Path) -> None:
    images = write_series(tmp_path / "ct", "CT")
    (tmp_path / "seg").mkdir()
    write_seg(tmp_path / "seg" / "seg.dcm", images, np.ones((5, 4, 3), np.uint8), {1: "all"})
    opened = read(str(tmp_path / "seg"))
    assert things(opened) == [("labels", "seg")]
    assert labels_in(opened).grid.is_close(read_volume(tmp_path / "ct").grid)


def test_a_seg_of_other_voxels_in_the_same_frame_keeps_its_own_grid(tmp_path: Path) -> None:
    images = write_series(tmp_path / "ct", "CT")
    write_series(tmp_path / "pet", "PT", PixelSpacing=[3, 3])
    seg = write_seg(tmp_path / "seg.dcm", images, np.ones((5, 4, 3), np.uint8), {1: "all"})
    ct, pet = read_volume(tmp_path / "ct"), read_volume(tmp_path / "pet")
    labels, brought = labels_of_file(seg, [pet])
    assert brought is None
    assert labels.grid.is_close(ct.grid)
    labels, _ = labels_of_file(seg, [pet, ct])
    assert labels.grid is ct.grid


@pytest.mark.screen
def test_an_rtstruct_lands_on_the_series_that_is_open(make_napari_viewer: Any, tmp_path: Path) -> None:
    viewer = make_napari_viewer()
    viewer.open(str(write_series(tmp_path / "ct", "CT")[0]), plugin="napari-grisaille")
    (tmp_path / "away").mkdir()
    plan = write_contours(tmp_path / "away" / "plan.dcm", {"mass": [ALL]})
    (layer,) = viewer.open(str(plan), plugin="napari-grisaille")
    (volume,) = layers.volumes_in(viewer)
    labels = layers.labels_from(layer)
    assert labels.grid is volume.grid
    assert labels.voxels[1].all()
    assert (labels.voxels > 0).sum() == 12
    assert layer.data.shape == viewer.layers[0].data.shape
    assert np.array_equal(layer.translate, viewer.layers[0].translate)
    assert viewer.dims.point[0] == pytest.approx(layer.data_to_world((1, 0, 0))[0])  # the slice of the labels is shown
