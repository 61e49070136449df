"""The picture of a scan: right way up, truth and found in their colours and beside each other."""

from __future__ import annotations

import imageio.v3 as imageio
import numpy as np

from grisaille.core.grid import Grid
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.flows.evaluation.pictures import FOUND, GAP, TRUTH, picture

GRID = Grid.from_spacing((20, 12, 16), 4.0)


def shown(*modalities: Modality) -> np.ndarray:
    units = {Modality.CT: Unit.HU, Modality.PET: Unit.SUVBW}
    study = Study.of(*(Volume(np.zeros(GRID.shape), GRID, one, units[one]) for one in modalities))
    truth, found = np.zeros(GRID.shape, bool), np.zeros(GRID.shape, bool)
    truth[16:18, 2:4, 11:14] = True  # superior, anterior, left
    found[2:4, 2:4, 2:4] = True  # inferior, right
    return imageio.imread(picture(study, truth, found))


def places(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.argwhere((pixels == colour).all(axis=-1))


def test_truth_stands_in_the_first_panel_found_in_the_second_head_up_left_on_the_right():
    pixels = shown(Modality.PET)
    wide = 32 + GAP
    assert pixels.shape == (40, 4 * wide, 3)
    truth, found = places(pixels[:, :wide], TRUTH), places(pixels[:, wide : 2 * wide], FOUND)
    assert truth[:, 0].max() < 20 < found[:, 0].min()
    assert truth[:, 1].min() > 16 > found[:, 1].max()
    assert not places(pixels[:, :wide], FOUND).size
    assert not places(pixels[:, wide : 2 * wide], TRUTH).size


def test_the_axial_slice_is_that_of_the_lesion_front_at_the_top():
    pixels = shown(Modality.PET)
    axial = pixels[:, 2 * (32 + GAP) : 3 * (32 + GAP)]
    assert 0 < places(axial, TRUTH)[:, 0].max() < 20


def test_a_pet_ct_shows_the_ct_too_and_a_ct_alone_its_slices():
    assert shown(Modality.PET, Modality.CT).shape[1] == 5 * (32 + GAP)
    alone = shown(Modality.CT)
    assert alone.shape[1] == 4 * (32 + GAP)
    assert places(alone, TRUTH).size
