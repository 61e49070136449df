"""A folder a study, as ``read_study`` reads it, with the lesions beside the images where there are any."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from grisaille.core.errors import ConfigError, InputError
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.flows.layouts.exam import Exam, Opened
from grisaille.flows.layouts.files import require_found
from grisaille.flows.layouts.truth import Truth, onto
from grisaille.io.image import SUFFIXES
from grisaille.io.labels import read_labels
from grisaille.io.study import read_study

EXPECTED = "a folder a study: DICOM series, or CT* and PET* files, with lesions.nii.gz or labels.nii.gz beside"
TRUTH_NAMES = ("lesions", "labels")
ORGAN_NAMES = ("organs",)


def folder_exams(root: Path, *, pet_unit: str | None, run: Run, must_be_healthy: bool = False) -> tuple[Exam, ...]:
    """All studies in ``root``; one without a label file has no lesion.

    Each study is read once now: so that one that cannot be read stops the evaluation before it
    begins, and because only DICOM says which studies are of one patient. Without DICOM each study
    is a patient of its own.

    Parameters
    ----------
    must_be_healthy
        Refuse lesions.

    Raises
    ------
    InputError
        If there is no study, or one cannot be read; names its folder.
    ConfigError
        If a study has lesions that must not have any.
    """
    folders = sorted(path for path in root.glob("*") if path.is_dir() and not path.name.startswith("."))
    exams = tuple(_exam(path, pet_unit) for path in run.track(folders, "reading studies"))
    for exam in exams if must_be_healthy else ():
        if exam.look():
            raise ConfigError(
                f"{root.resolve().parent / exam.name} has lesions marked, but was given as healthy; take it out"
            )
    return require_found(exams, root, EXPECTED)


def _exam(folder: Path, pet_unit: str | None) -> Exam:
    load = partial(read_study, folder, pet_unit=pet_unit)
    try:
        patient = load().patient
    except InputError as error:
        raise type(error)(f"{folder}: {error}") from error
    truth, organs = _beside(folder, TRUTH_NAMES), _beside(folder, ORGAN_NAMES)
    meant = Truth(truth, is_numbered=True)
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    name = f"{folder.resolve().parent.name}/{folder.name}"  # a cohort of healthy studies may have the same names
    return Exam(name, patient, load, partial(_opened, load, meant, organs), meant.has_lesion, files)


def _beside(folder: Path, names: tuple[str, ...]) -> Path | None:
    places = (folder / f"{name}{suffix}" for name in names for suffix in SUFFIXES)
    return next((path for path in places if path.is_file()), None)


def _opened(load: partial[Study], truth: Truth, organs: Path | None) -> Opened:
    study = load()
    lesions, _ = truth.of(study)
    return Opened(study, lesions, None if organs is None else _named(read_labels(organs), study))


def _named(organs: Labels, study: Study) -> Labels:
    return onto(organs, study.reference)
