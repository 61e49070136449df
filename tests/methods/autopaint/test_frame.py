"""The working frame: the patient's own left and right, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from grisaille.core.errors import ShapeError, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.io.study import read_study
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import (
    LEAST_OVERLAP,
    MARGIN_MM,
    MULTIPLE,
    Frame,
    ct_change_to_hu,
    ct_channels,
    hu,
    log_suv,
    suv,
)
from grisaille.phantom import Scan, Side, Station, patient
from volumes import ball

CONFIG = AutoPaintConfig(spacing_mm=6.0)
WINDOWS = CONFIG.windows
SPOT_MM = (1340.0, -20.0, 90.0)


@cache
def chest() -> Study:
    """A chest with a hot spot on the left that is dense in the CT."""
    scan = Scan(Station.CHEST, ct_spacing_mm=5.0, pet_spacing_mm=6.0)
    study = patient(2, lesions=0, scan=scan, side=Side.LEFT).study
    assert study.ct is not None
    assert study.pet is not None
    lesion = [np.asarray(ball(volume.grid, SPOT_MM, 18.0)) for volume in (study.ct, study.pet)]
    ct = study.ct.with_voxels(np.where(lesion[0], 900, study.ct.voxels))
    return Study.of(ct, study.pet.with_voxels(np.where(lesion[1], 60, study.pet.voxels).astype(np.float32)))


@cache
def framed() -> Frame:
    return Frame.of(chest(), CONFIG)


def changed(key: str, **fields: Any) -> Study:
    """One volume of the chest, with other fields."""
    return Study.of(replace(chest().volumes[key], **fields))


def moved(volume: Volume, shift_mm: tuple[float, float, float]) -> Volume:
    affine = np.array(volume.grid.affine)
    affine[:3, 3] += shift_mm
    return volume.with_voxels(volume.voxels, Grid(volume.grid.shape, affine))


def test_flipping_x_mirrors_the_patient_about_one_plane() -> None:
    grid = framed().grid
    places = np.random.default_rng(0).integers(0, grid.shape, (50, 3))
    opposite = places * (1, 1, -1) + (0, 0, grid.shape[2] - 1)
    here, there = grid.to_mm(places), grid.to_mm(opposite)
    normal = grid.directions[:, 2]
    middle = (here + there) / 2 @ normal
    np.testing.assert_allclose(middle, middle[0], atol=1e-9)
    np.testing.assert_allclose(np.cross(there - here, normal), 0, atol=1e-9)


def test_the_mirrored_body_is_the_body() -> None:
    body = framed().body
    both = np.count_nonzero(body & body[..., ::-1])
    assert both > 0.92 * np.count_nonzero(body)


def test_the_grid_is_cubic_right_handed_near_the_patients_axes_and_in_sixteens() -> None:
    grid = framed().grid
    np.testing.assert_allclose(grid.spacing_mm, CONFIG.spacing_mm)
    np.testing.assert_allclose(grid.directions.T @ grid.directions, np.eye(3), atol=1e-12)
    assert np.linalg.det(grid.directions) == pytest.approx(1)
    assert np.diag(grid.directions).min() > 0.99
    assert all(size % MULTIPLE == 0 for size in grid.shape)


def test_the_body_and_a_margin_are_inside() -> None:
    frame = framed()
    places = np.argwhere(frame.body)
    low = places.min(axis=0) * CONFIG.spacing_mm
    high = (np.asarray(frame.grid.shape) - 1 - places.max(axis=0)) * CONFIG.spacing_mm
    assert min(low.min(), high.min()) >= MARGIN_MM - CONFIG.spacing_mm


def test_things_keep_their_place_in_the_patient() -> None:
    frame = framed()
    for key, image in (("pet", frame.images["pet"][0]), ("ct", frame.images["ct"][0])):
        near = ball(frame.grid, SPOT_MM, 40.0)
        bright = near & (image >= np.where(near, image, 0).max() * 0.99)
        np.testing.assert_allclose(frame.grid.to_mm(np.argwhere(bright)).mean(axis=0), SPOT_MM, atol=3.0, err_msg=key)
    spot = np.argwhere(frame.images["pet"][0] > np.log1p(40))
    assert spot[:, 2].min() > frame.grid.shape[2] / 2, "the left side has the larger x"


def test_images_are_a_logarithm_and_two_windows() -> None:
    frame = framed()
    assert {key: image.dtype for key, image in frame.images.items()} == {"pet": np.float32, "ct": np.float32}
    assert frame.images["pet"].shape == (1, *frame.grid.shape)
    assert frame.images["ct"].shape == (2, *frame.grid.shape)
    assert frame.images["pet"].max() == pytest.approx(np.log1p(60), rel=1e-5)
    assert 0 <= frame.images["ct"].min() <= frame.images["ct"].max() <= 1
    assert not frame.images["pet"].flags.writeable


def test_there_and_back_again_is_nearly_the_same() -> None:
    frame = framed()
    pet = chest().volumes["pet"]
    back = frame.to_volume(frame.images["pet"][0], pet)
    there = frame.to_volume(frame.body.astype(np.float32), pet.grid) >= 0.99
    assert back.shape == pet.grid.shape
    assert back.dtype == np.float32
    error = np.abs(back - log_suv(pet.voxels))[there]
    assert np.median(error) < 0.06, "interpolated twice, noise is smoothed and no more"
    assert np.count_nonzero(there) * pet.grid.voxel_ml > 0.8 * np.count_nonzero(frame.body) * frame.grid.voxel_ml


def test_beyond_the_frame_there_is_nothing() -> None:
    frame = framed()
    far = Grid.from_spacing((3, 3, 3), 10.0, (9000.0, 0.0, 0.0))
    assert not frame.to_volume(np.ones(frame.grid.shape), far).any()


@pytest.mark.parametrize("key", ["ct", "pet"])
def test_one_modality_is_enough(key: str) -> None:
    frame = Frame.of(changed(key), CONFIG)
    assert set(frame.images) == set(frame.covered) == {key}
    both = framed()
    there = both.grid.to_index(frame.grid.to_mm((np.asarray(frame.grid.shape) - 1) / 2))
    assert abs(there[2] - (both.grid.shape[2] - 1) / 2) * CONFIG.spacing_mm < 6.0
    assert frame.covered[key][frame.body].mean() > 0.99


def test_where_the_ct_does_not_reach_the_pet_says_where_the_body_is() -> None:
    study = chest()
    ct = study.volumes["ct"]
    short = ct.with_voxels(ct.voxels[:-20], ct.grid.cropped((0, 0, 0), (ct.grid.shape[0] - 20, *ct.grid.shape[1:])))
    frame = Frame.of(Study.of(short, study.volumes["pet"]), CONFIG)
    uncovered = frame.body & ~frame.covered["ct"]
    assert 0.15 < np.count_nonzero(uncovered) / np.count_nonzero(frame.body) < 0.5
    assert frame.covered["pet"][uncovered].mean() > 0.99
    np.testing.assert_array_equal(frame.images["ct"][:, ~frame.covered["ct"]], 0)


def test_a_frame_knows_no_bounds_unless_told() -> None:
    grid = Grid.from_spacing((16, 16, 16), 4.0)
    frame = Frame(grid, {"pet": np.zeros((1, 16, 16, 16), np.float32)}, np.ones((16, 16, 16), bool))
    assert frame.covered["pet"].all()
    with pytest.raises(ShapeError, match="pet"):
        Frame(grid, {"pet": np.zeros((1, 16, 16, 8), np.float32)}, frame.body)


def test_a_turned_patient_has_the_frame_of_the_straight_one() -> None:
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("zyx", (6, -5, 0), degrees=True).as_matrix()
    volumes = []
    for volume in chest().volumes.values():
        affine = np.eye(4)
        affine[:3, :3] = turn @ volume.grid.affine[:3, :3]
        affine[:3, 3] = turn @ (volume.grid.affine[:3, 3] - SPOT_MM) + SPOT_MM
        volumes.append(volume.with_voxels(volume.voxels, Grid(volume.grid.shape, affine)))
    frame = Frame.of(Study.of(*volumes), CONFIG)
    expected, found = turn @ framed().grid.directions[:, 2], frame.grid.directions[:, 2]
    assert np.degrees(np.arccos(np.clip(expected @ found, -1, 1))) < 1.5
    body = frame.body
    assert np.count_nonzero(body & body[..., ::-1]) > 0.92 * np.count_nonzero(body)


@pytest.mark.parametrize(
    ("study", "said"),
    [
        (
            lambda: Study.of(replace(chest().volumes["pet"], unit=Unit.BQML, name="scan")),
            "PET 'scan' is in Bq/ml.*SUVbw",
        ),
        (lambda: Study.of(replace(chest().volumes["ct"], unit=Unit.NONE, name="scan")), "CT 'scan' is in no unit.*HU"),
        (lambda: Study.of(replace(chest().volumes["ct"], modality=Modality.MR)), "neither PET nor CT"),
        (
            lambda: Study.of(moved(chest().volumes["ct"], (200.0, 0.0, 0.0)), chest().volumes["pet"]),
            rf"covers \d+ % of the body.*{100 * LEAST_OVERLAP:.0f} %",
        ),
        (lambda: Study.of(moved(chest().volumes["ct"], (5000.0, 0.0, 0.0)), chest().volumes["pet"]), "covers 0 %"),
    ],
)
def test_what_cannot_be_framed_is_said_in_a_sentence(study: Callable[[], Study], said: str) -> None:
    with pytest.raises(UnsuitableVolume, match=said):
        Frame.of(study(), CONFIG)


@given(arrays.arrays(np.float32, 20, elements=st.floats(0, 100, width=32)))
def test_suv_comes_back_from_its_logarithm(values: np.ndarray) -> None:
    np.testing.assert_allclose(suv(log_suv(values)), values, rtol=1e-5, atol=1e-5)


def test_suv_is_clipped_once_and_not_on_the_way_back() -> None:
    np.testing.assert_allclose(suv(log_suv(np.array([-3.0, 500.0]))), [0, 100], rtol=1e-5)
    assert suv(np.array(-0.2)) < 0


@given(arrays.arrays(np.float32, 20, elements=st.floats(-1000, 400, width=32)))
def test_hu_come_back_from_their_windows(values: np.ndarray) -> None:
    np.testing.assert_allclose(hu(ct_channels(values, WINDOWS), WINDOWS), values, atol=0.01)


def test_the_order_of_the_windows_does_not_matter() -> None:
    values = np.linspace(-1000, 400, 50)
    swapped = WINDOWS[::-1]
    np.testing.assert_allclose(hu(ct_channels(values, swapped), swapped), values, atol=0.01)


def test_where_windows_disagree_the_narrow_one_rules_and_there_is_no_step() -> None:
    wide = np.linspace(-1000, 400, 2801)
    channels = ct_channels(wide, WINDOWS)
    channels[1] = (40.0 - WINDOWS[1][0]) / (WINDOWS[1][1] - WINDOWS[1][0])
    values = hu(channels, WINDOWS)
    np.testing.assert_allclose(values[(wide > -100) & (wide < 180)], 40, atol=0.1)
    np.testing.assert_allclose(values[wide < -170], wide[wide < -170], atol=0.1)
    assert np.abs(np.diff(values)).max() < 10


def test_the_change_of_hu_is_nothing_where_nothing_was_changed() -> None:
    before = np.array([-900.0, -50.0, 40.0, 350.0, 2000.0])
    after = np.array([-900.0, 10.0, 90.0, -50.0, 2000.0])
    change = ct_change_to_hu(ct_channels(before, WINDOWS), ct_channels(after, WINDOWS), WINDOWS)
    np.testing.assert_allclose(change, [0, 60, 50, -400, 0], atol=0.05)
    assert change[0] == change[-1] == 0


@pytest.mark.real_data
def test_the_midline_of_a_real_patient_runs_through_the_bladder(real_data: Path) -> None:
    study = read_study(real_data / "sarcoma" / "STS_001" / "wholebody_pet_dicom")
    frame = Frame.of(study, AutoPaintConfig())
    degrees = np.degrees(np.arccos(frame.grid.directions[2, 2]))
    assert degrees < 3.0
    assert np.count_nonzero(frame.body & frame.body[..., ::-1]) > 0.93 * np.count_nonzero(frame.body)
    # The hottest of the pelvis is the bladder, a third up from the feet's end of this scan.
    values = frame.images["pet"][0]
    depth = values.shape[0]
    pelvis = np.where(np.arange(depth)[:, None, None] < 0.35 * depth, values, 0)
    bladder = np.argwhere(pelvis > np.log1p(15.0))
    assert abs(bladder[:, 2].mean() - (values.shape[2] - 1) / 2) * 4.0 < 12.0
