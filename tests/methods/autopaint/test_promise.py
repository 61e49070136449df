"""What healthy scans cost at each cut, counted by hand."""

from __future__ import annotations

import numpy as np

from grisaille.core.calibration import CalibrationSource, Per
from grisaille.core.grid import Grid
from grisaille.imaging.findings import label_above
from grisaille.methods.autopaint.promise import CUTS, calibration, count
from grisaille.methods.scan_count import ScanCount

GRID = Grid.from_spacing((10, 20, 20), 5.0)  # voxels of an eighth of a millilitre
BODY = np.ones(GRID.shape, bool)


def healthy_scan(peak: float = 3.0) -> ScanCount:
    """Background of 0.5, a block of 8 voxels (1 ml) at 3 and one lone voxel at ``peak``."""
    scores = np.full(GRID.shape, 0.5, np.float32)
    scores[2:4, 3:5, 3:5] = 3.0
    scores[8, 15, 15] = peak

    def mark(cut: float) -> np.ndarray:
        return label_above(scores, cut, BODY, smallest_ml=0.1, voxel_ml=GRID.voxel_ml)

    return count(scores, BODY, mark, "a")


def test_findings_are_counted_at_each_cut() -> None:
    one = healthy_scan(peak=20.0)
    assert (one.findings[CUTS <= 3.0] == 2).all()
    assert (one.findings[(CUTS > 3.0) & (CUTS <= 20.0)] == 1).all()
    assert (one.findings[CUTS > 20.0] == 0).all()
    np.testing.assert_allclose(one.voxels[CUTS <= 3.0], 9 / 4000, rtol=1e-6)


def test_cuts_that_half_the_body_reaches_are_not_counted() -> None:
    scores = np.full(GRID.shape, 2.0, np.float32)
    one = count(scores, BODY, lambda cut: (scores >= cut).astype(np.uint16), "a")
    assert np.isinf(one.findings[CUTS <= 2.0]).all()
    assert (one.findings[CUTS > 2.0] == 0).all()
    assert calibration([one], CalibrationSource.PATIENTS).cuts[0] > 2.0


def test_the_promise_ends_with_a_cut_at_which_nothing_is_marked() -> None:
    promise = calibration([healthy_scan(20.0), healthy_scan(6.0)], CalibrationSource.PATIENTS)
    assert promise.scans == 2
    assert promise.patients == 1
    assert promise.body_voxels == 8000
    assert not promise.findings[:, -1].any()
    assert promise.findings[:, -2].any()
    assert 3.0 < promise.cut(1.0, Per.SCAN) < 3.3  # one each from there on


def test_scans_without_any_finding_promise_what_their_number_can() -> None:
    scores = np.full(GRID.shape, 0.5, np.float32)
    one = count(scores, BODY, lambda _: np.zeros(GRID.shape, np.uint16), "a")
    promise = calibration([one], CalibrationSource.SYNTHETIC)
    assert promise.smallest(Per.SCAN) == 0.5
    assert len(promise.cuts) == 1


def test_no_scans_promise_nothing() -> None:
    assert calibration([], CalibrationSource.PATIENTS).source is CalibrationSource.NONE


def test_no_score_reaches_the_last_cut() -> None:
    from grisaille.methods.autopaint.loop import FURTHEST

    assert np.logaddexp(0, FURTHEST) < CUTS[-1]
