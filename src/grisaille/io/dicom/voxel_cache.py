"""Volumes too large for the memory, kept in files that are mapped into it.

A volume is made once, under a name that stands for all it depends on, and is found again as long as
its file is sound. The files hold what patients look like inside: only their owner may read them, and
no name in them or of them says whose they are. The folder may be emptied at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import OutOfMemory
from grisaille.core.run import Run

FORMAT = 1
"""Of the files; another one's are not found."""
MOST_BYTES = 20 * 10**9
"""Kept in all; the oldest go first."""
LONGEST_DAYS = 30
SPARE_BYTES = 2**28
"""Left free on the disk."""
_CHUNK = 2**24
_WAIT_S = 0.1
_one_at_a_time = threading.Lock()
"""Two threads at one volume would cut off the file that the other has mapped, which ends the program."""
_DAY_S = 86400.0


@dataclass(frozen=True, eq=False)
class Kept:
    """A read-only mapped array, and the numbers that were noted when it was made."""

    voxels: npt.NDArray[Any]
    notes: dict[str, int]


def key_of(parts: Sequence[object]) -> str:
    """A name for what depends on ``parts``, from which nothing of them can be told."""
    return hashlib.sha256(repr((FORMAT, parts)).encode()).hexdigest()[:32]


class VoxelCache:
    """Volumes in one folder: ``KEY.voxels``, and ``KEY.json`` once these are complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, run: Run) -> VoxelCache:
        """In the run's cache folder, else in the user's: without a file there is no such volume."""
        import platformdirs

        return cls((run.cache or platformdirs.user_cache_path("grisaille", appauthor=False)) / "volumes")

    def voxels(
        self,
        key: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        fill: Callable[[npt.NDArray[Any]], dict[str, int]],
        *,
        label: str,
        run: Run,
    ) -> Kept:
        """The volume of this key, made by ``fill`` unless it is there.

        Raises
        ------
        OutOfMemory
            If the disk is full or cannot be written to; nothing is left behind, nor if ``fill`` raises.
        """
        while not _one_at_a_time.acquire(timeout=_WAIT_S):
            run.check_cancelled()
        try:
            return self._find(key, shape, dtype, label, run) or self._made(key, shape, dtype, fill, label, run)
        finally:
            _one_at_a_time.release()

    def _made(
        self,
        key: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        fill: Callable[[npt.NDArray[Any]], dict[str, int]],
        label: str,
        run: Run,
    ) -> Kept:
        size = math.prod(shape) * dtype.itemsize
        try:
            self._make_room(size, label)
            self._make(key, shape, dtype, fill, label, run)
        except OSError as error:
            raise self._refusal(size, label, type(error).__name__) from None
        made = self._find(key, shape, dtype, label, run, is_new=True)
        if made is None:
            raise self._refusal(size, label, "it was not kept as it was written")
        return made

    def _find(
        self, key: str, shape: tuple[int, ...], dtype: np.dtype[Any], label: str, run: Run, *, is_new: bool = False
    ) -> Kept | None:
        """The volume, if it is complete and sound."""
        voxels, about = self._files(key)
        try:
            told = json.loads(about.read_bytes())
            if voxels.stat().st_size != math.prod(shape) * dtype.itemsize:
                return None
            if not is_new and _checksum(voxels, f"checking the kept {label}", run) != told["crc32"]:
                return None
            with contextlib.suppress(OSError):
                os.utime(about)  # it is as good as new to the one who clears up
            notes = {name: int(value) for name, value in told["notes"].items()}
            return Kept(np.memmap(voxels, dtype, "r", shape=shape), notes)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _make(
        self,
        key: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        fill: Callable[[npt.NDArray[Any]], dict[str, int]],
        label: str,
        run: Run,
    ) -> None:
        voxels, about = self._files(key)
        about.unlink(missing_ok=True)
        partial = voxels.with_suffix(f".{os.getpid()}.partial")
        try:
            _reserve(partial, math.prod(shape) * dtype.itemsize, run)
            values = np.memmap(partial, dtype, "r+", shape=shape)
            notes = fill(values)
            values.flush()
            del values  # Windows renames no file that is mapped
            told = {"crc32": _checksum(partial, f"keeping {label}", run), "notes": notes}
            os.replace(partial, voxels)
            written = about.with_suffix(f".{os.getpid()}.partial")
            written.write_text(json.dumps(told))
            os.replace(written, about)
        finally:
            partial.unlink(missing_ok=True)
            about.with_suffix(f".{os.getpid()}.partial").unlink(missing_ok=True)

    def _make_room(self, size: int, label: str) -> None:
        """Delete what is old or too much, and see whether there is room."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            self.folder.chmod(0o700)
        self._clear(size)
        if shutil.disk_usage(self.folder).free < size + SPARE_BYTES:
            raise self._refusal(size, label, "the disk is full")

    def _clear(self, size: int) -> None:
        now, total = time.time(), 0
        files = [file for file in self.folder.iterdir() if file.suffix in (".voxels", ".json", ".partial")]
        for partial in files:
            if partial.suffix == ".partial" and now - partial.stat().st_mtime > _DAY_S:
                _delete(partial)
        volumes = [file for file in files if file.suffix == ".voxels"]
        for voxels in sorted(volumes, key=_last_used, reverse=True):
            total += voxels.stat().st_size
            if total + size > MOST_BYTES or now - _last_used(voxels) > LONGEST_DAYS * _DAY_S:
                _delete(voxels.with_suffix(".json"))
                _delete(voxels)

    def _files(self, key: str) -> tuple[Path, Path]:
        return self.folder / f"{key}.voxels", self.folder / f"{key}.json"

    def _refusal(self, size: int, label: str, why: str) -> OutOfMemory:
        return OutOfMemory(
            f"{label} is so large that it is read into a file of {size / 1e9:.1f} GB in the cache folder, which could "
            f"not be written ({why}); free the disk there or choose another cache folder"
        )


def _last_used(voxels: Path) -> float:
    about = voxels.with_suffix(".json")
    return (about if about.exists() else voxels).stat().st_mtime


def _delete(file: Path) -> None:
    """Windows keeps a file that is mapped by another program; it goes another time."""
    with contextlib.suppress(OSError):
        file.unlink()


def _reserve(file: Path, size: int, run: Run) -> None:
    """A file of zeros whose place on the disk is sure: a mapped file that finds none ends the program."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "r+b") as stream:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size)
            return
        for start in range(0, size, _CHUNK):
            stream.write(bytes(min(_CHUNK, size - start)))
            run.check_cancelled()


def _checksum(file: Path, what: str, run: Run) -> int:
    """CRC-32 of a file."""
    checksum = 0
    with file.open("rb", buffering=0) as stream:
        chunks = math.ceil(file.stat().st_size / _CHUNK)
        for chunk in run.track(_chunks(stream), what, total=chunks):
            checksum = zlib.crc32(chunk, checksum)
    return checksum


def _chunks(stream: Any) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk
