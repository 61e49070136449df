"""napari's world and LPS: there and back, and where oblique things are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image

from grisaille.core.errors import GridMismatch
from grisaille.core.grid import Grid
from grisaille.desktop.world import display_grid, go_to, grid_of, lps_from_world, placement, world_from_lps
from volumes import oblique_grid

STRAIGHT = Grid.from_spacing((6, 5, 4), (3.0, 2.0, 1.5), (-30.0, 7.0, -11.0))
coordinate = st.floats(-2000, 2000, allow_nan=False)
spacing = st.floats(0.3, 10)


def test_the_world_is_inferior_posterior_left() -> None:
    assert world_from_lps((100.0, 20.0, 3.0)).tolist() == [-100.0, 20.0, 3.0]


@settings(deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=1, max_size=5))
def test_points_come_back_from_the_world(points: list[tuple[float, float, float]]) -> None:
    np.testing.assert_array_equal(lps_from_world(world_from_lps(points)), points)


def test_leading_axes_of_the_viewer_are_no_place() -> None:
    assert lps_from_world((7.0, -100.0, 20.0, 3.0)).tolist() == [100.0, 20.0, 3.0]


@settings(deadline=None, max_examples=40)
@given(st.tuples(spacing, spacing, spacing), st.tuples(coordinate, coordinate, coordinate))
def test_every_voxel_is_drawn_where_it_lies(spacing_mm: tuple[float, ...], origin_mm: tuple[float, ...]) -> None:
    grid = Grid.from_spacing((3, 4, 5), spacing_mm, origin_mm)
    layer = Image(np.zeros(grid.shape, np.float32), contrast_limits=(0, 1), **placement(grid))
    for index in ((0, 0, 0), (2, 3, 4), (1, 0, 3)):
        np.testing.assert_allclose(lps_from_world(layer.data_to_world(index)), grid.to_mm(index), atol=1e-9)
        np.testing.assert_allclose(layer.world_to_data(world_from_lps(grid.to_mm(index))), index, atol=1e-6)
    assert grid_of(layer).is_close(grid)


def test_a_straight_grid_is_drawn_as_it_is() -> None:
    assert display_grid(STRAIGHT) is STRAIGHT


@pytest.mark.parametrize("degrees", [(0, 0, 1), (20, 10, 5), (0, 0, 45), (-30, 60, 90)])
def test_an_oblique_grid_is_drawn_in_a_straight_box_that_holds_all_of_it(degrees: tuple[int, int, int]) -> None:
    grid = oblique_grid((12, 10, 8), (3.0, 2.0, 1.0), degrees)
    box = display_grid(grid)
    assert box.is_axis_aligned
    assert box.spacing_mm == pytest.approx(grid.spacing_mm)
    faces = np.stack(np.meshgrid(*[(-0.5, size - 0.5) for size in grid.shape], indexing="ij"), axis=-1).reshape(8, 3)
    index = box.to_index(grid.to_mm(faces))
    assert np.all(index >= -0.5 - 1e-6)
    assert np.all(index <= np.asarray(box.shape) - 0.5 + 1e-6)


def test_a_layer_turned_by_hand_has_no_grid() -> None:
    layer = Image(np.zeros((3, 4, 5)), name="CT", rotate=(10, 0, 0), contrast_limits=(0, 1))
    with pytest.raises(GridMismatch, match=r"'CT' was turned.*undo"):
        grid_of(layer)


def test_a_flat_layer_has_no_grid() -> None:
    with pytest.raises(GridMismatch, match="2 dimensions"):
        grid_of(Image(np.zeros((3, 4)), contrast_limits=(0, 1)))


def volume_viewer() -> ViewerModel:
    grid = Grid.from_spacing((40, 30, 20), (4.0, 4.0, 4.0), (-400.0, -60.0, -40.0))
    viewer = ViewerModel()
    viewer.add_image(np.zeros(grid.shape, np.float32), **placement(grid))
    return viewer


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_go_to_shows_the_slices_through_the_point(order: tuple[int, int, int]) -> None:
    viewer = volume_viewer()
    viewer.dims.order = order
    go_to(viewer, (-320.0, -20.0, 12.0))
    assert lps_from_world(viewer.dims.point).tolist() == [-320.0, -20.0, 12.0]


def test_go_to_leaves_the_camera_where_the_point_is_in_sight() -> None:
    viewer = volume_viewer()
    before = viewer.scene.camera.center
    go_to(viewer, (-320.0, -20.0, 12.0))
    assert viewer.scene.camera.center == before


@pytest.mark.parametrize("ndisplay", [2, 3])
def test_go_to_brings_a_point_into_sight(ndisplay: int) -> None:
    viewer = volume_viewer()
    viewer.dims.ndisplay = ndisplay
    viewer.scene.camera.zoom = 100.0
    go_to(viewer, (-320.0, -20.0, 12.0))
    assert viewer.scene.camera.center[-ndisplay:] == (320.0, -20.0, 12.0)[-ndisplay:]


def test_go_to_works_beside_a_time_series() -> None:
    viewer = volume_viewer()
    viewer.add_image(np.zeros((2, 4, 4, 4)))
    go_to(viewer, (-320.0, -20.0, 12.0))
    assert lps_from_world(viewer.dims.point).tolist() == [-320.0, -20.0, 12.0]
