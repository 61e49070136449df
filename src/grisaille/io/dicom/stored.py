"""How pixels lie in a DICOM file, and reading those that are neither compressed nor deflated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from grisaille.io.dicom.tags import as_number, count, number, values

Stored = npt.NDArray[Any]

_LONG_VRS = (b"OW", b"OB", b"UN")
_LITTLE, _BIG = b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10"
_HEAD = 12
"""Bytes of an element's head: tag, VR, two reserved, length; in implicit VR the last four are pixels already."""


class WrongPixels(ValueError):
    """The pixels are not as the header says; the message is the end of a sentence that begins with the file."""


@dataclass(frozen=True)
class PixelLayout:
    """What the header says about the pixels of a file, beside their number.

    Parameters
    ----------
    place
        Where the PixelData element begins, or None if only inflating tells.
    file_bytes
        How large the file was.
    bits_stored, high_bit, is_signed
        Which bits count, and whether they are signed; None if that is not said.
    padding
        Both ends of the padding values as written, or None.
    """

    place: int | None = None
    file_bytes: int = 0
    bits_stored: int = 0
    high_bit: int = 0
    is_signed: bool | None = False
    padding: tuple[float, float] | None = None


def layout_of(header: Dataset, place: int | None, file_bytes: int) -> PixelLayout:
    """The layout of a file of so many bytes whose pixels begin at ``place``."""
    stored = count(header, "BitsStored", count(header, "BitsAllocated"))
    value, limit = number(header, "PixelPaddingValue"), number(header, "PixelPaddingRangeLimit")
    is_padded = value is not None and np.isfinite(value)
    return PixelLayout(
        place=place,
        file_bytes=file_bytes,
        bits_stored=stored,
        high_bit=count(header, "HighBit", stored - 1),
        is_signed={0.0: False, 1.0: True}.get(_one(header, "PixelRepresentation")),
        padding=(float(value), float(limit if limit is not None and np.isfinite(limit) else value))
        if is_padded and value is not None
        else None,
    )


def _one(header: Dataset, keyword: str) -> float:
    """A number that stands alone; NaN if it is absent or one of several."""
    found = values(header, keyword)
    return (as_number(found[0]) or 0.0) if found is not None and len(found) == 1 else float("nan")


def read_frame(file: Path, frame: int, shape: tuple[int, int], bits: int, layout: PixelLayout) -> Stored:
    """(row, column) stored values of one frame, in one go.

    Parameters
    ----------
    frame
        From 0.
    shape
        (rows, columns).
    bits
        BitsAllocated: 8, 16 or 32.

    Raises
    ------
    WrongPixels
        If they are not there or not so many as the header says.
    """
    if layout.place is None:
        raise WrongPixels("has no PixelData (7FE0,0010)")
    size = shape[0] * shape[1] * bits // 8
    skipped = frame * size
    content = np.empty(_HEAD + size, np.uint8)
    with file.open("rb", buffering=0) as stream:
        stream.seek(layout.place)
        if frame:
            head = stream.read(_HEAD)
            begin, declared, byte_order = _element(head)
            stream.seek(layout.place + begin + skipped)
            got = begin + _fill(stream, content[begin : begin + size])
        else:
            got = _fill(stream, content)
            begin, declared, byte_order = _element(content[:_HEAD].tobytes())
    if declared != 0xFFFFFFFF and declared < skipped + size:
        raise WrongPixels(f"has {declared} bytes of pixels, expected {skipped + size}")
    is_beyond = 0 < layout.file_bytes < layout.place + begin + declared
    if declared == 0xFFFFFFFF or is_beyond or got < begin + size:
        raise WrongPixels("is cut off in its pixels")
    if layout.is_signed is None:
        raise WrongPixels("does not say whether its pixels are signed (PixelRepresentation (0028,0103))")
    kind = "i" if layout.is_signed else "u"
    pixels = content[begin : begin + size].view(f"{byte_order}{kind}{bits // 8}").reshape(shape)
    return _only_stored_bits(pixels.astype(pixels.dtype.newbyteorder("="), copy=False), bits, layout)


def _fill(stream: Any, content: npt.NDArray[np.uint8]) -> int:
    """Bytes read; less than asked for only at the end of the file."""
    got = 0
    while got < content.nbytes:
        more = stream.readinto(content[got:])
        if not more:
            break
        got += more
    return got


def _element(head: bytes) -> tuple[int, int, str]:
    """Where the value begins behind its tag, how long it is said to be, and the byte order."""
    if head[:4] not in (_LITTLE, _BIG):
        raise WrongPixels("was changed while it was read")
    order = "little" if head[:4] == _LITTLE else "big"
    # A length in implicit VR is even, and none of these is, read as a number. Other letters that make no even
    # number are a VR too, but none that such pixels can have.
    if head[4:6] not in _LONG_VRS and head[4:6].isalpha() and head[4:6].isupper() and head[4] % 2:
        raise WrongPixels("has PixelData (7FE0,0010) of a kind that it cannot be")
    begin, length = (12, head[8:12]) if head[4:6] in _LONG_VRS else (8, head[4:8])
    return begin, int.from_bytes(length, order), "<" if order == "little" else ">"  # type: ignore[arg-type]


def _only_stored_bits(pixels: Stored, bits: int, layout: PixelLayout) -> Stored:
    """Without what may stand in the bits beside the stored ones, such as overlays of old files."""
    if not 1 <= layout.bits_stored <= layout.high_bit + 1 <= bits:
        raise WrongPixels(
            f"stores {layout.bits_stored} bits up to bit {layout.high_bit} of {bits}, which cannot be; "
            "export the series again"
        )
    if layout.bits_stored < bits:
        np.left_shift(pixels, bits - 1 - layout.high_bit, out=pixels)
        np.right_shift(pixels, bits - layout.bits_stored, out=pixels)
    return pixels


def padding_in(pixels: Stored, layout: PixelLayout) -> npt.NDArray[np.bool_] | None:
    """Which pixels are at PixelPaddingValue (0028,0120), or between it and PixelPaddingRangeLimit (0028,0121)."""
    if layout.padding is None or pixels.dtype.kind == "f":
        return None
    bits = 8 * pixels.dtype.itemsize
    low, high = sorted(_as_stored(int(end), bits, is_signed=pixels.dtype.kind == "i") for end in layout.padding)
    inside: npt.NDArray[np.bool_] = pixels == low if low == high else (pixels >= low) & (pixels <= high)
    return inside if inside.any() else None


def _as_stored(value: int, bits: int, *, is_signed: bool) -> int:
    """Some files write a negative value as unsigned, or the reverse: it is the same bits."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if is_signed and value >> (bits - 1) else value
