"""DICOM series to volumes: CT in HU, PET in SUV."""

from __future__ import annotations

from dataclasses import replace

from grisaille.core.counted import counted
from grisaille.core.run import Run
from grisaille.core.volume import OnIrregular, SourceFormat, Unit, Volume, VolumeProvenance
from grisaille.imaging.suv import SuvOverrides
from grisaille.io.axes import canonical
from grisaille.io.dicom.geometry import stack
from grisaille.io.dicom.phases import frames_of, one_frame
from grisaille.io.dicom.pixels import decode
from grisaille.io.dicom.quantity import quantity_of
from grisaille.io.dicom.scan import DicomScan, SeriesInfo, Skipped, choose, scan
from grisaille.io.unlikely import finite_values, unlikely_values

__all__ = ["DicomScan", "SeriesInfo", "Skipped", "choose", "frames_of", "read_series", "scan"]


def read_series(
    series: SeriesInfo,
    *,
    unit: Unit | None = None,
    overrides: SuvOverrides | None = None,
    frame: int | None = None,
    on_irregular: OnIrregular = OnIrregular.REFUSE,
    run: Run | None = None,
) -> Volume:
    """The volume of one series, its axes turned to superior, posterior, left.

    Parameters
    ----------
    series
        From ``scan``.
    unit
        For PET: one of the SUV to have nothing else, ``BQML`` to have the activity. None takes SUVbw
        where it can be computed, and the activity with a warning where not.
    overrides
        For PET: values in place of the file's.
    frame
        Which of several images at each place (phases, gates, time frames), from 0.
    on_irregular
        Whether a series with missing or unevenly spaced slices is interpolated onto even places.
    run
        Progress and cancelling, slice by slice.

    Raises
    ------
    IrregularSeries
        If the slices make no regular volume; ``UnevenSlices`` if ``on_irregular`` would mend it.
    SeveralFrames
        If there are several images at each place and none is chosen; lists them.
    UnreadableFile, UnsuitableVolume, OutOfMemory
        If the pixels cannot be had.
    SuvRefused, UnknownUnit
        If ``unit`` asks for SUV or activity and the headers do not give it.
    """
    series = one_frame(series, frame)
    geometry = stack(series, on_irregular)
    quantity = quantity_of(series, geometry.order, unit, overrides)
    decoded = decode(series, geometry.order, quantity.factors, affine=geometry.affine, run=run)
    values = decoded.values if geometry.regrid is None else geometry.regrid.apply(decoded.values)
    values, mended = finite_values(values, quantity.unit, series.label)
    voxels, grid, source = canonical(
        values.transpose(2, 1, 0),
        geometry.affine,
        format=SourceFormat.DICOM,
        name=series.label,
        series=series.uid,
    )
    if geometry.regrid is None:  # else slices of the grid are not the files' any more
        files = dict.fromkeys(series.slices[index].file for index in geometry.order)
        source = replace(source, files=tuple(files))
    provenance = VolumeProvenance(
        geometry=geometry.verdict,
        suv=quantity.suv,
        warnings=(
            *series.notes,
            *geometry.warnings,
            *decoded.warnings,
            *mended,
            *quantity.warnings,
            *_value_map(series),
        ),
        frame_of_reference=series.frame_of_reference,
    )
    volume = Volume(voxels, grid, series.modality, quantity.unit, series.label, source, provenance)
    return volume.warned(*unlikely_values(volume.voxels, volume.unit, series.label))


def _value_map(series: SeriesInfo) -> tuple[str, ...]:
    """A second way to real values is said and not taken: it may mean anything, in any unit."""
    mapped = sum(header.has_value_map for header in series.slices)
    if not mapped:
        return ()
    return (
        f"{series.label}: {counted(mapped, 'file')} with a RealWorldValueMappingSequence (0040,9096), which was not "
        "applied; the values are those of RescaleSlope and RescaleIntercept",
    )
