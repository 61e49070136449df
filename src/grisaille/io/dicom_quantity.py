"""What the values of a DICOM series mean, and the factor of each slice to it: HU, SUVbw, Bq/ml or nothing known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grisaille.core.errors import SuvRefused, UnknownUnit
from grisaille.core.volume import Modality, SuvRecord, Unit
from grisaille.imaging.pet_series import Factors, PetSeries
from grisaille.imaging.suv import SuvOverrides, activity_factors, suv_scaling
from grisaille.io.dicom_scan import SeriesInfo
from grisaille.io.dicom_suv import pet_series


@dataclass(frozen=True, eq=False)
class Quantity:
    """What the values will mean, and the factor of each slice to it."""

    unit: Unit
    factors: Factors | None = None
    suv: SuvRecord | None = None
    warnings: tuple[str, ...] = ()


def quantity_of(
    series: SeriesInfo, order: tuple[int, ...], unit: Unit | None, overrides: SuvOverrides | None
) -> Quantity:
    """What the slices in ``order`` measure; raises as ``dicom.read_series`` does."""
    images = [image for index in order if (image := series.slices[index].pet) is not None]
    if not images:
        return Quantity(Unit.HU if series.modality is Modality.CT else Unit.NONE)
    if unit is Unit.BQML:
        return _activity(series, images)
    try:
        scaling = suv_scaling(pet_series(images), overrides)
    except SuvRefused as reason:
        sentence = f"{series.label}: no SUV, because {reason}"
        if unit is not None:
            raise SuvRefused(sentence) from None
        return _without_suv(images, sentence)
    record = SuvRecord(
        path=scaling.path,
        factor_range=(float(scaling.factors.min()), float(scaling.factors.max())),
        inputs=scaling.inputs,
        overrides=scaling.overrides,
    )
    warnings = tuple(f"{series.label}: {warning}" for warning in scaling.warnings)
    return Quantity(Unit.SUVBW, scaling.factors, record, warnings)


def _activity(series: SeriesInfo, images: list[PetSeries]) -> Quantity:
    factors = _activity_factors(images)
    if factors is None:
        raise UnknownUnit(
            f"{series.label}: Units (0054,1001) is {images[0].units or 'absent'}, from which there is no way to "
            "Bq/ml; expected BQML; read the series in SUVbw or export it in BQML"
        )
    return Quantity(Unit.BQML, factors)


def _without_suv(images: list[PetSeries], sentence: str) -> Quantity:
    """The activity, or the values as they stand where the file gives none."""
    factors = _activity_factors(images)
    unit = Unit.NONE if factors is None else Unit.BQML
    shown = "in Bq/ml" if factors is not None else f"in the file's own units ({images[0].units or 'unnamed'})"
    record = SuvRecord(path="refused", factor_range=None, refused=sentence)
    return Quantity(unit, factors, record, (f"{sentence}; the values are {shown}",))


def _activity_factors(images: list[PetSeries]) -> Factors | None:
    """(n,) factors to Bq/ml; image by image, since the series may contradict itself."""
    factors = [part for image in images if (part := activity_factors(image)) is not None]
    return np.concatenate(factors) if len(factors) == len(images) else None
