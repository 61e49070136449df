"""Measures of agreement: by hand, and against a slow version that counts voxels in sets."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.errors import ShapeError
from grisaille.imaging.findings import components
from grisaille.imaging.metrics import (
    average_precision,
    covered_shares,
    dice,
    false_findings,
    lesion_dices,
    unmatched_ml,
)
from oracles import slow_metrics as slow


def row(text: str) -> np.ndarray:
    """(1, 1, n) numbers from digits."""
    return np.array([[list(map(int, text))]], dtype=np.uint16)


@pytest.fixture(params=range(4))
def pair(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Marked and true voxels, drawn."""
    rng = np.random.default_rng(request.param)
    return rng.random((6, 7, 8)) < 0.12, rng.random((6, 7, 8)) < 0.08


def test_dice_counts_the_overlap_twice():
    assert dice(row("0110") > 0, row("0011") > 0) == 0.5


def test_dice_of_nothing_to_find_is_none():
    assert dice(row("0110") > 0, row("0000") > 0) is None


def test_things_of_other_shapes_are_refused():
    with pytest.raises(ShapeError):
        dice(row("01") > 0, row("011") > 0)


def test_volumes_count_whole_parts_that_nothing_touches():
    marked, truth = row("1101001") > 0, row("0100011") > 0
    assert unmatched_ml(marked, truth, voxel_ml=0.5) == 0.5  # the fourth voxel alone
    assert unmatched_ml(truth, marked, voxel_ml=0.5) == 0.0


def test_parts_that_touch_by_a_corner_alone_are_two_as_in_autopet():
    mask = np.zeros((2, 2, 2), dtype=bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    truth = np.zeros_like(mask)
    truth[0, 0, 0] = True
    assert unmatched_ml(mask, truth, 1.0) == 1.0
    assert unmatched_ml(mask, truth, 1.0, connectivity=26) == 0.0


def test_a_finding_is_false_only_if_it_touches_no_lesion():
    assert false_findings(row("1102203"), row("0000100") > 0) == 2
    assert false_findings(row("000"), row("010") > 0) == 0


def test_shares_and_dice_of_lesions_come_by_ascending_number_gaps_left_out():
    lesions, findings = row("1111033"), row("0011100")
    assert covered_shares(findings > 0, lesions).tolist() == [0.5, 0.0]
    assert lesion_dices(findings, lesions).tolist() == [pytest.approx(2 * 2 / (4 + 3)), 0.0]


def test_no_lesion_gives_no_figures():
    nothing = row("000")
    assert covered_shares(row("010") > 0, nothing).size == 0
    assert lesion_dices(row("010"), nothing).size == 0
    assert average_precision(np.ones((1, 1, 3)), nothing > 0, nothing == 0) is None


def test_all_measures_agree_with_the_slow_version(pair):
    marked, truth = pair
    findings, lesions = components(marked), components(truth)
    assert dice(marked, truth) == pytest.approx(slow.dice(marked, truth))
    assert unmatched_ml(marked, truth, 1.0) == slow.unmatched(marked, truth)
    assert unmatched_ml(truth, marked, 1.0) == slow.unmatched(truth, marked)
    assert false_findings(findings, truth) == sum(1 for part in slow.parts(marked, 3) if not part & slow.voxels(truth))
    assert covered_shares(marked, lesions).tolist() == pytest.approx(slow.covered(marked, lesions))
    assert lesion_dices(findings, lesions).tolist() == pytest.approx(slow.lesion_dices(findings, lesions))


def test_average_precision_counts_judged_and_true_voxels_ties_together(pair):
    judged, truth = pair
    scores = np.random.default_rng(5).integers(0, 6, truth.shape).astype(float)
    counted = judged | truth
    expected = slow.average_precision(scores[counted].tolist(), truth[counted].tolist())
    assert average_precision(scores, truth, judged) == pytest.approx(expected)
