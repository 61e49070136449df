"""DICOM series to volumes: CT in HU, PET in SUVbw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grisaille.core.errors import SuvRefused, UnknownUnit
from grisaille.core.run import Run
from grisaille.core.volume import Modality, SourceFormat, SuvRecord, Unit, Volume, VolumeProvenance
from grisaille.imaging.pet_series import Factors, PetSeries
from grisaille.imaging.suv import SuvOverrides, activity_factors, suv_scaling
from grisaille.io.axes import canonical
from grisaille.io.dicom_geometry import stack
from grisaille.io.dicom_pixels import decode
from grisaille.io.dicom_scan import DicomScan, SeriesInfo, Skipped, choose, scan
from grisaille.io.dicom_suv import pet_series

__all__ = ["DicomScan", "SeriesInfo", "Skipped", "choose", "read_series", "scan"]


@dataclass(frozen=True, eq=False)
class _Quantity:
    """What the values will mean, and the factor of each slice to it."""

    unit: Unit
    factors: Factors | None = None
    suv: SuvRecord | None = None
    warnings: tuple[str, ...] = ()


def read_series(
    series: SeriesInfo, *, unit: Unit | None = None, overrides: SuvOverrides | None = None, run: Run | None = None
) -> Volume:
    """The volume of one series, its axes turned to superior, posterior, left.

    Parameters
    ----------
    series
        From ``scan``.
    unit
        For PET: ``SUVBW`` to have nothing else, ``BQML`` to have the activity. None takes SUVbw
        where it can be computed, and the activity with a warning where not.
    overrides
        For PET: values in place of the file's.
    run
        Progress and cancelling, slice by slice.

    Raises
    ------
    IrregularSeries
        If the slices make no regular volume.
    UnreadableFile, UnsuitableVolume, OutOfMemory
        If the pixels cannot be had.
    SuvRefused, UnknownUnit
        If ``unit`` asks for SUVbw or activity and the headers do not give it.
    """
    geometry = stack(series)
    quantity = _quantity(series, geometry.order, unit, overrides)
    decoded = decode(series, geometry.order, quantity.factors, run=run)
    voxels, grid, source = canonical(
        decoded.values.transpose(2, 1, 0),
        geometry.affine,
        format=SourceFormat.DICOM,
        name=series.label,
        series=series.uid,
    )
    provenance = VolumeProvenance(
        geometry=geometry.verdict,
        suv=quantity.suv,
        warnings=(*series.notes, *geometry.warnings, *decoded.warnings, *quantity.warnings),
        frame_of_reference=series.frame_of_reference,
    )
    return Volume(voxels, grid, series.modality, quantity.unit, series.label, source, provenance)


def _quantity(
    series: SeriesInfo, order: tuple[int, ...], unit: Unit | None, overrides: SuvOverrides | None
) -> _Quantity:
    images = [image for index in order if (image := series.slices[index].pet) is not None]
    if not images:
        return _Quantity(Unit.HU if series.modality is Modality.CT else Unit.NONE)
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
    return _Quantity(Unit.SUVBW, scaling.factors, record, warnings)


def _activity(series: SeriesInfo, images: list[PetSeries]) -> _Quantity:
    factors = _activity_factors(images)
    if factors is None:
        raise UnknownUnit(
            f"{series.label}: Units (0054,1001) is {images[0].units or 'absent'}, from which there is no way to "
            "Bq/ml; expected BQML; read the series in SUVbw or export it in BQML"
        )
    return _Quantity(Unit.BQML, factors)


def _without_suv(images: list[PetSeries], sentence: str) -> _Quantity:
    """The activity, or the values as they stand where the file gives none."""
    factors = _activity_factors(images)
    unit = Unit.NONE if factors is None else Unit.BQML
    shown = "in Bq/ml" if factors is not None else f"in the file's own units ({images[0].units or 'unnamed'})"
    record = SuvRecord(path="refused", factor_range=None, refused=sentence)
    return _Quantity(unit, factors, record, (f"{sentence}; the values are {shown}",))


def _activity_factors(images: list[PetSeries]) -> Factors | None:
    """(n,) factors to Bq/ml; image by image, since the series may contradict itself."""
    factors = [part for image in images if (part := activity_factors(image)) is not None]
    return np.concatenate(factors) if len(factors) == len(images) else None
