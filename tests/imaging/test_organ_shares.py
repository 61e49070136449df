"""The most anomalous share of each organ: no organ is cut by the scores of another."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.imaging.organ_shares import top_shares

SHAPE = (6, 10, 20)
BODY = np.ones(SHAPE, dtype=bool)


def noise(seed=0):
    return np.random.default_rng(seed).random(SHAPE).astype(np.float32)


def halves():
    organs = np.ones(SHAPE, np.uint16)
    organs[..., 10:] = 7
    return organs


@pytest.mark.parametrize("share", [1e-4, 0.01, 0.2, 1.0])
def test_of_each_organ_its_highest_scores_are_marked_and_no_more_than_the_share(share):
    scores, organs = noise(), halves()
    marked = top_shares(scores, BODY, organs, share)
    for number in (1, 7):
        top, rest = scores[(organs == number) & marked], scores[(organs == number) & ~marked]
        assert 1 <= top.size <= share * 600 + 1
        assert rest.size == 0 or top.min() > rest.max()


def test_an_organ_is_cut_whatever_its_neighbours_score():
    organs = halves()
    quiet = top_shares(noise(), BODY, organs, 0.05)
    loud = top_shares(np.where(organs == 7, 100 + 50 * noise(), noise()), BODY, organs, 0.05)
    assert np.array_equal(quiet, loud)


def test_one_organ_that_is_the_body_is_cut_as_the_body():
    scores = noise()
    body = scores < 0.9
    expected = body & (scores >= np.quantile(scores[body], 0.97))
    assert np.array_equal(top_shares(scores, body, np.ones(SHAPE, np.uint16), 0.03), expected)


def test_what_lies_in_no_organ_or_was_not_judged_is_not_marked():
    organs = halves()
    organs[:3] = 0
    body = BODY.copy()
    body[:, 5:] = False
    marked = top_shares(noise(), body, organs, 0.5)
    assert marked[3:, :5].any()
    assert not marked[:3].any()
    assert not marked[:, 5:].any()
    assert not top_shares(noise(), ~BODY, organs, 0.5).any()


def test_an_even_organ_is_not_marked_and_its_one_odd_voxel_is():
    scores, organs = np.zeros(SHAPE, np.float32), halves()
    scores[2, 4, 15] = 1.0
    marked = top_shares(scores, BODY, organs, 0.1)
    assert np.argwhere(marked).tolist() == [[2, 4, 15]]


def test_equal_scores_that_stand_out_are_marked_together():
    scores, organs = np.zeros(SHAPE, np.float32), halves()
    scores[2:4, 4:8, 12:16] = 1.0
    assert np.array_equal(top_shares(scores, BODY, organs, 0.01), scores > 0)
