"""Figures over the pixels of many pictures: by hand, and against a slow version that tries every cut."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from grisaille.core.errors import ShapeError
from grisaille.imaging.pixel_metrics import PixelCounts, picture_figures
from oracles import slow_metrics
from oracles import slow_pixel_metrics as slow


def counted(maps: np.ndarray, masks: np.ndarray) -> PixelCounts:
    counts = PixelCounts(float(maps.min()), float(maps.max()))
    for one, mask in zip(maps, masks, strict=True):
        counts.count(one, mask)
    return counts


@pytest.mark.parametrize("seed", range(4))
def test_all_figures_agree_with_the_slow_version(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = rng.random((5, 12, 14)) < 0.08
    masks[3] = False  # a healthy picture
    maps = (rng.random(masks.shape) + 0.4 * seed * masks).astype(np.float32)
    figures = counted(maps, masks).figures()
    scores = np.rint((maps - maps.min()) / (maps.max() - maps.min()) * 10**6)
    assert figures.auroc == pytest.approx(slow.auroc(scores, masks), abs=1e-4)
    wanted = slow_metrics.average_precision(scores.ravel().tolist(), masks.ravel().tolist())
    assert figures.precision == pytest.approx(wanted, abs=1e-3)
    assert figures.aupro == pytest.approx(slow.aupro(maps, masks), abs=1e-9)


def test_regions_that_touch_by_a_corner_are_one_and_each_counts_the_same() -> None:
    masks, maps = np.zeros((1, 4, 8), bool), np.zeros((1, 4, 8), np.float32)
    masks[0, 0, 0] = masks[0, 1, 1] = masks[0, 3, 7] = True
    maps[masks] = 1
    maps[0, 1, 1] = 0.5  # half of the first region
    maps[0, 2, 0] = 0.75  # one healthy pixel of 29
    counts = counted(maps, masks)
    assert counts.regions == 2
    assert counts.overlaps[120] == pytest.approx(0.5 + 1)
    assert counts.figures().aupro == pytest.approx(slow.aupro(maps, masks))


def test_a_map_that_is_the_mask_is_perfect() -> None:
    masks = np.zeros((2, 9, 9), bool)
    masks[0, 2:5, 2:5] = True
    ramp = np.linspace(0, 0.5, masks.size, dtype=np.float32).reshape(masks.shape)
    figures = counted(masks + ramp, masks).figures()
    assert (figures.auroc, figures.precision, figures.aupro) == (1, 1, 1)


def test_what_is_not_defined_is_none() -> None:
    maps = np.random.default_rng(0).random((1, 6, 6)).astype(np.float32)
    for masks in (np.zeros(maps.shape, bool), np.ones(maps.shape, bool)):
        assert counted(maps, masks).figures().auroc is None
        assert counted(maps, masks).figures().aupro is None
    half = np.arange(6) < 3
    flat = counted(np.ones((1, 6, 6), np.float32), np.broadcast_to(half, (1, 6, 6))).figures()
    assert flat.auroc == 0.5
    assert flat.aupro is None


def test_the_order_of_pictures_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    maps, masks = rng.random((4, 8, 8)).astype(np.float32), rng.random((4, 8, 8)) < 0.2
    one, other = counted(maps, masks).figures(), counted(maps[::-1], masks[::-1]).figures()
    assert (one.auroc, one.precision) == (other.auroc, other.precision)
    assert one.aupro == pytest.approx(other.aupro)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="mask of a picture"):
        PixelCounts(0, 1).count(np.zeros((4, 4), np.float32), np.zeros((4, 5), bool))


def test_scores_of_pictures_are_ranked_ties_by_half() -> None:
    scores, abnormal = np.array([0.1, 0.5, 0.5, 0.9]), np.array([False, False, True, True])
    auroc, precision = picture_figures(scores, abnormal)
    assert auroc == slow.auroc(scores, abnormal) == 0.875
    assert precision == pytest.approx(slow_metrics.average_precision(scores.tolist(), abnormal.tolist()))
