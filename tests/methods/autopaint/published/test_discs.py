"""The published gates, against pixels counted one by one."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.methods.autopaint.published.discs import (
    PIXEL_MM,
    RADIUS_MM,
    dilated_seeds,
    disc_area,
    discs_at,
    grey,
    united,
    worth_painting,
)


def test_on_their_own_pixels_the_figures_are_theirs() -> None:
    seeds = np.zeros((64, 64), bool)
    seeds[20:40, 20:40] = True
    discs = discs_at(seeds, PIXEL_MM)
    assert len(discs) == len(range(0, 400, 19 * 8))
    assert discs[0].sum() == sum(y * y + x * x <= 19 * 19 for y in range(-19, 45) for x in range(-19, 45))
    assert disc_area(PIXEL_MM) == pytest.approx(np.pi * 19**2)
    hot = np.zeros((64, 64), np.float32)
    hot[30, 30], hot[5, 5] = 6.6, 6.5
    spread = np.zeros((64, 64), bool)
    spread[24:37, 24:37] = True
    np.testing.assert_array_equal(dilated_seeds(hot, PIXEL_MM), spread)


@pytest.mark.parametrize("spacing_mm", [2.0, 4.0, 6.0])
def test_discs_cover_the_same_millimetres_on_coarser_pixels(spacing_mm: float) -> None:
    seeds = np.zeros([round(400 / spacing_mm)] * 2, bool)
    seeds[tuple([slice(round(100 / spacing_mm), round(300 / spacing_mm))] * 2)] = True
    discs = discs_at(seeds, spacing_mm)
    assert len(discs) == pytest.approx(40_000 / (19 * 8 * PIXEL_MM**2), rel=0.05)
    assert discs[0].sum() * spacing_mm**2 == pytest.approx(np.pi * RADIUS_MM**2, rel=0.05)


def test_no_seed_no_disc() -> None:
    assert len(discs_at(np.zeros((16, 16), bool), 4.0)) == 0


def test_the_five_discs_with_the_highest_mean_are_painted_if_hot_enough_anywhere() -> None:
    discs = np.zeros((8, 8, 8), bool)
    values = np.zeros((8, 8), np.float32)
    for number, suv in enumerate([2.0, 11.0, 9.7, 9.5, 12.0, 30.0, 10.0, 8.0]):
        discs[number, number] = True
        values[number] = suv
    # 12 and 30 are both white; the first of equals leads. Five are ranked, of which 9.5 is not hot enough.
    assert worth_painting(grey(values), discs).tolist() == [4, 5, 1, 6, 2]
    assert worth_painting(grey(values[:4]), discs[:4, :4]).tolist() == [1, 2]


def test_the_best_three_are_united_if_the_best_says_enough() -> None:
    scores = np.array([1.0, 0.0, 7.0, 3.0, 4.0])
    assert united(scores, 100.0, gates=True).tolist() == [2, 4, 3]
    assert united(scores, 7 / 0.06 + 1, gates=True).size == 0
    assert united(scores, 7 / 0.06 + 1, gates=False).tolist() == [2, 4, 3]
    assert united(np.zeros(4), 1.0, gates=False).size == 0
