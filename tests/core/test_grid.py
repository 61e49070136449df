"""A grid knows where its voxels lie."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from grisaille.core.errors import InputError, ShapeError
from grisaille.core.grid import Axis, Grid

sizes = st.tuples(*[st.integers(1, 40)] * 3)
spacings = st.tuples(*[st.floats(0.3, 12)] * 3)
origins = st.tuples(*[st.floats(-800, 800)] * 3)


@st.composite
def oblique_grids(draw: st.DrawFn) -> Grid:
    """Any orthogonal frame, any handedness, any spacing."""
    random = draw(hnp.arrays(np.float64, (3, 3), elements=st.floats(-1, 1)))
    frame, _ = np.linalg.qr(random + 3 * np.eye(3))
    affine = np.eye(4)
    affine[:3, :3] = frame * np.asarray(draw(spacings))
    affine[:3, 3] = draw(origins)
    return Grid(draw(sizes), affine)


@given(oblique_grids(), hnp.arrays(np.float64, (5, 3), elements=st.floats(-50, 50)))
def test_indices_come_back_from_millimetres(grid: Grid, indices: np.ndarray) -> None:
    np.testing.assert_allclose(grid.to_index(grid.to_mm(indices)), indices, atol=1e-9)


@given(oblique_grids())
def test_spacing_times_directions_is_the_affine(grid: Grid) -> None:
    np.testing.assert_allclose(grid.directions * np.asarray(grid.spacing_mm), grid.affine[:3, :3], atol=1e-12)
    assert grid.voxel_ml == pytest.approx(np.prod(grid.spacing_mm) / 1000)


def edges_mm(grid: Grid) -> np.ndarray:
    """The two opposite corners of the field of view, at the voxels' outer edges."""
    return grid.to_mm([(-0.5, -0.5, -0.5), np.asarray(grid.shape) - 0.5])


def test_another_spacing_keeps_the_field_of_view_edge_to_edge() -> None:
    grid = Grid.from_spacing((10, 20, 30), (4, 3, 2), (5, -7, 11))
    finer = grid.spaced((2, 1.5, 1))
    assert finer.shape == (20, 40, 60)
    np.testing.assert_allclose(edges_mm(finer), edges_mm(grid))


@given(oblique_grids(), spacings)
def test_another_spacing_keeps_the_centre_and_the_spacing_asked(grid: Grid, wanted: tuple[float, ...]) -> None:
    other = grid.spaced(wanted)
    np.testing.assert_allclose(other.spacing_mm, wanted)
    np.testing.assert_allclose(edges_mm(other).mean(axis=0), edges_mm(grid).mean(axis=0), atol=1e-9)


def test_a_crop_keeps_its_place() -> None:
    grid = Grid.from_spacing((10, 20, 30), (4, 3, 2), (5, -7, 11))
    crop = grid.cropped((2, -3, 4), (5, 6, 7))
    np.testing.assert_allclose(crop.to_mm((0, 0, 0)), grid.to_mm((2, -3, 4)))
    assert crop.shape == (5, 6, 7)


def test_only_straight_ascending_axes_are_axis_aligned() -> None:
    straight = Grid.from_spacing((2, 3, 4), (3, 2, 1))
    assert straight.is_axis_aligned
    tilted = np.array(straight.affine)
    tilted[0, 1] = 0.01
    assert not Grid(straight.shape, tilted).is_axis_aligned
    assert not Grid.from_spacing((2, 3, 4), (3, -2, 1)).is_axis_aligned


def test_grids_are_equal_when_every_number_is() -> None:
    one, same = (Grid.from_spacing((2, 3, 4), (3, 2, 1), (9, 8, 7)) for _ in range(2))
    moved = Grid.from_spacing((2, 3, 4), (3, 2, 1), (9, 8, 7.0005))
    assert one == same
    assert hash(one) == hash(same)
    assert one != moved
    assert one.is_close(moved)
    assert not one.is_close(moved, tolerance_mm=1e-4)
    assert one != "a grid"


def test_a_grid_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Grid.from_spacing((2, 3, 4), 1).affine[0, 0] = 2


@pytest.mark.parametrize("shape", [(2, 3), (0, 3, 4), (2, 3, 4, 5)])
def test_a_shape_that_is_not_three_sizes_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="three positive sizes"):
        Grid(shape, np.eye(4))


def test_an_affine_without_a_place_is_refused() -> None:
    with pytest.raises(InputError, match="singular or not finite"):
        Grid((2, 3, 4), np.diag([1.0, 0, 1, 1]))
    with pytest.raises(InputError, match="singular or not finite"):
        Grid((2, 3, 4), np.diag([1.0, np.nan, 1, 1]))
    with pytest.raises(ShapeError, match="4 x 4"):
        Grid((2, 3, 4), np.eye(3))


def test_a_grid_says_what_it_is() -> None:
    grid = Grid.from_spacing((2, 3, 4), (3, 2, 1.5), (9, 8, 7))
    assert str(grid) == "2 x 3 x 4 voxels of 3.00 x 2.00 x 1.50 mm at (9.0, 8.0, 7.0) mm (z, y, x)"
    assert grid.size == 24
    assert grid.origin_mm == (9, 8, 7)


def test_planes_are_named_by_the_axis_they_step_along() -> None:
    assert [axis.dimension for axis in (Axis.AXIAL, Axis.CORONAL, Axis.SAGITTAL)] == [0, 1, 2]
