"""What the demo backbone is told: which word lies where, by hand, and that each caption is true of one thing only."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.methods.anomalyclip.demo import captions
from grisaille.methods.anomalyclip.demo import crops as crops_module
from grisaille.methods.anomalyclip.demo.captions import DAMAGED, HOSTS, REGIONS, TISSUES, UNSURE, Region
from grisaille.methods.anomalyclip.demo.crops import Crops, draw
from grisaille.methods.anomalyclip.demo.pictures import PATCH, Pages, made, majority, share_of_tokens, states
from grisaille.phantom import Host, Scan, Station, Tissue
from grisaille.phantom.tissues import NAMES

COARSE = Scan(Station.CHEST, ct_spacing_mm=8.0, pet_spacing_mm=10.0)


def number(word: str) -> int:
    return TISSUES.index(word)


def test_a_token_is_called_what_most_of_it_is() -> None:
    left = np.full((4, 4), number("liver"))
    right = np.array([[number("fat"), number("muscle"), number("bone"), number("lung")]] * 4)
    words = np.concatenate([left, right], axis=1)[None].astype(np.uint8)
    np.testing.assert_array_equal(majority(words), [[[number("liver"), UNSURE]]])


def test_a_token_is_damaged_from_a_third_of_lesion_on_and_healthy_only_without_any() -> None:
    lesions = np.zeros((1, 4, 12), np.uint16)
    lesions[0, :2, :4] = 7  # half of the first token
    lesions[0, 0, 4] = 7  # a corner of the second
    share = share_of_tokens(lesions > 0)
    np.testing.assert_allclose(share, [[[0.5, 1 / 16, 0]]])
    np.testing.assert_array_equal(states(share, share), [[[1, UNSURE, 0]]])


def test_a_lesion_that_is_not_seen_is_neither_damage_nor_health() -> None:
    np.testing.assert_array_equal(states(np.ones((1, 1)), np.zeros((1, 1))), [[UNSURE]])


def test_every_tissue_has_a_word_and_air_too() -> None:
    table = captions.tissue_table()
    assert (table[[int(Tissue.AIR), *NAMES]] != UNSURE).all()
    assert TISSUES[table[Tissue.LUNG_VESSEL]] == "lung"


def test_no_caption_names_a_lesion_in_an_organ_in_which_no_lesion_is_shown() -> None:
    assert {Host.LUNG, Host.LIVER, Host.NODE}.isdisjoint(HOSTS)
    texts = " ".join(captions.every_text())
    assert "muscle with lesion" in texts
    assert "liver with lesion" not in texts
    assert "lung with lesion" not in texts


@pytest.mark.parametrize("healthy", captions.HEALTHY)
@pytest.mark.parametrize("ending", captions.ENDINGS)
@pytest.mark.parametrize("modality", [0, 1])
def test_exactly_one_caption_of_a_kind_is_true_of_a_part(healthy: str, ending: str, modality: int) -> None:
    parts = captions.of_parts(healthy, ending, modality)
    assert len(set(parts.texts)) == len(parts.texts)
    assert set(parts.which[parts.which >= 0]) == set(range(len(parts.texts)))
    said = ending.format(modality=("CT", "PET")[modality])
    assert parts.texts[parts.which[number("liver"), 0]] == f"{healthy}liver{said}"
    assert (parts.which[:, 1] >= 0).sum() == len(DAMAGED)


def test_a_slice_is_called_by_modality_region_and_state() -> None:
    slices = captions.of_slices("healthy ", 0)
    assert slices.texts[slices.which[REGIONS.index(Region.CHEST), 1]] == "CT slice of the chest with lesion."
    np.testing.assert_array_equal(captions.region_numbers(np.array([500.0, 1300.0, 1700.0])), [0, 3, 4])


@pytest.fixture(scope="module")
def library() -> list[Pages]:
    return [made(seed, 0, COARSE) for seed in (1, 2)]


def test_pages_show_what_they_say(library: list[Pages]) -> None:
    for pages in library:
        rows, columns = pages.tissues.shape[1:]
        assert pages.ct.shape[1:] == (rows * PATCH, columns * PATCH) == pages.pet.shape[1:]
        tokens = pages.ct.reshape(len(pages.ct), rows, PATCH, columns, PATCH).mean(axis=(2, 4))
        assert tokens[pages.tissues == number("lung")].mean() < -600 < tokens[pages.tissues == number("fat")].mean()
        assert any((pages.damage(0, number) == 1).any() for number in range(len(pages.ct)))
        assert REGIONS.index(Region.CHEST) in pages.regions
        assert set(pages.regions) <= {REGIONS.index(one) for one in (Region.ABDOMEN, Region.CHEST, Region.HEAD)}


def test_crops_are_parts_of_pages_with_their_labels_and_places_and_most_show_a_lesion(library: list[Pages]) -> None:
    rng = np.random.default_rng(0)
    drawn = [draw(library, 1500, rng) for _ in range(20)]
    assert len({crops.tissues.shape[1:] for crops in drawn}) > 2
    assert {crops.modality for crops in drawn} == {0, 1}
    for crops in drawn:
        n, rows, columns = crops.tissues.shape
        assert crops.images.shape == (n, rows * PATCH, columns * PATCH)
        assert crops.damage.shape == (n, rows, columns)
        assert crops.images.min() >= 0
        assert crops.images.max() <= 1
        for place in crops.places:
            assert place.row + rows <= place.rows
            assert place.column + columns <= place.columns
    damaged = np.concatenate([crops.states == 1 for crops in drawn])
    assert 0.5 < damaged.mean() < 0.95


def test_a_crop_is_what_lies_at_its_place(library: list[Pages], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops_module, "_PAINTED", 0.0)
    pages = library[0]
    crops = draw([pages], 1500, np.random.default_rng(1))
    place, tissues = crops.places[0], crops.tissues[0]
    rows, columns = tissues.shape
    whole = np.zeros((len(pages.ct), place.rows, place.columns), np.uint8)
    whole[:, : pages.tissues.shape[1], : pages.tissues.shape[2]] = pages.tissues
    there = whole[:, place.row : place.row + rows, place.column : place.column + columns]
    assert (there == tissues).all(axis=(1, 2)).any()


def test_the_state_of_a_picture_is_unsure_where_only_a_corner_of_a_lesion_is() -> None:
    damage = np.zeros((3, 2, 2), np.uint8)
    damage[0, 0], damage[1, 0, 0] = (1, UNSURE), UNSURE
    crops = Crops(np.zeros((3, 16, 16), np.float32), damage, damage, 0, np.zeros(3, np.uint8), ())
    assert crops.states.tolist() == [1, -1, 0]
