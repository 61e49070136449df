"""What a PET and a CT say inside a finding, each read at its own voxels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from grisaille.core.finding import Caution
from grisaille.core.grid import Grid
from grisaille.core.volume import Volume
from grisaille.imaging.regions import Region
from grisaille.imaging.suv_peak import suv_peak

PEAK_ML = 1.0
"""Volume of the sphere of SUVpeak."""


class Uptake(NamedTuple):
    """SUVbw of a finding; ``hottest_mm`` is the place (z, y, x) of ``highest``, the first of several."""

    highest: float
    mean: float
    lowest: float
    sd: float
    peak: float
    peak_at_max: float
    hottest_mm: tuple[float, float, float]
    cautions: tuple[Caution, ...]


class Attenuation(NamedTuple):
    """Hounsfield units of a finding."""

    mean: float
    sd: float
    median: float
    cautions: tuple[Caution, ...]


def uptake_in(region: Region, grid: Grid, pet: Volume | None) -> Uptake | None:
    """SUV at the PET's voxels whose centres lie in ``region`` of ``grid``; None where there are none, or no PET.

    Standard deviations are those of the voxels themselves, divided by their number.
    """
    if pet is None or not (there := region.onto(pet.grid, grid)).mask.any():
        return None
    suv = there.values(pet.voxels)
    peak = suv_peak(pet.voxels, there, pet.grid)
    superior, posterior, left = (float(mm) for mm in pet.grid.to_mm(there.indices[suv.argmax()]))
    cautions = []
    if region.size * grid.voxel_ml < PEAK_ML:
        cautions.append(Caution.SMALLER_THAN_PEAK)
    if peak.is_clipped:
        cautions.append(Caution.PEAK_CLIPPED)
    if not region.is_within(pet.grid, grid):
        cautions.append(Caution.PARTLY_IN_PET)
    return Uptake(
        highest=float(suv.max()),
        mean=float(suv.mean(dtype=np.float64)),
        lowest=float(suv.min()),
        sd=float(suv.std(dtype=np.float64)),
        peak=peak.highest,
        peak_at_max=peak.at_max,
        hottest_mm=(superior, posterior, left),
        cautions=tuple(cautions),
    )


def attenuation_in(region: Region, grid: Grid, ct: Volume | None) -> Attenuation | None:
    """Hounsfield units at the CT's voxels whose centres lie in ``region`` of ``grid``, as ``uptake_in``."""
    if ct is None or not (there := region.onto(ct.grid, grid)).mask.any():
        return None
    hu = there.values(ct.voxels)
    cautions = () if region.is_within(ct.grid, grid) else (Caution.PARTLY_IN_CT,)
    return Attenuation(
        float(hu.mean(dtype=np.float64)), float(hu.std(dtype=np.float64)), float(np.median(hu)), cautions
    )
