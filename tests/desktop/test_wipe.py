"""Two arrays as one, whatever is asked of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grisaille.desktop.wipe import Mixed, Wiped

SHAPE = (3, 4, 5)
FIRST = np.arange(60, dtype=np.float32).reshape(SHAPE)
SECOND = FIRST + 1000


def composed(axis: int, cut: int, *, second_first: bool) -> np.ndarray:
    """The same, put together at once."""
    is_before = np.indices(SHAPE)[axis] < cut
    return np.where(is_before != second_first, FIRST, SECOND)


def keys() -> st.SearchStrategy[tuple[int | slice, ...]]:
    return st.tuples(*(st.integers(0, size - 1) | st.slices(size) for size in SHAPE))


@given(keys(), st.integers(0, 2), st.integers(-2, 7), st.booleans())
def test_any_slice_is_that_of_the_two_put_together(
    key: tuple[int | slice, ...], axis: int, cut: int, second_first: bool
) -> None:
    along = key[axis]
    if isinstance(along, slice) and (along.step or 1) < 0:
        key = (*key[:axis], slice(None), *key[axis + 1 :])
    wiped = Wiped(FIRST, SECOND)
    wiped.aim(axis, cut, second_first=second_first)
    np.testing.assert_array_equal(wiped[key], composed(axis, cut, second_first=second_first)[key])


def test_it_is_the_first_until_it_is_cut_and_looks_like_an_array() -> None:
    wiped = Wiped(FIRST, SECOND)
    assert (wiped.shape, wiped.dtype, wiped.ndim, wiped.size) == (SHAPE, np.float32, 3, 60)
    np.testing.assert_array_equal(np.asarray(wiped), FIRST)
    np.testing.assert_array_equal(wiped[1], FIRST[1])


def test_a_slice_is_a_copy_and_the_arrays_stay_as_they_are() -> None:
    wiped = Wiped(FIRST, SECOND)
    wiped.aim(2, 2)
    wiped[0][:] = -1
    assert FIRST.min() == 0
    assert SECOND.min() == 1000


def test_changing_sides_twice_is_changing_nothing() -> None:
    wiped = Wiped(FIRST, SECOND)
    for second_first in (True, True, False):
        wiped.aim(0, 1, second_first=second_first)
    np.testing.assert_array_equal(wiped[0], FIRST[0])
    np.testing.assert_array_equal(wiped[1], SECOND[1])


@pytest.mark.parametrize("cut", [0, 5])
def test_a_cut_at_the_edge_leaves_one_of_the_two(cut: int) -> None:
    wiped = Wiped(FIRST, SECOND)
    wiped.aim(2, cut)
    np.testing.assert_array_equal(np.asarray(wiped), FIRST if cut else SECOND)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_mixture_is_each_value_in_its_share_however_it_is_asked_for(dtype: type, share: float) -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 200, (3, 4, 5)).astype(dtype) for _ in range(2))
    mixed = Mixed(first, second)
    mixed.share = share
    exact = (1 - share) * first.astype(float) + share * second.astype(float)
    expected = exact if dtype is np.float32 else np.rint(np.round(exact, 4))
    for key in ((1,), (slice(None), 2), (slice(None), slice(1, 3), 4), (1, 2, 3)):
        assert mixed[key].dtype == dtype
        np.testing.assert_allclose(mixed[key], expected[key], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(np.asarray(mixed), expected, rtol=1e-5, atol=1e-4)
    if share in (0, 1):
        np.testing.assert_array_equal(mixed[0], (second if share else first)[0])
