"""Sheared grids in NIfTI: most programs refuse them, so a tilted series leaves grisaille straight or not at all.

A NIfTI file that was sheared when it came in goes out as it came. NRRD and MetaImage hold shear.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from grisaille.core.errors import OutputError
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.volume import Source, SourceFormat, Volume
from grisaille.imaging.resample import resample, resample_array
from grisaille.io.image import SUFFIXES, suffix_of

SAID = (
    "the images of this result lie on a grid without shear, since programs refuse NIfTI with it: the slices as they "
    "were taken are tilted, and the findings were measured on those"
)


def is_refused(grid: Grid, source: Source) -> bool:
    """Whether other programs would refuse the grid in NIfTI, and the file that it came from was none."""
    return not grid.is_orthogonal and source.format is not SourceFormat.NIFTI


def require_straight(grid: Grid, source: Source, path: Path) -> None:
    """Raise ``OutputError`` where ``path`` is NIfTI and the grid is sheared, as that of a tilted series."""
    if SUFFIXES.get(suffix_of(path)) is SourceFormat.NIFTI and is_refused(grid, source):
        raise OutputError(
            f"{path.name} would lie on a sheared grid (the gantry was tilted), which programs refuse in NIfTI; give "
            "a name ending in .nrrd, or write resample(it, its grid.orthogonal()), the same without shear"
        )


def straight_array(array: npt.NDArray[Any], grid: Grid, source: Source) -> tuple[npt.NDArray[Any], Grid]:
    """(z, y, x) measured values and their grid, without shear."""
    if not is_refused(grid, source):
        return array, grid
    return resample_array(array, grid, grid.orthogonal()), grid.orthogonal()


def straight_volume(volume: Volume) -> Volume:
    """A volume without shear, in its source's order."""
    if not is_refused(volume.grid, volume.source):
        return volume
    return replace(resample(volume, volume.grid.orthogonal()), source=volume.source)


def straight_labels(labels: Labels) -> Labels:
    """Labels without shear, in their source's order: for other programs, not to be measured."""
    if not is_refused(labels.grid, labels.source):
        return labels
    return replace(resample(labels, labels.grid.orthogonal()), source=labels.source)
