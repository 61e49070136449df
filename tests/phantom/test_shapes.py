"""The solids that organs are built of."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grisaille.phantom.shapes import Capsule, Ellipsoid, Loft, Shape, curve, tube

ANGLES = st.tuples(*[st.floats(-180.0, 180.0)] * 3)
SEMI = st.tuples(*[st.floats(3.0, 20.0)] * 3)


def cells(shape: Shape, step: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Whether each cell of a wide lattice round a shape lies in it, and the cells' places."""
    axes = [
        np.arange(low - 5, high + 5 + step, step, dtype=np.float32)
        for low, high in zip(shape.low, shape.high, strict=True)
    ]
    grid = np.meshgrid(*axes, indexing="ij")
    return shape.field(*grid) <= 1, np.stack(grid, axis=-1)


@settings(max_examples=25, deadline=None)
@given(semi=SEMI, turns=ANGLES)
def test_turned_ellipsoids_stay_in_their_box_and_keep_their_volume(semi, turns) -> None:
    shape = Ellipsoid((100.0, -20.0, 5.0), semi, turns)
    inside, places = cells(shape)
    assert (places[inside] >= np.array(shape.low) - 1e-3).all()
    assert (places[inside] <= np.array(shape.high) + 1e-3).all()
    assert inside.sum() == pytest.approx(4 / 3 * np.pi * np.prod(semi), rel=0.12)


def test_an_ellipsoid_without_turns_is_one_with_turns_of_nothing() -> None:
    straight, turned = Ellipsoid((0, 0, 0), (9, 5, 3)), Ellipsoid((0, 0, 0), (9, 5, 3), (0, 0, 360))
    _, places = cells(straight)
    coordinates = np.moveaxis(places, -1, 0)
    np.testing.assert_allclose(straight.field(*coordinates), turned.field(*coordinates), rtol=1e-4, atol=1e-5)


def test_a_quarter_turn_about_z_swaps_depth_and_width() -> None:
    shape = Ellipsoid((0, 0, 0), (4, 20, 2), (90, 0, 0))
    np.testing.assert_allclose(shape.high, (4, 2, 20), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(end=st.tuples(*[st.floats(-30.0, 30.0)] * 3), first=st.floats(3, 8), second=st.floats(3, 8))
def test_rods_stay_in_their_box_and_hold_both_ends(end, first, second) -> None:
    rod = Capsule((0.0, 0.0, 0.0), end, first, second)
    inside, places = cells(rod)
    assert (places[inside] >= np.array(rod.low) - 1e-3).all()
    assert (places[inside] <= np.array(rod.high) + 1e-3).all()
    assert all(rod.field(*(np.float32([value]) for value in point))[0] <= 1 for point in (rod.start, rod.end))


def test_a_rod_has_the_volume_of_a_cylinder_and_a_ball() -> None:
    inside, _ = cells(Capsule((0, 0, 0), (30, 0, 0), 5, 5), step=0.5)
    assert inside.sum() / 8 == pytest.approx(np.pi * 25 * 30 + 4 / 3 * np.pi * 125, rel=0.03)


def test_a_loft_is_its_cross_sections_joined() -> None:
    cone = Loft.of([(40, 10, 0, 5, 5), (0, 0, 0, 10, 20)])
    assert cone.at(0) == (0, 0, 10, 20)
    assert cone.at(20) == (5, 0, 7.5, 12.5)
    inside, places = cells(cone, step=0.5)
    assert (places[inside] >= np.array(cone.low)).all()
    assert (places[inside] <= np.array(cone.high)).all()
    expected = np.mean([np.pi * cone.at(z)[2] * cone.at(z)[3] for z in np.linspace(0, 40, 400)]) * 40
    assert inside.sum() / 8 == pytest.approx(expected, rel=0.04)


def test_squareness_fills_the_corners_and_moves_no_face() -> None:
    rows = [(0, 0, 0, 10, 20), (10, 0, 0, 10, 20)]
    corner = [np.float32([value]) for value in (5, 7.6, 15.2)]
    faces = [np.float32([value]) for value in (5, 0, 20)]
    assert Loft.of(rows).field(*corner)[0] > 1 >= Loft.of(rows, 0.5).field(*corner)[0]
    assert Loft.of(rows, 0.5).field(*faces)[0] == pytest.approx(1, abs=1e-5)


def test_growing_adds_to_every_side_and_never_turns_inside_out() -> None:
    assert Ellipsoid((0, 0, 0), (5, 6, 7)).grown(2).semi == (7, 8, 9)
    assert min(Ellipsoid((0, 0, 0), (5, 6, 7)).grown(-20).semi) > 0
    assert Loft.of([(0, 0, 0, 4, 5), (9, 0, 0, 4, 5)]).grown(1).half_x == (6, 6)


def test_curves_go_through_their_points_and_tubes_along_them() -> None:
    points = ((0.0, 0.0, 0.0), (10.0, 5.0, 0.0), (20.0, 0.0, 8.0))
    smooth = curve(points, 5)
    np.testing.assert_allclose([smooth[0], smooth[2], smooth[4]], points)
    rods = tube(smooth, (1, 2, 3, 4, 5))
    assert [(rod.radius, rod.end_radius) for rod in rods] == [(1, 2), (2, 3), (3, 4), (4, 5)]
    assert all(rod.end == after.start for rod, after in pairwise(rods))
