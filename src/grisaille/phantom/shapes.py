"""Solids that organs are built of.

Places are millimetres (z, y, x) in the reference body: z from the soles up, y to the back from
its middle, x to the patient's left from the midline. Every solid says where it can be
(``low``, ``high``) and gives, for arrays of coordinates that broadcast together, a field that is
at most 1 inside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Point = tuple[float, float, float]


class Shape(Protocol):
    """A solid; ``field(z, y, x)`` is at most 1 inside it."""

    @property
    def low(self) -> Point:
        """Least z, y, x."""
        ...

    @property
    def high(self) -> Point:
        """Greatest z, y, x."""
        ...

    def field(self, z: Array, y: Array, x: Array) -> Array:
        """Values at coordinates in millimetres."""
        ...


@dataclass(frozen=True)
class Ellipsoid:
    """Centre and semi-axes, then turned by ``turns_deg`` about the z, y and x axes, in that order."""

    centre: Point
    semi: Point
    turns_deg: Point = (0.0, 0.0, 0.0)

    @cached_property
    def _axes(self) -> npt.NDArray[np.float64]:
        """(3, 3); row i is the unit vector (z, y, x) of semi-axis i."""
        frame = np.eye(3)
        for (first, second), degrees in zip(((1, 2), (0, 2), (0, 1)), self.turns_deg, strict=True):
            cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
            turn = np.eye(3)
            turn[first, first] = turn[second, second] = cosine
            turn[first, second], turn[second, first] = sine, -sine
            frame = frame @ turn
        return frame

    @cached_property
    def _reach(self) -> npt.NDArray[np.float64]:
        reach: npt.NDArray[np.float64] = np.sqrt(((self._axes * np.asarray(self.semi)[:, None]) ** 2).sum(axis=0))
        return reach

    @property
    def low(self) -> Point:
        z, y, x = np.asarray(self.centre) - self._reach
        return float(z), float(y), float(x)

    @property
    def high(self) -> Point:
        z, y, x = np.asarray(self.centre) + self._reach
        return float(z), float(y), float(x)

    def field(self, z: Array, y: Array, x: Array) -> Array:
        dz, dy, dx = (c - np.float32(m) for c, m in zip((z, y, x), self.centre, strict=True))
        if not any(self.turns_deg):
            return (dz * np.float32(1 / self.semi[0])) ** 2 + (
                (dy * np.float32(1 / self.semi[1])) ** 2 + (dx * np.float32(1 / self.semi[2])) ** 2
            )
        total: Array | None = None
        for axis, semi in zip(self._axes, self.semi, strict=True):
            a, b, c = (axis / semi).astype(np.float32)
            along = (dz * a + dy * b + dx * c) ** 2
            total = along if total is None else np.add(total, along, out=total)
        assert total is not None
        return total

    def grown(self, margin_mm: float) -> Ellipsoid:
        """With ``margin_mm`` added to each semi-axis (negative: taken away)."""
        z, y, x = (max(semi + margin_mm, 0.5) for semi in self.semi)
        return replace(self, semi=(z, y, x))


@dataclass(frozen=True)
class Loft:
    """Rounded cross-sections stacked along z.

    Parameters
    ----------
    z
        Heights, ascending.
    y, x
        Centre of the cross-section at each height.
    half_y, half_x
        Half its depth and width.
    squareness
        0 for ellipses, towards 1 for rounded rectangles.
    """

    z: tuple[float, ...]
    y: tuple[float, ...]
    x: tuple[float, ...]
    half_y: tuple[float, ...]
    half_x: tuple[float, ...]
    squareness: float = 0.0

    @classmethod
    def of(cls, rows: Sequence[tuple[float, float, float, float, float]], squareness: float = 0.0) -> Loft:
        """From rows (z, y, x, half_y, half_x)."""
        z, y, x, half_y, half_x = zip(*sorted(rows), strict=True)
        return cls(z, y, x, half_y, half_x, squareness)

    @property
    def low(self) -> Point:
        return (
            self.z[0],
            float(np.min(np.subtract(self.y, self.half_y))),
            float(np.min(np.subtract(self.x, self.half_x))),
        )

    @property
    def high(self) -> Point:
        return (
            self.z[-1],
            float(np.max(np.add(self.y, self.half_y))),
            float(np.max(np.add(self.x, self.half_x))),
        )

    def at(self, z: float) -> tuple[float, float, float, float]:
        """(y, x, half_y, half_x) of the cross-section at one height."""
        y, x, half_y, half_x = (float(np.interp(z, self.z, row)) for row in (self.y, self.x, self.half_y, self.half_x))
        return y, x, half_y, half_x

    def field(self, z: Array, y: Array, x: Array) -> Array:
        # A table of millimetres is looked up: np.interp on whole volumes takes five times as long.
        steps = np.arange(np.floor(self.z[0]), np.ceil(self.z[-1]) + 1.0)
        level = np.clip(z - np.float32(steps[0]), 0, len(steps) - 1).astype(np.int32)
        tables = (
            np.interp(steps, self.z, row).astype(np.float32) for row in (self.y, self.x, self.half_y, self.half_x)
        )
        middle_y, middle_x, half_y, half_x = (table[level] for table in tables)
        v = ((y - middle_y) / half_y) ** 2
        u = ((x - middle_x) / half_x) ** 2
        field: Array = u + v
        if self.squareness:
            field -= np.float32(self.squareness) * np.minimum(u, 1) * np.minimum(v, 1)
        field[(z < self.z[0]) | (z > self.z[-1])] = 9.0
        return field

    def grown(self, margin_mm: float) -> Loft:
        """With ``margin_mm`` added all round to each cross-section, its ends kept."""
        half_y = tuple(max(half + margin_mm, 0.5) for half in self.half_y)
        half_x = tuple(max(half + margin_mm, 0.5) for half in self.half_x)
        return replace(self, half_y=half_y, half_x=half_x)


@dataclass(frozen=True)
class Capsule:
    """A straight rod with round ends, its radius changing evenly from one to the other."""

    start: Point
    end: Point
    radius: float
    end_radius: float

    @property
    def low(self) -> Point:
        z, y, x = np.minimum(
            np.asarray(self.start) - self.radius,
            np.asarray(self.end) - self.end_radius,
        )
        return float(z), float(y), float(x)

    @property
    def high(self) -> Point:
        z, y, x = np.maximum(
            np.asarray(self.start) + self.radius,
            np.asarray(self.end) + self.end_radius,
        )
        return float(z), float(y), float(x)

    def field(self, z: Array, y: Array, x: Array) -> Array:
        axis = np.subtract(self.end, self.start)
        az, ay, ax = axis.astype(np.float32)
        dz, dy, dx = (c - np.float32(s) for c, s in zip((z, y, x), self.start, strict=True))
        share = (dz * az + dy * ay + dx * ax) * np.float32(1 / max(float(axis @ axis), 1e-6))
        np.clip(share, 0, 1, out=share)
        dz, dy, dx = dz - share * az, dy - share * ay, dx - share * ax
        radius = np.float32(self.radius) + share * np.float32(self.end_radius - self.radius)
        field: Array = (dz * dz + dy * dy + dx * dx) / (radius * radius)
        return field


def tube(points: Sequence[Point], radii: npt.ArrayLike) -> tuple[Capsule, ...]:
    """Rods along a chain of points, with a radius at each point or one for all."""
    each = [float(radius) for radius in np.broadcast_to(np.asarray(radii), len(points))]
    return tuple(Capsule(points[i], points[i + 1], each[i], each[i + 1]) for i in range(len(points) - 1))


def curve(points: Sequence[Point], steps: int) -> tuple[Point, ...]:
    """``steps`` points along a smooth curve through ``points`` (Catmull-Rom)."""
    given = np.asarray(points, dtype=np.float64)
    padded = np.vstack([2 * given[0] - given[1], given, 2 * given[-1] - given[-2]])
    places = np.linspace(0, len(given) - 1, steps)
    first = np.minimum(places.astype(int), len(given) - 2)
    t = (places - first)[:, None]
    a, b, c, d = (padded[first + i] for i in range(4))
    smooth = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return tuple((float(z), float(y), float(x)) for z, y, x in smooth)
