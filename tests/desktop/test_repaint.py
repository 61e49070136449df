"""A stroke on the labels and "Repaint here" in a real window: what changes, what stays, and the way back."""

from __future__ import annotations

import csv
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_method import fake_maker
from fake_painter import FakePainter
from grisaille.core.errors import OutOfMemory
from grisaille.desktop import layers
from grisaille.desktop.compare import Sight
from grisaille.desktop.panel import MethodPanel
from grisaille.desktop.review import Review, review_of
from grisaille.desktop.threshold import TWIN_STAYS

pytestmark = pytest.mark.screen

STROKE = (np.array([12, 12, 13]), np.array([8, 9, 8]), np.array([16, 16, 16]))
"""In tissue, far from all findings."""


@pytest.fixture
def review(painted: MethodPanel, pet_viewer: Any) -> Review:
    return review_of(pet_viewer)


def stroke(review: Review, qtbot: Any, label: int = 9) -> None:
    review.labels_layer.data_setitem(STROKE, label)
    measured(review, qtbot, label)


def measured(review: Review, qtbot: Any, label: int = 9) -> None:
    qtbot.waitUntil(
        lambda: any(one.label == label for one in review.table.findings) and review._book.current._job is None
    )


def repaint(review: Review, qtbot: Any) -> None:
    review.repainting.button.click()
    qtbot.waitUntil(lambda: not review.repainting.is_running)
    qtbot.waitUntil(lambda: review._book.current._job is None)


def data_of(viewer: Any) -> dict[str, np.ndarray]:
    return {layer.name: np.array(layer.data) for layer in viewer.layers}


def peaks(review: Review) -> dict[int, float]:
    return {one.label: round(one.extra["peak_z"], 2) for one in review.table.findings}


