"""The body mask: patient yes, table and air no."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.errors import UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.imaging.body import body_mask

GRID = Grid.from_spacing((12, 80, 100), (5.0, 3.0, 3.0))
Z, Y, X = np.ogrid[: GRID.shape[0], : GRID.shape[1], : GRID.shape[2]]
TORSO = ((Y - 36) / 24.0) ** 2 + ((X - 50) / 34.0) ** 2 + 0 * Z <= 1
LUNG = ((Y - 36) / 14.0) ** 2 + ((X - 38) / 10.0) ** 2 + 0 * Z <= 1
ARM = ((Y - 36) ** 2 + (X - 92) ** 2 <= 30) & (Z >= 0)
SHELL = ((np.abs(Y - 66) <= 0) | (np.abs(Y - 76) <= 0)) & (np.abs(X - 50) < 40) & (Z >= 0)
SIDES = (np.abs(np.abs(X - 50) - 40) <= 0) & (np.abs(Y - 71) <= 5) & (Z >= 0)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


def ct_voxels() -> np.ndarray:
    voxels = np.full(GRID.shape, -1000, np.int16)
    voxels[TORSO | ARM] = 40
    voxels[LUNG] = -830
    return voxels


def ct(voxels: np.ndarray) -> Volume:
    return Volume(voxels, GRID, Modality.CT, Unit.HU, name="CT")


def test_lungs_are_inside_the_body() -> None:
    assert dice(body_mask(ct(ct_voxels())), TORSO | ARM) > 0.98
    assert body_mask(ct(ct_voxels()))[LUNG].all()


def test_the_hollow_table_is_not_part_of_the_patient() -> None:
    voxels = ct_voxels()
    voxels[SHELL | SIDES] = 200
    mask = body_mask(ct(voxels))
    assert not mask[:, 66:].any()
    assert dice(mask, TORSO | ARM) > 0.98


def test_arms_beside_the_body_are_kept_and_specks_are_not() -> None:
    voxels = ct_voxels()
    voxels[2:4, 2:4, 2:4] = 300
    mask = body_mask(ct(voxels))
    assert mask[ARM].mean() > 0.85
    assert not mask[:6, :6, :6].any()


@pytest.mark.parametrize("unit", [Unit.SUVBW, Unit.BQML, Unit.NONE])
def test_pet_in_any_unit_shows_the_body(unit: Unit) -> None:
    rng = np.random.default_rng(0)
    activity = np.where(TORSO | ARM, 1.0, 0.0) + np.where(LUNG, -0.5, 0.0) + 0.02 * rng.random(GRID.shape)
    scale = 1.0 if unit is Unit.SUVBW else 5000.0
    mask = body_mask(Volume((activity * scale).astype(np.float32), GRID, Modality.PET, unit))
    assert dice(mask, TORSO | ARM) > 0.97


def test_fine_volumes_get_the_mask_on_their_own_voxels() -> None:
    fine = GRID.spaced(1.5)
    voxels = np.repeat(np.repeat(ct_voxels(), 2, axis=1), 2, axis=2)[np.minimum(np.arange(fine.shape[0]) // 4, 11)]
    mask = body_mask(Volume(voxels, fine, Modality.CT, Unit.HU))
    truth = np.repeat(np.repeat(TORSO | ARM, 2, axis=1), 2, axis=2)[np.minimum(np.arange(fine.shape[0]) // 4, 11)]
    assert mask.shape == fine.shape
    assert dice(mask, truth) > 0.97


def test_a_single_slice_and_a_full_field_of_view_have_a_body() -> None:
    single = Grid.from_spacing((1, 80, 100), (5.0, 3.0, 3.0))
    mask = body_mask(Volume(ct_voxels()[:1], single, Modality.CT, Unit.HU))
    assert dice(mask, (TORSO | ARM)[:1]) > 0.97
    assert body_mask(ct(np.full(GRID.shape, 40, np.int16))).all()


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        (ct(np.full(GRID.shape, -1000, np.int16)), "CT holds no body.*HU"),
        (Volume(np.zeros(GRID.shape, np.float32), GRID, Modality.PET, Unit.SUVBW), "SUVbw"),
        (Volume(np.zeros(GRID.shape, np.float32), GRID, Modality.PET, Unit.NONE), "unit of its scanner"),
    ],
)
def test_no_body_is_said_in_a_sentence(volume: Volume, said: str) -> None:
    with pytest.raises(UnsuitableVolume, match=said):
        body_mask(volume)
