"""Which distances are usual at a place, so that a busy place does not cry wolf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from grisaille.methods.mvg.gaussian import Array
from grisaille.methods.mvg.lattice import FieldSums, Lattice

SMALLEST_SPREAD = 0.05
"""Least standard deviation of distances at a place, as a share of the overall one."""


@dataclass(frozen=True, eq=False)
class LocalScale:
    """Mean and standard deviation of healthy distances by place.

    ``values`` are (nodes, 2); between nodes they are linear.
    """

    lattice: Lattice
    values: npt.NDArray[np.float32]

    @classmethod
    def of(cls, lattice: Lattice, sums: FieldSums, stiffness: float) -> Self:
        """From the ``scale_sums`` of distances that were measured with their own patient left out."""
        first, second = sums.node_values(lattice, stiffness).T
        overall = sums.square[0, 0] / sums.count - (sums.cross[:, 0].sum() / sums.count) ** 2
        variance = np.maximum(second - first**2, SMALLEST_SPREAD**2 * overall)
        values = np.stack([first, np.sqrt(variance)], axis=1)
        # Of half precision, so that a file holds them exactly.
        return cls(lattice, values.astype(np.float16).astype(np.float32))

    def standardised(self, distances: Array, places: Array) -> Array:
        """(n,) distances at (n, 3) places, in standard deviations above the usual."""
        mean, spread = (self.lattice.weights(places) @ self.values).T
        scores: Array = (distances - mean) / spread
        return scores

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """For a file."""
        return {"values": self.values.astype(np.float16)}


def scale_sums(lattice: Lattice, distances: Array, places: Array) -> FieldSums:
    """What a ``LocalScale`` is made of; adds up over patients."""
    return FieldSums.of(lattice.weights(places), np.stack([distances, distances**2], axis=1))
