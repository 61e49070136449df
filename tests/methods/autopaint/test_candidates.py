"""Two thresholds and the outline on the residual, by hand and against plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from grisaille.core.grid import Grid
from grisaille.methods.autopaint.candidates import (
    Outline,
    box_of,
    delineate,
    dilated,
    grown,
    hysteresis,
    mark,
    overlap,
    without_small,
)

GRID = Grid.from_spacing((12, 16, 16), 4.0)
OUTLINE = Outline(delineation=0.41, grow_mm=8.0, smallest_ml=0.1)


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, residual, body: a hot block of 3 x 3 x 3 with a warm rim, and a warm block without a hot core."""
    scores, residual = np.full(GRID.shape, 0.1, np.float32), np.zeros(GRID.shape, np.float32)
    scores[3:8, 3:8, 3:8], residual[3:8, 3:8, 3:8] = 3.0, 1.0
    scores[4:7, 4:7, 4:7], residual[4:7, 4:7, 4:7] = 9.0, 10.0
    scores[3:8, 11:14, 11:14], residual[3:8, 11:14, 11:14] = 3.0, 1.0
    return scores, residual, np.ones(GRID.shape, bool)


@given(seed=st.integers(0, 10_000), high=st.floats(0.3, 1.0), step=st.floats(0.0, 0.3))
@settings(max_examples=60, deadline=None)
def test_hysteresis_is_what_grows_from_the_high_through_the_low(seed: int, high: float, step: float) -> None:
    rng = np.random.default_rng(seed)
    scores = ndimage.uniform_filter(rng.random((7, 8, 9)), 2).astype(np.float32)
    body = rng.random((7, 8, 9)) < 0.9
    low = high - step
    expected = ndimage.binary_propagation((scores >= high) & body, np.ones((3, 3, 3)), (scores >= low) & body)
    np.testing.assert_array_equal(hysteresis(scores, high, low, body), expected)


def test_a_low_above_the_high_is_taken_as_the_high() -> None:
    scores, _, body = scene()
    np.testing.assert_array_equal(hysteresis(scores, 5.0, 8.0, body), scores >= 5)


def test_nothing_above_the_cut_marks_nothing() -> None:
    scores, residual, body = scene()
    assert not hysteresis(scores, 20.0, 15.0, body).any()
    assert not mark(scores, residual, body, (20.0, 15.0), OUTLINE, GRID).any()
    assert not mark(scores, residual, body, (20.0, 2.0), OUTLINE, GRID).any()
    assert not mark(scores, residual, np.zeros_like(body), (5.0, 2.0), OUTLINE, GRID).any()


def test_a_finding_is_drawn_where_the_residual_is_above_its_share_of_the_peak() -> None:
    scores, residual, body = scene()
    labels = mark(scores, residual, body, (5.0, 2.0), OUTLINE, GRID)
    expected = np.zeros(GRID.shape, int)
    expected[4:7, 4:7, 4:7] = 1  # the rim is 0.1 of the peak; the warm block never reaches the high cut
    np.testing.assert_array_equal(labels, expected)


def test_the_outline_may_leave_the_part_but_not_its_margin_or_the_body() -> None:
    residual = np.zeros(GRID.shape, np.float32)
    residual[5, 5, 2:14] = 10.0
    mask = np.zeros(GRID.shape, bool)
    mask[5, 5, 6:9] = True
    within = np.ones(GRID.shape, bool)
    within[5, 5, 5] = False
    outline = Outline(delineation=0.1, grow_mm=8.0, smallest_ml=0.0)
    drawn = delineate(mask, residual, outline, GRID.spacing_mm, within)
    assert np.flatnonzero(drawn[5, 5]).tolist() == [4, 6, 7, 8, 9, 10]  # two voxels of 4 mm, less what is no body
    assert drawn.sum() == 6


def test_a_part_that_does_not_stand_out_stays_as_it_is() -> None:
    scores, _, body = scene()
    labels = mark(scores, np.full(GRID.shape, -1, np.float32), body, (5.0, 2.0), OUTLINE, GRID)
    np.testing.assert_array_equal(labels > 0, hysteresis(scores, 5.0, 2.0, body))


def test_small_findings_are_left_out_and_the_highest_comes_first() -> None:
    scores = np.full(GRID.shape, 0.1, np.float32)
    scores[2, 2, 2:4] = 6.0  # 0.128 ml
    scores[8, 8, 8:12] = 9.0
    scores[5, 13, 13] = 12.0  # 0.064 ml
    labels = mark(scores, scores, np.ones(GRID.shape, bool), (5.0, 5.0), OUTLINE, GRID)
    assert labels[8, 8, 8] == 1
    assert labels[2, 2, 2] == 2
    assert labels[5, 13, 13] == 0
    kept = without_small(scores >= 5, 0.1, GRID.voxel_ml)
    np.testing.assert_array_equal(kept, labels > 0)


@pytest.mark.parametrize("radius_mm", [0.0, 4.0, 9.0])
def test_dilation_reaches_everything_within_its_radius(radius_mm: float) -> None:
    mask = np.zeros(GRID.shape, bool)
    mask[3, 4, 5] = mask[0, 15, 15] = True
    away = ndimage.distance_transform_edt(~mask, sampling=4.0)
    np.testing.assert_array_equal(dilated(mask, radius_mm, GRID.spacing_mm), away <= radius_mm)
    assert not dilated(np.zeros_like(mask), 8.0, GRID.spacing_mm).any()


def test_boxes_and_overlaps_by_hand() -> None:
    mask = np.zeros((4, 5, 6), bool)
    assert box_of(mask) is None
    assert overlap(mask, mask) == 1.0
    mask[1:3, 2, 4] = True
    assert box_of(mask) == (slice(1, 3), slice(2, 3), slice(4, 5))
    assert grown((slice(1, 3), slice(2, 3), slice(4, 5)), [2, 1, 3], mask.shape) == (
        slice(0, 4), slice(1, 4), slice(1, 6),
    )  # fmt: skip
    half = mask.copy()
    half[1] = False
    assert overlap(mask, half) == 0.5
