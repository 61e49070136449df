"""DICOM SEG and RTSTRUCT: which files are some, and which images they say they belong to."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    RTStructureSetStorage,
    SegmentationStorage,
)

from grisaille.core.errors import GridMismatch, NoImages, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.volume import Volume
from grisaille.io.dicom.tags import DAMAGE, quiet, text
from grisaille.io.pseudonym import pseudonym

_PREAMBLE = 128
_UNDEFINED = 0xFFFFFFFF


class LabelKind(StrEnum):
    """What holds the labels."""

    SEG = "SEG"
    RTSTRUCT = "RTSTRUCT"


_KINDS = {
    SegmentationStorage: LabelKind.SEG,
    "1.2.840.10008.5.1.4.1.1.66.7": LabelKind.SEG,
    RTStructureSetStorage: LabelKind.RTSTRUCT,
}


@dataclass(frozen=True)
class LabelFile:
    """A SEG or RTSTRUCT, not yet read.

    Parameters
    ----------
    file, kind
        Where it lies and what it is.
    frames
        Pseudonyms of the frames of reference that it names.
    series
        Pseudonyms of the image series that it was made on.
    header
        All but the pixels; holds the patient's name.
    is_whole
        Whether the file goes on to the end of what it declares.
    """

    file: Path
    kind: LabelKind
    frames: frozenset[str]
    series: frozenset[str]
    header: Dataset = field(repr=False)
    is_whole: bool = True

    def names(self, volume: Volume) -> bool:
        """Whether it was made on the series of a volume, of which that may be one stack of several."""
        series = volume.source.series.partition("-")[0]
        return bool(series) and series in self.series


def label_file(file: Path) -> LabelFile | None:
    """The SEG or RTSTRUCT in a file, or None if it is none or cannot be read."""
    try:
        with file.open("rb") as stream:
            if stream.read(_PREAMBLE + 4)[_PREAMBLE:] != b"DICM":
                return None
        with quiet():
            meta = read_file_meta_info(file)
            kind = _KINDS.get(meta.get("MediaStorageSOPClassUID"))
            # pydicom inflates a deflated file whole, however large it gets.
            if kind is None or meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
                return None
            header, is_whole = _read(file)
            return LabelFile(file, kind, _frames(header), _series(header), header, is_whole)
    except DAMAGE:
        return None


def label_files(folder: Path) -> tuple[LabelFile, ...]:
    """The SEG and RTSTRUCT of a folder and the folders in it, by name."""
    found = (label_file(file) for file in sorted(_walk(folder)))
    return tuple(one for one in found if one is not None)


def likely_volumes(found: LabelFile, volumes: Iterable[Volume]) -> list[Volume]:
    """The volumes of the series that a file names, then those in its frame of reference."""
    volumes = list(volumes)
    named = [one for one in volumes if found.names(one)]
    in_frame = [one for one in volumes if one.provenance.frame_of_reference in found.frames and one not in named]
    return named + in_frame


def only_label_file(path: Path) -> LabelFile:
    """The SEG or RTSTRUCT that ``path`` is, or the only one in it.

    Raises
    ------
    UnreadableFile
        If it is none.
    NoImages
        If a folder holds none or several, or there is nothing.
    """
    if path.is_dir():
        found = label_files(path)
        if len(found) == 1:
            return found[0]
        names = f": {', '.join(one.file.name for one in found[:5])}" if found else ""
        raise NoImages(
            f"{path.name} holds {len(found)} DICOM SEG or RTSTRUCT files{names}, expected one; name the file"
        )
    if not path.is_file():
        raise UnreadableFile(f"{path.name} is not there or is not a file; check the name")
    one = label_file(path)
    if one is None:
        raise UnreadableFile(
            f"{path.name} holds no labels that can be read; expected a sound DICOM SEG or RTSTRUCT (not deflated), "
            "or a NIfTI, NRRD or MetaImage file"
        )
    return one


def require_whole(labels: LabelFile) -> None:
    """Raise ``UnreadableFile`` if the end of the file is missing."""
    if not labels.is_whole:
        raise UnreadableFile(f"{labels.file.name} is truncated: its last part is missing; copy it again")


def require_same_frame(labels: LabelFile, frames: frozenset[str], like: Volume | Grid) -> tuple[str, ...]:
    """Raise ``GridMismatch`` if labels in ``frames`` of reference have another than ``like``; else tell the doubts.

    Labels that name the volume's own series belong to it, whatever they say of the frame.
    """
    if not isinstance(like, Volume):
        return ()
    name = like.name or like.modality.key.upper()
    own = like.provenance.frame_of_reference
    if not own or not frames:
        return (
            f"{'the volume ' + name if not own else labels.file.name} names no frame of reference, so that "
            f"{labels.file.name} was made on this patient's {name} could not be checked",
        )
    if own in frames:
        return ()
    if labels.names(like):
        return (f"{labels.file.name} names the series of {name} but another frame of reference; its places were taken",)
    raise GridMismatch(
        f"{labels.file.name} lies in another frame of reference than {name}, so its places mean nothing there; "
        "give the series that it was made on"
    )


def _read(file: Path) -> tuple[Dataset, bool]:
    """All but the pixels, and whether nothing is missing at the end: pydicom takes what there is, with a warning."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        header = dcmread(file, stop_before_pixels=True)
        is_whole = _ends(header)
    return header, is_whole and not any("end of file" in str(one.message) for one in told)


def _ends(header: Dataset) -> bool:
    """Whether the last element, and the last one in it, has all of its bytes."""
    for tag in sorted(header.keys())[-1:]:
        last: Any = header.get_item(tag)
        if isinstance(last, RawDataElement):
            return bool(last.length == _UNDEFINED or len(last.value or b"") >= last.length)
        return bool(last.VR != "SQ" or not last.value) or _ends(last.value[-1])
    return True


def _frames(header: Dataset) -> frozenset[str]:
    uids = {text(one, "FrameOfReferenceUID") for one in header.get("ReferencedFrameOfReferenceSequence") or ()}
    uids |= {text(one, "ReferencedFrameOfReferenceUID") for one in header.get("StructureSetROISequence") or ()}
    uids = uids - {""} or {text(header, "FrameOfReferenceUID")}
    return frozenset(pseudonym(uid) for uid in uids if uid)


def _series(header: Dataset) -> frozenset[str]:
    referenced = list(header.get("ReferencedSeriesSequence") or ())
    for frame in header.get("ReferencedFrameOfReferenceSequence") or ():
        for study in frame.get("RTReferencedStudySequence") or ():
            referenced += study.get("RTReferencedSeriesSequence") or ()
    return frozenset(pseudonym(text(one, "SeriesInstanceUID")) for one in referenced) - {""}


def _walk(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder, followlinks=False):
        for name in names:
            file = Path(root, name)
            if file.is_file() and not file.is_symlink():
                yield file
