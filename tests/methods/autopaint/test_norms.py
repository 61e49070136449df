"""What healthy scores are measured by, against the normal distribution."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.methods.autopaint.norms import RARE, SHARES, Norms, ends, spreads, tail


def normal(seed: int, size: int = 400_000) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


def test_the_spread_of_normal_errors_is_their_standard_deviation() -> None:
    scans = [[normal(1), 3 * normal(2)], [normal(3), 3 * normal(4)]]
    np.testing.assert_allclose(spreads(scans), [1, 3], rtol=0.03)


def test_the_tail_is_the_quantile_of_each_share_and_falls() -> None:
    scores = normal(5)
    found = tail([scores])
    assert (np.diff(found) <= 0).all()
    frequent = SHARES >= 1e-4
    np.testing.assert_allclose(found[frequent], np.quantile(scores, 1 - SHARES[frequent]), rtol=0.02, atol=0.01)
    high, low = ends(found)
    assert high == pytest.approx(3.09, abs=0.05)
    assert low == pytest.approx(2.33, abs=0.03)


def test_each_scan_counts_alike_however_large() -> None:
    found = tail([np.full(10, 5.0, np.float32), np.full(1000, 1.0, np.float32)])
    assert np.interp(0.1, SHARES, found) == pytest.approx(5.0, rel=0.01)  # half of all tissue, though few voxels


def test_what_spreads_is_ten_times_as_frequent() -> None:
    found = tail([normal(6)])
    norms = Norms(np.ones(2), *ends(found), found)
    high = float(np.interp(RARE, SHARES, found))
    assert norms.spreading(high) == pytest.approx(float(np.interp(10 * RARE, SHARES, found)), rel=0.01)
    lows = [norms.spreading(cut) for cut in (0.5, 1.0, 3.0, 8.0, 50.0)]
    assert lows == sorted(lows)
    assert norms.spreading(50.0) <= 50.0


def test_norms_and_their_arrays_are_inverse() -> None:
    found = tail([normal(7, 1000)])
    one = Norms(np.array([1.0, 2.0]), 3.0, 2.0, found)
    again = Norms.from_arrays(one.arrays())
    np.testing.assert_array_equal(again.spreads, one.spreads)
    np.testing.assert_array_equal(again.tail, one.tail)
    assert (again.high, again.low) == (one.high, one.low)


def test_unmeasured_norms_still_order() -> None:
    norms = Norms.unmeasured(3)
    assert norms.low < norms.high
    assert norms.spreading(4.0) < 4.0
