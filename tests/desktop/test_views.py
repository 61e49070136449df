"""What the view buttons do to camera, dims and layers, and that they undo it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from napari.components import ViewerModel

from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.desktop import layers
from grisaille.desktop.views import View, attach_views, current_view, has_pet, show_view
from volumes import ct_on, pet_on

GRID = Grid.from_spacing((12, 10, 8), (3.0, 2.0, 2.0), (-60.0, -10.0, -8.0))


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    attach_views(viewer)
    layers.add_volume(viewer, ct_on(GRID))
    layers.add_volume(viewer, pet_on(GRID))
    layers.add_labels(viewer, Labels(np.ones(GRID.shape, np.uint16), GRID))
    return viewer


def looks(viewer: ViewerModel) -> list[dict[str, object]]:
    names = ("visible", "opacity", "blending", "contour", "contrast_limits")
    found = [{name: getattr(layer, name, None) for name in names} for layer in viewer.layers]
    return [*found, {"pet": viewer.layers["PET"].colormap.name, "canvas": viewer.canvas.background_color_override}]


@pytest.mark.parametrize("view", list(View))
def test_a_view_is_known_again(viewer: ViewerModel, view: View) -> None:
    show_view(viewer, view)
    assert current_view(viewer) is view


def test_another_order_of_axes_is_no_view(viewer: ViewerModel) -> None:
    viewer.dims.order = (0, 2, 1)
    assert current_view(viewer) is None


@pytest.mark.parametrize("plane", [View.AXIAL, View.CORONAL, View.SAGITTAL])
@pytest.mark.parametrize("detour", [(View.SPACE,), (View.MIP,), (View.SPACE, View.MIP), (View.MIP, View.SPACE)])
def test_layers_look_as_before_after_3d(viewer: ViewerModel, plane: View, detour: tuple[View, ...]) -> None:
    viewer.layers["CT"].contrast_limits = (-7, 77)
    viewer.layers["findings"].visible = False
    before = looks(viewer)
    for view in (*detour, plane):
        show_view(viewer, view)
    assert looks(viewer) == before


def test_a_mip_is_pet_alone_black_on_white(viewer: ViewerModel) -> None:
    show_view(viewer, View.MIP)
    assert [layer.visible for layer in viewer.layers] == [False, True, False]
    assert viewer.layers["PET"].colormap.name == "gray_r"
    assert viewer.layers["PET"].rendering == "mip"
    np.testing.assert_array_equal(viewer.canvas.background_color_override, (1, 1, 1, 1))


def test_our_buttons_give_napari_nothing_to_warn_of(viewer: ViewerModel) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Contours")
        for view in (View.SPACE, View.MIP, View.SPACE, View.AXIAL):
            show_view(viewer, view)
    assert viewer.layers["findings"].contour == 2


@pytest.mark.filterwarnings("ignore:Contours are not displayed")
def test_naparis_own_button_ends_the_mip_too(viewer: ViewerModel) -> None:
    before = looks(viewer)
    show_view(viewer, View.MIP)
    viewer.dims.ndisplay = 2
    assert looks(viewer) == before
    viewer.dims.ndisplay = 3
    assert viewer.layers["CT"].contrast_limits == [-200, 1000]
    viewer.dims.ndisplay = 2
    assert looks(viewer) == before


def test_a_volume_opened_during_a_mip_waits_its_turn(viewer: ViewerModel) -> None:
    show_view(viewer, View.MIP)
    late = layers.add_volume(viewer, ct_on(GRID, "late"))
    show_view(viewer, View.AXIAL)
    assert late.visible
    assert late.contrast_limits == [-160, 240]


def test_a_layer_deleted_during_a_mip_is_not_missed(viewer: ViewerModel) -> None:
    show_view(viewer, View.MIP)
    viewer.layers.remove("PET")
    show_view(viewer, View.CORONAL)
    assert viewer.layers["CT"].visible
    assert viewer.canvas.background_color_override is None
    assert not has_pet(viewer)


def test_views_leave_further_axes_in_front(viewer: ViewerModel) -> None:
    viewer.add_image(np.zeros((2, 4, 4, 4)))
    show_view(viewer, View.CORONAL)
    assert viewer.dims.order == (0, 2, 1, 3)
    assert current_view(viewer) is View.CORONAL


def test_a_pet_alone_is_black_on_white_and_takes_colour_above_a_ct() -> None:
    viewer = ViewerModel()
    attach_views(viewer)
    pet = layers.add_volume(viewer, pet_on(GRID))
    assert pet.colormap.name == "gray_r"
    pet.contrast_limits = (0, 3)
    layers.add_volume(viewer, ct_on(GRID))
    assert [layer.name for layer in viewer.layers] == ["CT", "PET"]
    assert pet.colormap.name == "pet"
    assert pet.contrast_limits == [0, 3]


def test_a_pet_that_was_coloured_by_hand_keeps_its_colours() -> None:
    viewer = ViewerModel()
    attach_views(viewer)
    pet = layers.add_volume(viewer, pet_on(GRID))
    pet.colormap = "magma"
    layers.add_volume(viewer, ct_on(GRID))
    assert pet.colormap.name == "magma"
