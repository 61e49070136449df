"""What a model keeps of each healthy case, so that it can be merged or relieved of a patient.

Features and not sums of them: where a body lies, which distances are usual at a place, what
makes the scores of CT and PET comparable and how many false positives a cut costs are all
measured anew when patients come or go, and no sum tells them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from grisaille.core.calibration import CalibrationSource
from grisaille.core.errors import DamagedWeights
from grisaille.core.grid import Grid
from grisaille.methods.mvg.features import LevelPatches
from grisaille.methods.mvg.frame import BodyFrame
from grisaille.methods.mvg.observation import Observation, SeenCase
from grisaille.methods.mvg.recipe import Recipe
from grisaille.methods.mvg.spool import Spool
from grisaille.methods.scan_count import counting_grid

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class KeptScan:
    """One volume's ``Observation`` in memory; fields as there.

    Parameters
    ----------
    body
        The packed body mask.
    rows
        For each level the (n, d) features of its judged patches.
    """

    grid: Grid
    body: npt.NDArray[np.uint8]
    frame: BodyFrame | None
    pictures: npt.NDArray[np.float32] | None
    patches: tuple[LevelPatches, ...]
    rows: tuple[npt.NDArray[np.float32], ...]

    @classmethod
    def of(cls, seen: Observation, spool: Spool) -> Self:
        """What stays of an observation when its spool is gone."""
        rows = tuple(seen.rows(level, spool) for level in range(len(seen.patches)))
        return cls(seen.grid, spool.get(seen.body), seen.frame, seen.pictures, seen.patches, rows)

    def observation(self, spool: Spool) -> Observation:
        """As if the volume had been looked at again; the inverse of ``of``."""
        slots = tuple((spool.put(rows),) for rows in self.rows)
        return Observation(self.grid, spool.put(self.body), self.frame, self.pictures, self.patches, slots)

    def arrays(self) -> Arrays:
        """For a file; inverse of ``from_arrays``."""
        arrays: dict[str, npt.NDArray[Any]] = {**_grid_arrays("volume", self.grid), "body": self.body}
        if self.frame is not None and self.pictures is not None:
            arrays |= {"z_mm": self.frame.z_mm, "centre_mm": self.frame.centre_mm, "half_mm": self.frame.half_mm}
            arrays["pictures"] = self.pictures
        for level, (where, rows) in enumerate(zip(self.patches, self.rows, strict=True)):
            arrays |= _grid_arrays(f"patches{level}", where.grid)
            arrays |= {f"judged{level}": np.packbits(where.body), f"rows{level}": rows}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays, recipe: Recipe) -> Self:
        """The inverse of ``arrays``.

        Raises
        ------
        DamagedWeights
            If the arrays do not fit each other.
        """
        levels = range(len(recipe.config.taps))
        grid, body = _grid_from(arrays, "volume"), arrays["body"]
        _require_packed(body, counting_grid(grid))
        patches = tuple(_patches_from(arrays, level) for level in levels)
        rows = tuple(arrays[f"rows{level}"] for level in levels)
        if any(len(part) != np.count_nonzero(where.body) for part, where in zip(rows, patches, strict=True)):
            raise DamagedWeights("the features kept of a patient are not as many as their places; fit the model anew")
        if not recipe.is_placed:
            return cls(grid, body, None, None, patches, rows)
        frame = BodyFrame(arrays["z_mm"], arrays["centre_mm"], arrays["half_mm"])
        return cls(grid, body, frame, arrays["pictures"], patches, rows)


@dataclass(frozen=True, eq=False)
class KeptCase:
    """One healthy case.

    Parameters
    ----------
    patient
        Pseudonym.
    scans
        By modality key; those of one case are counted together.
    source
        What a promise measured on it is worth.
    """

    patient: str
    scans: Mapping[str, KeptScan]
    source: CalibrationSource = CalibrationSource.PATIENTS

    @classmethod
    def of(cls, seen: SeenCase, spool: Spool) -> Self:
        """What stays of a case when its spool is gone."""
        return cls(seen.patient, {key: KeptScan.of(scan, spool) for key, scan in seen.scans.items()})

    def seen(self, spool: Spool) -> SeenCase:
        """As if the case had been looked at again; the inverse of ``of``."""
        return SeenCase(self.patient, {key: scan.observation(spool) for key, scan in self.scans.items()})


def _patches_from(arrays: Arrays, level: int) -> LevelPatches:
    grid, bits = _grid_from(arrays, f"patches{level}"), arrays[f"judged{level}"]
    _require_packed(bits, grid)
    return LevelPatches(grid, np.unpackbits(bits, count=grid.size).reshape(grid.shape).astype(bool))


def _require_packed(bits: npt.NDArray[Any], grid: Grid) -> None:
    expected = -(-grid.size // 8)
    if bits.shape != (expected,):
        raise DamagedWeights(f"a mask kept of a patient has {bits.size} bytes, expected {expected}; fit the model anew")


def _grid_arrays(name: str, grid: Grid) -> dict[str, npt.NDArray[Any]]:
    return {f"{name}_affine": grid.affine, f"{name}_shape": np.array(grid.shape, dtype=np.int32)}


def _grid_from(arrays: Arrays, name: str) -> Grid:
    z, y, x = arrays[f"{name}_shape"]
    return Grid((int(z), int(y), int(x)), arrays[f"{name}_affine"])
