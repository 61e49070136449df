"""Patient and healthy twin in a real window: by turns, wiped, and never a voxel changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fake_method import fake_maker
from grisaille.core.errors import MissingWeights
from grisaille.core.volume import Modality, Unit
from grisaille.desktop import layers
from grisaille.desktop.appearance import SIGNED_LIMIT
from grisaille.desktop.compare import SIGHT_OVERLAY, CompareBar, Sight
from grisaille.desktop.cursor import cursor_text
from grisaille.desktop.panel import MethodPanel
from grisaille.desktop.review import review_of
from grisaille.desktop.twin import pairs_in
from grisaille.desktop.views import View, show_view
from grisaille.desktop.world import go_to, world_from_lps

pytestmark = pytest.mark.screen


@pytest.fixture
def viewer(painted: MethodPanel, pet_viewer: Any) -> Iterator[Any]:
    """It shows patient and twin; whatever a test does, the patient's voxels stay as they were."""
    kept = {layer: np.array(layer.data) for layer in pet_viewer.layers if layers.TWIN_OF not in layer.metadata}
    yield pet_viewer
    for layer, data in kept.items():
        np.testing.assert_array_equal(layer.data, data)


@pytest.fixture
def bar(viewer: Any) -> CompareBar:
    return review_of(viewer).compare


