"""Whole numbers that name things in the patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import frozen, require_shape
from grisaille.core.errors import InputError
from grisaille.core.grid import Grid
from grisaille.core.volume import Source, read_only


@dataclass(frozen=True, eq=False)
class Labels:
    """A label image: 0 is nothing, every other number one thing.

    Parameters
    ----------
    voxels
        (z, y, x) whole numbers from 0 to 65535, kept as uint16 and read-only.
    grid
        Their places.
    names
        By label number; a number without a name is allowed.
    source
        The file order that writers put back: that of the volume the labels were made on.
    warnings
        Sentences on the way in that a user should see.

    Raises
    ------
    ShapeError
        If ``voxels`` is not of the grid's shape.
    InputError
        If the values are not whole numbers from 0 to 65535.
    """

    voxels: npt.NDArray[np.uint16]
    grid: Grid
    names: Mapping[int, str] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = np.asarray(self.voxels)
        require_shape(given, self.grid.shape, "a label image")
        if given.dtype not in (np.uint8, np.uint16, np.bool_) and given.size:
            if not np.isfinite(given).all() or given.min() < 0 or given.max() > 65535:
                raise InputError("labels are whole numbers from 0 to 65535")
            if given.dtype.kind not in "iu" and not np.array_equal(given, np.round(given)):
                raise InputError(
                    "labels are whole numbers; this image holds fractions, so it may be an intensity image"
                )
        object.__setattr__(self, "voxels", frozen(given, np.uint16))
        object.__setattr__(self, "names", read_only(self.names))  # type: ignore[arg-type]

    @property
    def ids(self) -> tuple[int, ...]:
        """The label numbers that occur, ascending, without 0."""
        counts = np.bincount(self.voxels[self.voxels > 0])  # most voxels are nothing
        return tuple(int(number) for number in np.flatnonzero(counts) if number)
