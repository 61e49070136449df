"""The one-pass Gaussian against scikit-learn, against itself in parts, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grisaille.core.errors import ConfigError, InputError, ShapeError
from grisaille.methods.mvg.gaussian import Gaussian, Moments, ledoit_wolf, shrunk
from grisaille.methods.mvg.reduction import Reduction, principal_directions, reduced_gaussian
from oracles import sklearn_gaussian


def correlated(rng: np.random.Generator, rows: int, dimensions: int, centre: float = 0.0) -> np.ndarray:
    """Rows with a geometric spectrum, like deep features."""
    mixing = rng.standard_normal((dimensions, dimensions)) * np.geomspace(1, 1e-2, dimensions)
    return rng.standard_normal((rows, dimensions)) @ mixing.T + centre


def moments_in_chunks(rows: np.ndarray, chunks: int) -> Moments:
    total = Moments.zero(rows.shape[1])
    for chunk in np.array_split(rows, chunks):
        total = total + Moments.of(chunk)
    return total


def assert_same_moments(a: Moments, b: Moments, tolerance: float = 1e-9) -> None:
    assert a.count == b.count
    np.testing.assert_allclose(a.mean, b.mean, rtol=tolerance, atol=tolerance * np.abs(b.mean).max())
    np.testing.assert_allclose(a.scatter, b.scatter, rtol=0, atol=tolerance * np.abs(b.scatter).max())
    np.testing.assert_allclose(a.cubic, b.cubic, rtol=0, atol=tolerance * b.quartic**0.75)
    assert a.quartic == pytest.approx(b.quartic, rel=tolerance)


@pytest.mark.parametrize(("rows", "dimensions"), [(500, 24), (60, 112), (900, 320), (200, 448)])
def test_distances_equal_scikit_learns_in_float64(rows: int, dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    train, test = correlated(rng, rows, dimensions, centre=3.0), correlated(rng, 40, dimensions)
    moments = moments_in_chunks(train, 6)
    covariance = ledoit_wolf(moments)
    shrinkage, matrix = sklearn_gaussian.shrinkage_and_covariance(train)
    assert covariance.shrinkage == pytest.approx(shrinkage, abs=1e-12)
    np.testing.assert_allclose(covariance.matrix, matrix, rtol=0, atol=1e-12 * np.abs(matrix).max())
    ours = Gaussian.of(moments.mean, covariance).distances(test)
    np.testing.assert_allclose(ours, sklearn_gaussian.distances(train, test), rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(2, 60),
    dimensions=st.integers(1, 12),
    cut=st.integers(0, 60),
    centre=st.floats(-1e3, 1e3),
    seed=st.integers(0, 2**16),
)
def test_parts_add_up_and_come_off_again(rows: int, dimensions: int, cut: int, centre: float, seed: int) -> None:
    data = np.random.default_rng(seed).standard_normal((rows, dimensions)) + centre
    left, right = data[: min(cut, rows)], data[min(cut, rows) :]
    whole = Moments.of(left) + Moments.of(right)
    assert_same_moments(whole, Moments.of(data), 1e-8)
    if len(right) > 2:
        assert_same_moments(whole - Moments.of(left), Moments.of(right), 1e-6)


def test_a_patient_is_removed_as_if_never_seen() -> None:
    rng = np.random.default_rng(3)
    patients = [correlated(rng, 40, 64) + rng.standard_normal(64) for _ in range(12)]
    total = moments_in_chunks(np.concatenate(patients), 12)
    without = total - Moments.of(patients[5])
    refit = Moments.of(np.concatenate(patients[:5] + patients[6:]))
    probe = rng.standard_normal((50, 64))
    np.testing.assert_allclose(
        Gaussian.of(without.mean, ledoit_wolf(without)).distances(probe),
        Gaussian.of(refit.mean, ledoit_wolf(refit)).distances(probe),
        rtol=1e-9,
    )


def test_what_lies_too_far_off_is_not_subtracted() -> None:
    rng = np.random.default_rng(0)
    near, far = Moments.of(rng.standard_normal((50, 4))), Moments.of(rng.standard_normal((50, 4)) + 1e7)
    with pytest.raises(InputError, match="merge the remaining patients again"):
        _ = (near + far) - far


def test_more_rows_than_there_are_cannot_be_removed() -> None:
    few, many = Moments.of(np.eye(3)), Moments.of(np.ones((9, 3)))
    with pytest.raises(InputError, match="cannot be removed"):
        _ = few - many


def test_removing_all_leaves_nothing() -> None:
    moments = Moments.of(np.eye(3))
    assert (moments - moments).count == 0


def test_two_points_by_hand() -> None:
    # x = -1, 1 in one dimension: variance 1, no shrinkage to speak of in one dimension.
    moments = Moments.of([[-1.0], [1.0]])
    gaussian = Gaussian.of(moments.mean, ledoit_wolf(moments))
    np.testing.assert_allclose(gaussian.distances([[3.0], [0.0]]), [3.0, 0.0], rtol=1e-7)
    assert gaussian.degrees == 1


@pytest.mark.parametrize("rows", [np.ones((5, 3)), np.ones((1, 3)), np.zeros((0, 3))])
def test_rows_without_spread_are_refused(rows: np.ndarray) -> None:
    with pytest.raises(InputError):
        ledoit_wolf(Moments.of(rows))


def test_shapes_are_checked() -> None:
    moments = Moments.of(np.eye(3))
    with pytest.raises(ShapeError):
        Moments.of(np.ones(3))
    with pytest.raises(ShapeError):
        _ = moments + Moments.of(np.eye(2))
    with pytest.raises(ShapeError):
        Gaussian.of(moments.mean, ledoit_wolf(moments)).distances(np.ones((2, 2)))


def test_normal_rows_need_no_fourth_moment() -> None:
    rows = np.random.default_rng(1).standard_normal((4000, 20)) * np.geomspace(1, 0.1, 20)
    moments = Moments.of(rows)
    assert shrunk(moments.scatter, moments.count).shrinkage == pytest.approx(ledoit_wolf(moments).shrinkage, rel=0.1)


def test_moments_survive_a_file() -> None:
    moments = Moments.of(np.random.default_rng(1).standard_normal((9, 4)))
    assert_same_moments(Moments.from_arrays(moments.arrays()), moments, 0)


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_pca_keeps_as_many_directions_as_scikit_learn(share: float) -> None:
    rows = correlated(np.random.default_rng(7), 300, 30)
    directions = principal_directions(Moments.of(rows).scatter, Reduction.PCA, share)
    assert directions is not None
    assert len(directions) == sklearn_gaussian.principal_components_kept(rows, share)
    np.testing.assert_allclose(directions @ directions.T, np.eye(len(directions)), atol=1e-12)


def test_npca_keeps_all_where_one_direction_explains_the_share() -> None:
    rows = np.random.default_rng(7).standard_normal((300, 64))
    rows[:, 0] *= 1e3
    directions = principal_directions(Moments.of(rows).scatter, Reduction.NPCA, 0.99)
    assert directions is not None
    assert len(directions) == 64


def test_npca_never_keeps_the_null_space() -> None:
    rows = np.random.default_rng(7).standard_normal((20, 64))
    directions = principal_directions(Moments.of(rows).scatter, Reduction.NPCA, 0.5)
    assert directions is not None
    assert 0 < len(directions) < 20


def test_pca_and_npca_share_out_the_distance() -> None:
    rng = np.random.default_rng(5)
    rows, probe = correlated(rng, 300, 20), correlated(rng, 9, 20)
    moments = Moments.of(rows)
    whole = reduced_gaussian(moments, Reduction.NONE, 0.9).distances(probe)
    pca, npca = (reduced_gaussian(moments, kind, 0.9).distances(probe) for kind in (Reduction.PCA, Reduction.NPCA))
    # The two overlap in two directions, so together they are at least the whole.
    assert np.all(pca**2 + npca**2 >= whole**2 * (1 - 1e-9))
    assert np.all(pca <= whole * (1 + 1e-9))
    assert np.all(npca <= whole * (1 + 1e-9))


def test_a_share_out_of_bounds_is_refused() -> None:
    with pytest.raises(ConfigError):
        principal_directions(np.eye(3), Reduction.PCA, 1.5)
