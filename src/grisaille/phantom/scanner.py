"""What CT and PET make of tissues: blur and noise, the same noise with and without lesions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.grid import Grid
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.imaging.resample import resample_array
from grisaille.phantom.canvas import Canvas
from grisaille.phantom.person import Person
from grisaille.phantom.tissues import Tissue

Array = npt.NDArray[np.float32]

CT_BLUR_MM = 1.2
"""Standard deviation of the CT's point spread."""

CT_NOISE_HU = 12.0
PET_FWHM_MM = 7.0
PET_FILTER_FWHM_MM = 4.0
PET_COUNTS = 400.0
"""Counts in 1 ml at SUV 1; the noise of a liver is then about 10 %."""

PET_STEP_SUV = 1 / 128
"""PET values are whole multiples of it: exact in float32, and small once compressed."""

FWHM_TO_SD = 1 / np.sqrt(8 * np.log(2))


@dataclass(frozen=True, eq=False)
class Truth:
    """What is really there, on the canvas' grid: HU and SUV, (z, y, x) float32."""

    hu: Array
    suv: Array


def healthy_truth(canvas: Canvas, person: Person) -> Truth:
    """HU and SUV of the healthy tissues; SUV varies a little within each organ."""
    palette, tissues = person.palette, canvas.tissues
    box = (slice(None), slice(None), slice(None))
    texture = canvas.field(person.smooth("mottle", 24.0), box)
    texture *= palette.mottle[tissues]
    suv = np.exp(texture, out=texture)
    suv *= palette.suv[tissues]
    return Truth(palette.hu[tissues], suv)


def scan_ct(truth: Truth, canvas: Canvas, person: Person) -> Volume:
    """The CT in HU, int16: blurred, noisy inside the body, still in the air."""
    grid = canvas.grid
    values = _blurred(truth.hu, CT_BLUR_MM, grid)
    noise = person.rng("ct noise").standard_normal(grid.shape, dtype=np.float32)
    noise *= np.float32(CT_NOISE_HU)
    noise *= canvas.tissues != Tissue.AIR
    values += noise
    voxels = np.clip(np.rint(values), -1024, 3071).astype(np.int16)
    return Volume(voxels, grid, Modality.CT, Unit.HU, name="CT")


def scan_pet(truth: Truth, canvas: Canvas, grid: Grid, person: Person) -> Volume:
    """The PET in SUVbw, float32, on its own grid."""
    activity = resample_array(truth.suv, canvas.grid, grid)
    activity = _blurred(activity, PET_FWHM_MM * FWHM_TO_SD, grid)
    counts = np.float32(PET_COUNTS * grid.voxel_ml)
    noise = person.rng("pet noise").standard_normal(grid.shape, dtype=np.float32)
    # Counting noise from a fixed normal field (Anscombe's root turned round), so that a lesion
    # changes the noise nowhere but in itself, which Poisson draws from one stream would.
    roots = np.sqrt(np.maximum(activity, 0) * counts)
    counted = np.maximum(roots + noise / 2, 0) ** 2 - np.float32(0.25)
    counted[roots < 0.3] = 0
    values = _blurred(counted / counts, PET_FILTER_FWHM_MM * FWHM_TO_SD, grid)
    voxels = np.rint(np.maximum(values, 0) / np.float32(PET_STEP_SUV)) * np.float32(PET_STEP_SUV)
    return Volume(voxels.astype(np.float32), grid, Modality.PET, Unit.SUVBW, name="PET")


def _blurred(values: npt.NDArray[Any], sd_mm: float, grid: Grid) -> Array:
    sds = [sd_mm / spacing for spacing in grid.spacing_mm]
    blurred: Array = ndimage.gaussian_filter(values, sds, mode="nearest", truncate=3.0, output=np.float32)
    return blurred
