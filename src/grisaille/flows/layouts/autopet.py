"""autoPET: whole-body FDG and PSMA PET/CT with lesions, and negatives.

Sources: FDG-PET-CT-Lesions (Gatidis et al. 2022, doi 10.7937/gkr0-xv29), NIfTI as its authors'
script writes it; PSMA-FDG-PET-CT-Lesions of autoPET III (fdat 6gjsg-zcg93), in nnU-Net's layout,
files named tracer_patient_study.
"""

from __future__ import annotations

from pathlib import Path

from grisaille.flows.layouts.exam import Exam
from grisaille.flows.layouts.files import file_exam, require_file, require_found, seen
from grisaille.flows.layouts.truth import Truth

EXPECTED = (
    "PATIENT/STUDY/SUV.nii.gz with CTres.nii.gz and SEG.nii.gz beside (FDG-PET-CT-Lesions), or "
    "imagesTr/*_0001.nii.gz with *_0000.nii.gz and labelsTr/*.nii.gz (autoPET III)"
)


def autopet_exams(root: Path) -> tuple[Exam, ...]:
    """All studies of either layout; one whose truth is empty is a negative.

    Raises
    ------
    NoImages
        If there is none, or one has no truth.
    """
    if (root / "imagesTr").is_dir():
        found = [_of_nnunet(pet, root) for pet in seen(root / "imagesTr", "*_0001.nii.gz")]
    else:
        found = [_of_study(pet, root) for pet in seen(root, "**/SUV.nii.gz")]
    return require_found(tuple(found), root, EXPECTED)


def _of_study(pet: Path, root: Path) -> Exam:
    folder = pet.parent
    truth = require_file(folder / "SEG.nii.gz", root, "the lesions")
    ct = next((path for name in ("CTres.nii.gz", "CT.nii.gz") if (path := folder / name).is_file()), None)
    return file_exam(folder.relative_to(root).as_posix(), folder.parent.name, Truth(truth), ct=ct, pet=pet)


def _of_nnunet(pet: Path, root: Path) -> Exam:
    case = pet.name.removesuffix("_0001.nii.gz")
    truth = require_file(root / "labelsTr" / f"{case}.nii.gz", root, "the lesions")
    ct = pet.with_name(f"{case}_0000.nii.gz")
    patient = "_".join(case.split("_")[:2])
    return file_exam(case, patient, Truth(truth), ct=ct if ct.is_file() else None, pet=pet)
