"""Smooth functions of the place in the body, fitted in one pass.

A function is given by its values at the nodes of a lattice and linear between them. Every
point touches eight nodes, so that the sums of a fit are sparse, and sums of different
patients or sites add up and come off again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import splu

from grisaille.methods.mvg.gaussian import Array


@dataclass(frozen=True)
class Lattice:
    """Nodes at ``low_mm + index * step_mm`` (z, y, x); beyond the outer nodes functions are constant."""

    low_mm: tuple[float, float, float]
    step_mm: tuple[float, float, float]
    shape: tuple[int, int, int]

    @classmethod
    def around(cls, low_mm: npt.ArrayLike, high_mm: npt.ArrayLike, step_mm: tuple[float, float, float]) -> Self:
        """The smallest lattice that holds the box from ``low_mm`` to ``high_mm``, centred on it."""
        low, high, step = (np.asarray(part, dtype=np.float64) for part in (low_mm, high_mm, step_mm))
        shape = np.maximum(np.ceil((high - low) / step - 1e-9).astype(int), 0) + 1
        first = (low + high) / 2 - (shape - 1) / 2 * step
        return cls(_three(first), step_mm, (int(shape[0]), int(shape[1]), int(shape[2])))

    @property
    def size(self) -> int:
        """Number of nodes."""
        return int(np.prod(self.shape))

    def weights(self, points_mm: npt.ArrayLike) -> sparse.csr_array:
        """(n, 3) points (z, y, x) to the (n, nodes) share of each node; rows sum to 1."""
        points = np.asarray(points_mm, dtype=np.float64)
        last = np.asarray(self.shape) - 1
        place = np.clip((points - self.low_mm) / self.step_mm, 0, last)
        below = np.minimum(place.astype(int), np.maximum(last - 1, 0))
        above = place - below
        strides = np.array([self.shape[1] * self.shape[2], self.shape[2], 1])
        columns = np.empty((len(points), 8), dtype=np.int32)
        shares = np.empty((len(points), 8))
        for number, corner in enumerate(product((0, 1), repeat=3)):
            columns[:, number] = np.minimum(below + corner, last) @ strides
            shares[:, number] = np.prod(np.where(corner, above, 1 - above), axis=1)
        starts = np.arange(0, 8 * len(points) + 1, 8)
        return sparse.csr_array((shares.ravel(), columns.ravel(), starts), shape=(len(points), self.size))

    def roughness(self) -> sparse.csr_array:
        """(nodes, nodes) whose quadratic form sums the squared differences of neighbouring nodes."""
        total = sparse.csr_array((self.size, self.size))
        for axis, count in enumerate(self.shape):
            if count > 1:
                step = sparse.diags_array(
                    [-np.ones(count - 1), np.ones(count - 1)], offsets=[0, 1], shape=(count - 1, count)
                )
                parts = [sparse.eye_array(size) for size in self.shape]
                parts[axis] = step.T @ step
                total = total + sparse.kron(sparse.kron(parts[0], parts[1]), parts[2])
        return sparse.csr_array(total)


@dataclass(frozen=True, eq=False)
class FieldSums:
    """The sums of a least-squares fit of d functions of the place.

    With b a row of lattice weights and f one of features:

    Parameters
    ----------
    gram
        (nodes, nodes) sparse, sum of b b'.
    cross
        (nodes, d), sum of b f'.
    square
        (d, d), sum of f f'.
    count
        Rows.
    """

    gram: sparse.csr_array
    cross: Array
    square: Array
    count: int

    @classmethod
    def zero(cls, nodes: int, dimensions: int) -> Self:
        """Of no rows at all."""
        square = np.zeros((dimensions, dimensions))
        return cls(sparse.csr_array((nodes, nodes)), np.zeros((nodes, dimensions)), square, 0)

    @classmethod
    def of(cls, weights: sparse.csr_array, rows: npt.ArrayLike) -> Self:
        """Of (n, nodes) weights and (n, d) rows, summed in float64."""
        values = np.asarray(rows, dtype=np.float64)
        transposed = sparse.csr_array(weights.T)
        return cls(sparse.csr_array(transposed @ weights), transposed @ values, values.T @ values, len(values))

    def __add__(self, other: Self) -> Self:
        gram, cross, square = self.gram + other.gram, self.cross + other.cross, self.square + other.square
        return type(self)(gram, cross, square, self.count + other.count)

    def __sub__(self, other: Self) -> Self:
        gram, cross, square = self.gram - other.gram, self.cross - other.cross, self.square - other.square
        return type(self)(gram, cross, square, self.count - other.count)

    def node_values(self, lattice: Lattice, stiffness: float) -> Array:
        """(nodes, d) of the smoothest functions that fit the rows.

        ``stiffness`` is the number of rows that a difference between neighbouring nodes weighs
        as much as; nodes that saw no row take what their neighbours have.
        """
        # The tiny diagonal only makes a lattice without any row solvable.
        system = self.gram + stiffness * lattice.roughness() + 1e-9 * sparse.eye_array(lattice.size)
        values: Array = splu(sparse.csc_array(system)).solve(self.cross)
        return values

    def residual_scatter(self, values: Array) -> Array:
        """(d, d), the sum of r r' over r = f - values' b, without looking at the rows again."""
        crossed = values.T @ self.cross
        scatter: Array = self.square - crossed - crossed.T + values.T @ (self.gram @ values)
        return (scatter + scatter.T) / 2


def _three(values: Array) -> tuple[float, float, float]:
    z, y, x = values
    return float(z), float(y), float(x)
