"""The values and the place under the cursor."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from grisaille.core.grid import Grid
from grisaille.core.volume import Unit, Volume
from grisaille.desktop import layers
from grisaille.desktop.cursor import CURSOR_OVERLAY, attach_cursor, cursor_text, place_text, value_text, values_at
from grisaille.desktop.views import View, show_view
from volumes import ball, ct_on, oblique_grid, pet_on

CT_GRID = Grid.from_spacing((12, 10, 8), (3.0, 2.0, 2.0), (-60.0, -10.0, -8.0))
PET_GRID = Grid.from_spacing((9, 6, 5), (4.0, 4.0, 4.0), (-61.0, -11.0, -9.0))


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    attach_cursor(viewer)
    layers.add_volume(viewer, ct_on(CT_GRID))
    layers.add_volume(viewer, pet_on(PET_GRID))
    return viewer


def point_at(viewer: ViewerModel, point_mm: tuple[float, ...]) -> str:
    viewer.cursor.position = tuple(layers.world_from_lps(point_mm))
    overlay = viewer.canvas.overlays[CURSOR_OVERLAY]
    return str(overlay.text) if overlay.visible else ""


def test_values_are_those_of_the_voxel_that_holds_the_point() -> None:
    volume = ct_on(oblique_grid((6, 5, 4), (3, 2, 2)))
    index = np.argwhere(np.ones(volume.grid.shape, bool))
    values = values_at(volume, volume.grid.to_mm(index + 0.4))
    np.testing.assert_array_equal(values, volume.voxels.ravel())
    assert np.isnan(values_at(volume, volume.grid.to_mm((-0.6, 0, 0))))


def test_a_place_is_told_in_letters() -> None:
    assert place_text((110.04, -40.0, 12.5)) == "L 12.5  A 40.0  S 110.0 mm"
    assert place_text((-3.0, 4.0, -5.0)) == "R 5.0  P 4.0  I 3.0 mm"


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [(39.6, Unit.HU, "X 40 HU"), (5.254, Unit.SUVBW, "X 5.25 SUVbw"), (12345.6, Unit.BQML, "X 12,346 Bq/ml")],
)
def test_a_value_is_told_with_its_unit(value: float, unit: Unit, expected: str) -> None:
    assert value_text("X", value, unit) == expected


def test_ct_and_pet_are_told_together_wherever_the_slices_lie(viewer: ViewerModel) -> None:
    point = (-39.0, 2.0, 2.0)
    hu, suv = (float(values_at(volume, point)) for volume in layers.volumes_in(viewer))
    assert point_at(viewer, point) == f"CT {hu:.0f} HU\nPET {suv:.2f} SUVbw\nL 2.0  P 2.0  I 39.0 mm"


def test_outside_of_one_volume_the_other_still_speaks(viewer: ViewerModel) -> None:
    assert point_at(viewer, (-26.5, 0.0, 0.0)).startswith("CT ")
    assert "PET" not in point_at(viewer, (-26.5, 0.0, 0.0))


def test_hidden_volumes_are_silent(viewer: ViewerModel) -> None:
    viewer.layers["PET"].visible = False
    assert "SUV" not in point_at(viewer, (-39.0, 2.0, 2.0))


def test_two_volumes_of_one_kind_are_told_by_their_layers(viewer: ViewerModel) -> None:
    layers.add_volume(viewer, ct_on(CT_GRID, "late CT"))
    text = point_at(viewer, (-39.0, 2.0, 2.0))
    assert "\nlate CT " in text


def test_an_oblique_volume_tells_its_true_voxel_not_the_one_drawn() -> None:
    viewer = ViewerModel()
    attach_cursor(viewer)
    volume = ct_on(oblique_grid((12, 10, 8), (3, 2, 2)))
    layers.add_volume(viewer, volume)
    point = volume.grid.to_mm((6, 5, 4))
    assert f"CT {volume.voxels[6, 5, 4]} HU" in point_at(viewer, tuple(point))


def test_in_3d_the_brightest_point_along_the_line_of_sight_is_told(viewer: ViewerModel) -> None:
    hot = PET_GRID.to_mm((4, 4, 2))
    voxels = np.where(ball(PET_GRID, hot, 1.0), 9.0, 0.5).astype(np.float32)
    viewer.layers.remove("PET")
    layers.add_volume(viewer, pet_on(PET_GRID).with_voxels(voxels))
    show_view(viewer, View.SPACE)
    in_front = (hot[0], -80.0, hot[2])
    text = point_at(viewer, in_front)
    assert "PET 9.00 SUVbw" in text
    assert point_at(viewer, (hot[0], -80.0, 300.0)) == ""


def test_nothing_is_told_where_nothing_of_grisaille_is_open() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 4)))
    assert cursor_text(viewer) == ""
    viewer.add_image(np.zeros((3, 4, 5)))
    assert cursor_text(viewer) == ""


def test_the_text_goes_with_the_last_volume(viewer: ViewerModel) -> None:
    assert point_at(viewer, (-39.0, 2.0, 2.0))
    viewer.layers.clear()
    assert not viewer.canvas.overlays[CURSOR_OVERLAY].visible


def test_an_anomaly_layer_is_told_by_its_name(viewer: ViewerModel) -> None:
    scores = Volume(np.full(CT_GRID.shape, 3.25, np.float32), CT_GRID, name="MVG anomaly")
    layers.add_volume(viewer, scores)
    assert "\nMVG anomaly 3.25\n" in point_at(viewer, (-39.0, 2.0, 2.0))
