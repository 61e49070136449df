"""Numbers that are none, and numbers that belie the unit that they are said to be in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import UnsuitableVolume
from grisaille.core.volume import Unit

MOST_NOT_FINITE = 0.01
"""Share of NaN and infinite voxels that is mended; more is refused."""
LOWEST_SUV = -100
HIGHEST_SUV = 1000
LOWEST_MAXIMUM_BQML = 100


def finite_values(voxels: npt.NDArray[Any], unit: Unit, name: str) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """The voxels with few NaN and infinities replaced by what means nothing: air, or no activity.

    Raises
    ------
    UnsuitableVolume
        If more than ``MOST_NOT_FINITE`` of them are.
    """
    if voxels.dtype.kind != "f" or (np.isfinite(voxels.min()) and np.isfinite(voxels.max())):  # NaN comes through both
        return voxels, ()
    bad = ~np.isfinite(voxels)
    count = int(np.count_nonzero(bad))
    share = f"{count} voxels of {name} ({count / bad.size:.2%}) are NaN or infinite"
    if count > MOST_NOT_FINITE * bad.size:
        raise UnsuitableVolume(f"{share}, at most {MOST_NOT_FINITE:.0%} can be mended; write it again without them")
    nothing = -1024 if unit is Unit.HU else 0
    return np.where(bad, voxels.dtype.type(nothing), voxels), (f"{share}; they were set to {nothing}",)


def unlikely_values(voxels: npt.NDArray[Any], unit: Unit, name: str) -> tuple[str, ...]:
    """What a person would wonder about numbers that are said to be in ``unit``, as sentences that name ``name``."""
    low, high = voxels.min(), voxels.max()
    if low == high:
        return (f"every voxel of {name} is {low:g}",)
    if unit is Unit.HU and low >= 0:
        return (f"{name} has no value below 0 ({low:g} to {high:g}), so it may not be in HU",)
    if unit.is_suv and low < LOWEST_SUV:
        return (f"{name} has values down to {low:g}, so it may be a CT and not SUV",)
    if (unit.is_suv or unit is Unit.BQML) and high <= 0:
        return (f"{name} has no value above 0 ({low:g} to {high:g}), so it may not be a PET",)
    if unit.is_suv and high > HIGHEST_SUV:
        return (f"{name} has values up to {high:g}, so it may be in Bq/ml and not SUV",)
    if unit is Unit.BQML and high < LOWEST_MAXIMUM_BQML:
        return (f"{name} has no value above {high:g}, so it may be SUV and not Bq/ml",)
    return ()
