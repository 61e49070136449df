"""HECKTOR: head and neck PET/CT with primary tumours and lymph nodes, no healthy patients.

Source: the HECKTOR challenge (Andrearczyk et al. 2022): files of 2022 in imagesTr and labelsTr, of
2025 in a folder a patient; PET in SUV, the truth on the CT's grid.
"""

from __future__ import annotations

from pathlib import Path

from grisaille.flows.layouts.exam import Exam
from grisaille.flows.layouts.files import file_exam, require_file, require_found, seen
from grisaille.flows.layouts.truth import Truth

EXPECTED = "imagesTr/ID__PT.nii.gz with ID__CT.nii.gz and labelsTr/ID.nii.gz, or ID/ID__PT.nii.gz with ID/ID.nii.gz"
LESIONS = {1: "GTVp", 2: "GTVn"}
"""Primary tumour and lymph nodes."""


def hecktor_exams(root: Path) -> tuple[Exam, ...]:
    """All patients; each part of either number is a lesion.

    Raises
    ------
    NoImages
        If there is none, or one has no truth.
    """
    found = tuple(_exam(pet, root) for pet in seen(root, "*/*__PT.nii.gz"))
    return require_found(found, root, EXPECTED)


def _exam(pet: Path, root: Path) -> Exam:
    patient = pet.name.removesuffix("__PT.nii.gz")
    ct = pet.with_name(f"{patient}__CT.nii.gz")
    folder = root / "labelsTr" if pet.parent.name == "imagesTr" else pet.parent
    truth = Truth(require_file(folder / f"{patient}.nii.gz", root, "the lesions"), LESIONS)
    return file_exam(patient, patient, truth, ct=ct if ct.is_file() else None, pet=pet)
