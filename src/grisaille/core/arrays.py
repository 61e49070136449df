"""Read-only arrays: what every frozen type of this room holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import ShapeError


def frozen(array: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> npt.NDArray[Any]:
    """A C-contiguous view of ``array`` that cannot be written to.

    The memory is shared where it can be, so that a 1 GB volume is not copied; whoever
    hands an array over does not write to it any more.
    """
    view = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


def require_shape(array: npt.NDArray[Any], shape: tuple[int, ...], what: str) -> None:
    """Raise ``ShapeError`` unless ``array`` has ``shape``; ``what`` names it in the message."""
    if array.shape != shape:
        raise ShapeError(f"{what} has shape {array.shape}, expected {shape}")


def box_of(mask: npt.NDArray[np.bool_]) -> tuple[slice, slice, slice] | None:
    """The smallest box around ``mask``, or None where it is empty."""
    sides = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        there = np.flatnonzero(mask.any(axis=others))
        if not there.size:
            return None
        sides.append(slice(int(there[0]), int(there[-1]) + 1))
    z, y, x = sides
    return z, y, x
