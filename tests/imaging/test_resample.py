"""Resampling keeps places: a linear ramp in millimetres stays that ramp on every grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grisaille.core.errors import Cancelled, ShapeError
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.imaging.resample import resample, resample_array


def turned(grid: Grid, degrees: float, axis: tuple[int, int] = (1, 2)) -> Grid:
    """``grid`` turned about its centre in the plane of two index axes."""
    angle, turn = np.deg2rad(degrees), np.eye(3)
    first, second = axis
    turn[first, first] = turn[second, second] = np.cos(angle)
    turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
    centre = grid.to_mm((np.asarray(grid.shape) - 1) / 2)
    affine = np.array(grid.affine)
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = centre + turn @ (grid.affine[:3, 3] - centre)
    return Grid(grid.shape, affine)


def ramp(grid: Grid) -> np.ndarray:
    """(z, y, x) values that are linear in millimetres, so linear interpolation is exact."""
    points = grid.to_mm(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1))
    return points @ np.array([1.0, -0.5, 0.25]) + 7.0


SOURCE = Grid.from_spacing((24, 30, 36), (3.0, 2.0, 2.0), (-40.0, -30.0, -35.0))


@settings(max_examples=40, deadline=None)
@given(
    spacing=st.tuples(*[st.floats(0.8, 9.0)] * 3),
    shift=st.tuples(*[st.floats(-5.0, 5.0)] * 3),
    degrees=st.sampled_from([0.0, 0.0, 7.0, -30.0]),
    axis=st.sampled_from([(0, 1), (0, 2), (1, 2)]),
)
def test_a_linear_ramp_keeps_its_values_at_its_places(spacing, shift, degrees, axis) -> None:
    inner = Grid.from_spacing((4, 4, 4), spacing, np.add((-12, -9, -8), shift))
    target = turned(inner, degrees, axis)
    # Only places whose blocks lie wholly inside: at the faces the edge is repeated.
    index = SOURCE.to_index(target.to_mm(np.stack(np.meshgrid(*map(np.arange, target.shape), indexing="ij"), -1)))
    deep = np.all((index > 6) & (index < np.asarray(SOURCE.shape) - 7), axis=-1)
    got = resample_array(ramp(SOURCE), SOURCE, target)
    np.testing.assert_allclose(got[deep], ramp(target)[deep], atol=1e-3)


def test_the_same_grid_gives_the_same_object() -> None:
    volume = Volume(ramp(SOURCE), SOURCE)
    assert resample(volume, Grid(SOURCE.shape, SOURCE.affine)) is volume


def test_beyond_the_field_of_view_ct_is_air_and_pet_and_labels_are_nothing() -> None:
    beyond = Grid.from_spacing((2, 2, 2), 3.0, (500.0, 0.0, 0.0))
    ct = Volume(np.full(SOURCE.shape, 40, np.int16), SOURCE, Modality.CT, Unit.HU)
    pet = Volume(np.ones(SOURCE.shape), SOURCE, Modality.PET, Unit.SUVBW)
    study = resample(Study.of(ct, pet, patient="p"), beyond)
    assert study.patient == "p"
    assert study.ct is not None
    assert study.pet is not None
    assert (study.ct.voxels == -1024).all()
    assert (study.pet.voxels == 0).all()
    assert (study.ct.modality, study.ct.unit) == (Modality.CT, Unit.HU)
    assert not resample(Labels(np.ones(SOURCE.shape, np.uint16), SOURCE), beyond).voxels.any()


def test_the_outer_half_of_an_edge_voxel_is_inside_and_just_beyond_is_not() -> None:
    line = Grid.from_spacing((1, 1, 4), 2.0)
    values = np.array([[[1.0, 2.0, 3.0, 4.0]]])
    places_mm = [-1.1, -0.9, 6.9, 7.1]
    got = [resample_array(values, line, Grid.from_spacing((1, 1, 1), 1, (0, 0, at)), outside=-9.0) for at in places_mm]
    np.testing.assert_array_equal(np.ravel(got), [-9, 1, 4, -9])


def test_coarser_grids_average_and_do_not_drop_thin_things() -> None:
    fine = Grid.from_spacing((1, 1, 12), 1.0)
    coarse = Grid.from_spacing((1, 1, 3), (1, 1, 4), (0, 0, 1.5))
    one_bright = np.zeros((1, 1, 12))
    one_bright[0, 0, 4] = 8.0
    np.testing.assert_allclose(resample_array(one_bright, fine, coarse), [[[0, 2, 0]]])


def test_an_incomplete_last_block_repeats_its_edge() -> None:
    fine = Grid.from_spacing((1, 1, 6), 1.0)
    coarse = Grid.from_spacing((1, 1, 2), (1, 1, 4), (0, 0, 1.5))
    values = np.array([[[1.0, 1, 1, 1, 5, 9]]])
    np.testing.assert_allclose(resample_array(values, fine, coarse), [[[1, 8]]])


def test_labels_keep_their_numbers_names_and_dtype() -> None:
    voxels = np.zeros(SOURCE.shape, np.uint16)
    voxels[10:14, 10:20, 12:22] = 60000
    labels = Labels(voxels, SOURCE, {60000: "node"})
    finer = resample(labels, SOURCE.spaced(1.0))
    assert finer.ids == (60000,)
    assert finer.names == {60000: "node"}
    volume_ml = np.count_nonzero(finer.voxels) * finer.grid.voxel_ml
    assert volume_ml == pytest.approx(np.count_nonzero(voxels) * SOURCE.voxel_ml, rel=0.15)


def test_turning_there_and_back_finds_a_block_again() -> None:
    voxels = np.zeros(SOURCE.shape, np.uint16)
    voxels[8:16, 10:20, 12:24] = 3
    target = turned(SOURCE.spaced(1.0), 20.0)
    there_and_back = resample(resample(Labels(voxels, SOURCE), target), SOURCE).voxels
    overlap = np.count_nonzero((there_and_back == 3) & (voxels == 3))
    assert 2 * overlap / (np.count_nonzero(there_and_back) + np.count_nonzero(voxels)) > 0.97


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float16, ">i2", np.float64, bool])
def test_every_dtype_reads(dtype) -> None:
    got = resample_array(np.ones(SOURCE.shape, dtype), SOURCE, turned(SOURCE.spaced(2.5), 0.0))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, 1.0, atol=1e-6)


def test_an_array_of_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="array to resample"):
        resample_array(np.zeros((2, 2, 2)), SOURCE, SOURCE)


@pytest.mark.parametrize("degrees", [0.0, 20.0])
def test_a_run_that_may_stop_it_changes_no_value(degrees: float) -> None:
    finer = turned(SOURCE.spaced([1.0, 1.5, 1.5]), degrees, (0, 2))
    whole = resample_array(ramp(SOURCE), SOURCE, finer, outside=-99.0)
    in_slabs = resample_array(ramp(SOURCE), SOURCE, finer, outside=-99.0, run=Run())
    assert len(whole) > 16, "else it is one slab"
    np.testing.assert_allclose(in_slabs, whole, atol=1e-4)


def test_it_stops_after_a_few_slices() -> None:
    asked: list[None] = []
    run = Run(is_cancelled=lambda: len(asked) > 1 or asked.append(None) is not None)
    with pytest.raises(Cancelled):
        resample_array(ramp(SOURCE), SOURCE, SOURCE.spaced([0.5, 8.0, 8.0]), run=run)
    assert len(asked) == 2
