"""From a label file to one number a lesion on the grid of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grisaille.core.errors import GridMismatch
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.study import Study
from grisaille.imaging.findings import components
from grisaille.imaging.metrics import AUTOPET_CONNECTIVITY
from grisaille.imaging.resample import resample
from grisaille.io.labels import SAME_PLACE, read_labels


@dataclass(frozen=True)
class Truth:
    """What a label file says.

    Parameters
    ----------
    path
        None where there is no lesion to be marked.
    lesions
        Names of the numbers that are lesions; all numbers, with the names of the file, if None.
    organs
        Names of the numbers that are organs.
    is_numbered
        Whether every number is one lesion already, if there is more than one; else the connected
        parts of each number are the lesions, as autoPET counts them.
    """

    path: Path | None
    lesions: Mapping[int, str] | None = None
    organs: Mapping[int, str] | None = None
    is_numbered: bool = False

    def has_lesion(self) -> bool:
        """Whether any lesion is marked."""
        return self.path is not None and bool(self._chosen(read_labels(self.path)).voxels.any())

    def of(self, study: Study) -> tuple[Labels, Labels | None]:
        """Lesions, one number each, and the organs of the same file, on the study's reference grid.

        Raises
        ------
        GridMismatch
            If no lesion lies where the study does.
        """
        grid = study.reference
        if self.path is None:
            return Labels(np.zeros(grid.shape, np.uint16), grid), None
        there = read_labels(self.path)
        organs = onto(_only(there, self.organs), grid) if self.organs else None
        drawn = self._apart(self._chosen(there))
        lesions = onto(drawn, grid)
        if drawn.voxels.any() and not lesions.voxels.any():
            raise GridMismatch(
                f"the lesions of {self.path.name} lie outside the study's images ({drawn.grid} against {grid}); "
                "give the truth of this study"
            )
        return lesions, organs

    def _chosen(self, labels: Labels) -> Labels:
        return labels if self.lesions is None else _only(labels, self.lesions)

    def _apart(self, labels: Labels) -> Labels:
        if self.is_numbered and len(labels.ids) > 1:
            return labels
        parts = components(labels.voxels, AUTOPET_CONNECTIVITY)
        firsts = np.unique(parts, return_index=True)
        names = {
            int(part): labels.names[number]
            for part, place in zip(*firsts, strict=True)
            if (number := int(labels.voxels.flat[place])) in labels.names
        }
        return Labels(np.asarray(parts), labels.grid, names)


def onto(labels: Labels, grid: Grid) -> Labels:
    """The labels on ``grid``; a thing that falls between its voxels keeps the one at its centre."""
    if labels.grid.is_close(grid, SAME_PLACE * min(grid.spacing_mm)):
        return Labels(labels.voxels, grid, labels.names)
    there = resample(labels, grid)
    lost = set(labels.ids) - set(there.ids)
    if not lost:
        return there
    voxels = there.voxels.copy()
    for number in lost:
        middle = labels.grid.to_mm(np.argwhere(labels.voxels == number).mean(axis=0))
        place = np.rint(grid.to_index(middle)).astype(int)
        if ((place >= 0) & (place < grid.shape)).all():  # else it lies outside what was scanned
            voxels[tuple(place)] = number
    return Labels(voxels, grid, labels.names)


def _only(labels: Labels, names: Mapping[int, str]) -> Labels:
    kept = np.isin(labels.voxels, list(names))
    return Labels(np.where(kept, labels.voxels, 0), labels.grid, names)
