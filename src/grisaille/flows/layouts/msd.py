"""Medical Segmentation Decathlon, its CT tasks: lung, liver, pancreas, hepatic vessels, colon.

Source: Antonelli et al. 2022, doi 10.1038/s41467-022-30695-9; ``dataset.json`` names modality and labels.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from grisaille.core.errors import NoImages, UnreadableFile, UnsuitableVolume
from grisaille.flows.layouts.exam import Exam
from grisaille.flows.layouts.files import file_exam, require_file, require_found, seen
from grisaille.flows.layouts.truth import Truth

EXPECTED = "dataset.json, imagesTr/*.nii.gz and labelsTr/*.nii.gz of the same names"
LESION = re.compile("cancer|tumou?r|lesion|metasta", re.IGNORECASE)


def msd_exams(root: Path) -> tuple[Exam, ...]:
    """All labelled CTs; labels that name a lesion are lesions, the others organs.

    Raises
    ------
    NoImages
        If there is none, or one has no truth.
    UnsuitableVolume
        If the task is of another modality, or none of its labels names a lesion.
    """
    described = _described(root)
    modality = " ".join(map(str, described.get("modality", {}).values()))
    if modality.upper() != "CT":
        raise UnsuitableVolume(f"{root}: dataset.json gives the modality {modality or 'nothing'}, expected CT")
    names = {int(number): str(name) for number, name in described.get("labels", {}).items() if int(number)}
    lesions = {number: name for number, name in names.items() if LESION.search(name)}
    if not lesions:
        raise UnsuitableVolume(
            f"{root}: the labels of dataset.json are {', '.join(names.values()) or 'none'}; "
            "expected one that names a cancer, tumour or lesion"
        )
    organs = {number: name for number, name in names.items() if number not in lesions}
    found = tuple(_exam(ct, root, lesions, organs) for ct in seen(root / "imagesTr", "*.nii.gz"))
    return require_found(found, root, EXPECTED)


def _exam(ct: Path, root: Path, lesions: dict[int, str], organs: dict[int, str]) -> Exam:
    path = require_file(root / "labelsTr" / ct.name, root, "the labels")
    name = ct.name.removesuffix(".nii.gz")
    return file_exam(name, name, Truth(path, lesions, organs or None), ct=ct, pet=None)


def _described(root: Path) -> dict[str, Any]:
    path = root / "dataset.json"
    if not path.is_file():
        raise NoImages(f"{root}: no dataset.json was found in it; looked for {EXPECTED}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {"modality": dict(content["modality"]), "labels": dict(content["labels"])}
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(f"{path} does not name modality and labels, expected that of the Decathlon") from error
