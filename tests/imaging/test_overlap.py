"""Overlap of turned boxes against points thrown into them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from grisaille.core.grid import Grid
from grisaille.imaging.overlap import overlap
from volumes import oblique_grid

places = st.tuples(*[st.floats(-25, 25)] * 3)
turns = st.tuples(*[st.floats(-60, 60)] * 3)
shapes = st.tuples(*[st.integers(1, 9)] * 3)


def moved(grid: Grid, to_mm: tuple[float, ...]) -> Grid:
    affine = np.array(grid.affine)
    affine[:3, 3] = to_mm
    return Grid(grid.shape, affine)


def has_common_point(one: Grid, other: Grid) -> bool:
    """By linear programming: a point whose index lies within both boxes."""
    rows, ends = [], []
    for grid in (one, other):
        back = np.linalg.inv(grid.affine)
        rows += [back[:3, :3], -back[:3, :3]]
        ends += [np.asarray(grid.shape) - 0.5 - back[:3, 3], 0.5 + back[:3, 3]]
    return linprog(np.zeros(3), np.vstack(rows), np.hstack(ends), bounds=(None, None)).status == 0


@given(shape=shapes, other_shape=shapes, turn=turns, other_turn=turns, place=places)
@settings(max_examples=60, deadline=None)
def test_turned_boxes_overlap_where_they_have_a_point_in_common(shape, other_shape, turn, other_turn, place) -> None:
    one = oblique_grid(shape, (4.0, 2.0, 3.0), turn)
    other = moved(oblique_grid(other_shape, (2.0, 3.0, 5.0), other_turn), place)
    assert overlap(one, other) is overlap(other, one) is has_common_point(one, other)


def test_a_plate_across_the_corner_of_a_box_has_no_place_in_common_though_their_bounding_boxes_have() -> None:
    box = Grid.from_spacing((10, 10, 10), 1.0)
    across = np.eye(4)
    across[1:3, 1:3] = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)  # 40 voxels along (1, -1), one along (1, 1)
    for distance, shared in ((13.0, False), (8.0, True)):  # the corner is at (9.5, 9.5)
        across[:3, 3] = (0.0, distance - 19.5 / np.sqrt(2), distance + 19.5 / np.sqrt(2))
        plate = Grid((10, 40, 1), across)
        low, high = plate.corners_mm().min(axis=0), plate.corners_mm().max(axis=0)
        assert ((low < 9.0) & (high > 0.0)).all()
        assert overlap(box, plate) is overlap(plate, box) is shared


def test_a_single_slice_inside_a_volume_overlaps_it_and_grids_that_touch_do_not() -> None:
    whole = Grid.from_spacing((10, 10, 10), 2.0)
    assert overlap(whole, Grid.from_spacing((1, 10, 10), 2.0, (7.0, 0.0, 0.0)))
    assert not overlap(whole, Grid.from_spacing((10, 10, 10), 2.0, (20.0, 0.0, 0.0)))
    assert overlap(whole, Grid.from_spacing((10, 10, 10), 2.0, (19.9, 0.0, 0.0)))


def test_one_inside_the_other_overlaps() -> None:
    assert overlap(
        Grid.from_spacing((50, 50, 50), 2.0), moved(oblique_grid((2, 2, 2), (1.0, 1.0, 1.0)), (50.0, 50.0, 50.0))
    )
