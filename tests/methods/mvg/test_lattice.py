"""Functions of the place: partition of unity, fits that add up, and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grisaille.methods.mvg.lattice import FieldSums, Lattice
from grisaille.methods.mvg.levels import nearest_nodes
from grisaille.methods.mvg.scale import SMALLEST_SPREAD, LocalScale, scale_sums

LATTICE = Lattice.around((0, 0, 0), (60, 40, 20), (20.0, 20.0, 20.0))
RNG = np.random.default_rng(0)


def node_places(lattice: Lattice) -> np.ndarray:
    return np.indices(lattice.shape).reshape(3, -1).T * lattice.step_mm + lattice.low_mm


def linear(places: np.ndarray) -> np.ndarray:
    return np.stack([2 + places @ (0.1, -0.2, 0.3), places @ (1.0, 0.0, -1.0)], axis=1)


@settings(max_examples=50, deadline=None)
@given(
    low=st.tuples(*[st.floats(-500, 500)] * 3),
    extent=st.tuples(*[st.floats(0, 300)] * 3),
    step=st.floats(5, 100),
)
def test_a_lattice_holds_its_box_and_little_more(
    low: tuple[float, ...], extent: tuple[float, ...], step: float
) -> None:
    high = np.add(low, extent)
    lattice = Lattice.around(low, high, (step, step, step))
    last = np.asarray(lattice.low_mm) + (np.asarray(lattice.shape) - 1) * step
    assert np.all(np.asarray(lattice.low_mm) <= np.asarray(low) + 1e-6)
    assert np.all(last >= high - 1e-6)
    assert np.all(last - lattice.low_mm < np.asarray(extent) + step + 1e-6)


def test_weights_sum_to_one_and_are_linear_between_nodes() -> None:
    places = RNG.uniform((0, 0, 0), (60, 40, 20), (200, 3))
    weights = LATTICE.weights(places)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(weights @ linear(node_places(LATTICE)), linear(places), atol=1e-9)


def test_beyond_the_outer_nodes_functions_are_constant() -> None:
    values = linear(node_places(LATTICE))
    beyond = LATTICE.weights([[900.0, -900.0, 900.0]]) @ values
    np.testing.assert_allclose(beyond, linear(np.array([[60.0, 0.0, 20.0]])))


def test_a_linear_function_is_recovered_without_stiffness() -> None:
    places = RNG.uniform((0, 0, 0), (60, 40, 20), (4000, 3))
    sums = FieldSums.of(LATTICE.weights(places), linear(places))
    values = sums.node_values(LATTICE, stiffness=0.0)
    np.testing.assert_allclose(values, linear(node_places(LATTICE)), atol=1e-5)
    assert np.abs(sums.residual_scatter(values)).max() < 1e-4


def test_a_stiff_function_is_constant() -> None:
    places = RNG.uniform((0, 0, 0), (60, 40, 20), (500, 3))
    rows = linear(places)
    values = FieldSums.of(LATTICE.weights(places), rows).node_values(LATTICE, stiffness=1e9)
    np.testing.assert_allclose(values, np.broadcast_to(rows.mean(axis=0), values.shape), atol=1e-3)


def test_nodes_that_saw_nothing_take_what_their_neighbours_have() -> None:
    places = np.tile([[0.0, 0.0, 0.0]], (50, 1))
    values = FieldSums.of(LATTICE.weights(places), np.full((50, 1), 7.0)).node_values(LATTICE, stiffness=8.0)
    np.testing.assert_allclose(values, 7.0, rtol=1e-5)


def test_residual_scatter_is_that_of_the_residuals() -> None:
    places, rows = RNG.uniform(0, 40, (300, 3)), RNG.standard_normal((300, 4))
    weights = LATTICE.weights(places)
    sums = FieldSums.of(weights, rows)
    values = sums.node_values(LATTICE, 3.0)
    residuals = rows - weights @ values
    np.testing.assert_allclose(sums.residual_scatter(values), residuals.T @ residuals, rtol=1e-9, atol=1e-9)


def test_sums_of_parts_add_up_and_come_off_again() -> None:
    places, rows = RNG.uniform(0, 40, (300, 3)), RNG.standard_normal((300, 4))
    weights = LATTICE.weights(places)
    whole, left, right = FieldSums.of(weights, rows), *(
        FieldSums.of(weights[part], rows[part]) for part in (slice(0, 100), slice(100, 300))
    )  # fmt: skip
    expected = whole.node_values(LATTICE, 8.0)
    np.testing.assert_allclose((left + right).node_values(LATTICE, 8.0), expected, rtol=1e-9, atol=1e-12)
    zero = FieldSums.zero(LATTICE.size, 4)
    np.testing.assert_allclose((zero + whole).node_values(LATTICE, 8.0), expected)
    np.testing.assert_allclose(
        (whole - left).node_values(LATTICE, 8.0), right.node_values(LATTICE, 8.0), rtol=1e-9, atol=1e-12
    )
    assert (whole - left).count == right.count == 200


def test_roughness_sums_squared_steps_between_neighbours() -> None:
    lattice = Lattice((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (2, 3, 1))
    values = np.array([0.0, 1.0, 3.0, 5.0, 5.0, 5.0])  # rows of three, two of them
    steps = [1, 2, 0, 0, 5, 4, 2]
    assert values @ (lattice.roughness() @ values) == pytest.approx(sum(step**2 for step in steps))


def test_the_nearest_node_is_nearest() -> None:
    places = RNG.uniform((-30, -30, -30), (90, 70, 50), (200, 3))
    away = np.linalg.norm(places[:, None] - node_places(LATTICE)[None], axis=2)
    chosen = away[np.arange(len(places)), nearest_nodes(LATTICE, places)]
    np.testing.assert_allclose(chosen, away.min(axis=1), atol=1e-9)


def test_standardised_distances_have_mean_0_and_spread_1_everywhere() -> None:
    places = RNG.uniform((0, 0, 0), (60, 40, 20), (40_000, 3))
    # The usual distance may change by about a spread from node to node, not by many.
    usual, spread = 5 + places[:, 0] / 100, 0.5 + places[:, 1] / 40
    distances = usual + spread * RNG.standard_normal(len(places))
    scale = LocalScale.of(LATTICE, scale_sums(LATTICE, distances, places), 8.0)
    scores = scale.standardised(distances, places)
    for corner in (places[:, 0] < 20, places[:, 0] > 40, places[:, 1] < 10, places[:, 1] > 30):
        assert scores[corner].mean() == pytest.approx(0, abs=0.05)
        assert scores[corner].std() == pytest.approx(1, abs=0.1)


def test_where_all_distances_are_equal_the_spread_has_a_floor() -> None:
    places = RNG.uniform((0, 0, 0), (60, 40, 20), (4000, 3))
    distances = np.where(places[:, 0] < 30, 2.0, 6.0)
    scale = LocalScale.of(LATTICE, scale_sums(LATTICE, distances, places), 0.1)
    overall = distances.std()
    assert scale.values[:, 1].min() >= SMALLEST_SPREAD * overall * (1 - 1e-6)
