"""Plain SUV thresholds: the liver's, the best one, and what shines beside a lesion."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.errors import InputError
from grisaille.core.grid import Grid
from grisaille.imaging.metrics import dice
from grisaille.imaging.suv_rules import TRIED, dice_curve, hottest_nearby, liver_threshold, share_of_maximum

GRID = Grid.from_spacing((20, 20, 20), 4.0)


def ball(centre: tuple[int, int, int], radius_mm: float) -> np.ndarray:
    away = np.indices(GRID.shape) - np.reshape(centre, (3, 1, 1, 1))
    return np.sqrt((away**2).sum(axis=0)) * 4.0 <= radius_mm


def test_the_liver_threshold_is_that_of_a_sphere_of_3_cm_in_its_middle():
    liver = ball((10, 10, 10), 32)
    suv = np.where(ball((10, 10, 10), 15), 2.0, 9.0)  # only the sphere is looked at
    suv[10, 10, 10] = 2.7
    inside = suv[ball((10, 10, 10), 15)]
    assert liver_threshold(suv, liver, GRID) == pytest.approx(1.5 * inside.mean() + 2 * inside.std())


def test_without_enough_liver_there_is_no_threshold():
    with pytest.raises(InputError, match="no liver"):
        liver_threshold(np.ones(GRID.shape), np.zeros(GRID.shape, bool), GRID)
    with pytest.raises(InputError, match=r"holds 0\.1 ml"):
        liver_threshold(np.ones(GRID.shape), ball((10, 10, 10), 1), GRID)


def test_41_percent_is_of_the_largest_value():
    assert share_of_maximum(np.array([[[1.0, 10.0]]])) == pytest.approx(4.1)


def test_the_dice_curve_is_the_dice_at_each_threshold():
    rng = np.random.default_rng(0)
    suv, truth = rng.gamma(2, 2, (6, 7, 8)), rng.random((6, 7, 8)) < 0.2
    curve = dice_curve(suv, truth)
    for at in (0, 7, 30, len(TRIED) - 1):
        assert curve[at] == pytest.approx(dice(suv >= TRIED[at], truth))


def test_what_shines_beside_a_lesion_is_neither_its_blur_nor_another_lesion():
    suv = np.ones(GRID.shape)
    lesion, other = ball((10, 10, 10), 9), ball((10, 10, 3), 5)
    suv[lesion], suv[other], suv[10, 10, 14], suv[10, 15, 10], suv[0, 0, 0] = 5, 8, 7, 3, 9
    # 7 lies 8 mm off (blurred), 8 in another lesion, 9 further than 3 cm.
    assert hottest_nearby(suv, lesion, lesion | other, GRID) == 3


def test_where_nothing_is_near_there_is_no_value():
    everything = np.ones(GRID.shape, bool)
    assert hottest_nearby(np.ones(GRID.shape), ball((9, 9, 9), 9), everything, GRID) is None
