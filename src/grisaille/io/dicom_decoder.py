"""Stored pixels of a series, slice by slice: read here where they are plain, else decoded in a process of their own."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from typing import IO, Any

import numpy as np
import psutil
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian

from grisaille.core.errors import UnreadableFile
from grisaille.core.run import Run
from grisaille.io.dicom_child import ANSWER, Frame, Job, decoded, reason
from grisaille.io.dicom_header import SliceHeader
from grisaille.io.dicom_stored import Stored, WrongPixels, read_frame
from grisaille.io.dicom_tags import DAMAGE, quiet

COMMAND = ("-P", "-m", "grisaille.io.dicom_child")
"""Not from the working folder (-P): a numpy.py among someone's images would be run."""
LONGEST_FRAME_S = 60.0
"""After which a decoder is given up on; a large JPEG 2000 slice takes a tenth of a second."""
POLL_S = 0.1
HEADER_BYTES = 2**24
STARTED_BYTES = 2**28
"""More than the child takes before its first file."""
ROOM_BYTES = 2**27
"""For a decoder's own tables and threads, beyond its pictures."""

_KINDS = {b"u1", b"u2", b"u4", b"i1", b"i2", b"i4", b"f4", b"f8"}


def stored_pixels(label: str, slices: Sequence[SliceHeader], run: Run) -> Generator[Stored, None, None]:
    """(row, column) stored values of each slice.

    Raises
    ------
    UnreadableFile
        If a file is truncated, damaged or not what its header says.
    Cancelled
        Within a moment of the user's asking.
    """
    if all(is_plain(header) for header in slices):
        yield from _read_plain(label, slices)
    elif is_frozen():
        yield from _decoded_here(label, slices)
    else:
        with closing(_decoded_there(label, slices, run)) as pixels:
            yield from pixels


def is_plain(header: SliceHeader) -> bool:
    """Whether its pixels lie in the file as they are."""
    syntax = UID(header.transfer_syntax or ImplicitVRLittleEndian)
    if syntax.is_compressed or syntax.is_deflated:
        return False
    # Big-endian bytes and 32-bit words lie in ways that pydicom knows better.
    return header.bits_allocated == 16 or (header.bits_allocated in (8, 32) and syntax != ExplicitVRBigEndian)


def is_frozen() -> bool:
    """Whether there is no Python to start: a program made of one file."""
    return bool(getattr(sys, "frozen", False)) or not sys.executable


def _read_plain(label: str, slices: Sequence[SliceHeader]) -> Generator[Stored, None, None]:
    for header in slices:
        shape = header.rows, header.columns
        try:
            yield read_frame(header.file, header.frame or 0, shape, header.bits_allocated, header.pixels)
        except WrongPixels as error:
            raise UnreadableFile(f"{label}: {header.name} {error}; copy the file again") from None
        except OSError as error:
            raise UnreadableFile(f"{label}: {header.name} cannot be read ({type(error).__name__})") from None


def _decoded_here(label: str, slices: Sequence[SliceHeader]) -> Generator[Stored, None, None]:
    pixels = decoded(_job(slices))
    for header in slices:
        try:
            with quiet():
                found = next(pixels)
        except (*DAMAGE, StopIteration) as error:
            raise _damaged(label, header, reason(error)) from None
        yield _checked(label, header, found)


def _decoded_there(label: str, slices: Sequence[SliceHeader], run: Run) -> Generator[Stored, None, None]:
    with _Child(_job(slices)) as child:
        for header in slices:
            answer = child.answer(run)
            if answer is None:
                raise _damaged(label, header, f"the decoder {child.end()}")
            if isinstance(answer, str):
                raise _damaged(label, header, answer)
            yield _checked(label, header, answer)


def _checked(label: str, header: SliceHeader, found: Stored) -> Stored:
    if found.shape != (header.rows, header.columns):
        raise UnreadableFile(
            f"{label}: {header.name} decodes to {found.shape} pixels, expected {(header.rows, header.columns)}; "
            "copy the file again"
        )
    return found


def _damaged(label: str, header: SliceHeader, why: str) -> UnreadableFile:
    return UnreadableFile(f"{label}: the pixels of {header.name} are truncated or damaged ({why}); copy the file again")


