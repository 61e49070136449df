"""Names that a label file brings inside it: NIfTI with a label table, and 3D Slicer's segmentations."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path

from grisaille.core.volume import SourceFormat
from grisaille.io.image import SUFFIXES, suffix_of

_LABEL = re.compile(r'<Label\b[^>]*\bKey="(\d+)"[^>]*>\s*(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))\s*</Label>', re.DOTALL)
"""A row of the label table of a Caret extension, as TotalSegmentator writes it."""

_LARGEST = 1 << 20


def names_inside(path: Path) -> Mapping[int, str]:
    """Names by label number that the header of a readable label file holds; empty where it holds none.

    Source: NIfTI-1.1, header extensions; TotalSegmentator's label table in one; the fields ``SegmentN_LabelValue`` and
    ``SegmentN_Name`` of 3D Slicer's ``.seg.nrrd``.
    """
    kind = SUFFIXES[suffix_of(path)]
    if kind is SourceFormat.NIFTI:
        return _of_nifti(path)
    return _of_nrrd(path) if kind is SourceFormat.NRRD else {}


def _of_nifti(path: Path) -> Mapping[int, str]:
    import nibabel as nib

    names: dict[int, str] = {}
    for extension in getattr(nib.load(path).header, "extensions", ()):
        content = extension.get_content()
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
        # Only the rows are looked for: a parser would open what the document tells it to.
        for number, verbatim, plain in _LABEL.findall(text[:_LARGEST]):
            names[int(number)] = verbatim or html.unescape(plain).strip()
    return names


def _of_nrrd(path: Path) -> Mapping[int, str]:
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while (line := file.readline(_LARGEST)).strip() and file.tell() <= _LARGEST:
            key, _, value = line.decode("utf-8", "replace").partition(":=")
            fields[key.strip()] = value.strip()
    names = {}
    for key, value in fields.items():
        segment = key.removesuffix("_LabelValue")
        if segment != key and value.isdecimal() and f"{segment}_Name" in fields:
            names[int(value)] = fields[f"{segment}_Name"]
    return names
