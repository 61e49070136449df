"""Exporting from the findings table and from napari's Save: what is offered, shown and written."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

import dicom_builder as dicom
from fake_method import fake_maker
from grisaille.core.errors import InputError
from grisaille.desktop import layers, writers
from grisaille.desktop.export_dialog import ExportDialog
from grisaille.desktop.panel import MethodPanel
from grisaille.desktop.review import Review, review_of
from grisaille.io.export.formats import Format
from grisaille.io.export.whose import Identity
from grisaille.io.study import read_volume

pytestmark = pytest.mark.screen


def spots(image: Any, k: int) -> None:
    """Two hot balls in a cold body."""
    rows, columns = np.indices((32, 32))
    pixels = np.where((rows - 16) ** 2 + (columns - 16) ** 2 < 200, 2000, 0).astype(np.int16)
    if 3 <= k <= 6:
        pixels[8:12, 8:12] = 30000
    if 8 <= k <= 10:
        pixels[20:24, 18:22] = 20000
    dicom.put_pixels(image, pixels)


@pytest.fixture
def review(make_napari_viewer: Any, recovery: Path, tmp_path: Path, qtbot: Any) -> Review:
    """The findings of a DICOM PET."""
    dicom.write_series(tmp_path / "study", "PT", count=14, change=spots, PixelSpacing=[4.0, 4.0])
    viewer = make_napari_viewer()
    layers.add_volume(viewer, read_volume(tmp_path / "study"))
    panel = MethodPanel(viewer, fake_maker())
    viewer.window.add_dock_widget(panel, name="Fake")
    panel.run()
    qtbot.waitUntil(lambda: not panel.is_running)
    found = review_of(viewer)
    assert found.table.findings
    return found


def dialog_of(review: Review, qtbot: Any, folder: Path) -> ExportDialog:
    review.table.selectRow(0)
    review.export.click()
    (dialog,) = review.findChildren(ExportDialog)
    dialog.folder.setText(str(folder))
    return dialog


def written(dialog: ExportDialog, qtbot: Any) -> str:
    dialog.go.click()
    qtbot.waitUntil(lambda: dialog._job is None, timeout=60_000)
    return dialog.status.line.text()


def test_what_is_shown_is_written_or_a_sentence_says_why_not(review: Review, qtbot: Any, tmp_path: Path) -> None:
    dialog = dialog_of(review, qtbot, tmp_path / "out")
    assert dialog.chosen_formats == (Format.SEG, Format.SR)
    assert "patient name, id, birth date" in dialog.told.text()
    dialog.identity.setCurrentIndex(1)
    assert "a pseudonym in place of name and id" in dialog.told.text()
    dialog.formats[Format.CSV].setChecked(True)
    assert "findings.seg.dcm, findings.sr.dcm, findings.csv" in dialog.told.text()
    assert written(dialog, qtbot).startswith("Wrote findings.seg.dcm, findings.sr.dcm, findings.csv to out")
    seg = dcmread(tmp_path / "out" / "findings.seg.dcm")
    assert len(seg.SegmentSequence) == len(review.table.findings)
    assert seg.PatientID != "ID-4711"
    # All that is told now has made the dialog taller: no row is squeezed until its words are cut.
    qtbot.wait(50)
    assert all(box.height() >= box.sizeHint().height() for box in dialog.formats.values())
    # The files are there now: they are replaced only if that is ticked.
    assert "In that folder already" in dialog.told.text()
    assert not dialog.go.isEnabled()
    dialog.replaces.setChecked(True)
    for file in (tmp_path / "study").iterdir():
        file.unlink()
    before = (tmp_path / "out" / "findings.seg.dcm").read_bytes()
    assert "is no longer where it was read from" in written(dialog, qtbot)
    assert dialog.status.has_failed
    assert (tmp_path / "out" / "findings.seg.dcm").read_bytes() == before
    dialog.reject()


def test_what_was_painted_is_exported_as_it_is_now(review: Review, qtbot: Any, tmp_path: Path) -> None:
    layer = review.labels_layer
    first = review.table.findings[0]
    layer.data_setitem(tuple(np.argwhere(layer.data == first.label)[:2].T), 0)  # measured only after a pause
    dialog = dialog_of(review, qtbot, tmp_path / "out")
    for kind, box in dialog.formats.items():
        box.setChecked(kind in (Format.SEG, Format.CSV))
    dialog.which.setCurrentIndex(1)
    assert written(dialog, qtbot).startswith("Wrote")
    (segment,) = dcmread(tmp_path / "out" / "findings.seg.dcm").SegmentSequence
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    with (tmp_path / "out" / "findings.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["volume_ml"]) == pytest.approx(first.volume_ml - 2 * layer_ml(review), rel=1e-4)
    dialog.reject()


def layer_ml(review: Review) -> float:
    assert review.result is not None
    return review.result.labels.grid.voxel_ml


def test_without_dicom_only_what_needs_none_is_offered(ran: Any, pet_viewer: Any, qtbot: Any, tmp_path: Path) -> None:
    dialog = dialog_of(review_of(pet_viewer), qtbot, tmp_path / "out")
    assert dialog.chosen_formats == (Format.NIFTI, Format.CSV)
    assert not dialog.formats[Format.SEG].isEnabled()
    dialog.reject()
    data, attributes, _ = review_of(pet_viewer).labels_layer.as_layer_data_tuple()
    with pytest.raises(InputError, match="not read from a DICOM series"):
        writers.save_segmentation(str(tmp_path / "a.dcm"), data, attributes, ask=lambda: Identity.IDENTIFIED)
    assert not list(tmp_path.glob("*.dcm"))


def test_naparis_save_writes_a_seg_of_the_layer(review: Review, tmp_path: Path) -> None:
    data, attributes, _ = review.labels_layer.as_layer_data_tuple()
    path = str(tmp_path / "a.dcm")
    assert writers.save_segmentation(path, data, attributes, ask=lambda: Identity.IDENTIFIED) == [path]
    seg = dcmread(path)
    assert seg.SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"
    assert {one.TrackingUID for one in seg.SegmentSequence} == {one.tracking_uid for one in review.table.findings}
    assert writers.save_segmentation(str(tmp_path / "b.dcm"), data, attributes, ask=lambda: None) == []
    assert not (tmp_path / "b.dcm").exists()
    # Other numbers than the layer's own are nobody's but the user's.
    own = (np.array(data) == 1).astype(np.uint16)
    writers.save_segmentation(str(tmp_path / "c.dcm"), own, attributes, ask=lambda: Identity.DEIDENTIFIED)
    copied = dcmread(tmp_path / "c.dcm")
    assert [one.SegmentAlgorithmType for one in copied.SegmentSequence] == ["MANUAL"]
    assert copied.PatientIdentityRemoved == "YES"
