"""The view bar in a real window."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtWidgets import QComboBox, QPushButton

from grisaille.core.grid import Grid
from grisaille.core.volume import Unit
from grisaille.desktop import layers
from grisaille.desktop.view import ViewBar
from grisaille.desktop.views import View, current_view
from volumes import ct_on, pet_on

pytestmark = pytest.mark.screen

GRID = Grid.from_spacing((12, 10, 8), (3.0, 2.0, 2.0), (-60.0, -10.0, -8.0))


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    return make_napari_viewer_proxy()


def docked(viewer: Any) -> ViewBar:
    bar = ViewBar(viewer)
    viewer.window.add_dock_widget(bar, name="Views")
    return bar


def button(bar: ViewBar, view: View) -> QPushButton:
    return next(one for one in bar.findChildren(QPushButton) if one.text() == view.value)


def ct_and_pet(bar: ViewBar) -> list[QComboBox]:
    return bar.findChildren(QComboBox)


def test_nothing_can_be_pressed_before_something_is_open(viewer: Any) -> None:
    bar = docked(viewer)
    assert not any(button(bar, view).isEnabled() for view in View)
    assert not any(choice.isEnabled() for choice in ct_and_pet(bar))
    layers.add_volume(viewer, ct_on(GRID))
    assert button(bar, View.CORONAL).isEnabled()
    assert not button(bar, View.MIP).isEnabled()
    layers.add_volume(viewer, pet_on(GRID))
    assert button(bar, View.MIP).isEnabled()


def test_the_pressed_button_is_the_view_shown_whoever_turned_it(viewer: Any) -> None:
    first, second = docked(viewer), docked(viewer)
    layers.add_volume(viewer, pet_on(GRID))
    for view in View:
        button(first, view).click()
        assert current_view(viewer) is view
        for bar in (first, second):
            assert [one for one in View if button(bar, one).isChecked()] == [view]
    viewer.dims.ndisplay = 2
    viewer.dims.order = (1, 0, 2)
    assert button(second, View.CORONAL).isChecked()


def test_windows_and_ranges_reach_every_volume_of_their_unit(viewer: Any) -> None:
    bar = docked(viewer)
    ct, pet, activity = (
        layers.add_volume(viewer, volume) for volume in (ct_on(GRID), pet_on(GRID), pet_on(GRID, "activity", Unit.BQML))
    )
    windows, ranges = ct_and_pet(bar)
    assert (windows.currentText(), ranges.currentText()) == ("Soft 400 / 40", "SUV 0 to 7")
    before = activity.contrast_limits
    windows.activated.emit(windows.findText("Lung 1400 / -500"))
    ranges.activated.emit(ranges.findText("SUV 0 to 10"))
    assert ct.contrast_limits == [-1200, 200]
    assert pet.contrast_limits == [0, 10]
    assert activity.contrast_limits == before


def test_contrast_set_by_hand_is_called_custom_until_a_window_is_chosen(viewer: Any) -> None:
    bar = docked(viewer)
    ct = layers.add_volume(viewer, ct_on(GRID))
    windows, _ = ct_and_pet(bar)
    ct.contrast_limits = (-5, 55)
    assert windows.currentText() == "custom"
    windows.activated.emit(windows.findText("custom"))
    assert ct.contrast_limits == [-5, 55]
    ct.contrast_limits = (-160, 240)
    assert windows.currentText() == "Soft 400 / 40"
    assert windows.findText("custom") == -1


def test_the_contrast_slider_reaches_all_values(viewer: Any) -> None:
    docked(viewer)
    ct = layers.add_volume(viewer, ct_on(GRID))
    assert ct.contrast_limits == [-160, 240]
    assert ct.contrast_limits_range == [ct.data.min(), max(240, ct.data.max())]


def test_keys_turn_the_viewer(viewer: Any) -> None:
    docked(viewer)
    layers.add_volume(viewer, ct_on(GRID))
    bound = {str(key): action for key, action in viewer.keymap.items()}
    bound["Ctrl+Alt+C"](viewer)
    assert current_view(viewer) is View.CORONAL
    bound["Ctrl+Alt+M"](viewer)
    assert current_view(viewer) is View.CORONAL


def test_a_closed_bar_no_longer_listens(viewer: Any, qtbot: Any) -> None:
    bar = docked(viewer)
    ct = layers.add_volume(viewer, ct_on(GRID))
    with qtbot.waitSignal(bar.destroyed):
        viewer.window.remove_dock_widget(bar)
        bar.deleteLater()
    viewer.dims.order = (1, 0, 2)
    ct.contrast_limits = (0, 1)
    layers.add_volume(viewer, pet_on(GRID))
    assert viewer.canvas.overlays["grisaille_top"].text == "S"
