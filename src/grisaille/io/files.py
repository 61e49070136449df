"""Image files by their suffix: one way in, one way out."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from grisaille.core.errors import OutputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.volume import Source, SourceFormat
from grisaille.io.image import SUFFIXES, FileImage, suffix_of

_NAMES = ", ".join(SUFFIXES)
_KINDS = {
    ".nii": "NIfTI",
    ".nii.gz": "NIfTI packed with gzip",
    ".hdr": "the header of a NIfTI pair",
    ".nrrd": "NRRD",
    ".mha": "MetaImage",
    ".dcm": "DICOM",
}
"""By the ending that the content asks for."""

_NIFTI_MAGIC = {348: 344, 540: 4}
"""Where the magic word stands, by the first number of the header (nifti1.h, nifti2.h)."""


def read_file(path: Path, *, frame: int | None = None) -> FileImage:
    """Read an image file of any kind but DICOM.

    Raises
    ------
    InputError
        As ``read_nifti`` and ``read_itk``; ``UnreadableFile`` if the name ends in none of ours, or in
        that of another kind than the content is.
    """
    suffix = suffix_of(path)
    if not suffix:
        raise UnreadableFile(f"{path.name} is of no kind that is read here; expected a name ending in {_NAMES}")
    ending = ending_by_content(path)
    if ending not in ("", ".mha" if suffix == ".mhd" else suffix):
        raise UnreadableFile(
            f"{path.name} is no {suffix[1:]} file: its content is {_KINDS[ending]}; rename it to end in {ending}"
        )
    if SUFFIXES[suffix] is SourceFormat.NIFTI:
        from grisaille.io.nifti import read_nifti

        return read_nifti(path, frame=frame)
    from grisaille.io.itk import read_itk

    return read_itk(path, frame=frame)


def ending_by_content(path: Path) -> str:
    """The ending that a file should have by its first bytes, packed or not; empty if they say nothing."""
    try:
        with path.open("rb") as file:
            start = file.read(352)
        is_packed = start[:2] == b"\x1f\x8b"
        if is_packed:
            with gzip.open(path) as packed:
                start = packed.read(352)
    except (OSError, EOFError, zlib.error):
        return ""
    if start.startswith(b"NRRD0"):
        return ".nrrd"
    if start.startswith((b"ObjectType", b"NDims")):
        return ".mha"
    if start[128:132] == b"DICM":
        return ".dcm"
    sizes = {int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big")}
    magic = {start[at : at + 3] for size, at in _NIFTI_MAGIC.items() if size in sizes}
    if magic & {b"n+1", b"n+2"}:
        return ".nii.gz" if is_packed else ".nii"
    return ".hdr" if magic & {b"ni1", b"ni2"} else ""


def write_file(
    array: npt.NDArray[Any], grid: Grid, source: Source, path: Path, beside: Mapping[Path, bytes] | None = None
) -> None:
    """Write (z, y, x) voxels in the order of their source; the kind of file by the name.

    ``beside`` are small files that take their names together with it, as in ``replacing``.

    Raises
    ------
    OutputError
        If the name ends in none of ours or the file cannot be written whole; nothing is left then.
    """
    suffix = suffix_of(path)
    if not suffix:
        raise OutputError(f"{path.name} does not say what to write; give a name ending in .nii.gz, .nii, .nrrd or .mha")
    if suffix == ".hdr":
        raise OutputError(f"{path.name}: a NIfTI is written as one file; give a name ending in .nii.gz or .nii")
    if SUFFIXES[suffix] is SourceFormat.NIFTI:
        from grisaille.io.nifti import write_nifti

        write_nifti(array, grid, source, path, beside)
    else:
        from grisaille.io.itk import write_itk

        write_itk(array, grid, source, path, beside)
