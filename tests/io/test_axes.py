"""Turning axes round is exact, both ways, in every orientation."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from grisaille.core.errors import InputError, ShapeError
from grisaille.core.grid import Grid
from grisaille.core.volume import Source, SourceFormat
from grisaille.io.axes import canonical, to_source

ORIENTATIONS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]
NAME = {"format": SourceFormat.NIFTI, "name": "made.nii.gz"}


def affine_of(order: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    """File axis a runs along LPS axis order[a] with signs[a]; spacings that no float32 holds exactly."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis in range(3):
        affine[order[axis], axis] = signs[axis] * (0.7, 1.1, 3.3)[axis]
    affine[:3, 3] = (-12.3, 45.6, 78.9)
    return affine


def oblique(seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.random(random_state=seed).as_matrix() * draw.uniform(0.3, 6, 3)
    affine[:3, 3] = draw.uniform(-500, 500, 3)
    return affine


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_all_48_orientations_come_back_bit_for_bit(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    array = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    affine = affine_of(order, signs)
    voxels, grid, source = canonical(array, affine, **NAME)
    assert grid.is_axis_aligned
    assert voxels.flags.c_contiguous
    assert source.orientation == "".join("LPS RAI"[order[a] + (4 if signs[a] < 0 else 0)] for a in range(3))
    back, affine_back = to_source(voxels, grid, source)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
    assert affine_back.tobytes() == affine.tobytes()


@given(seed=st.integers(0, 10**6), shape=st.tuples(*[st.integers(1, 5)] * 3))
@settings(max_examples=150, deadline=None)
def test_every_voxel_keeps_its_value_and_its_place(seed: int, shape: tuple[int, int, int]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)
    affine = oblique(seed)
    voxels, grid, source = canonical(array, affine, **NAME)
    for ijk in np.ndindex(shape):
        place_xyz = affine[:3, :3] @ ijk + affine[:3, 3]
        index = grid.to_index(place_xyz[::-1])
        assert np.allclose(index, np.round(index), atol=1e-6)
        assert voxels[tuple(np.round(index).astype(int))] == array[ijk]
    back, affine_back = to_source(voxels, grid, source)
    assert np.array_equal(back, array)
    assert affine_back.tobytes() == affine.tobytes()


@given(seed=st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_index_axes_run_most_nearly_to_superior_posterior_left(seed: int) -> None:
    _, grid, _ = canonical(np.zeros((3, 4, 5)), oblique(seed), **NAME)
    best = max(np.abs(np.diag(grid.directions[:, list(order)])).sum() for order in permutations(range(3)))
    assert np.diag(grid.directions).min() >= 0
    assert np.abs(np.diag(grid.directions)).sum() == pytest.approx(best, abs=1e-5)


@given(seed=st.integers(0, 10**6), which=st.integers(0, 47))
@settings(max_examples=100, deadline=None)
def test_one_image_in_two_files_has_the_same_indices(seed: int, which: int) -> None:
    array, affine = np.arange(24).reshape(2, 3, 4), oblique(seed)
    order, signs = ORIENTATIONS[which]
    turned = np.flip(array.transpose(order), [axis for axis in range(3) if signs[axis] < 0])
    moved = np.array(affine)
    moved[:3, :3] = affine[:3, list(order)] * signs
    moved[:3, 3] += sum(affine[:3, order[a]] * (turned.shape[a] - 1) for a in range(3) if signs[a] < 0)
    voxels, grid, _ = canonical(array, affine, **NAME)
    again, grid_again, _ = canonical(turned, moved, **NAME)
    assert np.array_equal(voxels, again)
    assert grid.is_close(grid_again)


@pytest.mark.parametrize("angle", [45.0, -45.0, 135.0])
def test_at_45_degrees_the_place_decides_and_not_the_order_of_the_file(angle: float) -> None:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("z", angle, degrees=True).as_matrix()
    array = np.arange(24).reshape(2, 3, 4)
    swapped = affine[:, [1, 0, 2, 3]]
    voxels, grid, _ = canonical(array, affine, **NAME)
    again, grid_again, _ = canonical(array.transpose(1, 0, 2), swapped, **NAME)
    assert np.array_equal(voxels, again)
    assert grid.is_close(grid_again)


def test_what_was_made_in_memory_is_written_as_x_y_z() -> None:
    grid = Grid.from_spacing((2, 3, 4), (3.0, 2.0, 1.0), (30.0, 20.0, 10.0))
    array, affine = to_source(np.arange(24).reshape(2, 3, 4), grid, Source())
    assert array.shape == (4, 3, 2)
    assert array[3, 2, 1] == 23
    assert np.array_equal(affine, [[1, 0, 0, 10], [0, 2, 0, 20], [0, 0, 3, 30], [0, 0, 0, 1]])


@given(seed=st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_on_another_grid_the_order_of_the_source_is_kept(seed: int) -> None:
    voxels, grid, source = canonical(np.zeros((4, 5, 6)), oblique(seed), **NAME)
    part, part_grid = voxels[1:3, 1:, :4], grid.cropped((1, 1, 0), (2, grid.shape[1] - 1, 4))
    array, affine = to_source(part, part_grid, source)
    again, grid_again, source_again = canonical(array, affine, **NAME)
    assert again.shape == part.shape
    assert grid_again.is_close(part_grid)
    assert source_again.order == source.order
    assert source_again.flipped == source.flipped


def test_equal_grids_hash_alike_whatever_the_sign_of_their_zeros() -> None:
    affine = affine_of((0, 1, 2), (-1, -1, 1))
    with_minus_zeros = np.where(affine == 0, -0.0, affine)
    grids = [canonical(np.zeros((2, 2, 2)), one, **NAME)[1] for one in (affine, with_minus_zeros)]
    assert grids[0] == grids[1]
    assert hash(grids[0]) == hash(grids[1])


def test_what_has_no_place_is_refused_by_name() -> None:
    with pytest.raises(ShapeError, match=r"made\.nii\.gz has shape \(2, 2\)"):
        canonical(np.zeros((2, 2)), np.eye(4), **NAME)
    with pytest.raises(ShapeError, match="none of them empty"):
        canonical(np.zeros((2, 0, 2)), np.eye(4), **NAME)
    with pytest.raises(ShapeError, match="3, 3"):
        canonical(np.zeros((2, 2, 2)), np.eye(3), **NAME)
    for bad in (np.diag([1.0, 1, 0, 1]), np.diag([1.0, 1, np.nan, 1])):
        with pytest.raises(InputError, match="singular or not finite"):
            canonical(np.zeros((2, 2, 2)), bad, **NAME)
    flat = np.eye(4)
    flat[:3, 2] = flat[:3, 1]
    with pytest.raises(InputError, match=r"made\.nii\.gz is singular"):
        canonical(np.zeros((2, 2, 2)), flat, **NAME)
    with pytest.raises(ShapeError, match="to be written"):
        to_source(np.zeros((2, 2, 2)), Grid.from_spacing((3, 2, 2), 1.0), Source())
