"""What was learned of one modality, and the map it gives of a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Grid
from grisaille.imaging.resample import resample_array
from grisaille.methods.mvg.features import LevelPatches
from grisaille.methods.mvg.frame import PLANE_MM
from grisaille.methods.mvg.gaussian import Array
from grisaille.methods.mvg.lattice import Lattice
from grisaille.methods.mvg.levels import LevelModel
from grisaille.methods.mvg.observation import Observation
from grisaille.methods.mvg.position import PositionModel
from grisaille.methods.mvg.scale import LocalScale
from grisaille.methods.mvg.spool import Spool

Known = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], Grid]
"""Scores, how much of each is known (0 to 1), and their places."""


@dataclass(frozen=True, eq=False)
class ModalityModel:
    """Healthy CT, or healthy PET.

    Parameters
    ----------
    levels, scales
        One a level; ``scales`` is empty where distances are taken as they are.
    position
        None where the place in the body does not matter.
    lattice
        Of the levels' healthy means.
    mean, spread
        Of the fused scores of healthy patients left out: what makes modalities comparable.
    """

    levels: tuple[LevelModel, ...]
    scales: tuple[LocalScale, ...]
    position: PositionModel | None
    lattice: Lattice
    mean: float
    spread: float

    def placed(self, seen: Observation) -> Observation:
        """``seen`` with its place along the body found."""
        if self.position is None or seen.frame is None or seen.pictures is None:
            return seen
        return seen.placed(self.position.place(seen.frame, seen.pictures))

    def share_outside(self, seen: Observation) -> float:
        """Share of a placed observation's planes (0 to 1) that lie beyond the part of the body that was learned."""
        if self.position is None or seen.frame is None:
            return 0.0
        low, high = self.position.extent_mm
        place = seen.frame.z_mm + seen.frame.offset_mm
        return float(np.mean((place < low - PLANE_MM) | (place > high + PLANE_MM)))

    def scores(self, seen: Observation, spool: Spool) -> Known:
        """The fused map of a placed observation, in healthy standard deviations."""
        parts = []
        for number, level in enumerate(self.levels):
            places = seen.places(number)
            distances = level.distances(seen.rows(number, spool), places)
            parts.append(self.scales[number].standardised(distances, places) if self.scales else distances)
        values, known, grid = fused(seen.patches, parts)
        standard: npt.NDArray[np.float32] = (values - np.float32(self.mean)) / np.float32(self.spread)
        return standard, known, grid


def fused(patches: Sequence[LevelPatches], scores: Sequence[Array]) -> Known:
    """The mean over levels of the scores of their judged patches, on the finest level's grid."""
    finest = max((one.grid for one in patches), key=lambda grid: grid.size)
    total, weight = np.zeros(finest.shape, np.float32), np.zeros(finest.shape, np.float32)
    for where, values in zip(patches, scores, strict=True):
        level = np.zeros(where.grid.shape, np.float32)
        level[where.body] = values
        body = where.body.astype(np.float32)
        total += _onto(level, where.grid, finest)
        weight += _onto(body, where.grid, finest)
    total /= np.maximum(weight, 1e-6)
    return total, np.minimum(weight, 1.0), finest


def onto(known: Known, grid: Grid) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Scores times their weight, and the weight, on ``grid``: what maps of modalities are summed by."""
    values, weight, from_grid = known
    return _onto(values * weight, from_grid, grid), _onto(weight, from_grid, grid)


def _onto(array: npt.NDArray[Any], from_grid: Grid, grid: Grid) -> npt.NDArray[np.float32]:
    return array if from_grid == grid else np.asarray(resample_array(array, from_grid, grid), np.float32)
