"""Organs on the screen: nothing unless asked for, then a table that leads to the place, and layers in their place."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtGui import QGuiApplication

from fake_method import fake_maker, pet_with_spots
from fake_painter import FakePainter
from grisaille.core.calibration import Per
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.desktop import layers
from grisaille.desktop.organ_chooser import OrganChooser
from grisaille.desktop.organ_layers import organ_labels_from
from grisaille.desktop.organs_dock import OrgansDock, docked_organs
from grisaille.desktop.panel import MethodPanel
from grisaille.desktop.review import review_of
from grisaille.desktop.world import grid_of, lps_from_world
from grisaille.io.organs import read_organ_reference, write_organ_reference

pytestmark = pytest.mark.screen

PET = pet_with_spots()


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def halves(grid: Grid, left_first: bool = True) -> Labels:
    """The patient's two sides; hottest is the ball on the left, x from the middle on."""
    voxels = np.ones(grid.shape, np.uint16)
    voxels[..., grid.shape[2] // 2 + 4 :] = 2
    return Labels(voxels, grid, {1: "right side", 2: "left side"})


@pytest.fixture
def add_ct(pet_viewer: Any) -> Volume:
    """A CT beside the PET: soft tissue in air."""
    hu = np.where(PET.voxels > 0, 40, -1000).astype(np.int16)
    ct = Volume(hu, PET.grid, Modality.CT, Unit.HU, name="CT")
    layers.add_volume(pet_viewer, ct)
    return ct


def ranked(panel: MethodPanel, source: Any, qtbot: Any) -> OrgansDock:
    """Run with organs; what is docked then."""
    panel.face.organs.choose(source)
    panel.face.run.click()
    qtbot.waitUntil(lambda: not panel.is_running)
    docked = docked_organs(panel._viewer)
    assert docked is not None, panel.face.status.line.text()
    return docked


def place(viewer: Any) -> np.ndarray:
    return np.asarray(lps_from_world(viewer.dims.point[-3:]))


def test_nothing_is_there_unless_organs_are_asked_for(ran: MethodPanel, pet_viewer: Any) -> None:
    assert names(pet_viewer) == ["PET", "FAKE anomaly, PET", "FAKE findings"]
    assert docked_organs(pet_viewer) is None
    assert not ran.face.organs.is_asked


def test_organs_of_a_labels_layer_are_ranked_and_a_click_goes_to_the_top(
    dock: Any, pet_viewer: Any, qtbot: Any
) -> None:
    layer = layers.add_labels(pet_viewer, halves(PET.grid), name="sides")
    docked = ranked(dock(fake_maker()), layer, qtbot)
    assert [organ.name for organ in docked.table.organs] == ["left side", "right side"]
    assert names(pet_viewer) == ["PET", "sides", "FAKE anomaly, PET", "FAKE findings", "FAKE organ z, PET"]
    hottest = PET.grid.to_mm(np.argwhere(PET.voxels == 7).mean(axis=0))
    np.testing.assert_allclose(place(pet_viewer), hottest, atol=4.01)  # at once to the first
    qtbot.wait(1)
    docked.table.selectRow(1)
    second = PET.grid.to_mm(np.argwhere(PET.voxels == 5).mean(axis=0))
    qtbot.waitUntil(lambda: bool(np.abs(place(pet_viewer) - second).max() <= 4.01))


def test_the_organ_anomaly_map_lies_where_the_patient_does(dock: Any, pet_viewer: Any, qtbot: Any) -> None:
    layer = layers.add_labels(pet_viewer, halves(PET.grid), name="sides")
    ranked(dock(fake_maker()), layer, qtbot)
    z = pet_viewer.layers["FAKE organ z, PET"]
    assert grid_of(z).is_close(PET.grid)
    assert z.data[tuple(np.argwhere(PET.voxels == 7)[0])] > 3
    assert z.visible
    assert (
        z.colormap.map(np.array([0.0, 0.2]))[:, 3].max() == 0
    )  # what is usual for the organ, or less, is not coloured
    assert z.contrast_limits[0] == 0
    assert not pet_viewer.layers["FAKE anomaly, PET"].visible
    assert pet_viewer.layers["FAKE findings"].visible


def test_organs_by_thresholds_get_a_layer_that_a_second_run_keeps(
    dock: Any, pet_viewer: Any, add_ct: Volume, qtbot: Any
) -> None:
    panel = dock(fake_maker())
    docked = ranked(panel, "thresholds", qtbot)
    assert [organ.name for organ in docked.table.organs] == ["body"]
    assert docked.table.organs[0].hu_mean == pytest.approx(40, abs=60)
    organs = pet_viewer.layers["organs, PET"]
    assert list(organs.features["name"]) == ["body"]
    before = names(pet_viewer)
    assert ranked(panel, "thresholds", qtbot) is docked
    assert names(pet_viewer) == before


def test_a_run_without_organs_empties_the_table_of_the_last_one(dock: Any, pet_viewer: Any, qtbot: Any) -> None:
    panel = dock(fake_maker())
    docked = ranked(panel, "thresholds", qtbot)
    assert docked.table.organs
    assert ranked(panel, None, qtbot) is docked
    assert docked.table.organs == ()


def test_the_table_sorts_by_number_and_goes_to_clipboard_and_file(
    dock: Any, pet_viewer: Any, qtbot: Any, tmp_path: Path
) -> None:
    layer = layers.add_labels(pet_viewer, halves(PET.grid), name="sides")
    docked = ranked(dock(fake_maker()), layer, qtbot)
    titles = [docked.table._model._columns[at].title for at in range(docked.table._model.columnCount())]
    assert titles[:4] == ["Organ", "Top z", "Highest z", "Volume ml"]  # no percentile without a reference
    assert "SUVmax" in titles
    assert "HU" not in titles  # nor a column of dashes without a CT
    assert docked.table._sorted.index(0, titles.index("Max")).data() == "7.000"
    volumes = titles.index("Volume ml")
    docked.table.sortByColumn(volumes, docked.table.horizontalHeader().sortIndicatorOrder().AscendingOrder)
    shown = [float(docked.table._sorted.index(row, volumes).data()) for row in range(2)]
    assert shown == sorted(shown)
    docked.copy.click()
    assert QGuiApplication.clipboard().text().splitlines()[0].startswith("Organ\tTop z")
    docked.save_csv(tmp_path / "organs.csv")
    with (tmp_path / "organs.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["left side", "right side"]


def test_organs_that_lie_elsewhere_are_refused_with_the_name_of_the_layer(
    dock: Any, pet_viewer: Any, qtbot: Any
) -> None:
    far = halves(Grid.from_spacing(PET.grid.shape, 4.0, (900, 0, 0)))
    layers.add_labels(pet_viewer, far, name="far away")
    panel = dock(fake_maker())
    panel.face.organs.choose(pet_viewer.layers["far away"])
    panel.run()
    qtbot.waitUntil(lambda: not panel.is_running)
    assert "ayer 'far away' lies on" in panel.face.status.line.text()
    assert docked_organs(pet_viewer) is None


def test_a_repaint_ranks_the_organs_again(dock: Any, pet_viewer: Any, add_ct: Volume, qtbot: Any) -> None:
    layer = layers.add_labels(pet_viewer, halves(PET.grid), name="sides")
    docked = ranked(dock(fake_maker(FakePainter())), layer, qtbot)
    before = docked.table.organs
    review = review_of(pet_viewer)
    review.table.selectRow(0)
    review.repaint()
    qtbot.waitUntil(lambda: not review.repainting.is_running)
    qtbot.waitUntil(lambda: docked.table.organs != before)
    assert docked.table.organs[0].score_max == pytest.approx(before[0].score_max + 1)


def titles(docked: OrgansDock) -> list[str]:
    return [docked.table._model._columns[at].title for at in range(docked.table._model.columnCount())]


def test_edge_and_healthy_studies_are_chosen_in_the_dock_and_hold_for_the_next_run(
    dock: Any, pet_viewer: Any, qtbot: Any, tmp_path: Path
) -> None:
    layer = layers.add_labels(pet_viewer, halves(PET.grid), name="sides")
    panel = dock(fake_maker())
    docked = ranked(panel, layer, qtbot)
    assert "Percentile" not in titles(docked)
    whole = docked.table.organs[0].score_mean
    docked.options.edge.setValue(8.0)
    qtbot.waitUntil(lambda: docked.table.organs[0].score_mean != whole)
    healthy = tmp_path / "healthy.json"
    docked.add_to(healthy)
    assert "which holds 1 healthy study now" in docked.title.text()
    docked.options.edge.setValue(0.0)
    docked.compare_with(healthy)
    assert docked.options.ranking.edge_mm == 8.0  # as in the file, and no other can be chosen
    assert not docked.options.edge.isEnabled()
    qtbot.waitUntil(lambda: "Percentile" in titles(docked))
    before = healthy.read_bytes()
    docked.add_to(healthy)
    assert "already" in docked.title.text()
    assert healthy.read_bytes() == before
    assert ranked(panel, layer, qtbot).table.organs[0].percentile == 0.0
    docked.options.drop.click()
    qtbot.waitUntil(lambda: "Percentile" not in titles(docked))


def test_healthy_studies_of_another_model_or_other_settings_are_refused_and_no_run_is_lost(
    dock: Any, pet_viewer: Any, qtbot: Any, tmp_path: Path
) -> None:
    layer = layers.add_labels(pet_viewer, halves(PET.grid), name="sides")
    panel = dock(fake_maker())
    docked = ranked(panel, layer, qtbot)
    docked.add_to(tmp_path / "healthy.json")
    own = read_organ_reference(tmp_path / "healthy.json")
    write_organ_reference(replace(own, scoring=replace(own.scoring, method="mvg")), tmp_path / "others.json")
    docked.compare_with(tmp_path / "others.json")
    assert docked.title.text().startswith("others.json was made by another model (mvg)")
    assert docked.options.ranking.reference is None
    docked.compare_with(tmp_path / "healthy.json")
    qtbot.waitUntil(lambda: "Percentile" in titles(docked))
    panel.face.form.editor("fast").setChecked(False)
    ranked(panel, layer, qtbot)
    assert panel.has_result
    assert docked.title.text().startswith("healthy.json was made with other settings than these scores: fast is True")
    assert "Percentile" not in titles(docked)
    assert docked.options.ranking.reference is None


def test_a_share_of_each_organ_is_offered_where_organs_were_asked_for_and_the_labels_follow(
    dock: Any, pet_viewer: Any, qtbot: Any
) -> None:
    organs = halves(PET.grid)
    layer = layers.add_labels(pet_viewer, organs, name="sides")
    panel = dock(fake_maker())
    ranked(panel, layer, qtbot)
    review = review_of(pet_viewer)
    per = review.threshold._per
    per.setCurrentIndex(per.findData(Per.ORGAN))
    qtbot.waitUntil(lambda: review.result.provenance.asked.per is Per.ORGAN)
    assert "what lies in no organ is not marked" in review.threshold._promise.text()
    assert set(organs.voxels[review.labels_layer.data > 0]) == {1, 2}
    ranked(panel, layer, qtbot)  # and stays so in the next run
    assert review.result.provenance.asked.per is Per.ORGAN
    panel.face.organs.choose(None)
    panel.run()
    qtbot.waitUntil(lambda: not panel.is_running)
    assert review.result.provenance.asked.per is Per.SHARE
    assert per.findData(Per.ORGAN) < 0


def test_the_chooser_follows_the_layers_and_keeps_its_choice(pet_viewer: Any, qtbot: Any) -> None:
    chooser = OrganChooser(pet_viewer)
    qtbot.addWidget(chooser)
    layer = layers.add_labels(pet_viewer, halves(PET.grid), name="sides")
    chooser.choose(layer)
    layers.add_labels(pet_viewer, halves(PET.grid), name="others")
    layer.name = "renamed"
    assert chooser.currentText() == "renamed"
    assert chooser.labels((PET,)) is not None
    pet_viewer.layers.remove(layer)
    assert not chooser.is_asked
    chooser.choose("thresholds")
    assert chooser.is_asked
    assert chooser.labels((PET,)) is None
    chooser.release()


def test_names_in_the_features_of_a_plain_layer_are_those_of_its_organs(pet_viewer: Any) -> None:
    layer = pet_viewer.add_labels(
        halves(PET.grid).voxels.astype(int),
        features={"index": [0, 1, 2], "name": ["nothing", "right", "left"]},
        scale=pet_viewer.layers["PET"].scale,
        translate=pet_viewer.layers["PET"].translate,
        name="plain",
    )
    labels = organ_labels_from(layer, (PET,))
    assert labels.grid == PET.grid
    assert (labels.names[1], labels.names[2], labels.source.name) == ("right", "left", "layer 'plain'")
