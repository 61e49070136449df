"""The 3D Feret diameter against every pair of points, by hand, and against a published figure."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import pdist

from grisaille.core.grid import Grid
from grisaille.imaging.feret import feret_mm, largest_distance
from volumes import ball, oblique_grid


def slow_feret(mask: np.ndarray, grid: Grid) -> float:
    """Every pair of face centres."""
    steps = [np.array(step) / 2 for step in itertools.product((-1, 0, 1), repeat=3) if sum(map(abs, step)) == 1]
    points = [grid.to_mm(voxel + step) for voxel in np.argwhere(mask) for step in steps]
    return max(float(np.linalg.norm(one - other)) for one in points for other in points)


@given(
    mask=hnp.arrays(np.bool_, st.tuples(*[st.integers(1, 4)] * 3)).filter(np.any),
    spacing=st.tuples(*[st.floats(0.5, 10.0)] * 3),
    degrees=st.tuples(*[st.floats(-40, 40)] * 3),
)
@settings(max_examples=25, deadline=None)
def test_it_is_the_largest_of_all_distances_between_faces(mask, spacing, degrees) -> None:
    grid = oblique_grid(mask.shape, spacing, degrees)
    assert feret_mm(mask, grid) == pytest.approx(slow_feret(mask, grid), abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_of_many_points_it_is_the_largest_of_all_distances_too(seed) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(3000, 3)) * rng.uniform(1, 60, 3)
    points[:, rng.integers(3)] *= seed > 0  # all in a plane
    assert largest_distance(points) == pytest.approx(float(pdist(points).max()))


def test_one_voxel_reads_its_longest_edge_and_a_row_its_length() -> None:
    grid = Grid.from_spacing((1, 1, 7), (10.0, 4.0, 3.0))
    assert feret_mm(np.ones((1, 1, 1), bool), grid) == pytest.approx(10.0)
    assert feret_mm(np.ones((1, 1, 7), bool), grid) == pytest.approx(21.0)


def test_a_box_reads_the_diagonal_between_its_faces() -> None:
    grid = Grid.from_spacing((4, 6, 3), 2.0)
    expected = np.linalg.norm((8 - 2, 12, 6 - 2))  # from the middle of a face's corner voxel to that across
    assert feret_mm(np.ones(grid.shape, bool), grid) == pytest.approx(expected)


def test_the_digital_phantom_of_ibsi_has_its_published_diameter() -> None:
    """13.1 mm, very strong consensus: IBSI reference manual, maximum 3D diameter of the digital phantom."""
    mask = np.ones((4, 4, 5), bool)
    mask[1, 2, 0] = mask[2, 0, 3:] = mask[2, 2, 2] = mask[3, 0, 3:] = False
    assert mask.sum() == 74
    assert round(feret_mm(mask, Grid.from_spacing((4, 4, 5), 2.0)), 1) == 13.1


def test_a_large_ball_on_an_oblique_grid_is_measured_in_a_moment() -> None:
    grid = oblique_grid((130, 150, 150), (1.5, 1.0, 1.0))
    mask = ball(grid, grid.to_mm(np.asarray(grid.shape) / 2), 70.0)
    started = time.process_time()
    diameter = feret_mm(mask, grid)
    assert time.process_time() - started < 1.0  # 0.1 s on an idle core
    assert 140.0 <= diameter <= 140.0 + 1.5


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (4.0, 4.0, 4.0), (10.0, 4.0, 4.0)])
def test_a_ball_is_off_by_a_voxel_at_the_most_wherever_it_lies(spacing) -> None:
    """``benchmarks/measures.py`` has more bodies, and the mean."""
    grid = Grid.from_spacing([int(40 / step) for step in spacing], spacing)
    draw = np.random.default_rng(0)
    for _ in range(4):
        centre = (np.asarray(grid.shape) // 2 + draw.uniform(-0.5, 0.5, 3)) * spacing
        assert abs(feret_mm(ball(grid, centre, 15.0), grid) - 30.0) <= max(spacing)
