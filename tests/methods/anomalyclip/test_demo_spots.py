"""Spots painted into slices: where they may lie, and that they are seen as far as is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grisaille.methods.anomalyclip.demo.captions import SPARED, TISSUES
from grisaille.methods.anomalyclip.demo.spots import Spot, draw_spot, fine, paint_ct, paint_pet

LIVER, LUNG, MUSCLE, FAT, HEART = (TISSUES.index(word) for word in ("liver", "lung", "muscle", "fat", "heart"))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_no_spot_lies_in_lung_liver_or_air(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tissues = rng.choice(np.array([*SPARED, MUSCLE, FAT, HEART], np.uint8), size=(8, 12)).repeat(6, 0).repeat(6, 1)
    spot = draw_spot(tissues, rng)
    assert spot is not None
    assert spot.whole.any()
    assert not np.isin(tissues[spot.whole], SPARED).any()
    assert not (spot.core & ~spot.whole).any()


def test_there_is_no_spot_where_there_is_no_room() -> None:
    assert draw_spot(np.full((20, 20), LIVER, np.uint8), np.random.default_rng(0)) is None


def disc(radius: float) -> Spot:
    whole = np.hypot(*(np.indices((60, 60)) - 30.0)) * 2.5 <= radius
    return Spot(whole, np.zeros_like(whole), radius, MUSCLE)


@pytest.mark.parametrize("seed", range(8))
def test_a_spot_is_hotter_than_what_was_there_and_only_there(seed: int) -> None:
    image = np.full((120, 120), 0.8, np.float32)
    assert paint_pet(image, disc(20.0), np.random.default_rng(seed))
    assert image[60, 60] > 1.7
    np.testing.assert_allclose(image[:20], 0.8, rtol=1e-5)


def test_a_spot_above_what_the_window_shows_is_said_to_be_unseen() -> None:
    image = np.full((120, 120), 15.0, np.float32)
    assert not any(paint_pet(image.copy(), disc(20.0), np.random.default_rng(seed)) for seed in range(8))


@pytest.mark.parametrize("seed", range(8))
def test_a_spot_on_ct_is_off_the_tissue_around_by_less_than_a_window(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image, spot = np.full((120, 120), 55.0, np.float32), disc(25.0)
    paint_ct(image, spot, np.full((60, 60), MUSCLE, np.uint8), rng)
    inside = image[fine(spot.whole)]
    assert 5 < abs(inside.mean() - 55) < 45
    assert 5 < inside.std() < 20
    assert (image[~fine(spot.whole)] == 55).all()
