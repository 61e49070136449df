"""What in a DICOM file a user should know of though its values are sound: text in the picture, a program in front."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from pydicom import Dataset

from grisaille.core.counted import counted
from grisaille.io.dicom.tags import words

_PROGRAMS = (
    b"MZ", b"\x7fELF", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe", b"#!",
)  # fmt: skip
"""How PE, ELF and Mach-O programs, and scripts, begin. A TIFF in the preamble is allowed (DICOM PS3.10, 7.1)."""

_OVERLAYS = range(0x6000, 0x6020, 2)
_OVERLAY_DATA = 0x3000


class Doubt(StrEnum):
    """What is said of the files that have it."""

    PROGRAM = (
        "with the start of a program (CVE-2019-11687); nothing of that is run, and exports do not copy it, "
        "but do not run or rename such a file"
    )
    BURNED_IN = "with text burned into the picture (0028,0301), which may name the patient"
    OVERLAY = "with an overlay (60xx,3000), whose text may name the patient; it is not read"


def doubts_of(file: Path, header: Dataset) -> tuple[Doubt, ...]:
    """The doubts that one file raises."""
    with file.open("rb") as stream:
        start = stream.read(4)
    found = {
        Doubt.PROGRAM: start.startswith(_PROGRAMS),
        Doubt.BURNED_IN: "YES" in words(header, "BurnedInAnnotation"),
        Doubt.OVERLAY: any(tag.group in _OVERLAYS and tag.element == _OVERLAY_DATA for tag in header.keys()),  # noqa: SIM118
    }
    return tuple(doubt for doubt, is_there in found.items() if is_there)


def doubts_told(doubts: Iterable[tuple[Doubt, ...]]) -> tuple[str, ...]:
    """A sentence for each doubt that some files of a series raise."""
    counts = Counter(doubt for of_file in doubts for doubt in of_file)
    return tuple(f"{counted(counts[doubt], 'file')} {doubt}" for doubt in Doubt if counts[doubt])
