"""The slice features of each healthy scan, where a model keeps them to be merged or relieved of a patient.

Features and not sums of them: what makes the scores of CT and PET comparable is measured on
patients left out, and no sum tells that of another split of the patients. Below some two
thousand slices a scan's features are also smaller than its (d, d) sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Grid
from grisaille.methods.mvg.features import LevelPatches
from grisaille.methods.mvg.observation import Observation
from grisaille.methods.mvg.spool import Spool


@dataclass(frozen=True, eq=False)
class KeptScan:
    """One healthy scan.

    Parameters
    ----------
    patient
        Pseudonym.
    rows
        For each level the (slices, d) pooled features of the slices that show the body.
    """

    patient: str
    rows: tuple[npt.NDArray[np.float32], ...]

    @classmethod
    def of(cls, seen: Observation, patient: str, spool: Spool) -> Self:
        """What stays of an observation when its spool is gone."""
        return cls(patient, tuple(seen.rows(level, spool) for level in range(len(seen.patches))))

    def observation(self, spool: Spool) -> Observation:
        """As if the scan had been looked at again; where its slices lie is forgotten and not asked for."""
        grid = Grid.from_spacing((len(self.rows[0]), 1, 1), 1.0)
        body = np.ones(grid.shape, dtype=bool)
        patches = (LevelPatches(grid, body),) * len(self.rows)
        slots = tuple((spool.put(rows),) for rows in self.rows)
        return Observation(grid, spool.put(np.packbits(body)), None, None, patches, slots)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """For a file; inverse of ``from_arrays``."""
        return {f"level{number}": rows for number, rows in enumerate(self.rows)}

    @classmethod
    def from_arrays(cls, patient: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The inverse of ``arrays``."""
        return cls(patient, tuple(arrays[f"level{number}"] for number in range(len(arrays))))
