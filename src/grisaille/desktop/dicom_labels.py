"""SEG and RTSTRUCT on the volume that they were made on: one that is open, or one beside them on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from grisaille.core.errors import GridMismatch, GrisailleError, InputError
from grisaille.core.labels import Labels
from grisaille.core.volume import Volume
from grisaille.io.dicom.label_files import LabelFile, LabelKind, label_file, label_files, likely_volumes
from grisaille.io.labels import read_labels

MOST_BESIDE = 5000
"""Files beside an RTSTRUCT that are looked through for its images."""


def labels_of_folder(folder: Path, volumes: Sequence[Volume]) -> tuple[list[tuple[Path, Labels]], list[str]]:
    """The labels of every SEG and RTSTRUCT in a folder, on that of ``volumes`` that it belongs to; the refusals."""
    read, refused = [], []
    for found in label_files(folder):
        try:
            read.append((found.file, _on_one_of(found, volumes)))
        except GrisailleError as error:
            refused.append(str(error))
    return read, refused


def labels_of_file(path: Path, volumes: Sequence[Volume]) -> tuple[Labels, Volume | None]:
    """The labels of a SEG or RTSTRUCT, and the volume they lie on if it was read for them and is not open yet.

    Taken is the open volume that the file names or that shares its frame of reference; else the series
    beside it in its folder. A SEG for which there is neither lies on the grid of its own frames.

    Raises
    ------
    InputError
        If an RTSTRUCT has no volume to lie on, or the file cannot be read.
    """
    found = label_file(path)
    if found is None:
        raise InputError(f"{path.name} is no DICOM SEG or RTSTRUCT")
    if likely_volumes(found, volumes):
        return _on_one_of(found, volumes), None
    beside = _beside(found)
    if beside is not None:
        return read_labels(path, like=beside), beside
    if found.kind is LabelKind.SEG:
        return read_labels(path), None
    raise _without_volume(found, volumes)


def _on_one_of(found: LabelFile, volumes: Sequence[Volume]) -> Labels:
    """On the first candidate whose voxels fit."""
    refusal: GridMismatch | None = None
    for volume in likely_volumes(found, volumes):
        try:
            return read_labels(found.file, like=volume)
        except GridMismatch as error:
            refusal = refusal or error
    if found.kind is LabelKind.SEG:
        return read_labels(found.file)
    raise refusal or _without_volume(found, volumes)


def _beside(found: LabelFile) -> Volume | None:
    """The series in the file's folder that it was made on."""
    from grisaille.io.dicom.series import read_series, scan

    folder = found.file.parent
    if len(list(islice(_files(folder), MOST_BESIDE + 1))) > MOST_BESIDE:
        return None
    for series in scan(folder).series:
        if series.uid in found.series:
            return read_series(series)
    return None


def _files(folder: Path) -> Iterable[Path]:
    return (Path(root, name) for root, _, names in os.walk(folder) for name in names)


def _without_volume(found: LabelFile, volumes: Sequence[Volume]) -> InputError:
    lies = "lies on none of the open volumes" if volumes else "needs the volume that it was drawn on"
    return InputError(
        f"{found.file.name} is an {found.kind.value} that {lies}, and its series is not in its folder; open its DICOM "
        "series first"
    )