def in_sight(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


def canvas(viewer: Any) -> np.ndarray:
    return np.asarray(viewer.screenshot(flash=False))[..., :3].astype(int)


def test_a_run_brings_twins_above_their_originals_and_z_below_the_findings(viewer: Any) -> None:
    names = [layer.name for layer in viewer.layers]
    assert names[:4] == ["CT", "healthy CT", "PET", "healthy PET"]
    assert names[4:] == ["FAKE z, PET", "FAKE anomaly, PET", "FAKE findings"]
    assert in_sight(viewer) == ["CT", "PET", "FAKE z, PET", "FAKE findings"]
    assert viewer.layers.selection.active is viewer.layers["FAKE findings"]


def test_z_is_coloured_both_ways_from_0_and_clear_there(viewer: Any) -> None:
    z = viewer.layers["FAKE z, PET"]
    assert z.contrast_limits == [-SIGNED_LIMIT, SIGNED_LIMIT]
    low, middle, high = z.colormap.map(np.array([0.0, 0.5, 1.0]))
    assert middle[3] == pytest.approx(0)
    assert low[2] > low[0]
    assert high[0] > high[2]


def test_a_twin_wears_what_the_patient_wears_whichever_is_changed(viewer: Any) -> None:
    pet, twin = viewer.layers["PET"], viewer.layers["healthy PET"]
    assert twin.colormap.name == pet.colormap.name
    assert twin.contrast_limits == pet.contrast_limits
    pet.contrast_limits = (0, 3)
    assert twin.contrast_limits == [0, 3]
    twin.gamma = 0.5
    assert pet.gamma == 0.5


def test_the_button_goes_to_the_twin_and_back(viewer: Any, bar: CompareBar) -> None:
    viewer.show()
    before, picture = in_sight(viewer), canvas(viewer)
    bar.buttons[Sight.TWIN].click()
    assert in_sight(viewer) == ["healthy CT", "healthy PET", "FAKE findings"]
    assert viewer.canvas.overlays[SIGHT_OVERLAY].visible
    assert "HEALTHY TWIN" in viewer.canvas.overlays[SIGHT_OVERLAY].text
    assert np.abs(canvas(viewer) - picture).max() > 50
    bar.buttons[Sight.PATIENT].click()
    assert in_sight(viewer) == before
    assert not viewer.canvas.overlays[SIGHT_OVERLAY].visible


def test_keys_flicker_and_wipe(viewer: Any, bar: CompareBar) -> None:
    for key, sights in (("H", (Sight.TWIN, Sight.PATIENT)), ("W", (Sight.WIPE, Sight.PATIENT))):
        for sight in sights:
            viewer.keymap[next(one for one in viewer.keymap if str(one) == f"Ctrl+Alt+{key}")](viewer)
            assert bar.sight is sight


def test_one_volume_alone_can_be_compared(viewer: Any, bar: CompareBar) -> None:
    assert [bar.choice.itemText(index) for index in range(bar.choice.count())] == ["CT and PET", "CT", "PET"]
    bar.toggle()
    bar.choice.setCurrentText("PET")
    assert in_sight(viewer) == ["CT", "healthy PET", "FAKE findings"]
    bar.toggle_wipe()
    assert in_sight(viewer) == ["CT", "healthy PET", "FAKE findings", "wipe"]
    bar.choice.setCurrentText("CT")
    assert in_sight(viewer) == ["healthy CT", "PET", "FAKE findings", "wipe"]
    assert viewer.layers["healthy PET"].data is viewer.layers["healthy PET"].metadata[layers.SHOWN].voxels
    bar.release()
    assert in_sight(viewer) == ["CT", "PET", "FAKE z, PET", "FAKE findings"]


@pytest.mark.parametrize(("view", "axis"), [(View.AXIAL, 2), (View.CORONAL, 2), (View.SAGITTAL, 1)])
def test_the_wipe_shows_the_patient_on_the_left_and_the_twin_on_the_right(
    viewer: Any, bar: CompareBar, view: View, axis: int
) -> None:
    show_view(viewer, view)
    bar.toggle_wipe()
    assert in_sight(viewer) == ["healthy CT", "healthy PET", "FAKE findings", "wipe"]
    pet, twin = viewer.layers["PET"], viewer.layers["healthy PET"]
    painted = layers.volume_from(twin).voxels
    for share, voxels in ((0, 0), (500, pet.data.shape[axis] // 2), (1000, pet.data.shape[axis] - 1)):
        bar.slider.setValue(share)
        bar.aim()
        is_patient = np.indices(pet.data.shape)[axis] < voxels
        np.testing.assert_array_equal(np.asarray(twin.data), np.where(is_patient, pet.data, painted))
        place = viewer.layers["wipe"].translate[axis]
        low, high = pet.extent.world[:, axis]
        assert place == pytest.approx(low + share / 1000 * (high - low))
    assert viewer.layers["wipe"].data.shape[0] == pet.data.shape[viewer.dims.not_displayed[0]]


def test_turning_the_picture_keeps_the_slices_and_turns_the_wipe(viewer: Any, bar: CompareBar, qtbot: Any) -> None:
    point = viewer.dims.point
    bar.toggle_wipe()
    bar.slider.setValue(300)
    show_view(viewer, View.SAGITTAL)
    qtbot.waitUntil(lambda: not bar._soon.isActive())
    pair = pairs_in(viewer)[-1]
    np.testing.assert_array_equal(pair.twin.data[:, 0], pair.volume.voxels[:, 0])
    np.testing.assert_array_equal(pair.twin.data[:, -1], layers.volume_from(pair.twin).voxels[:, -1])
    bar.release()
    assert viewer.dims.point == pytest.approx(point)


def test_on_screen_the_hot_spot_goes_as_the_line_passes_it(viewer: Any, bar: CompareBar) -> None:
    viewer.show()
    bar.toggle_wipe()
    viewer.layers["FAKE findings"].visible = False
    pictures = []
    for share in (0, 1000):
        bar.slider.setValue(share)
        bar.aim()
        pictures.append(canvas(viewer))
    assert np.abs(pictures[0] - pictures[1]).max() > 50
    bar.release()
    viewer.layers["FAKE z, PET"].visible = False
    patient = canvas(viewer)
    bar.toggle()
    twin = canvas(viewer)
    # The line and the letters are all that is left to tell them apart.
    assert np.median(np.abs(pictures[1] - patient)) == 0
    assert (np.abs(pictures[1] - patient).max(axis=-1) > 50).mean() < 0.04
    assert (np.abs(pictures[0] - twin).max(axis=-1) > 50).mean() < 0.04


def test_after_the_wipe_all_is_as_it_was(viewer: Any, bar: CompareBar) -> None:
    before, seen = [layer.name for layer in viewer.layers], in_sight(viewer)
    for _ in range(2):
        bar.toggle_wipe()
        assert viewer.layers.selection.active is viewer.layers["FAKE findings"]
        bar.toggle_wipe()
        assert in_sight(viewer) == seen
    bar.release()
    assert [layer.name for layer in viewer.layers] == before
    assert viewer.layers.selection.active is viewer.layers["FAKE findings"]


def test_moving_the_slider_begins_the_wipe(viewer: Any, bar: CompareBar) -> None:
    bar.slider.setValue(321)
    assert bar.sight is Sight.WIPE
    assert bar.buttons[Sight.WIPE].isChecked()


def test_the_cursor_tells_both_values_under_a_wipe_and_names_the_twin(viewer: Any, bar: CompareBar) -> None:
    finding = review_of(viewer).table.findings[0]
    point = (finding.centroid_s_mm, finding.centroid_p_mm, finding.centroid_l_mm)
    go_to(viewer, point)
    viewer.cursor.position = tuple(world_from_lps(point))
    assert "PET 7.00 SUVbw" in cursor_text(viewer)
    bar.toggle()
    assert "healthy PET 1.00 SUVbw" in cursor_text(viewer)
    bar.toggle_wipe()
    assert "PET 7.00 SUVbw\nhealthy PET 1.00 SUVbw" in cursor_text(viewer)


def test_the_mip_flickers_too_and_shows_no_wipe(viewer: Any, bar: CompareBar) -> None:
    bar.toggle_wipe()
    show_view(viewer, View.MIP)
    assert bar.sight is Sight.PATIENT
    assert in_sight(viewer) == ["PET"]
    assert not bar.buttons[Sight.WIPE].isEnabled()
    bar.toggle()
    assert in_sight(viewer) == ["healthy PET"]
    assert viewer.layers["healthy PET"].colormap.name == "gray_r"
    show_view(viewer, View.AXIAL)
    assert in_sight(viewer) == ["healthy CT", "healthy PET", "FAKE findings"]
    bar.toggle()
    assert in_sight(viewer) == ["CT", "PET", "FAKE z, PET", "FAKE findings"]
    assert viewer.layers["PET"].colormap.name == viewer.layers["healthy PET"].colormap.name == "pet"
    assert bar.buttons[Sight.WIPE].isEnabled()


@pytest.mark.parametrize("name", ["PET", "healthy PET"])
def test_a_layer_deleted_during_a_wipe_ends_it(viewer: Any, bar: CompareBar, name: str) -> None:
    bar.toggle_wipe()
    viewer.layers.remove(name)
    assert bar.sight is Sight.PATIENT
    assert "CT" in in_sight(viewer)
    assert "wipe" not in in_sight(viewer)
    bar.toggle_wipe()
    assert in_sight(viewer)[0] == "healthy CT"
    viewer.layers.clear()
    assert not bar.isVisibleTo(review_of(viewer))


def test_a_twin_is_saved_whole_during_a_wipe(viewer: Any, bar: CompareBar) -> None:
    whole = layers.volume_from(viewer.layers["healthy PET"])
    bar.toggle_wipe()
    assert layers.volume_from(viewer.layers["healthy PET"]) is whole


def test_running_again_fills_the_same_layers_and_shows_the_patient(
    painted: MethodPanel, viewer: Any, bar: CompareBar, qtbot: Any
) -> None:
    before = list(viewer.layers)
    bar.toggle()
    painted.run()
    qtbot.waitUntil(lambda: not painted.is_running)
    assert list(viewer.layers) == before
    assert bar.sight is Sight.PATIENT
    assert [pair.volume.modality.key for pair in pairs_in(viewer)] == ["ct", "pet"]


def test_a_twin_is_no_patient_to_run_on_but_a_volume_to_save(painted: MethodPanel, viewer: Any) -> None:
    chooser = painted.face.choosers["pet"]
    assert [chooser.itemText(index) for index in range(chooser.count())] == ["–", "PET"]
    twin = viewer.layers["healthy PET"]
    volume = layers.volume_from(twin)
    assert (volume.modality, volume.unit) == (Modality.PET, Unit.SUVBW)
    assert volume.voxels.max() == 1


def test_closing_the_findings_brings_the_patient_back(viewer: Any, bar: CompareBar) -> None:
    bar.toggle_wipe()
    viewer.window.remove_dock_widget(review_of(viewer))
    assert in_sight(viewer) == ["CT", "PET", "FAKE z, PET", "FAKE findings"]


def test_without_a_twin_there_is_nothing_to_compare(ran: MethodPanel, pet_viewer: Any) -> None:
    bar = review_of(pet_viewer).compare
    assert not bar.isVisibleTo(review_of(pet_viewer))
    bar.toggle()
    assert bar.sight is Sight.PATIENT
    assert in_sight(pet_viewer) == ["PET", "FAKE anomaly, PET", "FAKE findings"]


def test_without_a_model_the_panel_says_how_to_get_one(pet_viewer: Any, dock: Any) -> None:
    panel = dock(fake_maker(models=()))
    for _ in range(2):
        sentence = panel.face.status.line.text()
        assert sentence.startswith("No model of Fake is chosen: press File… to open one")
        assert "fit one on your own healthy studies" in sentence
        panel.run()
        assert not panel.is_running


def test_a_model_whose_file_is_gone_gives_its_sentence(dock: Any) -> None:
    def missing(ref: str) -> Any:
        raise MissingWeights("fake/one is not here; get it again")

    panel = dock(fake_maker(fitted_config=missing))
    assert panel.face.status.line.text() == "Fake/one is not here; get it again"
