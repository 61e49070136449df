"""A threshold is asked in false positives on healthy scans."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.errors import ConfigError, InputError, ShapeError

CUTS = np.array([1.0, 2.0, 3.0, 4.0])


def by_hand() -> Calibration:
    """Three healthy scans; the second one is the noisy one."""
    findings = [[3, 1, 0, 0], [9, 4, 1, 0], [3, 0, 0, 0]]
    voxels = [[0.3, 0.1, 0, 0], [0.6, 0.2, 0.1, 0], [0.3, 0, 0, 0]]
    return Calibration(CalibrationSource.PATIENTS, CUTS, findings, voxels, body_voxels=999, patients=3)


def test_the_mean_is_expected_or_one_more_finding_on_one_more_scan() -> None:
    np.testing.assert_allclose(by_hand().expected(Per.SCAN), [5, 5 / 3, 0.5, 0.25])


def test_the_lowest_cut_that_keeps_the_promise_is_taken() -> None:
    assert by_hand().cut(1.7, Per.SCAN) == 2
    assert by_hand().cut(1.6, Per.SCAN) == 3
    assert by_hand().cut(1.0, Per.SCAN) == 3
    assert by_hand().cut(0.15, Per.VOXEL) == 2


def test_no_promise_is_made_below_what_the_scans_can_carry() -> None:
    assert by_hand().smallest(Per.SCAN) == 1 / 4
    assert by_hand().smallest(Per.VOXEL) == pytest.approx(1 / 1000)
    assert by_hand().cut(0.001, Per.SCAN) == CUTS[-1]


def test_without_healthy_scans_nothing_is_promised() -> None:
    none = Calibration.none()
    assert none.scans == 0
    assert none.smallest(Per.SCAN) == 0
    with pytest.raises(ConfigError, match="never calibrated"):
        none.cut(1.0, Per.SCAN)


def test_a_share_is_not_a_promise() -> None:
    with pytest.raises(ConfigError, match="share"):
        by_hand().cut(0.01, Per.SHARE)
    assert by_hand().smallest(Per.SHARE) == 0


@pytest.mark.parametrize("asked", [0, -1, float("nan")])
def test_a_rate_is_above_zero(asked: float) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        by_hand().cut(asked, Per.SCAN)


@given(hnp.arrays(np.int64, (5, 6), elements=st.integers(0, 20)), st.floats(0.2, 30))
def test_the_expected_rate_falls_and_the_promise_holds_on_the_scans_seen(counts: np.ndarray, asked: float) -> None:
    counts[:, -1] = 0
    made = Calibration("patients", np.arange(6.0), counts, counts / 100.0, body_voxels=100, patients=5)
    rates = made.expected(Per.SCAN)
    assert np.all(np.diff(rates) <= 0)
    cut = made.cut(asked, Per.SCAN)
    assert counts[:, int(cut)].mean() <= max(asked, made.smallest(Per.SCAN))


def test_a_calibration_that_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ShapeError):
        Calibration("patients", CUTS, np.zeros((2, 4)), np.zeros((3, 4)))
    with pytest.raises(InputError, match="one count for each"):
        Calibration("patients", CUTS, np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(InputError, match="ascend"):
        Calibration("patients", CUTS[::-1], np.zeros((2, 4)), np.zeros((2, 4)))
    with pytest.raises(InputError, match="at least one healthy scan"):
        Calibration("synthetic", CUTS, np.zeros((0, 4)), np.zeros((0, 4)))
