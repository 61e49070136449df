"""What is hidden: every voxel in turn, and deep enough that its neighbours do not give it away."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from grisaille.methods.autopaint.holes import checkerboards, require_cover, training_hole

shapes = st.tuples(*[st.integers(1, 20)] * 3)


@given(shapes, st.floats(2.0, 6.0), st.floats(4.0, 400.0))
@settings(max_examples=60, deadline=None)
def test_eight_checkerboards_hide_every_voxel_four_times(shape, spacing_mm, cell_mm):
    boards = list(checkerboards(shape, spacing_mm, cell_mm))
    assert len(boards) == 8
    assert all(board.shape == shape and board.dtype == bool for board in boards)
    assert (np.sum(boards, axis=0) == 4).all()
    require_cover(boards, np.ones(shape, dtype=bool))


@pytest.mark.parametrize("cell_mm", [32.0, 64.0])
def test_every_voxel_lies_an_eighth_of_a_cell_deep_in_some_hole(cell_mm):
    around = 16
    boards = checkerboards((64, 64, 64), 4.0, cell_mm)
    depth = np.max([distance_transform_edt(board) for board in boards], axis=0)
    inner = depth[around:-around, around:-around, around:-around]
    assert inner.min() * 4.0 >= cell_mm / 8


def test_a_checkerboard_is_made_of_cubes_of_the_side_asked():
    board = next(checkerboards((24, 24, 24), 4.0, 24.0))
    assert board[:6, :6, :6].all() or not board[:6, :6, :6].any()
    assert (board[:6, :6, :6] != board[6:12, :6, :6]).all()
    assert (board[:6, :6, :6] == board[6:12, 6:12, :6]).all()


def test_a_voxel_that_is_never_hidden_is_told():
    body = np.ones((2, 2, 2), dtype=bool)
    hole = body.copy()
    hole[1, 1, 1] = False
    with pytest.raises(AssertionError, match="1 voxels of the body"):
        require_cover([hole], body)


def test_training_holes_come_in_the_three_kinds_and_all_sizes():
    rng = np.random.default_rng(0)
    shares = np.array([training_hole((48, 64, 96), 4.0, rng).mean() for _ in range(300)])
    assert (shares > 0.9).mean() == pytest.approx(0.13, abs=0.08)
    assert (shares < 0.1).mean() > 0.2
    assert ((shares > 0.3) & (shares < 0.7)).mean() > 0.3


def test_the_same_generator_gives_the_same_holes():
    one, other = (training_hole((16, 16, 16), 4.0, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, other)


def test_ellipsoids_are_centred_where_they_may_be():
    within = np.zeros((48, 64, 96), dtype=bool)
    within[24, 32, 48] = True
    rng = np.random.default_rng(1)
    holes = [hole for hole in (training_hole(within.shape, 4.0, rng, within=within) for _ in range(60)) if hole.any()]
    small = [hole for hole in holes if hole.mean() < 0.05]
    assert small
    assert all(hole[within].all() for hole in small)


def test_a_slab_without_a_body_still_gets_a_hole():
    nothing = np.zeros((8, 8, 8), dtype=bool)
    rng = np.random.default_rng(2)
    assert all(training_hole(nothing.shape, 4.0, rng, within=nothing).shape == (8, 8, 8) for _ in range(20))
