"""DICOM series to volumes: CT in HU, PET in SUVbw."""

from __future__ import annotations

from dataclasses import replace

from grisaille.core.run import Run
from grisaille.core.volume import SourceFormat, Unit, Volume, VolumeProvenance
from grisaille.imaging.suv import SuvOverrides
from grisaille.io.axes import canonical
from grisaille.io.dicom_geometry import stack
from grisaille.io.dicom_pixels import decode
from grisaille.io.dicom_quantity import quantity_of
from grisaille.io.dicom_scan import DicomScan, SeriesInfo, Skipped, choose, scan

__all__ = ["DicomScan", "SeriesInfo", "Skipped", "choose", "read_series", "scan"]


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
    quantity = quantity_of(series, geometry.order, unit, overrides)
    decoded = decode(series, geometry.order, quantity.factors, affine=geometry.affine, run=run)
    voxels, grid, source = canonical(
        decoded.values.transpose(2, 1, 0),
        geometry.affine,
        format=SourceFormat.DICOM,
        name=series.label,
        series=series.uid,
    )
    source = replace(source, files=tuple(dict.fromkeys(series.slices[index].file for index in geometry.order)))
    provenance = VolumeProvenance(
        geometry=geometry.verdict,
        suv=quantity.suv,
        warnings=(*series.notes, *geometry.warnings, *decoded.warnings, *quantity.warnings),
        frame_of_reference=series.frame_of_reference,
    )
    return Volume(voxels, grid, series.modality, quantity.unit, series.label, source, provenance)
