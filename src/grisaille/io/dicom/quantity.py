"""What the values of a DICOM series mean, and the factor of each slice to it: HU, SUV, Bq/ml or nothing known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from grisaille.core.errors import SuvRefused, UnknownUnit
from grisaille.core.volume import Modality, SuvRecord, Unit
from grisaille.imaging.pet_series import Factors, PetSeries
from grisaille.imaging.suv import SuvOverrides, activity_factors, missing_inputs, suv_scaling
from grisaille.io.dicom.scan import SeriesInfo
from grisaille.io.dicom.suv import pet_series


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
    return pet_quantity(images, series.label, unit, overrides)


def pet_quantity(
    images: Sequence[PetSeries], label: str, unit: Unit | None, overrides: SuvOverrides | None = None
) -> Quantity:
    """What PET images measure.

    Parameters
    ----------
    images
        In the order of the volume: one a slice or a frame, or several slices or frames together.
    label
        What messages call the series.
    unit
        One of the SUV, or ``BQML``, to have nothing else; None takes SUVbw where it can be computed,
        and the activity with a warning where not.

    Raises
    ------
    SuvRefused, UnknownUnit
        If ``unit`` asks for SUV or activity and the headers do not give it.
    """
    if unit is Unit.BQML:
        return _activity(images, label, overrides)
    wanted = unit if unit is not None and unit.is_suv else Unit.SUVBW
    overrides = overrides or SuvOverrides()
    whole = None
    try:
        pet_series([overrides.onto(image) for image in images])  # what is entered settles what contradicts itself
        whole = replace(images[0], slices=tuple(piece for image in images for piece in image.slices))
        scaling = suv_scaling(whole, overrides, wanted)
    except SuvRefused as reason:
        sentence = f"{label}: no {wanted.value}, because {reason}"
        if unit is not None:
            raise SuvRefused(sentence, lacks=reason.lacks) from None
        missing = () if whole is None else missing_inputs(overrides.onto(whole), wanted)
        return _without_suv(images, sentence, missing)
    record = SuvRecord(
        path=scaling.path,
        factor_range=(float(scaling.factors.min()), float(scaling.factors.max())),
        inputs=scaling.inputs,
        overrides=scaling.overrides,
    )
    warnings = tuple(f"{label}: {warning}" for warning in scaling.warnings)
    return Quantity(wanted, scaling.factors, record, warnings)


def _activity(images: Sequence[PetSeries], label: str, overrides: SuvOverrides | None) -> Quantity:
    factors = _activity_factors(images)
    if factors is None:
        raise UnknownUnit(
            f"{label}: Units (0054,1001) is {images[0].units or 'absent'}, from which there is no way to "
            "Bq/ml; expected BQML; read the series in SUVbw or export it in BQML"
        )
    idle = overrides.given if overrides is not None else ()
    warnings = (f"{label}: {' and '.join(idle)} as entered had no use, since Bq/ml was asked for",) if idle else ()
    return Quantity(Unit.BQML, factors, warnings=warnings)


def _without_suv(images: Sequence[PetSeries], sentence: str, missing: tuple[str, ...]) -> Quantity:
    """The activity, or the values as they stand where the file gives none."""
    factors = _activity_factors(images)
    unit = Unit.NONE if factors is None else Unit.BQML
    shown = "in Bq/ml" if factors is not None else f"in the file's own units ({images[0].units or 'unnamed'})"
    record = SuvRecord(path="refused", factor_range=None, refused=sentence, missing=missing)
    return Quantity(unit, factors, record, (f"{sentence}; the values are {shown}",))


def _activity_factors(images: Sequence[PetSeries]) -> Factors | None:
    """(n,) factors to Bq/ml; image by image, since the series may contradict itself."""
    factors = [part for image in images if (part := activity_factors(image)) is not None]
    return np.concatenate(factors) if len(factors) == len(images) else None
