"""Scribbles to learn from."""

from __future__ import annotations

import numpy as np

from grisaille.methods.autopaint.published.masks import _distance, training_mask


def test_holes_are_alike_for_a_seed_and_leave_something_to_be_seen() -> None:
    shares = [training_mask((128, 128), np.random.default_rng(seed)).mean() for seed in range(16)]
    assert min(shares) > 0
    assert max(shares) < 0.7
    assert max(shares) > 0.2
    np.testing.assert_array_equal(*(training_mask((64, 96), np.random.default_rng(3)) for _ in range(2)))


def test_nothing_is_thinner_than_three_pixels() -> None:
    from scipy import ndimage

    for seed in range(4):
        hole = training_mask((128, 128), np.random.default_rng(seed))
        edges = np.pad(hole, 4, mode="edge")  # what is cut off at the image's edge goes on
        kept = ndimage.binary_opening(edges, np.ones((2, 2)))[4:-4, 4:-4]
        assert hole[8:-8, 8:-8].sum() - kept[8:-8, 8:-8].sum() < 0.02 * hole.sum() + 10


def test_distances_are_those_to_the_nearest_of_many_points_of_the_segment() -> None:
    rng = np.random.default_rng(0)
    y, x = np.ogrid[:12, :15]
    for _ in range(5):
        start, end = rng.uniform(0, 12, 2), rng.uniform(0, 12, 2)
        points = start + np.linspace(0, 1, 2001)[:, None] * (end - start)
        nearest = np.hypot(y[..., None] - points[:, 0], x[..., None] - points[:, 1]).min(axis=-1)
        np.testing.assert_allclose(_distance(y, x, start, end), nearest, atol=0.01)
