"""Left is left: read from the pixels of screenshots, in every view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from grisaille.core.grid import Grid
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.desktop import layers
from grisaille.desktop.view import attach
from grisaille.desktop.views import View, show_view
from volumes import ball, oblique_grid

pytestmark = pytest.mark.screen

CENTRE = np.array((-300.0, 10.0, -5.0))
LESION = CENTRE + np.array((25.0, -15.0, 30.0))
"""Towards the head, the front and the patient's left of the centre."""


def straight(spacing_mm: Sequence[float], shape: Sequence[int]) -> Grid:
    origin = CENTRE - (np.asarray(shape) - 1) / 2 * np.asarray(spacing_mm)
    return Grid.from_spacing(shape, spacing_mm, origin.tolist())


def tilted() -> Grid:
    grid = oblique_grid((40, 44, 44), (3.0, 3.0, 3.0))
    affine = np.array(grid.affine)
    affine[:3, 3] += CENTRE - grid.to_mm((19.5, 21.5, 21.5))
    return Grid(grid.shape, affine)


def study_with_one_lesion(ct: Grid, pet: Grid) -> Study:
    """A body in CT, and a hot lesion on its left, high and in front, in PET."""
    body = np.where(ball(ct, CENTRE, 55.0), 40, -1000).astype(np.int16)
    hot = np.where(ball(pet, LESION, 9.0), 20.0, 0.0).astype(np.float32)
    return Study.of(Volume(body, ct, Modality.CT, Unit.HU, "CT"), Volume(hot, pet, Modality.PET, Unit.SUVBW, "PET"))


GRIDS = {
    "one grid": (straight((3, 3, 3), (40, 44, 44)), straight((3, 3, 3), (40, 44, 44))),
    "two grids": (straight((3, 2, 2), (40, 64, 64)), straight((4, 4, 4), (34, 40, 36))),
    "oblique": (tilted(), tilted()),
}


def lesion_and_body(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Their middles, (row, column), in the picture: the lesion is coloured, the body is grey."""
    shade = picture[..., :3].astype(int)
    coloured = shade.max(axis=-1) - shade.min(axis=-1) > 60
    grey = (shade.min(axis=-1) > 40) & (shade.max(axis=-1) < 200)
    return np.argwhere(coloured).mean(axis=0), np.argwhere(grey | coloured).mean(axis=0)


@pytest.mark.parametrize("grids", GRIDS)
def test_a_lesion_on_the_left_is_on_the_right_of_the_picture(make_napari_viewer: Any, grids: str) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 800)
    layers.add_study(viewer, study_with_one_lesion(*GRIDS[grids]))
    expected = {
        # rows towards the feet or the back, columns towards the left or the back
        View.AXIAL: (-15.0, 30.0),
        View.CORONAL: (-25.0, 30.0),
        View.SAGITTAL: (-25.0, -15.0),
        View.SPACE: (-25.0, 30.0),
    }
    for view, offset_mm in expected.items():
        show_view(viewer, view)
        layers.go_to(viewer, LESION.tolist())
        picture = viewer.screenshot(canvas_only=True, flash=False)
        lesion, body = lesion_and_body(picture)
        middle = body if view is View.SPACE else (np.array(picture.shape[:2]) - 1) / 2
        seen_mm = (lesion - middle) / viewer.scene.camera.zoom
        np.testing.assert_allclose(seen_mm, offset_mm, atol=8.0, err_msg=view)


def test_the_letters_stand_at_the_edges(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 800)
    attach(viewer)
    layers.add_study(viewer, study_with_one_lesion(*GRIDS["one grid"]))
    show_view(viewer, View.CORONAL)
    with_letters = viewer.screenshot(canvas_only=True, flash=False).astype(int)
    for edge in ("left", "right", "top", "bottom"):
        viewer.canvas.overlays[f"grisaille_{edge}"].visible = False
    without = viewer.screenshot(canvas_only=True, flash=False).astype(int)
    rows, columns = np.nonzero(np.abs(with_letters - without).sum(axis=-1) > 100)
    height, width = without.shape[:2]
    places = {
        "left": columns < 0.1 * width,
        "right": columns > 0.9 * width,
        "top": rows < 0.1 * height,
        "bottom": rows > 0.9 * height,
    }
    assert all(place.any() for place in places.values())
    assert np.all(np.any(list(places.values()), axis=0))
