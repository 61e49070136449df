"""Slices as the network sees them: which way up, how large, where in the patient."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.grid import Axis, Grid
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.imaging.slices import CANVAS_MULTIPLE, MARGIN_MM, Canvas, letterboxed, native

WINDOW = ((-160.0, 240.0),)
AIR = -1000.0

# For each plane, which of head, front and right ends up on top (rows) and on the left (columns).
# Places grow towards head (z), back (y) and left (x).
TOP = {Axis.AXIAL: (1, -1), Axis.CORONAL: (0, 1), Axis.SAGITTAL: (0, 1)}
LEFT_EDGE = {Axis.AXIAL: (2, -1), Axis.CORONAL: (2, -1), Axis.SAGITTAL: (1, -1)}


def block(spacing_mm: tuple[float, float, float] = (4.0, 3.0, 2.0)) -> tuple[Volume, np.ndarray]:
    """A body of 64 x 60 x 80 mm in air whose values rise towards head, back and left."""
    body = np.zeros((24, 30, 60), dtype=bool)
    body[4:20, 5:25, 10:50] = True
    z, y, x = np.indices(body.shape)
    values = np.where(body, 1.0 * z + 2.0 * y + 3.0 * x, AIR).astype(np.float32)
    grid = Grid.from_spacing(body.shape, spacing_mm, (-30.0, 12.0, 7.0))
    return Volume(values, grid, Modality.CT, Unit.HU, "block"), body


@pytest.mark.parametrize("axis", list(Axis))
@pytest.mark.parametrize("is_native", [True, False])
def test_heads_and_fronts_are_up(axis: Axis, is_native: bool) -> None:
    volume, body = block()
    if is_native:
        stack = native(volume, body, WINDOW, axis)
    else:
        stack = letterboxed(volume, body, WINDOW, axis, Canvas(2.0, 4.0))
    steps = stack.grid.affine[:3, :3]  # columns: slice, row, column; rows: z, y, x
    down, right = steps[:, 1], steps[:, 2]
    top, sign = TOP[axis]
    assert np.sign(down[top]) == -sign
    edge, sign = LEFT_EDGE[axis]
    assert np.sign(right[edge]) == -sign
    assert np.count_nonzero(steps) == 3
    assert steps[axis.dimension, 0] > 0


@pytest.mark.parametrize("axis", list(Axis))
@pytest.mark.parametrize("is_native", [True, False])
def test_every_pixel_shows_what_lies_at_its_place(axis: Axis, is_native: bool) -> None:
    volume, body = block()
    if is_native:
        stack = native(volume, body, WINDOW, axis)
    else:
        stack = letterboxed(volume, body, WINDOW, axis, Canvas(2.0, 4.0))
    inside = np.argwhere(stack.body)
    places = volume.grid.to_index(stack.grid.to_mm(inside))
    within = np.all((places >= (4, 5, 10)) & (places <= (19, 24, 49)), axis=1)
    assert within.sum() > 1000
    expected = places[within] @ (1.0, 2.0, 3.0)
    np.testing.assert_allclose(stack.values[stack.body][within], expected, atol=1e-3)


@pytest.mark.parametrize("axis", list(Axis))
def test_native_slices_are_the_volumes_own(axis: Axis) -> None:
    volume, body = block()
    stack = native(volume, body, WINDOW, axis)
    assert len(stack) == volume.grid.shape[axis.dimension]
    assert stack.body.sum() == body.sum()
    np.testing.assert_array_equal(np.sort(stack.values, axis=None), np.sort(volume.voxels, axis=None))


@pytest.mark.parametrize("axis", list(Axis))
@pytest.mark.parametrize("spacing_mm", [2.0, 3.0])
def test_letterboxed_slices_keep_millimetres_and_have_air_around(axis: Axis, spacing_mm: float) -> None:
    volume, body = block()
    stack = letterboxed(volume, body, WINDOW, axis, Canvas(spacing_mm, 4.0))
    assert stack.grid.spacing_mm == pytest.approx((4.0, spacing_mm, spacing_mm))
    assert stack.values.shape[1] % CANVAS_MULTIPLE == stack.values.shape[2] % CANVAS_MULTIPLE == 0
    size_mm = np.array([64.0, 60.0, 80.0])
    seen_mm = [np.ptp(np.nonzero(stack.body)[k]) * step + step for k, step in enumerate(stack.grid.spacing_mm)]
    dimensions = [int(np.abs(stack.grid.affine[:3, k]).argmax()) for k in range(3)]
    np.testing.assert_allclose(seen_mm, size_mm[dimensions], atol=2 * 4.0)
    rows, columns = (np.flatnonzero(stack.body.any(axis=(0, 3 - k))) for k in (1, 2))
    for there, length in ((rows, stack.values.shape[1]), (columns, stack.values.shape[2])):
        assert min(there[0], length - 1 - there[-1]) * spacing_mm >= MARGIN_MM - 2 * spacing_mm


def test_the_field_of_view_does_not_move_the_slices() -> None:
    volume, body = block()
    wide = np.pad(volume.voxels, ((3, 2), (7, 4), (5, 9)), constant_values=AIR)
    origin = volume.grid.to_mm((-3, -7, -5))
    other = Volume(wide, Grid.from_spacing(wide.shape, volume.grid.spacing_mm, origin), Modality.CT, Unit.HU, "wide")
    inside = np.pad(body, ((3, 2), (7, 4), (5, 9)))
    first = letterboxed(volume, body, WINDOW, Axis.AXIAL, Canvas(2.0, 4.0))
    second = letterboxed(other, inside, WINDOW, Axis.AXIAL, Canvas(2.0, 4.0))
    assert first.grid == second.grid
    np.testing.assert_array_equal(first.body, second.body)


def test_images_are_windowed_and_have_three_channels() -> None:
    volume, body = block()
    stack = native(volume, body, ((0.0, 100.0), (0.0, 200.0), (-1000.0, 0.0)), Axis.AXIAL)
    images = stack.images(np.array([5, 6]))
    assert images.shape == (2, 3, 30, 60)
    there = volume.voxels[5:7]
    np.testing.assert_allclose(images[:, 0], np.clip(there / 100, 0, 1), atol=1e-6)
    np.testing.assert_allclose(images[:, 1], np.clip(there / 200, 0, 1), atol=1e-6)
    np.testing.assert_allclose(images[:, 2], np.clip(1 + there / 1000, 0, 1), atol=1e-6)
    single = native(volume, body, WINDOW, Axis.AXIAL).images(np.array([5]))
    np.testing.assert_array_equal(single[:, 0], single[:, 2])
