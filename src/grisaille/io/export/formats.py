"""What results are exported as, and what the files are called."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from grisaille.core.errors import ConfigError, OutputError


class Format(Enum):
    """One kind of file: its name on the command line, what it is, how its name may end, and what it is called."""

    SEG = ("seg", "DICOM SEG, where the findings are", (".dcm", ".dicom"), "findings.seg.dcm")
    SR = ("sr", "DICOM SR, the measures of each finding", (".dcm", ".dicom"), "findings.sr.dcm")
    RTSTRUCT = ("rtstruct", "DICOM RTSTRUCT, outlines of the findings", (".dcm", ".dicom"), "findings.rtstruct.dcm")
    MAP = ("pm", "DICOM parametric map, the anomaly scores", (".dcm", ".dicom"), "anomaly.pm.dcm")
    NIFTI = ("nifti", "NIfTI, labels and their names", (".nii.gz", ".nii"), "findings.nii.gz")
    NRRD = ("nrrd", "NRRD, labels and their names", (".nrrd",), "findings.nrrd")
    CSV = ("csv", "CSV, the measures as a table", (".csv",), "findings.csv")
    JSON = ("json", "JSON, the record of the result", (".json",), "result.json")

    def __init__(self, key: str, words: str, endings: tuple[str, ...], file_name: str) -> None:
        self.key = key
        self.words = words
        self.endings = endings
        self.file_name = file_name

    @property
    def is_dicom(self) -> bool:
        """Whether it says whose it is, and refers to the images."""
        return ".dcm" in self.endings

    @classmethod
    def parse(cls, written: str) -> tuple[Format, ...]:
        """Formats written as ``seg,sr``.

        Raises
        ------
        ConfigError
            If one of them is not known, or there is none.
        """
        known = {one.key: one for one in cls}
        asked = [word.strip().lower() for word in written.split(",") if word.strip()]
        unknown = [word for word in asked if word not in known]
        if unknown or not asked:
            raise ConfigError(f"no format is called {', '.join(unknown) or written!r}; known are {', '.join(known)}")
        return tuple(known[word] for word in dict.fromkeys(asked))


def places(formats: Sequence[Format], out: Path, overwrite: bool) -> dict[Format, Path]:
    """The file of each format: ``out`` itself for one, files of their usual names in the folder ``out`` for several.

    Raises
    ------
    OutputError
        If a file is there already and ``overwrite`` is not set, or the name is that of another format.
    """
    if len(formats) == 1 and not out.is_dir():
        only = formats[0]
        if not out.name.lower().endswith(only.endings):
            raise OutputError(
                f"{out.name} is not a name for {only.key}; expected one ending in {' or '.join(only.endings)}"
            )
        named = {only: out}
    else:
        if out.exists() and not out.is_dir():
            raise OutputError(f"{out.name} is a file, and {len(formats)} files are to be written; give a folder")
        if not out.is_dir() and out.name.lower().endswith(tuple(end for one in formats for end in one.endings)):
            raise OutputError(f"{out.name} is the name of a file, and {len(formats)} are to be written; give a folder")
        named = {one: out / one.file_name for one in formats}
    there = [path.name for path in named.values() if path.exists()]
    if there and not overwrite:
        verb, which = ("is", "it") if len(there) == 1 else ("are", "them")
        raise OutputError(
            f"{', '.join(there)} {verb} there already; give another name, or --overwrite to replace {which}"
        )
    return named
