"""Looking through a result: slider, curve, table, and labels painted by hand."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_model.types import KeyBinding
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QGuiApplication

from fake_method import FakeMethod, calibration, fake_maker
from grisaille.core.calibration import CalibrationSource, Per
from grisaille.core.result import SYNTHETIC_CAVEAT, Asked
from grisaille.desktop import editing, layers, threshold
from grisaille.desktop.autosave import leftovers
from grisaille.desktop.panel import MethodPanel
from grisaille.desktop.review import Review, review_of
from grisaille.desktop.world import lps_from_world
from grisaille.io.results import write_findings_csv

pytestmark = pytest.mark.screen


@pytest.fixture
def review(ran: MethodPanel, pet_viewer: Any) -> Review:
    return review_of(pet_viewer)


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def paint(layer: Any, label: int = 9) -> None:
    """What a stroke of the brush does: a few voxels in front of the body's middle."""
    layer.data_setitem((np.array([1, 1, 2]), np.array([15, 16, 16]), np.array([15, 15, 15])), label)


def follows(review: Review, qtbot: Any) -> None:
    """Wait until painting was measured."""
    qtbot.waitUntil(lambda: any(one.edited for one in review.table.findings), timeout=1000)


def test_slider_labels_again_in_the_same_layer(review: Review, pet_viewer: Any, qtbot: Any) -> None:
    layer = review.labels_layer
    review.threshold._slider.setValue(review.threshold._slider.minimum())
    qtbot.waitUntil(lambda: len(review.table.findings) == 1)
    assert review.labels_layer is layer
    assert layer.data.max() == 1
    assert list(layer.features["index"]) == [1]
    assert names(pet_viewer) == ["PET", "FAKE anomaly, PET", "FAKE findings"]


def test_slider_follows_within_a_tenth_of_a_second(review: Review, qtbot: Any) -> None:
    started = time.perf_counter()
    with qtbot.waitSignal(review._relabeller.relabelled):
        review.threshold._slider.setValue(5)
    assert time.perf_counter() - started < 0.1


def test_large_volumes_are_labelled_beside_the_screen_and_the_last_position_wins(
    dock: Any, pet_viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threshold, "ON_SCREEN_VOXELS", 0)
    panel = dock(fake_maker())
    panel.run()
    qtbot.waitUntil(lambda: not panel.is_running)
    review = review_of(pet_viewer)
    shown: list[Asked] = []
    review._relabeller.relabelled.connect(lambda result: shown.append(result.provenance.asked))
    for step in (390, 200, 100, 0):
        review.threshold._slider.setValue(step)
        qtbot.wait(1)
    qtbot.waitUntil(lambda: len(review.table.findings) == 1)
    assert shown[-1] == review.threshold.value
    assert len(shown) < 4


def test_from_the_first_stroke_the_layer_is_the_users(review: Review, pet_viewer: Any, qtbot: Any) -> None:
    edited = review.labels_layer
    paint(edited)
    assert edited.name == "FAKE findings (edited)"
    painted = edited.data.copy()
    review.threshold._slider.setValue(0)
    qtbot.waitUntil(lambda: review.labels_layer is not edited)
    assert names(pet_viewer) == ["PET", "FAKE anomaly, PET", "FAKE findings (edited)", "FAKE findings"]
    np.testing.assert_array_equal(edited.data, painted)
    assert review.labels_layer.data.max() == 1


def test_run_writes_beside_an_edited_layer(ran: MethodPanel, review: Review, pet_viewer: Any, qtbot: Any) -> None:
    edited = review.labels_layer
    paint(edited)
    painted = edited.data.copy()
    ran.run()
    qtbot.waitUntil(lambda: not ran.is_running)
    assert names(pet_viewer) == ["PET", "FAKE anomaly, PET", "FAKE findings (edited)", "FAKE findings"]
    np.testing.assert_array_equal(edited.data, painted)


def test_table_and_measures_follow_a_stroke_within_a_second(review: Review, qtbot: Any) -> None:
    paint(review.labels_layer)
    follows(review, qtbot)
    new = next(one for one in review.table.findings if one.label == 9)
    assert new.edited
    assert new.volume_ml == pytest.approx(3 * 0.064)
    assert not any(one.edited for one in review.table.findings if one.label != 9)
    assert 9 in list(review.labels_layer.features["index"])


