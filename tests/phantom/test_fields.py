"""Smooth random fields."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.phantom.fields import BODY_HIGH_MM, BODY_LOW_MM, SmoothField


@pytest.fixture(scope="module")
def field() -> SmoothField:
    return SmoothField.drawn(np.random.default_rng(3), 40.0)


def test_fields_have_about_unit_variance(field: SmoothField) -> None:
    values = field.on_lattice(np.arange(400, 1800, 15), np.arange(-250, 250, 15), np.arange(-390, 390, 15))
    assert abs(values.mean()) < 0.08
    assert values.std() == pytest.approx(1.0, abs=0.08)


def test_a_place_has_one_value_whatever_lattice_looks_at_it(field: SmoothField) -> None:
    coarse = field.on_lattice([600, 900], [-50, 50], [0, 120])
    fine = field.on_lattice(np.arange(600, 901, 4), np.arange(-50, 51, 4), np.arange(0, 121, 4))
    np.testing.assert_allclose(coarse, fine[::75, ::25, ::30], atol=1e-5)


def test_fields_are_smooth_and_axes_are_not_mixed_up(field: SmoothField) -> None:
    lines = (np.arange(700, 760, 1.0), np.arange(-30, 10, 1.0), np.arange(20, 70, 1.0))
    values = field.on_lattice(*lines)
    assert values.shape == (60, 40, 50)
    assert max(np.abs(np.diff(values, axis=axis)).max() for axis in range(3)) < 0.2
    at = field.on_lattice([lines[0][50]], [lines[1][30]], [lines[2][10]])
    assert at[0, 0, 0] == pytest.approx(values[50, 30, 10], abs=1e-5)


def test_fields_stand_still_beyond_the_body(field: SmoothField) -> None:
    edge = field.on_lattice([BODY_LOW_MM[0]], [0], [BODY_HIGH_MM[2]])
    beyond = field.on_lattice([BODY_LOW_MM[0] - 500], [0], [BODY_HIGH_MM[2] + 500])
    assert np.isfinite(beyond).all()
    assert np.isfinite(edge).all()
