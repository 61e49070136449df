"""What is learned of the features of one level, in one pass, and how far a feature is from it.

A rule makes sums of rows; sums add up and come off; a rule makes a model of sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

from grisaille.core.errors import InputError
from grisaille.methods.mvg.gaussian import Array, Covariance, Gaussian, Moments, ledoit_wolf, shrunk
from grisaille.methods.mvg.lattice import FieldSums, Lattice
from grisaille.methods.mvg.reduction import Reduction, reduced_gaussian

S = TypeVar("S")
Rows = npt.NDArray[np.float32]


class LevelModel(Protocol):
    """Healthy features of one level."""

    def distances(self, rows: Rows, places: Array) -> Array:
        """(n, d) rows at (n, 3) places in the body to (n,) Mahalanobis distances."""
        ...

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """For a file."""
        ...


class LevelRule(Protocol[S]):
    """How rows of one level are summed up, and what is made of the sums."""

    def sums(self, rows: Rows, places: Array) -> S:
        """Of (n, d) rows at (n, 3) places; results are added and subtracted with + and -."""
        ...

    def model(self, sums: S) -> LevelModel:
        """The healthy features behind ``sums``."""
        ...

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> LevelModel:
        """The inverse of a model's ``arrays``."""
        ...


@dataclass(frozen=True, eq=False)
class FieldModel:
    """A mean that follows the place in the body, and one covariance for all places.

    ``values`` are (nodes, d), of half precision in float32, so that a file holds them exactly.
    """

    lattice: Lattice
    values: npt.NDArray[np.float32]
    gaussian: Gaussian

    def distances(self, rows: Rows, places: Array) -> Array:
        return self.gaussian.distances(rows - self.lattice.weights(places) @ self.values)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {"values": self.values.astype(np.float16), "factor": self.gaussian.factor}


@dataclass(frozen=True)
class FieldRule:
    """Makes a ``FieldModel``."""

    lattice: Lattice
    stiffness: float

    def sums(self, rows: Rows, places: Array) -> FieldSums:
        return FieldSums.of(self.lattice.weights(places), rows)

    def model(self, sums: FieldSums) -> FieldModel:
        values = sums.node_values(self.lattice, self.stiffness).astype(np.float16).astype(np.float32)
        # The residuals' own fourth moment would take a second pass; at this many rows it changes nothing.
        covariance = shrunk(sums.residual_scatter(values.astype(np.float64)), sums.count)
        return FieldModel(self.lattice, values, Gaussian.of(np.zeros(values.shape[1]), covariance))

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> FieldModel:
        values = arrays["values"].astype(np.float32)
        return FieldModel(self.lattice, values, Gaussian(np.zeros(values.shape[1]), arrays["factor"]))


@dataclass(frozen=True, eq=False)
class CellSums:
    """Moments of the rows nearest to each node; nodes without rows are absent."""

    cells: Mapping[int, Moments]
    everywhere: Moments

    def __add__(self, other: Self) -> Self:
        merged = dict(self.cells)
        for cell, moments in other.cells.items():
            merged[cell] = merged[cell] + moments if cell in merged else moments
        return type(self)(merged, self.everywhere + other.everywhere)

    def __sub__(self, other: Self) -> Self:
        rest = {
            cell: moments - other.cells[cell] if cell in other.cells else moments
            for cell, moments in self.cells.items()
        }
        kept = {cell: moments for cell, moments in rest.items() if moments.count}
        return type(self)(kept, self.everywhere - other.everywhere)


@dataclass(frozen=True, eq=False)
class CellModel:
    """A Gaussian of its own at every node (PaDiM); ``everywhere`` serves places never seen.

    Source: Defard et al. 2020, arXiv 2011.08785; shrunk by Ledoit-Wolf instead of a fixed ridge.
    """

    lattice: Lattice
    nodes: npt.NDArray[np.int32]
    gaussians: tuple[Gaussian, ...]
    everywhere: Gaussian

    def distances(self, rows: Rows, places: Array) -> Array:
        cells = nearest_nodes(self.lattice, places)
        order = np.searchsorted(self.nodes, cells)
        distances = np.empty(len(rows))
        for cell in np.unique(cells):
            there = cells == cell
            number = order[there][0]
            is_known = number < len(self.nodes) and self.nodes[number] == cell
            gaussian = self.gaussians[number] if is_known else self.everywhere
            distances[there] = gaussian.distances(rows[there])
        return distances

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        every = (*self.gaussians, self.everywhere)
        return {
            "nodes": self.nodes,
            "means": np.stack([gaussian.mean for gaussian in every]),
            "factors": np.stack([gaussian.factor for gaussian in every]),
        }