def _job(slices: Sequence[SliceHeader]) -> Job:
    frames = [Frame(str(one.file), one.frame or 0, one.rows, one.columns) for one in slices]
    largest_file = max(one.pixels.file_bytes for one in slices)
    # Decoders work in 32 bits and hand over copies; gdcm's comes as text of up to three bytes a byte.
    largest_frame = max(12 * one.rows * one.columns * max(one.bits_allocated // 8, 1) for one in slices)
    inflated = max(one.declared_bytes * one.frames for one in slices) + HEADER_BYTES
    is_deflated = any(UID(one.transfer_syntax).is_deflated for one in slices if one.transfer_syntax)
    memory = 3 * largest_file + largest_frame + (2 * inflated if is_deflated else 0) + ROOM_BYTES
    return Job(frames, memory, inflated)


class _Child:
    """The process; it is gone when the block is left, whatever happens."""

    def __init__(self, job: Job) -> None:
        self._memory_bytes = STARTED_BYTES + job.memory_bytes
        self._largest = max(frame.rows * frame.columns for frame in job.frames)
        self._ended = ""
        self._answers: queue.Queue[Stored | str | None] = queue.Queue(maxsize=2)
        self._process = subprocess.Popen(
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decoders print what stands in the file
            env=_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._reader = threading.Thread(target=self._listen, args=(job,), daemon=True)
        self._is_left = False

    def __enter__(self) -> _Child:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_left = True
        self._process.kill()
        while self._reader.is_alive():  # it may wait for room
            with suppress(queue.Empty):
                self._answers.get(timeout=POLL_S)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def answer(self, run: Run) -> Stored | str | None:
        """The next frame, or the name of what went wrong, or None if the process is gone."""
        since = time.monotonic()
        while True:
            try:
                return self._answers.get(timeout=POLL_S)
            except queue.Empty:
                run.check_cancelled()
            if time.monotonic() - since > LONGEST_FRAME_S:
                self._kill(f"took over {LONGEST_FRAME_S:.0f} s")
            elif self._is_too_large():
                self._kill("took too much memory")

    def end(self) -> str:
        """How it ended, in words."""
        return self._ended or f"crashed with code {self._process.wait()}"

    def _kill(self, why: str) -> None:
        self._ended = self._ended or why
        self._process.kill()

    def _is_too_large(self) -> bool:
        """A plain watch; on Linux the child has a limit of its own besides."""
        try:
            now = psutil.Process(self._process.pid).memory_info().rss
        except psutil.Error:
            return False
        return bool(now > self._memory_bytes)

    def _listen(self, job: Job) -> None:
        """In a thread of its own, since a pipe cannot be waited for with a limit everywhere."""
        try:
            given, stdout = self._process.stdin, self._process.stdout
            assert given is not None
            assert stdout is not None
            given.write(job.to_json())
            given.close()
            while (answer := _next(stdout, self._largest)) is not None and not self._is_left:
                self._answers.put(answer)
        except (OSError, ValueError):
            pass  # the pipe closed: the process is gone, which the None says
        self._answers.put(None)


def _next(stdout: IO[bytes], largest: int) -> Stored | str | None:
    head = stdout.read(ANSWER.size)
    if len(head) < ANSWER.size:
        return None
    is_good, kind, rows, columns, size = ANSWER.unpack(head)
    if not is_good:
        return stdout.read(min(size, 200)).decode("ascii", "replace")
    if kind not in _KINDS or size != rows * columns * int(kind[1:]) or rows * columns > largest:
        raise ValueError("not an answer")
    pixels = np.empty((rows, columns), f"<{kind.decode()}")
    flat: Any = pixels.reshape(-1)
    left = memoryview(flat).cast("B")
    while left:
        got = stdout.readinto(left)  # type: ignore[attr-defined]
        if not got:
            return None
        left = left[got:]
    return pixels


def _environment() -> dict[str, str]:
    """Modules are found where they are found here; one thread, since more would take the memory."""
    path = os.pathsep.join(place for place in sys.path if place)
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
