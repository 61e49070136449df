"""Regions of a DICOM object that may overlap, as one label image."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import InputError
from grisaille.core.grid import Grid

Flat = npt.NDArray[np.int64]

MOST = 65535
"""Numbers that a label image has."""
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Region:
    """Voxels under one number and name; ``at`` are their flat indices into a grid, each once."""

    number: int
    name: str
    at: Flat


def laid(regions: Sequence[Region], grid: Grid, how: str) -> tuple[npt.NDArray[np.uint16], tuple[str, ...]]:
    """The regions as a label image.

    A voxel has one number. Where regions overlap the smaller one stands, for a part that is drawn
    inside its whole would be lost under it; a warning names both.

    Parameters
    ----------
    how
        What the user is told to do to have one region whole.

    Returns
    -------
    (z, y, x), and the warnings.
    """
    voxels = np.zeros(grid.size, np.uint16)
    names = {region.number: region.name for region in regions}
    warnings = []
    for region in sorted(regions, key=lambda one: (-len(one.at), one.number)):
        under, counts = np.unique(voxels[region.at], return_counts=True)
        warnings += [
            f"{region.name} and {names[int(number)]} overlap in {count} voxels, which are given to "
            f"{region.name}, the smaller; {how}"
            for number, count in zip(under, counts, strict=True)
            if number
        ]
        voxels[region.at] = region.number
    return voxels.reshape(grid.shape), tuple(warnings)


def chosen(names: dict[int, str], wanted: Collection[str | int] | None, what: str) -> set[int]:
    """The numbers among ``names`` that a user means by their names or numbers; all for None.

    Raises
    ------
    InputError
        If there is no such one.
    """
    if wanted is None:
        return set(names)
    if isinstance(wanted, str):
        wanted = (wanted,)
    numbers: set[int] = set()
    for one in wanted:
        found = {number for number, name in names.items() if one == name or str(one) == str(number)}
        if not found:
            raise InputError(f"{what} {one} is not there; there are {listed(names.items())}; name one of these")
        numbers |= found
    return numbers


def listed(named: Iterable[tuple[int, str]]) -> str:
    """Numbers and names as a person reads them, the first few."""
    all_of = [f"{number} ({name})" for number, name in named]
    rest = len(all_of) - _SHOWN
    return ", ".join(all_of[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