@dataclass(frozen=True)
class CellRule:
    """Makes a ``CellModel``; cells with fewer rows than ``fewest`` are as if never seen."""

    lattice: Lattice
    fewest: int = 10

    def sums(self, rows: Rows, places: Array) -> CellSums:
        cells = nearest_nodes(self.lattice, places)
        return CellSums({int(cell): Moments.of(rows[cells == cell]) for cell in np.unique(cells)}, Moments.of(rows))

    def model(self, sums: CellSums) -> CellModel:
        nodes = sorted(cell for cell, moments in sums.cells.items() if moments.count >= self.fewest)
        gaussians = tuple(_gaussian(sums.cells[cell]) for cell in nodes)
        return CellModel(self.lattice, np.array(nodes, dtype=np.int32), gaussians, _gaussian(sums.everywhere))

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> CellModel:
        every = tuple(Gaussian(mean, factor) for mean, factor in zip(arrays["means"], arrays["factors"], strict=True))
        return CellModel(self.lattice, arrays["nodes"], every[:-1], every[-1])


@dataclass(frozen=True, eq=False)
class PooledModel:
    """One Gaussian for all slices, as published."""

    gaussian: Gaussian

    @property
    def degrees(self) -> int:
        """Directions kept."""
        return self.gaussian.degrees

    def distances(self, rows: Rows, places: Array) -> Array:
        return self.gaussian.distances(rows)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        arrays = {"mean": self.gaussian.mean, "factor": self.gaussian.factor}
        return arrays if self.gaussian.directions is None else {**arrays, "directions": self.gaussian.directions}


@dataclass(frozen=True)
class PooledRule:
    """Makes a ``PooledModel``."""

    reduction: Reduction
    share: float

    def sums(self, rows: Rows, places: Array) -> Moments:
        return Moments.of(rows)

    def model(self, sums: Moments) -> PooledModel:
        return PooledModel(reduced_gaussian(sums, self.reduction, self.share))

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> PooledModel:
        return PooledModel(Gaussian(arrays["mean"], arrays["factor"], arrays.get("directions")))


@dataclass(frozen=True, eq=False)
class Bag:
    """Rows kept as they are, for arithmetic that needs them all at once."""

    parts: tuple[Rows, ...]

    def __add__(self, other: Self) -> Self:
        return type(self)(self.parts + other.parts)

    def __sub__(self, other: Self) -> Self:
        gone = {id(part) for part in other.parts}
        return type(self)(tuple(part for part in self.parts if id(part) not in gone))


@dataclass(frozen=True, eq=False)
class ReferenceModel:
    """The published arithmetic: float32, and a pseudo-inverse that drops the smallest directions."""

    mean: Rows
    precision: Rows

    @property
    def degrees(self) -> int:
        """Directions that the published arithmetic counts, the dropped ones too."""
        return len(self.mean)

    def distances(self, rows: Rows, places: Array) -> Array:
        offsets = rows - self.mean
        squared = np.einsum("im,mn,in->i", offsets, self.precision, offsets)
        return np.asarray(np.sqrt(np.maximum(squared, 0)), dtype=np.float64)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {"mean": self.mean, "precision": self.precision}


@dataclass(frozen=True)
class ReferenceRule:
    """Makes a ``ReferenceModel`` with scikit-learn's calls on float32; memory grows with the slices."""

    def sums(self, rows: Rows, places: Array) -> Bag:
        return Bag((rows,))

    def model(self, sums: Bag) -> ReferenceModel:
        from sklearn.covariance import LedoitWolf

        rows = np.concatenate(sums.parts)
        precision = LedoitWolf().fit(rows).precision_
        return ReferenceModel(rows.mean(axis=0), np.asarray(precision, dtype=np.float32))

    def load(self, arrays: Mapping[str, npt.NDArray[Any]]) -> ReferenceModel:
        return ReferenceModel(arrays["mean"], arrays["precision"])


def nearest_nodes(lattice: Lattice, places: Array) -> npt.NDArray[np.int32]:
    """(n, 3) places to the (n,) numbers of the nodes next to them."""
    weights: sparse.csr_array = lattice.weights(places)
    best = weights.data.reshape(-1, 8).argmax(axis=1)
    nodes: npt.NDArray[np.int32] = weights.indices.reshape(-1, 8)[np.arange(len(best)), best]
    return nodes


def _gaussian(moments: Moments) -> Gaussian:
    """Ledoit-Wolf; where all rows are equal (air in every patient) any other value is far off."""
    try:
        return Gaussian.of(moments.mean, ledoit_wolf(moments))
    except InputError:
        floor = Covariance(np.eye(moments.dimensions) * 1e-6, 0.0)
        return Gaussian.of(moments.mean, floor)
