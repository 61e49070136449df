"""Lesions as a plain threshold on SUV would draw them: what every other way has to beat."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.errors import InputError
from grisaille.core.grid import Grid
from grisaille.imaging.metrics import Mask

SHARE_OF_MAXIMUM = 0.41
"""Of the largest uptake, as lesions are outlined in the EANM guideline (Boellaard et al. 2015)."""

LIVER_RADIUS_MM = 15.0
SMALLEST_LIVER_ML = 5.0
"""Of the 14 ml of the liver's sphere at least so much has to be in the image."""

TRIED = np.arange(0.5, 20.01, 0.25)
"""SUV thresholds among which the best is looked for."""

Floats = npt.NDArray[np.floating]


def share_of_maximum(suv: Floats) -> float:
    """41 % of the scan's largest SUV."""
    return SHARE_OF_MAXIMUM * float(suv.max())


def liver_threshold(suv: Floats, liver: Mask, grid: Grid) -> float:
    """1.5 times the mean of healthy liver plus two standard deviations, in SUV by body weight.

    In a sphere of 3 cm where the liver is thickest. The rule itself is for SUV by lean body mass,
    which needs weight and height.

    Parameters
    ----------
    suv, liver
        (z, y, x) on ``grid``; ``liver`` without the lesions in it, as a reader would leave them out.

    Raises
    ------
    InputError
        If there is too little liver for the sphere.

    Source: Wahl et al. 2009 (PERCIST 1.0), the smallest uptake that counts as measurable.
    """
    if not liver.any():
        raise InputError("no liver is marked in this study, expected organ labels with one called liver")
    depth = ndimage.distance_transform_edt(liver, sampling=grid.spacing_mm)
    middle = np.unravel_index(int(depth.argmax()), liver.shape)
    places = np.argwhere(liver)
    apart = np.linalg.norm(grid.to_mm(places) - grid.to_mm(np.asarray(middle)), axis=1)
    inside = places[apart <= LIVER_RADIUS_MM]
    if len(inside) * grid.voxel_ml < SMALLEST_LIVER_ML:
        raise InputError(
            f"the liver's sphere holds {len(inside) * grid.voxel_ml:.1f} ml, expected at least {SMALLEST_LIVER_ML:g} ml"
        )
    values = suv[tuple(inside.T)].astype(np.float64)
    return float(1.5 * values.mean() + 2 * values.std())


def dice_curve(suv: Floats, truth: Mask) -> npt.NDArray[np.float64]:
    """(k,) Dice of the voxels at or above each of ``TRIED`` against a truth that is not empty."""
    everywhere, true = (np.sort(values) for values in (suv[suv >= TRIED[0]], suv[truth]))
    above, hits = (values.size - np.searchsorted(values, TRIED, side="left") for values in (everywhere, true))
    curve: npt.NDArray[np.float64] = 2 * hits / (above + np.count_nonzero(truth))
    return curve


def hottest_nearby(
    suv: Floats, lesion: Mask, any_lesion: Mask, grid: Grid, *, nearest_mm: float = 8.0, furthest_mm: float = 30.0
) -> float | None:
    """The largest SUV beside a lesion and in none; None where nothing but lesions is near.

    Parameters
    ----------
    suv, lesion, any_lesion
        (z, y, x) on ``grid``.
    nearest_mm, furthest_mm
        From the lesion's surface; what is nearer to any lesion is blurred by it.
    """
    reach = np.ceil(furthest_mm / np.asarray(grid.spacing_mm)).astype(int) + 1
    (box,) = ndimage.find_objects(lesion.astype(np.uint8))
    around = tuple(
        slice(max(0, part.start - step), min(size, part.stop + step))
        for part, step, size in zip(box, reach, lesion.shape, strict=True)
    )
    near = ndimage.distance_transform_edt(~lesion[around], sampling=grid.spacing_mm) <= furthest_mm
    clear = ndimage.distance_transform_edt(~any_lesion[around], sampling=grid.spacing_mm) > nearest_mm
    values = suv[around][near & clear]
    return float(values.max()) if values.size else None
