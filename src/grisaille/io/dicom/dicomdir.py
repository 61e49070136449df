"""A DICOMDIR, the index of a disc: the files that it names, inside its own folder only.

Source: DICOM PS3.10, section 8 (File-sets, File IDs); PS3.3, annex F.
"""

from __future__ import annotations

from pathlib import Path

from grisaille.core.errors import UnreadableFile

_LARGEST = 2**26
"""A record takes some hundred bytes: this indexes more images than a disc holds."""
_REFUSED_PARTS = ("", ".", "..")


def is_dicomdir(path: Path) -> bool:
    """Whether a file is an index by its name, which the standard fixes."""
    return path.name.upper() == "DICOMDIR" and path.is_file()


def indexed_files(index: Path) -> tuple[list[Path], int]:
    """The files that a DICOMDIR names and that are there, sorted, and how many are not there.

    Raises
    ------
    UnreadableFile
        If it is damaged or names a file outside of its folder.
    """
    files: set[Path] = set()
    missing = 0
    root = index.parent.resolve()
    for parts in _file_ids(index):
        if any(part in _REFUSED_PARTS or any(sign in part for sign in "\\:\0") for part in parts):
            raise _leads_out(index)
        found = next((file for file in _spellings(root, parts) if file.is_file()), None)
        if found is None:
            missing += 1
        elif not found.resolve().is_relative_to(root):
            raise _leads_out(index)
        else:
            files.add(found)
    return sorted(files), missing


def _spellings(root: Path, parts: list[str]) -> list[Path]:
    """File IDs are in capitals; a disc mounted under Linux often shows them in small letters."""
    return [root.joinpath(*(change(part) for part in parts)) for change in (str, str.lower, str.upper)]


def _file_ids(index: Path) -> list[list[str]]:
    """Of each record that refers to a file, the parts of its name."""
    from pydicom import Dataset, dcmread
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    from grisaille.io.dicom.tags import DAMAGE, as_text, quiet, values

    try:
        if index.stat().st_size > _LARGEST:
            raise ValueError
        with quiet():
            if read_file_meta_info(index).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
                raise ValueError
            content = dcmread(index)
            raw = content.get_item("DirectoryRecordSequence")
            if getattr(raw, "length", 0) > len(getattr(raw, "value", None) or b""):
                raise ValueError  # pydicom gives the records up to where the file was cut off
            records = values(content, "DirectoryRecordSequence") or []
            ids = [values(record, "ReferencedFileID") for record in records if isinstance(record, Dataset)]
            return [[part for piece in one for part in as_text(piece).split("/")] for one in ids if one]
    except DAMAGE as error:
        raise UnreadableFile(
            f"{index.name} is damaged ({type(error).__name__}); give the folder that it lies in instead"
        ) from None


def _leads_out(index: Path) -> UnreadableFile:
    return UnreadableFile(
        f"{index.name} names a file outside of its own folder, which no honest disc does; "
        "if you trust the disc, give its folder instead"
    )
