"""What is refused by the header alone, before anything is decoded or room is made for it."""

from __future__ import annotations

from collections.abc import Sequence

import psutil
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import HTJ2K, UID, HTJ2KLossless, HTJ2KLosslessRPCL, ImplicitVRLittleEndian

from grisaille.core.errors import OutOfMemory, UnreadableFile, UnsuitableVolume
from grisaille.io.dicom_header import SliceHeader

LARGEST_SLICE_BYTES = 2**28
"""A slice of 11585 x 11585 pixels in 16 bits; no scanner's is near it."""
LARGEST_RATIO = 2000
"""Decoded to file size, beyond which a large image is taken for a decompression bomb."""
HARMLESS_BYTES = 2**23


def require_sane(label: str, slices: Sequence[SliceHeader]) -> None:
    """Refuse by the headers what would be dangerous or senseless to decode.

    Raises
    ------
    UnsuitableVolume
        If the images are no measurements (colour).
    UnreadableFile
        If a file is truncated, compressed in an unknown way or lies about its size.
    """
    seen: set[tuple[object, ...]] = set()
    for header in slices:
        # The frames of a file have all of this in common.
        key = header.file, header.rows, header.columns, header.samples, header.photometric
        if key not in seen:
            seen.add(key)
            _require_measured(f"{label}: {header.file.name}", header)
            _require_size(f"{label}: {header.file.name}", header)


def _require_measured(name: str, header: SliceHeader) -> None:
    if header.samples != 1 or not header.photometric.startswith("MONOCHROME"):
        raise UnsuitableVolume(f"{name} is a colour picture, expected one measured value a pixel")


def _require_size(name: str, header: SliceHeader) -> None:
    if reason := oversize(header):
        raise UnreadableFile(f"{name} {reason}")
    present, declared = header.pixels.file_bytes, header.declared_bytes * header.frames
    syntax = UID(header.transfer_syntax or ImplicitVRLittleEndian)
    if not _is_decodable(syntax):
        # An unknown syntax is not repeated: anything may stand there.
        known = syntax.name if syntax.is_transfer_syntax else "an unknown transfer syntax"
        remedy = (
            "install pylibjpeg and pylibjpeg-openjpeg"
            if syntax in (HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL)
            else "convert it to explicit little endian"
        )
        raise UnreadableFile(f"{name} is stored as {known}, which cannot be decoded here; {remedy}")
    if not (syntax.is_compressed or syntax.is_deflated) and declared > present:
        raise UnreadableFile(
            f"{name} is truncated: {present} bytes, expected at least {declared} of pixels; copy the file again"
        )


def oversize(header: SliceHeader) -> str:
    """Why its size is no real image's, as the end of a sentence that begins with the file; else empty."""
    present, declared = header.pixels.file_bytes, header.declared_bytes * header.frames
    if header.declared_bytes <= LARGEST_SLICE_BYTES and declared <= max(HARMLESS_BYTES, LARGEST_RATIO * present):
        return ""
    frames = f"{header.frames} frames of " if header.frames > 1 else ""
    return (
        f"declares {frames}{header.rows} x {header.columns} pixels ({declared / 1e6:.0f} MB) in a file of "
        f"{present / 1e6:.3f} MB, which no scanner writes; the file is damaged or made to do harm"
    )


def _is_decodable(syntax: UID) -> bool:
    if not syntax.is_transfer_syntax:
        return False
    if not syntax.is_compressed:
        return True
    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        return False


def require_memory(label: str, needed: int) -> None:
    """Raise ``OutOfMemory`` if so many bytes are not free."""
    free = psutil.virtual_memory().available
    if needed > free:
        raise OutOfMemory(
            f"{label} needs {needed / 1e9:.1f} GB to read, {free / 1e9:.1f} GB are free; "
            "close other programs or crop the series"
        )
