"""A volume as the network sees it: slices along an axis, in windows, in true millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Axis, Grid
from grisaille.core.run import Run
from grisaille.core.volume import Unit, Volume
from grisaille.imaging.intensity import windowed
from grisaille.imaging.resample import AIR_HU, resample_array

CANVAS_MULTIPLE = 32
"""Of a network that halves a slice five times; only multiples of this keep its pixels in place."""

MARGIN_MM = 24.0
"""Air kept round the body, so that a network's own padding does not touch it."""


@dataclass(frozen=True)
class Canvas:
    """What slices of true shape are drawn on.

    Parameters
    ----------
    spacing_mm, step_mm
        Of pixels in the plane, and from slice to slice.
    multiple
        Rows and columns are multiples of this.
    margin_mm
        Air kept round the body.
    """

    spacing_mm: float
    step_mm: float
    multiple: int = CANVAS_MULTIPLE
    margin_mm: float = MARGIN_MM


WINDOW_PAIRS = 3


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Slices of one volume, in memory once, made into images a batch at a time.

    Parameters
    ----------
    values
        (slices, rows, columns) float32 in the volume's unit.
    body
        (slices, rows, columns) bool.
    grid
        Places of ``values``; its index axes are (slice, row, column), whatever the plane, so
        that heads are up in coronal and sagittal slices.
    windows
        (low, high) of each colour channel.
    """

    values: npt.NDArray[np.float32]
    body: npt.NDArray[np.bool_]
    grid: Grid
    windows: tuple[tuple[float, float], ...]

    def __len__(self) -> int:
        return len(self.values)

    def images(self, slices: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        """(n, 3, rows, columns) in 0 to 1."""
        values = self.values[slices]
        channels = [windowed(values, low, high) for low, high in self.windows]
        return np.stack(channels * (WINDOW_PAIRS // len(channels)), axis=1)


def letterboxed(
    volume: Volume,
    body: npt.NDArray[np.bool_],
    windows: tuple[tuple[float, float], ...],
    axis: Axis,
    canvas: Canvas,
    run: Run | None = None,
) -> SliceStack:
    """Slices of true shape; ``run`` may stop it.

    The canvas is centred on the body and padded with air, so the same millimetres fall on the
    same pixels whatever the field of view.
    """
    grid = letterbox_grid(volume.grid, body, axis, canvas)
    values = resample_array(volume.voxels, volume.grid, grid, outside=air(volume), run=run)
    inside = resample_array(body.astype(np.float32), volume.grid, grid, run=run) >= 0.5
    return SliceStack(values, inside, grid, windows)


def letterbox_grid(grid: Grid, body: npt.NDArray[np.bool_], axis: Axis, canvas: Canvas) -> Grid:
    """The canvases of ``letterboxed``: along the patient's axes, slices over the body's extent."""
    low, high = _extent_mm(grid, body)
    order, signs = _plane(axis)
    steps = np.array([canvas.step_mm, canvas.spacing_mm, canvas.spacing_mm])
    extent = (high - low)[list(order)]
    shape = np.maximum(np.round(extent / steps).astype(int), 1)
    multiples = np.ceil((extent[1:] + 2 * canvas.margin_mm) / canvas.spacing_mm / canvas.multiple).astype(int)
    shape[1:] = multiples * canvas.multiple
    affine = np.eye(4)
    affine[:3, :3] = 0
    for index, (dimension, sign) in enumerate(zip(order, signs, strict=True)):
        affine[dimension, index] = sign * steps[index]
    affine[:3, 3] = (low + high) / 2 - affine[:3, :3] @ ((shape - 1) / 2)
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def native(
    volume: Volume, body: npt.NDArray[np.bool_], windows: tuple[tuple[float, float], ...], axis: Axis
) -> SliceStack:
    """The volume's own slices, as they are; whoever feeds the network stretches them to a square."""
    order, signs = _plane(axis)
    turned = np.asarray(volume.voxels, dtype=np.float32).transpose(order)
    inside = body.transpose(order)
    affine = np.array(volume.grid.affine)
    affine[:3, :3] = affine[:3, list(order)]
    if signs[1] < 0:
        turned, inside = turned[:, ::-1], inside[:, ::-1]
        affine[:3, 3] += affine[:3, 1] * (turned.shape[1] - 1)
        affine[:3, 1] *= -1
    slices, rows, columns = turned.shape
    return SliceStack(turned, inside, Grid((slices, rows, columns), affine), windows)


def air(volume: Volume) -> float:
    """The value beyond the field of view."""
    return AIR_HU if volume.unit is Unit.HU else 0.0


def _plane(axis: Axis) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Patient dimensions (z, y, x) of slice, row and column, and which way they run."""
    if axis is Axis.AXIAL:
        return (0, 1, 2), (1, 1, 1)
    if axis is Axis.CORONAL:
        return (1, 0, 2), (1, -1, 1)
    return (2, 0, 1), (1, -1, 1)


def _extent_mm(grid: Grid, body: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Corners (z, y, x) of the box, edge to edge, round the body's voxels."""
    spans = []
    for axis in range(3):
        there = np.flatnonzero(body.any(axis=tuple(other for other in range(3) if other != axis)))
        spans.append((there[0] - 0.5, there[-1] + 0.5) if there.size else (-0.5, body.shape[axis] - 0.5))
    corners = grid.to_mm(np.stack(np.meshgrid(*spans, indexing="ij"), axis=-1).reshape(8, 3))
    return corners.min(axis=0), corners.max(axis=0)
