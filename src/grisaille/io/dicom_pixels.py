"""From stored pixels to values: decoded, rescaled slice by slice, padding filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
from pydicom import Dataset, dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import HTJ2K, UID, HTJ2KLossless, HTJ2KLosslessRPCL, ImplicitVRLittleEndian

from grisaille.core.errors import OutOfMemory, UnreadableFile, UnsuitableVolume
from grisaille.core.run import Run
from grisaille.core.volume import Modality
from grisaille.io.dicom_header import SliceHeader
from grisaille.io.dicom_scan import SeriesInfo
from grisaille.io.dicom_tags import DAMAGE, number, quiet

LARGEST_SLICE_BYTES = 2**28
"""A slice of 11585 x 11585 pixels in 16 bits; no scanner's is near it."""
LARGEST_RATIO = 2000
"""Decoded to file size, beyond which a large slice is taken for a decompression bomb."""
HARMLESS_BYTES = 2**23

_FILLING = {Modality.CT: -1024.0}
_NEEDED = [
    "BitsAllocated", "BitsStored", "Columns", "FloatPixelData", "HighBit", "NumberOfFrames",
    "PhotometricInterpretation", "PixelData", "PixelPaddingRangeLimit", "PixelPaddingValue",
    "PixelRepresentation", "PlanarConfiguration", "Rows", "SamplesPerPixel",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Decoded:
    """(slice, row, column) float32, or int16 where CT needs no more, and sentences on the way."""

    values: npt.NDArray[Any]
    warnings: tuple[str, ...]


def decode(
    series: SeriesInfo, order: Sequence[int], factors: npt.NDArray[np.float64] | None = None, *, run: Run | None = None
) -> Decoded:
    """The values of the slices in ``order``: stored value times slope plus intercept, times the slice's factor.

    Pixels that the file calls padding become air (-1024 HU) in CT and 0 elsewhere. The polarity of
    MONOCHROME1 concerns the screen, not the values.

    Raises
    ------
    UnreadableFile
        If a file is truncated, damaged, compressed in an unknown way or lies about its size.
    UnsuitableVolume
        If the images are no measurements (colour).
    OutOfMemory
        If the volume does not fit into memory.
    """
    run = run or Run()
    slices = [series.slices[index] for index in order]
    with quiet():
        for header in slices:
            _require_sane(series, header)
    _require_memory(series, slices)
    rescales = [_rescale(series, header) for header in slices]
    scales = np.ones(len(slices)) if factors is None else factors
    is_integral = series.modality is Modality.CT and all(
        float(part).is_integer() for rescale in rescales for part in rescale
    )
    volume = np.empty((len(slices), slices[0].rows, slices[0].columns), np.int16 if is_integral else np.float32)
    padded = 0
    for index in run.track(range(len(slices)), f"reading {series.label}"):
        stored, is_padding = _stored(series, slices[index])
        slope, intercept = rescales[index]
        # In float64 for one slice, so that the result is rounded once.
        values = (stored.astype(np.float64) * slope + intercept) * scales[index]
        values[is_padding] = _FILLING.get(series.modality, 0.0)
        if volume.dtype == np.int16 and (values.min() < -(2**15) or values.max() >= 2**15):
            volume = volume.astype(np.float32)
        volume[index] = values
        padded += int(is_padding.sum())
    return Decoded(volume, _warnings(series, slices, padded))


def _warnings(series: SeriesInfo, slices: list[SliceHeader], padded: int) -> tuple[str, ...]:
    warnings = []
    if padded:
        filling = _FILLING.get(series.modality, 0.0)
        warnings.append(f"{series.label}: {padded} padding pixels were set to {filling:g}")
    unscaled = sum(header.slope is None for header in slices)
    if unscaled:
        warnings.append(f"{series.label}: {unscaled} file(s) have no RescaleSlope; 1 was taken")
    return tuple(warnings)


def _require_sane(series: SeriesInfo, header: SliceHeader) -> None:
    """Refuse by the header what would be dangerous or senseless to decode."""
    name = f"{series.label}: {header.file.name}"
    if header.samples != 1 or not header.photometric.startswith("MONOCHROME"):
        raise UnsuitableVolume(f"{name} is a colour picture, expected one measured value a pixel")
    declared, present = header.declared_bytes, header.file.stat().st_size
    if declared > LARGEST_SLICE_BYTES or declared > max(HARMLESS_BYTES, LARGEST_RATIO * present):
        raise UnreadableFile(
            f"{name} declares {header.rows} x {header.columns} pixels ({declared / 1e6:.0f} MB) in a file of "
            f"{present / 1e6:.3f} MB, which no scanner writes; the file is damaged or made to do harm"
        )
    syntax = UID(header.transfer_syntax or ImplicitVRLittleEndian)
    if not _is_decodable(syntax):
        # An unknown syntax is not repeated: anything may stand there.
        known = syntax.name if syntax.is_transfer_syntax else "an unknown transfer syntax"
        remedy = (
            "install pylibjpeg-openjpeg"
            if syntax in (HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL)
            else "convert it to explicit little endian"
        )
        raise UnreadableFile(f"{name} is stored as {known}, which cannot be decoded here; {remedy}")
    if not syntax.is_compressed and declared > present:
        raise UnreadableFile(
            f"{name} is truncated: {present} bytes, expected at least {declared} of pixels; copy the file again"
        )


def _is_decodable(syntax: UID) -> bool:
    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        return False


def _require_memory(series: SeriesInfo, slices: list[SliceHeader]) -> None:
    # Twice: the decoded slices and their copy in the patient's axes.
    needed = 2 * 4 * len(slices) * slices[0].rows * slices[0].columns
    free = psutil.virtual_memory().available
    if needed > free:
        raise OutOfMemory(
            f"{series.label} needs {needed / 1e9:.1f} GB to read, {free / 1e9:.1f} GB are free; "
            "close other programs or crop the series"
        )


def _rescale(series: SeriesInfo, header: SliceHeader) -> tuple[float, float]:
    """Slope and intercept; only CT needs both, since without them its values are not HU."""
    slope, intercept = header.slope, header.intercept
    if series.modality is Modality.CT and (slope is None or intercept is None):
        raise UnreadableFile(
            f"{series.label}: {header.file.name} has no RescaleSlope (0028,1053) or RescaleIntercept (0028,1052), "
            "so its values are not HU; export the series again"
        )
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise UnreadableFile(
            f"{series.label}: {header.file.name} has RescaleSlope (0028,1053) 0 or an unreadable rescale, expected "
            "two numbers; export the series again"
        )
    return slope, intercept


def _stored(series: SeriesInfo, header: SliceHeader) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """(row, column) stored values, and which of them are padding."""
    try:
        with quiet():
            image = dcmread(header.file, force=True, specific_tags=_NEEDED)
            pixels = image.pixel_array
            is_padding = _padding(image, pixels)
    except DAMAGE as error:
        raise UnreadableFile(
            f"{series.label}: the pixels of {header.file.name} are truncated or damaged ({type(error).__name__}); "
            "copy the file again"
        ) from None
    if pixels.shape != (header.rows, header.columns):
        raise UnreadableFile(
            f"{series.label}: {header.file.name} decodes to {pixels.shape} pixels, "
            f"expected {(header.rows, header.columns)}; copy the file again"
        )
    return pixels, is_padding


def _padding(image: Dataset, pixels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Pixels at PixelPaddingValue (0028,0120), or between it and PixelPaddingRangeLimit (0028,0121)."""
    value = number(image, "PixelPaddingValue")
    if value is None or not np.isfinite(value) or pixels.dtype.kind == "f":
        return np.zeros(pixels.shape, dtype=bool)
    limit = number(image, "PixelPaddingRangeLimit")
    ends = [value, value if limit is None or not np.isfinite(limit) else limit]
    # Some files write a negative value as unsigned: it is the same bits.
    low, high = sorted(int(np.array(int(end)).astype(pixels.dtype)) for end in ends)
    inside: npt.NDArray[np.bool_] = (pixels >= low) & (pixels <= high)
    return inside
