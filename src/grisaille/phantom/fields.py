"""Smooth random fields, tied to the body and not to the grid that looks at it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

BODY_LOW_MM = (380.0, -260.0, -400.0)
BODY_HIGH_MM = (1840.0, 260.0, 400.0)
"""The box of the reference body, z, y, x, in which fields are drawn."""


@dataclass(frozen=True, eq=False)
class SmoothField:
    """Random values on a lattice, joined by cubic B-splines; about unit variance.

    ``knots`` is (k, l, m) float32 with ``knots_mm`` between them, the first one step before the
    body's box.
    """

    knots: Array
    knots_mm: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, knots_mm: float) -> SmoothField:
        """A field that varies over about ``knots_mm``."""
        shape = [int(np.ceil((high - low) / knots_mm)) + 4 for low, high in zip(BODY_LOW_MM, BODY_HIGH_MM, strict=True)]
        # The squares of a cubic B-spline's weights add up to 0.48 an axis, on the average over its places.
        return cls(rng.standard_normal(shape, dtype=np.float32) * np.float32(0.48**-1.5), knots_mm)

    def on_lattice(self, z: npt.ArrayLike, y: npt.ArrayLike, x: npt.ArrayLike) -> Array:
        """(len(z), len(y), len(x)) values at the crossings of three lists of coordinates."""
        along_z, along_y, along_x = (
            self._weights(np.asarray(places, dtype=np.float64), low, count)
            for places, low, count in zip((z, y, x), BODY_LOW_MM, self.knots.shape, strict=True)
        )
        # One axis at a time, the longest lines last, so that every product is one of contiguous matrices.
        planes = (along_z @ self.knots.reshape(len(self.knots), -1)).reshape(-1, *self.knots.shape[1:])
        rows = along_y @ planes
        values: Array = rows.reshape(-1, rows.shape[-1]) @ along_x.T
        return values.reshape(rows.shape[0], rows.shape[1], -1)

    def _weights(self, places: npt.NDArray[np.float64], low: float, count: int) -> Array:
        """(n, count) cubic B-spline weight of each knot at each place, held still beyond the box."""
        at = np.clip((places - low) / self.knots_mm + 1.0, 1.0, count - 2.001)
        distance = np.abs(at[:, None] - np.arange(count))
        near = 2 / 3 - distance**2 + distance**3 / 2
        far = np.maximum(2 - distance, 0) ** 3 / 6
        return np.where(distance < 1, near, far).astype(np.float32)
