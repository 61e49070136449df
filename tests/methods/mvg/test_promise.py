"""What healthy scans cost at each cut, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.calibration import CalibrationSource, Per
from grisaille.core.errors import InputError
from grisaille.core.grid import Grid
from grisaille.methods.kept_calibrations import calibration_arrays, calibration_from
from grisaille.methods.mvg.fitting import split_patients
from grisaille.methods.mvg.promise import CUTS, calibration, count_scan
from grisaille.methods.scan_count import COUNTED_SHARE, MOST_SHARE, ScanCount, counting_grid, subsets

GRID = Grid.from_spacing((10, 20, 20), 5.0)  # voxels of an eighth of a millilitre


def healthy_scan(peak: float = 0.0, patient: str = "a") -> ScanCount:
    """Background of 1, a block of 8 voxels (1 ml) at 3 and one lone voxel at ``peak``."""
    scores = np.full(GRID.shape, 1.0, np.float32)
    scores[2:4, 3:5, 3:5] = 3.0
    scores[8, 15, 15] = peak
    return count_scan(scores, np.ones(GRID.shape, bool), GRID, 0.5, patient)


def test_findings_are_counted_by_cut_and_the_small_ones_left_out() -> None:
    count = healthy_scan(peak=50.0)
    assert np.isinf(count.findings[CUTS <= 1.0]).all()  # all of the body is marked
    assert (count.findings[(CUTS > 1.0) & (CUTS <= 3.0)] == 1).all()
    assert (count.findings[CUTS > 3.0] == 0).all()
    between = (CUTS > 3.0) & (CUTS <= 50.0)
    np.testing.assert_allclose(count.voxels[between], 1 / GRID.size)
    assert (count.voxels[CUTS > 50.0] == 0).all()
    assert count.body_voxels == GRID.size


def test_only_the_body_counts() -> None:
    scores = np.full(GRID.shape, 9.0, np.float32)
    body = np.zeros(GRID.shape, bool)
    body[:5] = True
    scores[:5] = 1.0
    count = count_scan(scores, body, GRID, 0.5, "a")
    assert (count.findings[CUTS > 1.0] == 0).all()
    assert (count.voxels[CUTS > 1.0] == 0).all()


def test_a_calibration_starts_where_findings_are_told_apart_and_ends_beyond_the_last_voxel() -> None:
    one = calibration([healthy_scan(50.0, "a"), healthy_scan(5.0, "b")], CalibrationSource.PATIENTS)
    assert one.scans == one.patients == 2
    assert np.isfinite(one.findings).all()
    assert one.voxels.mean(axis=0).max() <= MOST_SHARE <= COUNTED_SHARE
    assert one.voxels[:, -1].max() == 0
    assert one.cuts[-1] > 50.0
    assert one.cut(1.0, Per.SCAN) == CUTS[CUTS > 1.0][0]
    assert 3.0 < one.cut(0.5, Per.SCAN) < 3.1
    again = calibration_from(calibration_arrays(one), {"source": "patients", "body_voxels": 8000, "patients": 2})
    np.testing.assert_array_equal(again.findings, one.findings)


def test_no_scans_promise_nothing() -> None:
    nothing = calibration([], CalibrationSource.PATIENTS)
    assert nothing.source is CalibrationSource.NONE
    about = {"source": "none", "body_voxels": 0, "patients": 0}
    assert calibration_from(calibration_arrays(nothing), about).source is CalibrationSource.NONE


def test_maps_are_counted_no_finer_than_needed() -> None:
    fine = Grid.from_spacing((20, 40, 40), (3.0, 1.0, 1.0))
    assert counting_grid(fine).spacing_mm == pytest.approx((3.0, 2.0, 2.0))
    assert counting_grid(GRID) is GRID


def test_a_patient_is_never_split_over_folds() -> None:
    patients = [f"p{number % 7}" for number in range(20)]
    folds = split_patients(patients, 4, seed=3)
    assert sorted(number for fold in folds for number in fold) == list(range(20))
    for fold in folds:
        inside = {patients[number] for number in fold}
        assert not inside & {patients[number] for number in range(20) if number not in fold}
    assert folds == split_patients(patients, 4, seed=3)
    assert len(split_patients(["a", "b"], 10, seed=0)) == 2
    with pytest.raises(InputError, match="at least 2"):
        split_patients(["a", "a"], 10, seed=0)


def test_a_study_may_have_each_modality_alone_or_all() -> None:
    assert subsets(["pet", "ct"]) == [("ct",), ("pet",), ("ct", "pet")]
    assert subsets(["pet"]) == [("pet",)]
