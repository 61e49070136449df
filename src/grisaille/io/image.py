"""What a file holds before anybody has said what it measures, and the guards before it is read."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from grisaille.core.errors import InputError, OutOfMemory, OutputError, UnreadableFile, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.volume import Source, SourceFormat

SUFFIXES = {
    ".nii.gz": SourceFormat.NIFTI,
    ".nii": SourceFormat.NIFTI,
    ".hdr": SourceFormat.NIFTI,
    ".nrrd": SourceFormat.NRRD,
    ".mha": SourceFormat.MHA,
    ".mhd": SourceFormat.MHA,
}
"""The image files that are told by their name. DICOM is not among them: it is told by its content."""

DEFLATE_RATIO = 1032
"""No deflate stream grows more than this (zlib's technical details); a header that claims more lies."""


@dataclass(frozen=True, eq=False)
class FileImage:
    """An image as its file gives it, turned to (z, y, x), with no meaning yet.

    ``warnings`` are sentences that a user should see.
    """

    voxels: npt.NDArray[Any]
    grid: Grid
    source: Source
    warnings: tuple[str, ...] = ()


def suffix_of(path: Path) -> str:
    """The suffix by which the kind of image is told, such as ``.nii.gz``; empty if it is none of ours."""
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix) and name != suffix), "")


def stem_of(path: Path) -> str:
    """The file name without the suffix of its kind."""
    suffix = suffix_of(path)
    return path.name[: -len(suffix)] if suffix else path.stem


def require_file(path: Path) -> None:
    """Raise ``UnreadableFile`` unless ``path`` is a file with something in it."""
    if not path.is_file():
        raise UnreadableFile(f"{path.name} is not there or is not a file; check the name")
    if path.stat().st_size == 0:
        raise UnreadableFile(f"{path.name} is empty; copy it again from where it came")


def require_plausible(name: str, declared_bytes: int, stored_bytes: int, *, compressed: bool) -> None:
    """Refuse, from the header alone, a file that cannot hold the voxels that it declares.

    Raises
    ------
    UnreadableFile
        If ``stored_bytes`` are too few for ``declared_bytes``, even compressed as far as can be.
    """
    most = stored_bytes * (DEFLATE_RATIO if compressed else 1)
    if declared_bytes > most:
        raise UnreadableFile(
            f"{name} is truncated or damaged: its header declares {in_words(declared_bytes)} of voxels, "
            f"the file holds at most {in_words(most)}; copy it again from where it came"
        )


def require_memory(name: str, needed_bytes: int) -> None:
    """Raise ``OutOfMemory`` unless so much memory is free."""
    free = int(psutil.virtual_memory().available)
    if needed_bytes > free:
        raise OutOfMemory(
            f"{name} needs {in_words(needed_bytes)} of memory, {in_words(free)} are free; "
            "crop it, or read it on a machine with more memory"
        )


def require_three_axes(name: str, shape: tuple[int, ...], frame: int | None) -> tuple[tuple[int, int, int], int]:
    """The three sizes of one frame, and which frame to take.

    Raises
    ------
    UnreadableFile
        If a size is not positive or there are more than four axes.
    UnsuitableVolume
        If there are several frames and none was chosen, or one was chosen that is not there.
    """
    if not shape or min(shape) < 1:
        raise UnreadableFile(f"{name} declares the shape {shape}, expected positive sizes; its header is damaged")
    padded = shape + (1,) * (4 - len(shape))
    frames = math.prod(padded[3:])
    if len(padded) > 4 and frames > padded[3]:
        raise UnsuitableVolume(f"{name} has {len(shape)} axes {shape}, expected three; save one volume of it")
    if frame is None and frames > 1:
        raise UnsuitableVolume(
            f"{name} holds {frames} volumes (shape {shape}), expected one; save one of them as a file of its own, "
            f"or read it in Python with frame=0 to {frames - 1}"
        )
    if frame is not None and not 0 <= frame < frames:
        raise UnsuitableVolume(
            f"{name} holds {frames} volume{'s' * (frames > 1)}, so frame {frame} is not there; "
            + (f"choose one from 0 to {frames - 1}" if frames > 1 else "leave the frame out")
        )
    return (padded[0], padded[1], padded[2]), frame or 0


def require_written(
    read: Callable[[Path], FileImage], temporary: Path, array: npt.NDArray[Any], grid: Grid, name: str
) -> None:
    """Raise ``OutputError`` unless what ``read`` finds in a file is what was to be written."""
    sentence = f"{name} was not written whole: what was read back differs; check that the disk has room and is sound"
    try:
        back = read(temporary)
    except InputError as error:
        raise OutputError(sentence) from error
    if not (back.grid.is_close(grid) and np.array_equal(back.voxels, array, equal_nan=array.dtype.kind == "f")):
        raise OutputError(sentence)


def in_words(amount: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.3f} GB" if amount < 10 else f"{amount:,.0f} GB"


def writable(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array in the nearest number type that every image format has."""
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise OutputError(f"voxels of type {array.dtype} cannot be written to an image; give whole or real numbers")
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        return array.astype(np.float32)
    return array.astype(f"{array.dtype.kind}{array.dtype.itemsize}", copy=False)


def path_of(path: str | os.PathLike[str]) -> Path:
    """The path, with ``~`` resolved."""
    return Path(path).expanduser()
