"""Decodes compressed and deflated pixels in a process of its own, where a bad file can do no harm.

Started as ``python -m grisaille.io.dicom_child``. It is given a job (JSON) on its standard input and
answers each frame, in the order of the job, on its standard output: a head (``ANSWER``), then the
pixels, or the name of what went wrong. It takes no more memory than the job allows, where the
system knows such a limit, and writes no file.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import UID, ImplicitVRLittleEndian

from grisaille.io.dicom_bytes import Refused, read_whole
from grisaille.io.dicom_codestream import size_in

ANSWER = struct.Struct("<?2sIIQ")
"""Whether there are pixels; their kind and bytes each; rows; columns; bytes that follow."""
DECODERS = ("gdcm", "pyjpegls", "pylibjpeg", "pillow", "pydicom")
"""Fastest first (MEDICAL.md 1.1)."""


class Frame(NamedTuple):
    """One frame to decode: where, its number (from 0), and how large the header says it is."""

    file: str
    number: int
    rows: int
    columns: int


class Job(NamedTuple):
    """Frames to decode, with so many bytes of memory beyond those of starting, and out of a deflated file."""

    frames: list[Frame]
    memory_bytes: int
    inflated_bytes: int

    def to_json(self) -> bytes:
        """For the child's standard input."""
        return json.dumps(self).encode()

    @classmethod
    def from_json(cls, written: bytes) -> Job:
        """The inverse of ``to_json``."""
        frames, memory_bytes, inflated_bytes = json.loads(written)
        return cls([Frame(*frame) for frame in frames], memory_bytes, inflated_bytes)


def decoded(job: Job) -> Iterator[npt.NDArray[Any]]:
    """(row, column) stored values of each frame.

    Raises
    ------
    Exception
        Of any kind: of pydicom, a decoder, or for want of memory.
    """
    for file, frames in groupby(job.frames, lambda frame: frame.file):
        image = read_whole(Path(file), job.inflated_bytes)
        syntax = UID(image.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
        decoder = get_decoder(syntax)
        for frame in frames:
            if syntax.is_compressed:
                _require_size(image, frame)
            yield _decode(decoder, image, frame)


def _decode(decoder: Decoder, image: Dataset, frame: Frame) -> npt.NDArray[Any]:
    """By the first decoder that can."""
    index = frame.number if int(image.get("NumberOfFrames") or 1) > 1 else 0
    plugins = [name for name in DECODERS if name in decoder.available_plugins] or [""]
    for plugin in plugins[:-1]:
        try:
            return decoder.as_array(image, index=index, decoding_plugin=plugin)[0]
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - the next decoder may read what this one cannot; the last one's error is told
            continue
    return decoder.as_array(image, index=index, decoding_plugin=plugins[-1])[0]


def _require_size(image: Dataset, frame: Frame) -> None:
    """Decoders make room for what the codestream says, whatever the header said."""
    frames = int(image.get("NumberOfFrames") or 1)
    offsets = image.get("ExtendedOffsetTable"), image.get("ExtendedOffsetTableLengths")
    extended = (offsets[0], offsets[1]) if offsets[0] and offsets[1] else None
    found = size_in(get_frame(image.PixelData, frame.number, number_of_frames=frames, extended_offsets=extended))
    if found is not None and found != (frame.rows, frame.columns):
        raise Refused(
            f"the picture in it has {found[0]} x {found[1]} pixels, by the header {frame.rows} x {frame.columns}"
        )


def reason(error: BaseException) -> str:
    """What may be said of an error: others' messages repeat what stands in the file."""
    return str(error) if isinstance(error, Refused) else type(error).__name__


def _limit_memory(more: int) -> None:
    """No address space beyond what is taken now and ``more`` bytes, where the system has such a limit."""
    if sys.platform != "linux":
        return  # the parent watches instead
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + more
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main() -> None:
    """Answer the job on standard input."""
    # The decoders' libraries print to standard output; nothing but answers may get there.
    answers = os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    job = Job.from_json(sys.stdin.buffer.read())
    _limit_memory(job.memory_bytes)
    try:
        for pixels in decoded(job):
            kind = f"{pixels.dtype.kind}{pixels.dtype.itemsize}".encode()
            rows, columns = pixels.shape
            answers.write(ANSWER.pack(True, kind, rows, columns, pixels.nbytes))
            little: Any = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
            answers.write(memoryview(little).cast("B"))
            answers.flush()
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent makes a sentence of it
        why = reason(error).encode()
        answers.write(ANSWER.pack(False, b"", 0, 0, len(why)) + why)
        answers.flush()


if __name__ == "__main__":
    main()
