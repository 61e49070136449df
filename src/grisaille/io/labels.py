"""Label images to disk and back."""

from __future__ import annotations

import os

from grisaille.core.errors import GridMismatch, InputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.volume import Volume
from grisaille.io.files import read_file, write_file
from grisaille.io.image import path_of, suffix_of
from grisaille.io.label_names import names_inside
from grisaille.io.sidecar import read_sidecar, sidecar_path, write_names
from grisaille.io.unsheared import require_straight

SAME_PLACE = 0.05
"""How far, in parts of the smallest voxel edge, labels may lie from the volume they are said to be on."""


def read_labels(path: str | os.PathLike[str], *, like: Volume | Grid | None = None) -> Labels:
    """Read labels from NIfTI, NRRD or MetaImage.

    Their names are those of the JSON beside the file or, without one, those inside it (``names_inside``).

    Parameters
    ----------
    like
        The volume, or grid, that they were made on; they then lie on exactly its grid.

    Raises
    ------
    GridMismatch
        If they lie elsewhere than ``like``.
    InputError
        If the file cannot be read or holds other than whole numbers from 0 to 65535.
    """
    file = path_of(path)
    if file.is_dir() or not suffix_of(file):
        raise UnreadableFile(
            f"{file.name}: labels are read from NIfTI, NRRD and MetaImage files; "
            "convert DICOM SEG or RTSTRUCT to one of these first"
        )
    image = read_file(file)
    grid = image.grid if like is None else _same_grid(file.name, image.grid, like)
    try:
        return Labels(image.voxels, grid, read_sidecar(file).names or names_inside(file), image.source)
    except UnreadableFile:
        raise
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from error


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
    write_file(labels.voxels, labels.grid, labels.source, file)
    if labels.names or sidecar_path(file).is_file():
        write_names(file, labels.names)


def _same_grid(name: str, grid: Grid, like: Volume | Grid) -> Grid:
    wanted = like if isinstance(like, Grid) else like.grid
    if not grid.is_close(wanted, tolerance_mm=SAME_PLACE * min(wanted.spacing_mm)):
        raise GridMismatch(
            f"{name} lies on {grid}; expected {wanted}; give the volume that it was made on, or resample it"
        )
    return wanted
