"""Label images to disk and back."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from grisaille.core.errors import GridMismatch, InputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.volume import Volume
from grisaille.io.files import read_file, write_file
from grisaille.io.image import path_of, suffix_of
from grisaille.io.label_names import names_inside
from grisaille.io.sidecar import names_beside, read_sidecar, sidecar_path
from grisaille.io.unsheared import require_straight

SAME_PLACE = 0.05
"""How far, in parts of the smallest voxel edge, labels may lie from the volume they are said to be on."""


def read_labels(
    path: str | os.PathLike[str], *, like: Volume | Grid | None = None, rois: Collection[str | int] | None = None
) -> Labels:
    """Read labels from NIfTI, NRRD, MetaImage, DICOM SEG or RTSTRUCT.

    The names of an image's labels are those of the JSON beside the file or, without one, those inside
    it (``names_inside``); SEG and RTSTRUCT name theirs. Where regions of these overlap, the smaller one
    stands and a warning says so; ``rois`` has each of them whole.

    Parameters
    ----------
    path
        A file, or a folder with one SEG or RTSTRUCT in it.
    like
        The volume, or grid, that they were made on; they then lie on exactly its grid. An RTSTRUCT needs
        it; a SEG without it lies on the grid of its stored frames.
    rois
        Names or numbers of the segments of a SEG or the regions of an RTSTRUCT to read; all for None.

    Raises
    ------
    GridMismatch
        If they lie elsewhere than ``like``.
    InputError
        If the file cannot be read, holds other than whole numbers from 0 to 65535, or has no such region.
    """
    file = path_of(path)
    if file.is_dir() or not suffix_of(file):
        return _from_dicom(file, like, rois)
    if rois is not None:
        raise InputError(
            f"{file.name} is an image, expected a DICOM SEG or RTSTRUCT to choose regions of; leave out rois"
        )
    image = read_file(file)
    grid = image.grid if like is None else _same_grid(file.name, image.grid, like)
    try:
        return Labels(image.voxels, grid, read_sidecar(file).names or names_inside(file), image.source)
    except UnreadableFile:
        raise
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from error


def _from_dicom(file: Path, like: Volume | Grid | None, rois: Collection[str | int] | None) -> Labels:
    from grisaille.io.dicom.label_files import LabelKind, only_label_file

    found = only_label_file(file)
    if found.kind is LabelKind.RTSTRUCT:
        from grisaille.io.dicom.rtstruct_read import read_rtstruct

        return read_rtstruct(found, like, rois)
    from grisaille.io.dicom.seg_read import read_seg

    return read_seg(found, like, rois)


def write_labels(labels: Labels, path: str | os.PathLike[str]) -> None:
    """Write labels as uint16 in the order of their source, the kind of file by the name.

    The file is read back and compared before it takes its name. Names of labels go into a
    sidecar beside it.

    Raises
    ------
    OutputError
        If it cannot be written whole, or a sheared grid would go into NIfTI; nothing is left then.
    """
    require_straight(labels.grid, labels.source, path_of(path))
    store_labels(labels, path)


def store_labels(labels: Labels, path: str | os.PathLike[str]) -> None:
    """As ``write_labels``, for grisaille's own eyes: on any grid, exactly as they are."""
    file = path_of(path)
    is_named = labels.names or sidecar_path(file).is_file()
    beside = names_beside(file, labels.names) if is_named else None
    write_file(labels.voxels, labels.grid, labels.source, file, beside)


def _same_grid(name: str, grid: Grid, like: Volume | Grid) -> Grid:
    wanted = like if isinstance(like, Grid) else like.grid
    if not grid.is_close(wanted, tolerance_mm=SAME_PLACE * min(wanted.spacing_mm)):
        raise GridMismatch(
            f"{name} lies on {grid}; expected {wanted}; give the volume that it was made on, resample it, or, to "
            "measure it where it was made, read it without like="
        )
    return wanted
