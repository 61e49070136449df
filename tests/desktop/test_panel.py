"""The panel in a real window: run, cancel, and everything that can happen during a run."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QDialogButtonBox, QLabel

from fake_method import FakeConfig, FakeMethod, fake_maker, pet_with_spots
from grisaille.core.errors import DamagedWeights, MissingWeights
from grisaille.core.result import RESEARCH_USE, SYNTHETIC_CAVEAT
from grisaille.core.volume import Modality
from grisaille.desktop import layers
from grisaille.desktop.fit_dialog import FitDialog, FitOrder
from grisaille.desktop.ink import ink
from grisaille.desktop.maker import Model, maker
from grisaille.desktop.panel import MethodPanel
from grisaille.desktop.review import review_of
from grisaille.methods.anomalyclip.config import AnomalyClipConfig, ClipName
from grisaille.weights import store
from grisaille.weights.bundle import Bundle, write_bundle

pytestmark = pytest.mark.screen


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_run_shows_scores_labels_curve_and_findings(ran: MethodPanel, pet_viewer: Any) -> None:
    review = review_of(pet_viewer)
    assert names(pet_viewer) == ["PET", "FAKE anomaly, PET", "FAKE findings"]
    assert len(review.table.findings) == 3
    assert [round(one.suv_max or 0, 1) for one in review.table.findings] == [7.0, 5.0, 3.2]
    assert review.labels_layer.data.max() == 3
    assert ran.face.status.line.text().startswith("3 findings. Fake on PET, cpu")
    assert review.result is not None
    assert review.labels_layer.metadata[layers.PROVENANCE] is review.result.provenance


def test_the_caveat_and_the_research_line_are_in_sight(ran: MethodPanel, pet_viewer: Any) -> None:
    assert SYNTHETIC_CAVEAT[1:] in ran.face.status.warnings.text()
    assert ran.face.status.warnings.isVisibleTo(ran)
    assert RESEARCH_USE in [label.text() for label in ran.findChildren(QLabel)]


def test_colours_follow_the_theme(ran: MethodPanel, pet_viewer: Any) -> None:
    for theme in ("light", "dark"):
        pet_viewer.theme = theme
        assert ink(theme).warning.name() in ran.face.status.warnings.styleSheet()
        assert ink(theme).warning.name() in review_of(pet_viewer).threshold._promise.styleSheet()


def test_cancel_stops_within_a_slice_and_changes_nothing(pet_viewer: Any, dock: Any, qtbot: Any) -> None:
    panel = dock(fake_maker(FakeMethod(seconds=0.05)))
    panel.face.run.click()
    qtbot.waitUntil(lambda: panel.face.status.bar.maximum() > 0)
    panel.face.cancel.click()
    qtbot.waitUntil(lambda: not panel.is_running, timeout=1000)
    assert names(pet_viewer) == ["PET"]
    assert panel.face.status.line.text().startswith("Cancelled")
    assert panel.face.run.isEnabled()
    assert not panel.face.cancel.isEnabled()


class Refining(FakeMethod):
    """Shows a coarse map, waits for the gate, then gives the whole one."""

    gate: threading.Event

    def refine(self, study: Any, run: Any) -> Any:
        whole = self.score(study, run)
        yield replace(whole, scores=whole.scores * np.float32(0.9), incomplete="every 2nd slice only")
        while not self.gate.wait(0.01):
            run.check_cancelled()
        yield whole


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_coarse_map_is_there_before_the_end_and_stays_when_cancelled(
    pet_viewer: Any, dock: Any, qtbot: Any, is_cancelled: bool
) -> None:
    Refining.gate = threading.Event()
    panel = dock(fake_maker(Refining()))
    panel.run()
    qtbot.waitUntil(lambda: "FAKE anomaly, PET" in names(pet_viewer))
    review = review_of(pet_viewer)
    assert "incomplete (every 2nd slice only)" in panel.face.status.warnings.text()
    highest = review.result.anomaly.scores.max()
    pet_viewer.dims.set_current_step(0, 3)
    if is_cancelled:
        panel.cancel()
    else:
        Refining.gate.set()
    qtbot.waitUntil(lambda: not panel.is_running)
    assert names(pet_viewer) == ["PET", "FAKE anomaly, PET", "FAKE findings"]
    assert pet_viewer.dims.current_step[0] == 3
    if is_cancelled:
        assert "stays as it is, incomplete (every 2nd slice only)" in panel.face.status.line.text()
        assert review.result.anomaly.incomplete
    else:
        assert review.result.anomaly.scores.max() > highest
        assert "incomplete" not in panel.face.status.warnings.text()


def test_progress_counts_slices_and_tells_the_time_left(pet_viewer: Any, dock: Any, qtbot: Any) -> None:
    panel = dock(fake_maker(FakeMethod(seconds=0.03)))
    panel.run()
    qtbot.waitUntil(lambda: "left" in panel.face.status.steps.text())
    assert panel.face.status.steps.text().startswith("Scoring slices: ")
    assert " of 24, about 1 s left" in panel.face.status.steps.text()
    qtbot.waitUntil(lambda: not panel.is_running)
    assert not panel.face.status.bar.isVisibleTo(panel)


def test_a_second_run_is_refused_with_a_sentence(pet_viewer: Any, dock: Any, qtbot: Any) -> None:
    gate = threading.Event()
    first = dock(fake_maker(FakeMethod(before_slice=lambda z: gate.wait())))
    other = dock(fake_maker(), "Other")
    first.run()
    for panel in (first, other):
        panel.run()
        assert panel.face.status.line.text() == "Fake is running: wait until it is done, or cancel it first."
    assert not other.is_running
    gate.set()
    qtbot.waitUntil(lambda: not first.is_running)
    assert len(review_of(pet_viewer).table.findings) == 3


def test_a_layer_deleted_during_a_run_is_named_and_the_result_is_shown(pet_viewer: Any, dock: Any, qtbot: Any) -> None:
    gate = threading.Event()
    panel = dock(fake_maker(FakeMethod(before_slice=lambda z: gate.wait())))
    panel.run()
    pet_viewer.layers.clear()
    gate.set()
    qtbot.waitUntil(lambda: not panel.is_running)
    assert names(pet_viewer) == ["FAKE anomaly, PET", "FAKE findings"]
    assert "layer 'PET' was deleted during the run" in panel.face.status.warnings.text().lower().replace("pet", "PET")


def test_closing_the_window_during_a_run_stops_it(pet_viewer: Any, dock: Any, qtbot: Any) -> None:
    reached: list[int] = []
    panel = dock(fake_maker(FakeMethod(seconds=0.02, before_slice=reached.append)))
    panel.run()
    job = panel._job
    assert job is not None
    qtbot.waitUntil(lambda: len(reached) > 2)
    pet_viewer.close()
    qtbot.waitUntil(lambda: not job.is_running)
    assert job.was_cancelled
    assert len(reached) < 24


def test_closing_the_panel_during_a_run_stops_it(pet_viewer: Any, dock: Any, qtbot: Any) -> None:
    panel = dock(fake_maker(FakeMethod(seconds=0.02)))
    panel.run()
    job = panel._job
    assert job is not None
    pet_viewer.window.remove_dock_widget(panel)
    qtbot.waitUntil(lambda: not job.is_running)
    assert job.was_cancelled
    assert names(pet_viewer) == ["PET"]
    pet_viewer.layers.clear()


def test_a_damaged_model_gives_its_sentence_and_no_layer(pet_viewer: Any, dock: Any, qtbot: Any) -> None:
    panel = dock(fake_maker(error=DamagedWeights("model.safetensors is truncated; get it again")))
    panel.run()
    qtbot.waitUntil(lambda: not panel.is_running)
    assert panel.face.status.line.text() == "Model.safetensors is truncated; get it again"
    assert names(pet_viewer) == ["PET"]


def test_a_missing_extra_is_explained_with_its_command(pet_viewer: Any, dock: Any) -> None:
    panel = dock(fake_maker(engine=("torch_is_not_here",)))
    assert 'pip install "napari-grisaille[ai]"' in panel.face.status.line.text()
    panel.run()
    assert not panel.is_running
    assert 'pip install "napari-grisaille[ai]"' in panel.face.status.line.text()


def test_without_a_volume_run_says_what_to_open(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer()
    panel = MethodPanel(viewer, fake_maker())
    viewer.window.add_dock_widget(panel)
    panel.run()
    assert "no CT or PET is chosen" in panel.face.status.line.text().replace("No", "no")


def test_choosers_offer_only_their_modality_and_follow_the_layers(pet_viewer: Any, dock: Any) -> None:
    panel = dock(fake_maker())
    pet, ct = panel.face.choosers["pet"], panel.face.choosers["ct"]
    assert pet.layer is pet_viewer.layers["PET"]
    assert ct.layer is None
    assert not ct.isEnabled()
    volume = pet_with_spots()
    added = layers.add_volume(pet_viewer, type(volume)(volume.voxels * 30, volume.grid, Modality.CT, "HU", name="CT"))
    pet_viewer.add_image(np.zeros((4, 4, 4)))
    assert ct.layer is added
    added.name = "low dose"
    assert ct.currentText() == "low dose"
    pet_viewer.layers.remove(added)
    assert ct.layer is None
    assert pet.layer is pet_viewer.layers["PET"]


def test_run_again_replaces_the_unedited_result(ran: MethodPanel, pet_viewer: Any, qtbot: Any) -> None:
    ran.run()
    qtbot.waitUntil(lambda: not ran.is_running)
    assert names(pet_viewer) == ["PET", "FAKE anomaly, PET", "FAKE findings"]


def test_fit_saves_a_model_and_chooses_it(pet_viewer: Any, dock: Any, qtbot: Any, tmp_path: Path) -> None:
    panel = dock(fake_maker())
    dialog = FitDialog(panel._maker, panel)
    ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    dialog.add(tmp_path / "one")
    assert not ok.isEnabled()
    dialog.add(tmp_path / "one", tmp_path / "two")
    dialog.out.setText(str(tmp_path / "mine.safetensors"))
    dialog.form.show_config(FakeConfig(folds=7))
    assert ok.isEnabled()
    ok.click()
    order = dialog.order
    assert order == FitOrder(FakeConfig(folds=7), (tmp_path / "one", tmp_path / "two"), tmp_path / "mine.safetensors")
    panel.fit(order)
    qtbot.waitUntil(lambda: not panel.is_running)
    assert panel.face.models.model == Model(str(order.out), "mine.safetensors", f"From {tmp_path}")
    assert "saved to" in panel.face.status.line.text()


def test_a_fit_that_is_cancelled_leaves_the_models_as_they_were(
    pet_viewer: Any, dock: Any, qtbot: Any, tmp_path: Path
) -> None:
    panel = dock(fake_maker(FakeMethod(seconds=0.05)))
    panel.fit(FitOrder(FakeConfig(), tuple(tmp_path / str(number) for number in range(40)), tmp_path / "model"))
    qtbot.waitUntil(lambda: panel.face.status.bar.maximum() > 0)
    panel.cancel()
    qtbot.waitUntil(lambda: not panel.is_running)
    assert panel.face.models.model == panel._maker.models[0]
    assert not (tmp_path / "model").exists()


def test_the_form_shows_what_the_chosen_model_was_fitted_with(dock: Any) -> None:
    fitted = {"fake/one": FakeConfig(folds=9), "other": FakeConfig(folds=2)}
    panel = dock(fake_maker(fitted_config=fitted.__getitem__))
    assert panel.face.form.config() == fitted["fake/one"]
    panel.face.models.add(Model("other", "other"))
    assert panel.face.form.config() == fitted["other"]


# --- models that are not on this machine


def test_a_model_that_is_not_here_shows_no_settings_of_another(pet_viewer: Any, dock: Any, qtbot: Any) -> None:
    here: list[FakeConfig] = []

    def fitted_config(ref: str) -> FakeConfig:
        if not here:
            raise MissingWeights(f"{ref} was not found; looked for it in a folder; get its file by hand")
        return here[0]

    panel = dock(fake_maker(fitted_config=fitted_config))
    assert not panel.face.form.isVisibleTo(panel)
    assert panel.face.status.line.text().startswith("Fake/one was not found; looked for")
    panel.run()
    assert not panel.is_running
    assert not panel.face.form.isVisibleTo(panel)
    here.append(FakeConfig(folds=7))
    panel.run()  # its file was brought meanwhile
    qtbot.waitUntil(lambda: not panel.is_running)
    assert panel.has_result
    assert panel.face.form.isVisibleTo(panel)
    assert panel.face.form.config() == here[0]


def test_what_anomalyclip_lacks_is_said_with_the_places_and_the_command(
    pet_viewer: Any, dock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv(store.FOLDERS_VARIABLE, raising=False)
    panel = dock(maker("anomalyclip", "AnomalyCLIP", (), learns_of_healthy=False))
    panel.face.models.choice.setCurrentText("anomalyclip/mvtec")
    said = panel.face.status.line.text()
    assert said.startswith("Anomalyclip/mvtec was not found; looked for")
    assert str(tmp_path / "cache") in said
    assert "`grisaille weights add FILE --as anomalyclip/mvtec`" in said
    assert not panel.face.form.isVisibleTo(panel)
    config = AnomalyClipConfig(backbone=ClipName.VIT_L14_336)
    prompts = {"method": "anomalyclip", "config": config.to_mapping()}
    write_bundle(Bundle({"context": np.zeros(1)}, prompts), tmp_path / "mine.safetensors")
    panel.face.models.add_file(tmp_path / "mine.safetensors")
    assert panel.face.form.isVisibleTo(panel)
    assert panel.face.form.editor("backbone").currentText() == "clip-vit-l-14-336"
    said = panel.face.status.line.text()
    assert said.startswith("Clip-vit-l-14-336 was not found; looked for")
    assert "`grisaille weights get clip-vit-l-14-336`" in said
