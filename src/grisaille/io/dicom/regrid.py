"""Slices at even places, interpolated linearly between the slices that there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Regrid:
    """How each slice of the new grid is made: ``(1 - share) * slice[lower] + share * slice[lower + 1]``.

    Parameters
    ----------
    lower
        (m,) index of the slice below.
    share
        (m,) of the slice above, 0 to 1; exactly 0 or 1 where a slice of the series is taken as it is.
    """

    lower: npt.NDArray[np.intp]
    share: npt.NDArray[np.float64]

    @property
    def interpolated(self) -> tuple[int, ...]:
        """Indices of the slices that are none of the series'."""
        return tuple(int(index) for index in np.flatnonzero((self.share > 0) & (self.share < 1)))

    def apply(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """(n, row, column) slices as they are to (m, row, column) slices at even places."""
        even = np.empty((len(self.lower), *values.shape[1:]), np.float32)
        for index, (lower, share) in enumerate(zip(self.lower, self.share, strict=True)):
            if share in (0.0, 1.0):
                even[index] = values[lower + int(share)]
            else:
                below, above = values[lower].astype(np.float64), values[lower + 1].astype(np.float64)
                even[index] = (1 - share) * below + share * above
        return even


def regrid_onto(places: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64], tolerance_mm: float) -> Regrid:
    """How slices at ``wanted`` places are made of those at ``places``, all ascending in mm.

    A slice within ``tolerance_mm`` of a wanted place is taken as it is.
    """
    lower = np.clip(np.searchsorted(places, wanted, side="right") - 1, 0, len(places) - 2)
    share = np.clip((wanted - places[lower]) / (places[lower + 1] - places[lower]), 0.0, 1.0)
    nearer = np.rint(share)
    is_there = np.abs(np.where(nearer == 1, places[lower + 1], places[lower]) - wanted) <= tolerance_mm
    return Regrid(lower, np.where(is_there, nearer, share))
