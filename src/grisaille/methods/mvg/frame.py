"""Coordinates that mean the same place in different bodies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.grid import Grid
from grisaille.imaging.resample import resample_array
from grisaille.imaging.slices import SliceStack
from grisaille.methods.mvg.gaussian import Array

PLANE_MM = 8.0
"""Distance of the axial planes in which the body is described."""

PIXEL_MM = 8.0
SMOOTH_MM = 16.0
"""Centre and size of the body are smoothed this far along it: limbs come and go from plane to plane."""

NOMINAL_MM = (110.0, 170.0)
"""Half depth and half width that every body is scaled to, so that coordinates stay millimetres."""

SMALLEST_HALF_MM = 15.0

_ROWS, _COLUMNS = 8, 12


@dataclass(frozen=True, eq=False)
class BodyFrame:
    """Where a body lies, plane by plane.

    The (y, x) centre and half size of a plane come from the mean and the spread of its body
    area: twice the standard deviation is the half axis of an ellipse, and arms or a table edge
    move it less than they move a bounding box.

    Parameters
    ----------
    z_mm
        (p,) ascending places of the planes.
    centre_mm, half_mm
        (p, 2), y and x.
    offset_mm
        Added to z gives the coordinate along the body that all bodies share.
    """

    z_mm: Array
    centre_mm: Array
    half_mm: Array
    offset_mm: float = 0.0

    @classmethod
    def of(cls, body: npt.NDArray[np.bool_], grid: Grid) -> Self:
        """Of a mask on an axis-aligned axial grid (z, y, x)."""
        _, y, x = (
            grid.origin_mm[axis] + np.arange(size) * grid.affine[axis, axis] for axis, size in enumerate(grid.shape)
        )
        z = grid.origin_mm[0] + np.arange(grid.shape[0]) * grid.affine[0, 0]
        centre, spread = np.empty((len(z), 2)), np.empty((len(z), 2))
        for number, (places, axis) in enumerate(((y, 2), (x, 1))):
            profile = body.sum(axis=axis, dtype=np.float64) + 1e-9
            total = profile.sum(axis=1)
            centre[:, number] = profile @ places / total
            spread[:, number] = np.sqrt(np.maximum(profile @ places**2 / total - centre[:, number] ** 2, 0))
        sigma = SMOOTH_MM / grid.affine[0, 0]
        centre, spread = (ndimage.gaussian_filter1d(part, sigma, axis=0, mode="nearest") for part in (centre, spread))
        return cls(z, centre, np.maximum(2 * spread, SMALLEST_HALF_MM))

    def shifted(self, offset_mm: float) -> Self:
        """The same body with another place along the common coordinate."""
        return replace(self, offset_mm=offset_mm)

    def coordinates(self, points_mm: npt.ArrayLike) -> Array:
        """(n, 3) LPS points (z, y, x) to (n, 3) places in a body of nominal size."""
        points = np.asarray(points_mm, dtype=np.float64)
        places = np.empty_like(points)
        places[:, 0] = points[:, 0] + self.offset_mm
        for number in range(2):
            centre = np.interp(points[:, 0], self.z_mm, self.centre_mm[:, number])
            half = np.interp(points[:, 0], self.z_mm, self.half_mm[:, number])
            places[:, number + 1] = (points[:, number + 1] - centre) / half * NOMINAL_MM[number]
        return places


def describe_planes(stack: SliceStack) -> tuple[BodyFrame, npt.NDArray[np.float32]]:
    """The frame of a body, and a small picture of each of its planes.

    Returns
    -------
    The frame, not placed along the body yet, and (planes, d) float32: the windowed values on a
    coarse net that grows and shrinks with the body, then the body's half depth and width.
    """
    axial = _axial_grid(stack.grid)
    body = resample_array(stack.body.astype(np.float32), stack.grid, axial) >= 0.5
    frame = BodyFrame.of(body, axial)
    rows, columns = np.linspace(-0.9, 0.9, _ROWS), np.linspace(-0.9, 0.9, _COLUMNS)
    y = frame.centre_mm[:, :1] + frame.half_mm[:, :1] * rows
    x = frame.centre_mm[:, 1:] + frame.half_mm[:, 1:] * columns
    points = np.empty((len(frame.z_mm), _ROWS, _COLUMNS, 3))
    points[..., 0] = frame.z_mm[:, None, None]
    points[..., 1], points[..., 2] = y[:, :, None], x[:, None, :]
    places = np.moveaxis(axial.to_index(points), -1, 0)
    parts = [
        ndimage.map_coordinates(coarse, places, order=1, mode="nearest").reshape(len(frame.z_mm), -1)
        for coarse in _channels(stack, axial)
    ]
    return frame, np.concatenate([*parts, frame.half_mm / 100.0], axis=1).astype(np.float32)


def _channels(stack: SliceStack, axial: Grid) -> list[npt.NDArray[np.float32]]:
    images = stack.images(np.arange(len(stack)))
    return [
        resample_array(images[:, channel], stack.grid, axial, outside=float(images[:, channel].min()))
        for channel in range(len(stack.windows))
    ]


def _axial_grid(grid: Grid) -> Grid:
    """Axial planes over the box of a stack that lies along the patient's axes."""
    corners = grid.corners_mm()
    low, high = corners.min(axis=0), corners.max(axis=0)
    steps = np.array([PLANE_MM, PIXEL_MM, PIXEL_MM])
    shape = np.maximum(np.floor((high - low) / steps).astype(int), 0) + 1
    origin = (low + high) / 2 - (shape - 1) / 2 * steps
    return Grid.from_spacing([int(size) for size in shape], steps.tolist(), origin.tolist())
