"""The header of a DICOM file out of as few bytes as will do, whatever the file claims of itself.

pydicom asks for as many bytes as a length says, be it 4 GB, and inflates a deflated file whole to
see its header. Here the header is looked for in the first bytes; only where it is longer is the
file read on, through a stream that gives no more than there is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from pydicom import Dataset, FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset, read_partial
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian

FIRST_BYTES = 2**16
LARGEST_VALUE = 2**20
"""Bytes; longer header values stay in the file."""
LARGEST_INFLATED_HEADER = 2**21
MOST_ELEMENTS = 20_000
"""In a header, not counting those inside of sequences; real ones have some hundreds."""

_PREAMBLE = 128
_PIXEL_TAGS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
_Stop = Callable[[BaseTag, str | None, int], bool]


class Refused(ValueError):
    """Bytes that would do harm; the message says why and nothing of the file's content."""


class EndlessHeader(Refused):
    """A header that goes on beyond any real one's length."""


class Clipped:
    """A stream that asks a file for no more than is left of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._size = stream.seek(0, 2)
        stream.seek(0)

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes."""
        left = max(self._size - self._stream.tell(), 0)
        return self._stream.read(left if size < 0 else min(size, left))

    def seek(self, place: int, whence: int = 0) -> int:
        """As of any stream."""
        return self._stream.seek(place, whence)

    def tell(self) -> int:
        """As of any stream."""
        return self._stream.tell()


def read_head(file: Path) -> tuple[Dataset, int | None, int]:
    """A file's elements before its pixels, the place of these, and how large the file is.

    The place is None where there are no pixels, or in a deflated file, where only inflating tells.
    Values longer than ``LARGEST_VALUE`` are not at hand where the header is longer than ``FIRST_BYTES``.

    Raises
    ------
    EndlessHeader
        If the header is too long to be one.
    """
    with file.open("rb") as stream:
        first = stream.read(FIRST_BYTES)
        if is_deflated(first):
            meta, start = _meta(first)
            rest = first[start:] + stream.read(LARGEST_INFLATED_HEADER)
            return _inflated_head(meta, rest), None, stream.seek(0, 2)
        size = len(first) if len(first) < FIRST_BYTES else stream.seek(0, 2)
        if found := _within(first, is_all=size == len(first)):
            return *found, size
        clipped = Clipped(stream)
        stop = _StopAtPixels()
        header = _parse(clipped, stop, defer_size=LARGEST_VALUE)
        return header, clipped.tell() if stop.is_found else None, size


def read_multi_frame_head(file: Path) -> Dataset:
    """As ``read_head``, with all the values of the functional groups, however long."""
    with file.open("rb") as stream:
        first = stream.read(FIRST_BYTES)
        if is_deflated(first):
            return read_head(file)[0]
        return _parse(Clipped(stream), _StopAtPixels())


def read_whole(file: Path, at_most: int) -> Dataset:
    """All elements of a file; at most so many bytes come out of a deflated one.

    Raises
    ------
    Refused
        If there would be more.
    """
    with file.open("rb") as stream:
        first = stream.read(FIRST_BYTES)
        if not is_deflated(first):
            return _parse(Clipped(stream), None)
        meta, start = _meta(first)
        stream.seek(start)
        content, is_complete = _inflate(stream.read(), at_most)
        if not is_complete:
            raise Refused("it inflates to more than its header says")
        return _dataset(meta, read_dataset(BytesIO(content), is_implicit_VR=False, is_little_endian=True))


def is_deflated(first: bytes) -> bool:
    """Whether a file that begins so is deflated behind its meta information."""
    written = str(DeflatedExplicitVRLittleEndian).encode()
    if first[_PREAMBLE : _PREAMBLE + 4] != b"DICM" or written not in first[: 2**12]:
        return False
    return bool(_meta(first)[0].get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian)


class _StopAtPixels:
    """Asked by pydicom before each element whether to stop there."""

    def __init__(self) -> None:
        self.is_found = False
        self._count = 0

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        self._count += 1
        if self._count > MOST_ELEMENTS:
            raise EndlessHeader
        self.is_found = tag in _PIXEL_TAGS
        return self.is_found


def _within(first: bytes, *, is_all: bool) -> tuple[Dataset, int | None] | None:
    """The header, if it ends in the first bytes."""
    stream, stop = BytesIO(first), _StopAtPixels()
    try:
        header = _parse(stream, stop)
    except EndlessHeader:
        raise
    except Exception:
        if is_all:
            raise
        return None  # it was cut off; reading on tells whether it is damaged too
    if stop.is_found:
        return header, stream.tell()
    return (header, None) if is_all else None


def _parse(stream: BytesIO | Clipped, stop: _Stop | None, defer_size: int | None = None) -> FileDataset:
    return read_partial(cast("BinaryIO", stream), stop, defer_size=defer_size, force=True)


def _meta(first: bytes) -> tuple[FileMetaDataset, int]:
    """The file meta information, which is never deflated, and where it ends."""
    stream = BytesIO(first)
    stream.seek(_PREAMBLE + 4)
    meta = read_dataset(
        stream, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, vr, length: tag >> 16 != 2
    )
    return FileMetaDataset(meta), stream.tell()


def _inflated_head(meta: FileMetaDataset, deflated: bytes) -> Dataset:
    content, is_complete = _inflate(deflated, LARGEST_INFLATED_HEADER)
    stop = _StopAtPixels()
    header = read_dataset(BytesIO(content), is_implicit_VR=False, is_little_endian=True, stop_when=stop)
    if not (stop.is_found or is_complete):
        raise EndlessHeader
    return _dataset(meta, header)


def _inflate(deflated: bytes, at_most: int) -> tuple[bytes, bool]:
    """At most so many bytes, and whether these are all."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    content = stream.decompress(deflated, at_most)
    return content, stream.eof or not (stream.unconsumed_tail or len(content) >= at_most)


def _dataset(meta: FileMetaDataset, elements: Dataset) -> Dataset:
    return FileDataset("", elements, file_meta=meta, is_implicit_VR=False, is_little_endian=True)
