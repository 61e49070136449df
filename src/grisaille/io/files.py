"""Image files by their suffix: one way in, one way out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from grisaille.core.errors import OutputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.volume import Source, SourceFormat
from grisaille.io.image import SUFFIXES, FileImage, suffix_of

_NAMES = ", ".join(SUFFIXES)


def read_file(path: Path, *, frame: int | None = None) -> FileImage:
    """Read an image file of any kind but DICOM.

    Raises
    ------
    InputError
        As ``read_nifti`` and ``read_itk``; ``UnreadableFile`` if the name ends in none of ours.
    """
    suffix = suffix_of(path)
    if not suffix:
        raise UnreadableFile(f"{path.name} is of no kind that is read here; expected a name ending in {_NAMES}")
    if SUFFIXES[suffix] is SourceFormat.NIFTI:
        from grisaille.io.nifti import read_nifti

        return read_nifti(path, frame=frame)
    from grisaille.io.itk import read_itk

    return read_itk(path, frame=frame)


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
    if SUFFIXES[suffix] is SourceFormat.NIFTI:
        from grisaille.io.nifti import write_nifti

        write_nifti(array, grid, source, path, beside)
    else:
        from grisaille.io.itk import write_itk

        write_itk(array, grid, source, path, beside)