def test_undo_is_followed_too(review: Review, qtbot: Any) -> None:
    before = review.table.findings
    paint(review.labels_layer)
    follows(review, qtbot)
    review.labels_layer.undo()
    qtbot.waitUntil(lambda: len(review.table.findings) == len(before), timeout=1000)


def test_large_labels_are_measured_on_the_button(review: Review, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editing, "AUTOMATIC_VOXELS", 0)
    monkeypatch.setattr(editing, "_QUIET_LARGE_MS", 10)
    paint(review.labels_layer)
    qtbot.waitUntil(lambda: review.measure.isVisibleTo(review))
    assert not any(one.edited for one in review.table.findings)
    review.measure.click()
    follows(review, qtbot)
    assert not review.measure.isVisibleTo(review)


def test_a_deleted_labels_layer_is_made_again_by_the_slider(review: Review, pet_viewer: Any, qtbot: Any) -> None:
    pet_viewer.layers.remove(review.labels_layer)
    assert review.table.findings == ()
    review.threshold._slider.setValue(0)
    qtbot.waitUntil(lambda: review.labels_layer is not None)
    assert names(pet_viewer)[-1] == "FAKE findings"


def test_a_click_on_the_curve_goes_to_the_slice_and_the_viewer_moves_the_marker(
    review: Review, pet_viewer: Any, qtbot: Any
) -> None:
    strip = review.strip
    for index in (3, 20):
        place = QPoint(round(strip.x_of(index)), strip.height() // 2)
        qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=place)
        there = review.result.anomaly.grid.to_mm((index, 0, 0))[0]  # type: ignore[union-attr]
        qtbot.waitUntil(lambda z=there: lps_from_world(pet_viewer.dims.point)[0] == z)
        assert strip.current == index
    pet_viewer.dims.set_current_step(0, 0)
    assert strip.current == 23, "napari's slider begins at the head"


def test_head_end_of_the_curve_stands_where_the_slider_begins(review: Review) -> None:
    assert review.strip.x_of(23) < review.strip.x_of(0)
    assert [review.strip.index_at(review.strip.x_of(index)) for index in range(24)] == list(range(24))


def test_a_click_on_a_row_goes_to_the_finding(review: Review, pet_viewer: Any, qtbot: Any) -> None:
    table = review.table
    for row in (2, 0):
        finding = table.findings[row]
        place = table.visualRect(table.model().index(row, 1)).center()
        qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
        centre = (finding.centroid_s_mm, finding.centroid_p_mm, finding.centroid_l_mm)
        qtbot.waitUntil(lambda there=centre: np.abs(lps_from_world(pet_viewer.dims.point) - there).max() <= 2.1)
        assert review.labels_layer.selected_label == finding.label


def test_keys_walk_through_the_findings(review: Review, pet_viewer: Any) -> None:
    walked = []
    for _ in range(4):
        pet_viewer.keymap[KeyBinding.from_str("Ctrl+Alt+N")](pet_viewer)
        walked.append(review.table.current.id)  # type: ignore[union-attr]
    assert walked == [1, 2, 3, 1]
    pet_viewer.keymap[KeyBinding.from_str("Ctrl+Alt+P")](pet_viewer)
    assert review.table.current.id == 3  # type: ignore[union-attr]


