"""The plane that parts a patient into left and right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import require_shape
from grisaille.core.errors import UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.imaging.resample import resample_array

WORKING_MM = 8.0
"""Voxels on which the plane is fitted: a fraction of one is seen, since thousands of them agree."""

WIDEST_DEGREES = 15.0
"""How far a patient who lies on the table as usual is turned at most."""

FURTHEST_MM = 60.0
"""How far the plane passes the middle of the body at most; one lost arm moves that by 20 mm."""

_BLUR_MM = (16.0, 6.0)
"""For the search and for the fit: organs have no exact counterpart, and a wide basin is found sooner."""

_POINTS = (3_000, 10_000)
_SCALE = 0.2
"""Differences beyond this share of the brightness count as unlike, however great: the liver has no twin."""

_STRAIGHTNESS = 0.01
"""Cost of ``WIDEST_DEGREES``: what tells nothing, like a round head, is taken to lie straight."""

LEVER_MM = 200.0

_STARTS = 2

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SagittalPlane:
    """The fitted mid-sagittal plane.

    Parameters
    ----------
    point_mm
        (z, y, x) LPS, the point of the plane nearest the middle of the body.
    normal
        (z, y, x), of length 1, pointing to the patient's left.
    """

    point_mm: tuple[float, float, float]
    normal: tuple[float, float, float]

    @property
    def roll_degrees(self) -> float:
        """Turn about the front-to-back axis, as if the patient lay across the table."""
        return float(np.degrees(np.arctan2(-self.normal[0], self.normal[2])))

    @property
    def yaw_degrees(self) -> float:
        """Turn about the head-to-foot axis, as if one side of the patient were lifted."""
        return float(np.degrees(np.arctan2(-self.normal[1], self.normal[2])))

    def distance_mm(self, points_mm: npt.ArrayLike) -> Array:
        """(...,) how far (..., 3) points lie to the left of the plane."""
        distances: Array = (np.asarray(points_mm, dtype=np.float64) - self.point_mm) @ np.asarray(self.normal)
        return distances

    def mirrored(self, points_mm: npt.ArrayLike) -> Array:
        """(..., 3) the points on the other side."""
        behind: Array = 2.0 * self.distance_mm(points_mm)[..., None] * np.asarray(self.normal)
        return np.asarray(points_mm, dtype=np.float64) - behind


def mid_sagittal(values: npt.NDArray[np.float32], grid: Grid, body: npt.NDArray[np.bool_]) -> SagittalPlane:
    """The plane about which a body and what is in it agree best with their mirror image.

    Parameters
    ----------
    values
        (z, y, x), 0 in air and more elsewhere; what is brightest counts as 1, so best compressed
        before (a logarithm of SUV, a window of HU).
    grid
        Their places, straight or oblique.
    body
        (z, y, x).

    Raises
    ------
    UnsuitableVolume
        If ``body`` is empty.
    """
    require_shape(values, grid.shape, "values to find a plane in")
    require_shape(body, grid.shape, "a body to find a plane in")
    inside, brightness, coarse = _coarse(values, grid, body)
    if not (inside > 0.5).any():
        raise UnsuitableVolume("no body was found to part into left and right; check the volume's values and unit")
    search, fit = (
        _Likeness.of(brightness, inside, coarse, blur, points) for blur, points in zip(_BLUR_MM, _POINTS, strict=True)
    )
    return fit.plane(_descended(fit, _searched(search)))


@dataclass(frozen=True, eq=False)
class _Likeness:
    """How unlike a body is to its mirror image, for any plane.

    A plane is ``(offset, roll, yaw)``, all in millimetres: how far it passes the middle, and how
    much further at ``LEVER_MM`` up and behind it.
    """

    channels: tuple[npt.NDArray[np.float32], ...]
    grid: Grid
    points: Array
    here: npt.NDArray[np.float32]
    middle: Array

    @classmethod
    def of(
        cls,
        brightness: npt.NDArray[np.float32],
        inside: npt.NDArray[np.float32],
        grid: Grid,
        blur_mm: float,
        most: int,
    ) -> _Likeness:
        from scipy import ndimage  # a fifth of a second, which opening a panel need not take

        sigma = [blur_mm / step for step in grid.spacing_mm]
        # Half weight for the outline: where arms and bedding lie says less than what is inside.
        channels = tuple(
            ndimage.gaussian_filter(part, sigma, mode="nearest").astype(np.float32)
            for part in (brightness, 0.5 * inside)
        )
        indices = np.argwhere(inside > 0.5)
        middle = grid.to_mm(indices.mean(axis=0))
        if len(indices) > most:
            indices = np.random.default_rng(0).choice(indices, most, replace=False)
        here = np.stack([channel[tuple(indices.T)] for channel in channels])
        return cls(channels, grid, grid.to_mm(indices), here, middle)

    def plane(self, parameters: npt.ArrayLike) -> SagittalPlane:
        offset, roll, yaw = np.asarray(parameters, dtype=np.float64)
        normal = np.array([-roll / LEVER_MM, -yaw / LEVER_MM, 1.0])
        normal /= np.linalg.norm(normal)
        point = self.middle + offset * normal
        return SagittalPlane(
            (float(point[0]), float(point[1]), float(point[2])), (float(normal[0]), float(normal[1]), float(normal[2]))
        )

    def cost(self, parameters: npt.ArrayLike) -> float:
        """0 for a perfect mirror image to 1, and more beyond the bounds."""
        from scipy import ndimage

        offset, roll, yaw = np.asarray(parameters, dtype=np.float64)
        turned = (roll**2 + yaw**2) / (LEVER_MM * np.tan(np.radians(WIDEST_DEGREES))) ** 2
        beyond = max(abs(offset) / FURTHEST_MM, float(np.sqrt(turned)), 1.0) - 1.0
        there = self.grid.to_index(self.plane(parameters).mirrored(self.points)).T
        squared = np.zeros(len(self.points))
        for channel, here in zip(self.channels, self.here, strict=True):
            # Beyond the field of view its edge goes on: a scan that ends in the body does not end in air.
            squared += (ndimage.map_coordinates(channel, there, order=1, mode="nearest") - here) ** 2
        return float(np.mean(squared / (squared + _SCALE**2)) + _STRAIGHTNESS * turned + 10.0 * beyond)


def _coarse(
    values: npt.NDArray[np.float32], grid: Grid, body: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], Grid]:
    """Share of body and brightness 0..1 in wide voxels, and their grid."""
    coarse = grid.spaced([max(step, WORKING_MM) for step in grid.spacing_mm])
    inside = resample_array(body.astype(np.float32), grid, coarse)
    brightness = resample_array(np.where(body, values, 0).astype(np.float32), grid, coarse)
    seen = brightness[inside > 0.5]
    brightest = max(float(np.percentile(seen, 99)), 1e-6) if seen.size else 1.0
    return inside, np.clip(brightness / np.float32(brightest), 0, 1), coarse


def _searched(likeness: _Likeness) -> list[tuple[float, float, float]]:
    """The best few planes of a net over all that may be."""
    offsets = np.linspace(-FURTHEST_MM, FURTHEST_MM, 11)
    turns = LEVER_MM * np.tan(np.radians([-12.0, -6.0, 0.0, 6.0, 12.0]))
    net = [(float(offset), float(roll), float(yaw)) for offset, roll, yaw in product(offsets, turns, turns)]
    return sorted(net, key=likeness.cost)[:_STARTS]


def _descended(likeness: _Likeness, starts: Iterable[tuple[float, float, float]]) -> Array:
    """The lowest point reached from any start."""
    from scipy import optimize

    steps = np.vstack([np.zeros(3), 8.0 * np.eye(3)])
    best: Array = np.zeros(3)
    lowest = np.inf
    for start in starts:
        found = optimize.minimize(
            likeness.cost,
            start,
            method="Nelder-Mead",
            options={"initial_simplex": np.asarray(start) + steps, "xatol": 0.1, "fatol": 1e-5, "maxfev": 150},
        )
        if found.fun < lowest:
            best, lowest = found.x, found.fun
    return best
