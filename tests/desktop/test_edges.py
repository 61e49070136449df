"""The letters at the edges follow the patient, however the viewer is turned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from grisaille.core.grid import Grid
from grisaille.desktop import layers
from grisaille.desktop.edges import attach_letters, direction_letters, edge_letters
from grisaille.desktop.views import View, show_view
from volumes import ct_on

GRID = Grid.from_spacing((12, 10, 8), (3.0, 2.0, 2.0), (-60.0, -10.0, -8.0))


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    attach_letters(viewer)
    layers.add_volume(viewer, ct_on(GRID))
    return viewer


def letters(viewer: Any) -> str:
    """Left, right, top, bottom, as they stand on the canvas."""
    overlays = viewer.canvas.overlays
    shown = [overlays[f"grisaille_{edge}"] for edge in ("left", "right", "top", "bottom")]
    assert all(overlay.visible for overlay in shown)
    return " ".join(overlay.text for overlay in shown)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ((1, 0, 0), "S"),
        ((-1, 0, 0), "I"),
        ((0, 2, 0), "P"),
        ((0, -1, 0.1), "A"),
        ((0, 0, 5), "L"),
        ((0, 0, -1), "R"),
        ((0, -1, 2), "LA"),
        ((1, -1.1, 0), "AS"),
        ((1, -1, 1), "SAL"),
    ],
)
def test_a_direction_has_letters_the_strongest_first(direction: tuple[float, ...], expected: str) -> None:
    assert direction_letters(direction) == expected


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (View.AXIAL, "R L A P"),
        (View.CORONAL, "R L S I"),
        (View.SAGITTAL, "A P S I"),
        (View.SPACE, "R L S I"),
    ],
)
def test_every_view_is_radiological_with_the_head_up(viewer: ViewerModel, view: View, expected: str) -> None:
    show_view(viewer, view)
    assert letters(viewer) == expected


def test_letters_follow_a_transposed_plane(viewer: ViewerModel) -> None:
    viewer.dims.order = (0, 2, 1)
    assert letters(viewer) == "A P R L"


def test_letters_follow_a_flipped_camera(viewer: ViewerModel) -> None:
    viewer.scene.camera.orientation2d = ("up", "left")
    assert letters(viewer) == "L R P A"


def test_letters_follow_the_camera_round_the_patient(viewer: ViewerModel) -> None:
    show_view(viewer, View.SPACE)
    viewer.scene.camera.set_view_direction((0.0, -1.0, 0.0), (-1.0, 0.0, 0.0))
    assert letters(viewer) == "L R S I"
    viewer.scene.camera.set_view_direction((0.0, 0.0, -1.0), (-1.0, 0.0, 0.0))
    assert letters(viewer) == "A P S I"
    viewer.scene.camera.set_view_direction((0.0, 1.0, 0.8), (-1.0, 0.0, 0.0))
    assert letters(viewer) == "RP LA S I"


def test_a_mirrored_frame_is_not_hidden_by_the_letters(viewer: ViewerModel) -> None:
    show_view(viewer, View.SPACE)
    viewer.scene.camera.orientation = ("away", "down", "right")
    viewer.scene.camera.set_view_direction((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0))
    assert edge_letters(viewer)["left"] == "L"


def test_no_letters_where_no_orientation_is_known() -> None:
    viewer = ViewerModel()
    attach_letters(viewer)
    viewer.add_image(np.zeros((3, 4, 5)))
    assert not viewer.canvas.overlays["grisaille_left"].visible
    layers.add_volume(viewer, ct_on(GRID))
    assert letters(viewer) == "R L A P"
    viewer.layers.pop()
    assert not viewer.canvas.overlays["grisaille_left"].visible