def test_ctrl_c_copies_a_table_that_a_spreadsheet_takes(review: Review, qtbot: Any) -> None:
    qtbot.keyClick(review.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = [line.split("\t") for line in QGuiApplication.clipboard().text().splitlines()]
    assert len(lines) == 4
    assert lines[0][:3] == ["#", "Score", "SUVmax"]
    assert [line[2] for line in lines[1:]] == ["7.00", "5.00", "3.20"]


def saved(review: Review, path: Path) -> list[dict[str, str]]:
    """The rows of the CSV that the panel saves."""
    review.save_csv(path)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_holds_the_columns_of_the_interface_and_a_line_adds_them_up(review: Review, tmp_path: Path) -> None:
    rows = saved(review, tmp_path / "findings.csv")
    assert [round(float(row["suv_max"]), 1) for row in rows] == [7.0, 5.0, 3.2]
    assert review.result is not None
    write_findings_csv(review.result.findings, tmp_path / "of detect.csv", review.result.provenance)
    assert (tmp_path / "findings.csv").read_text() == (tmp_path / "of detect.csv").read_text()
    assert {row["calibration"] for row in rows} == {f"synthetic: {SYNTHETIC_CAVEAT}"}
    assert {row["connectivity"] for row in rows} == {"26"}
    added = review.burden.text()
    assert added.startswith(f"3 findings, {sum(float(row['volume_ml']) for row in rows):.3g} ml, TLG ")
    assert "SUVmax 7, Dmax " in added
    assert added.endswith("connectivity 26, mask as drawn")
    review.save_csv(tmp_path / "no such folder" / "findings.csv")
    assert "findings.csv" in review.title.text()


def test_columns_sort_by_their_numbers(review: Review) -> None:
    review.table.sortByColumn(2, Qt.SortOrder.AscendingOrder)
    model = review.table.model()
    assert [model.index(row, 2).data() for row in range(3)] == ["3.20", "5.00", "7.00"]


def test_an_uncalibrated_model_asks_for_a_share_and_promises_nothing(
    dock: Any, pet_viewer: Any, qtbot: Any, tmp_path: Path
) -> None:
    panel = dock(fake_maker(FakeMethod(calibration=type(calibration()).none())))
    panel.run()
    qtbot.waitUntil(lambda: not panel.is_running)
    review = review_of(pet_viewer)
    assert review.table.findings == ()
    assert review.threshold.value.per is Per.SHARE
    assert "no rate of errors" in review.threshold._promise.text()
    review.threshold._amount.setValue(1.0)
    qtbot.waitUntil(lambda: len(review.table.findings) > 0)
    assert review.result.provenance.asked == Asked(0.01, Per.SHARE)  # type: ignore[union-attr]
    promises = {row["calibration"] for row in saved(review, tmp_path / "findings.csv")}
    assert promises == {"none: the most anomalous 0.01 of the body"}


def test_the_slider_ends_where_the_promise_does(review: Review) -> None:
    control = review.threshold
    assert SYNTHETIC_CAVEAT[1:] in control._promise.text()
    control._slider.setValue(0)
    assert control.value.amount == pytest.approx(1 / 11, abs=0.01)
    control.set_calibration(calibration(CalibrationSource.PATIENTS))
    assert "10 healthy scans of 10 people" in control._promise.text()
    assert "0.0909" in control._promise.text()


def test_edited_labels_survive_a_crash(
    review: Review, ran: MethodPanel, pet_viewer: Any, dock: Any, recovery: Path, qtbot: Any
) -> None:
    layer = review.labels_layer
    paint(layer)
    follows(review, qtbot)
    review._book._autosave.flush()
    qtbot.waitUntil(lambda: review._book._autosave._job is None)
    painted = layer.data.copy()
    (session,) = recovery.iterdir()
    session.rename(recovery / "999999999-1")  # a process that is gone
    assert [one.name for one in leftovers()] == ["FAKE findings (edited)"]

    again = dock(fake_maker(), "After the crash")
    pet_viewer.layers.remove(layer)
    (restore,) = [one for one in again.face.recovery.findChildren(type(ran.face.run)) if one.text() == "Restore"]
    restore.click()
    restored = review.labels_layer
    assert restored.name == "FAKE findings (edited)"
    np.testing.assert_array_equal(restored.data, painted)
    assert restored.metadata[layers.THING].grid == pet_viewer.layers["PET"].metadata[layers.THING].grid
    qtbot.waitUntil(lambda: len(review.table.findings) == 4)
    assert leftovers() == ()
    assert len(list(session.glob("*.nii.gz"))) == 1, "kept safe by this process from now on"


def test_deleting_an_edited_layer_deletes_its_copy(review: Review, pet_viewer: Any, recovery: Path, qtbot: Any) -> None:
    paint(review.labels_layer)
    follows(review, qtbot)
    review._book._autosave.flush()
    qtbot.waitUntil(lambda: review._book._autosave._job is None)
    assert len(list(recovery.glob("*/*"))) == 2
    pet_viewer.layers.remove(review.labels_layer)
    assert list(recovery.glob("*/*")) == []