def test_the_methods_own_measures_have_columns_and_reach_the_csv(review: Review, tmp_path: Path) -> None:
    model = review.table.model()
    titles = [model.headerData(at, layers_right()) for at in range(model.columnCount())]
    assert titles[titles.index("HU") + 1] == "Peak z"
    at = titles.index("Peak z")
    assert [model.index(row, at).data() for row in range(3)] == ["+6.0", "+4.0", "+2.2"]
    review.save_csv(tmp_path / "findings.csv")
    with (tmp_path / "findings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-2:] == ["cautions", "peak_z"]
    assert [float(row["peak_z"]) for row in rows] == pytest.approx([6.0, 4.0, 2.2], abs=1e-4)


def layers_right() -> Any:
    from qtpy.QtCore import Qt

    return Qt.Orientation.Horizontal


def test_a_stroke_and_the_button_repaint_the_region_and_the_labels_stay(
    review: Review, pet_viewer: Any, qtbot: Any
) -> None:
    stroke(review, qtbot)
    assert peaks(review) == {1: 6.0, 2: 4.0, 3: 2.2, 9: 0.0}
    before = data_of(pet_viewer)
    repaint(review, qtbot)
    assert "0.2 ml painted again in" in review.repainting.line.text()
    assert peaks(review) == {1: 6.0, 2: 4.0, 3: 2.2, 9: 0.3}
    region = np.zeros(before["PET"].shape, bool)
    region[STROKE] = True
    for name, data in data_of(pet_viewer).items():
        is_painted = "healthy" in name or "FAKE z" in name or "anomaly" in name
        assert np.array_equal(data, before[name]) is not is_painted
        np.testing.assert_array_equal(data[~region], before[name][~region])
    assert review.result is not None
    assert review.result.provenance.warnings[-1] == "0.2 ml were painted over again on request"
    assert review.labels_layer.metadata[layers.PROVENANCE] is review.result.provenance


def test_undo_brings_every_layer_back_and_the_stroke_can_be_painted_again(
    review: Review, pet_viewer: Any, qtbot: Any
) -> None:
    stroke(review, qtbot)
    before, result = data_of(pet_viewer), review.result
    assert review.repainting.undo_button.isHidden()
    for _ in range(2):
        repaint(review, qtbot)
        assert peaks(review)[9] == 0.3
        review.repainting.undo_button.click()
        qtbot.waitUntil(lambda: not review.repainting.is_running and review._book.current._job is None)
        assert peaks(review)[9] == 0.0
        for name, data in data_of(pet_viewer).items():
            assert data.tobytes() == before[name].tobytes(), name
        assert review.result is not None
        assert result is not None
        assert review.result.provenance.warnings == result.provenance.warnings
    assert review.repainting.undo_button.isHidden()


def test_a_part_of_a_lesion_means_the_lesion_and_without_a_stroke_the_chosen_one(
    review: Review, pet_viewer: Any, qtbot: Any
) -> None:
    repaint(review, qtbot)
    assert "choose a finding" in review.repainting.line.text()
    review.table.selectRow(1)
    repaint(review, qtbot)
    assert peaks(review) == {1: 6.0, 2: 4.5, 3: 2.2}
    z, y, x = np.argwhere(review.labels_layer.data == 1)[:1].T
    review.labels_layer.data_setitem((z, y - 1, x), 1)
    qtbot.waitUntil(lambda: any(one.edited for one in review.table.findings))
    repaint(review, qtbot)
    assert peaks(review) == {1: 6.5, 2: 4.5, 3: 2.2}


def test_the_slider_marks_from_the_new_scores_and_says_that_the_twin_stays(review: Review, qtbot: Any) -> None:
    assert TWIN_STAYS not in review.threshold._promise.text()
    stroke(review, qtbot)
    repaint(review, qtbot)
    edited = review.labels_layer
    review.threshold._slider.setValue(400)
    qtbot.waitUntil(lambda: review.labels_layer is not edited and review._book.current._job is None)
    assert review.result is not None
    assert review.result.anomaly.scores[STROKE] == pytest.approx(1.8)
    assert TWIN_STAYS in review.threshold._promise.text()
    review.threshold._amount.setValue(1.0)
    assert TWIN_STAYS not in review.threshold._promise.text(), "the run's own threshold"


def test_what_is_compared_stays_in_sight(review: Review, pet_viewer: Any, qtbot: Any) -> None:
    stroke(review, qtbot)
    review.compare.show_sight(Sight.FADE)
    repaint(review, qtbot)
    assert review.compare.sight is Sight.FADE
    twin = pet_viewer.layers["healthy PET"]
    assert np.asarray(twin.data)[STROKE] == pytest.approx((0.8 + 0.5) / 2)
    assert layers.volume_from(twin).voxels[STROKE] == pytest.approx(0.5)


def slow(dock: Any, qtbot: Any, pet_viewer: Any, **changes: Any) -> Review:
    """A review of a method whose repaint waits at ``before_slice``."""
    panel = dock(fake_maker(FakePainter(**changes)))
    panel.run()
    qtbot.waitUntil(lambda: not panel.is_running)
    return review_of(pet_viewer)


def test_it_can_be_cancelled_and_neither_runs_beside_the_other(pet_viewer: Any, dock: Any, qtbot: Any) -> None:
    gate = threading.Event()
    review = slow(dock, qtbot, pet_viewer, before_slice=lambda z: z >= 0 or gate.wait())
    panel = pet_viewer.window.dock_widgets["Fake"]
    review.table.selectRow(0)
    before, result = data_of(pet_viewer), review.result
    review.repainting.button.click()
    assert review.repainting.is_running
    panel.run()
    assert not panel.is_running
    assert "painted over again: wait" in panel.face.status.line.text()
    panel.cancel()
    gate.set()
    qtbot.waitUntil(lambda: not review.repainting.is_running)
    assert review.repainting.line.text() == "Cancelled; nothing was changed."
    assert review.result is result
    for name, data in data_of(pet_viewer).items():
        np.testing.assert_array_equal(data, before[name])


def test_memory_that_is_not_enough_is_a_sentence(pet_viewer: Any, dock: Any, qtbot: Any) -> None:
    def fail(index: int) -> None:
        if index < 0:
            raise OutOfMemory("one slab does not fit into 1 GB; close programs")

    review = slow(dock, qtbot, pet_viewer, before_slice=fail)
    review.table.selectRow(0)
    result = review.result
    repaint(review, qtbot)
    assert review.repainting.line.text() == "One slab does not fit into 1 GB; close programs"
    assert review.result is result
    assert review.repainting.button.isEnabled()


def test_a_method_that_paints_nothing_has_no_button(ran: MethodPanel, pet_viewer: Any) -> None:
    review = review_of(pet_viewer)
    assert not review.repainting.isVisibleTo(review)
    review.repaint()
    assert not review.repainting.is_running


def test_labels_of_another_result_are_not_repainted(
    review: Review, pet_viewer: Any, painted: MethodPanel, qtbot: Any
) -> None:
    stroke(review, qtbot)
    edited = review.labels_layer
    painted.run()
    qtbot.waitUntil(lambda: not painted.is_running)
    pet_viewer.layers.selection.active = edited
    repaint(review, qtbot)
    assert "labels of this result" in review.repainting.line.text()


def test_closing_the_findings_during_a_repaint_stops_it(pet_viewer: Any, dock: Any, qtbot: Any) -> None:
    review = slow(dock, qtbot, pet_viewer, seconds=0.02)
    review.table.selectRow(0)
    review.repaint()
    job = review.repainting._job
    assert job is not None
    pet_viewer.window.remove_dock_widget(review)
    qtbot.waitUntil(lambda: not job.is_running)
    assert job.was_cancelled
