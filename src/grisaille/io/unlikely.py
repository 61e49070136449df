"""Numbers that belie the unit that they are said to be in."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from grisaille.core.volume import Unit

LOWEST_SUV = -100
HIGHEST_SUV = 1000
LOWEST_MAXIMUM_BQML = 100


def unlikely_values(voxels: npt.NDArray[Any], unit: Unit, name: str) -> tuple[str, ...]:
    """What a person would wonder about numbers that are said to be in ``unit``, as sentences that name ``name``."""
    low, high = voxels.min(), voxels.max()
    if low == high:
        return (f"every voxel of {name} is {low:g}",)
    if unit is Unit.HU and low >= 0:
        return (f"{name} has no value below 0 ({low:g} to {high:g}), so it may not be in HU",)
    if unit is Unit.SUVBW and low < LOWEST_SUV:
        return (f"{name} has values down to {low:g}, so it may be a CT and not SUV",)
    if unit in (Unit.SUVBW, Unit.BQML) and high <= 0:
        return (f"{name} has no value above 0 ({low:g} to {high:g}), so it may not be a PET",)
    if unit is Unit.SUVBW and high > HIGHEST_SUV:
        return (f"{name} has values up to {high:g}, so it may be in Bq/ml and not SUV",)
    if unit is Unit.BQML and high < LOWEST_MAXIMUM_BQML:
        return (f"{name} has no value above {high:g}, so it may be SUV and not Bq/ml",)
    return ()
