"""Exams whose CT, PET and truth are image files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from grisaille.core.errors import NoImages
from grisaille.core.study import Study
from grisaille.core.volume import Unit
from grisaille.flows.layouts.exam import Exam, Opened
from grisaille.flows.layouts.truth import Truth
from grisaille.io.pseudonym import pseudonym
from grisaille.io.study import read_study


def file_exam(name: str, patient: str, truth: Truth, *, ct: Path | None, pet: Path | None) -> Exam:
    """An exam of a CT in HU, a PET in SUV by body weight, or both.

    Parameters
    ----------
    patient
        As the data set names him; only a pseudonym is kept.
    """
    load = partial(read_study, ct=ct, pet=pet, pet_unit=None if pet is None else Unit.SUVBW)
    named = {"ct": ct, "pet": pet, "truth": truth.path}
    files = {role: path for role, path in named.items() if path is not None}
    return Exam(name, pseudonym(patient), load, partial(_opened, load, truth), truth.has_lesion, files)


def require_found(exams: tuple[Exam, ...], root: Path, expected: str) -> tuple[Exam, ...]:
    """The same exams, if there are any.

    Raises
    ------
    NoImages
        If there is none; says what was looked for.
    """
    if not exams:
        what = "no case was found in it" if root.is_dir() else "it is no folder"
        raise NoImages(f"{root}: {what}; looked for {expected}")
    return exams


def require_file(path: Path, root: Path, what: str) -> Path:
    """``path``, if it is there.

    Raises
    ------
    NoImages
        If not: a case without it cannot be evaluated.
    """
    if not path.is_file():
        raise NoImages(
            f"{path.relative_to(root)} is not there, expected {what}; complete the data set, or take the case out"
        )
    return path


def seen(root: Path, pattern: str) -> list[Path]:
    """Files below ``root`` that match, by name; hidden ones (``._x`` of other systems' archives) left out."""
    return sorted(path for path in root.glob(pattern) if not path.name.startswith("."))


def _opened(load: partial[Study], truth: Truth) -> Opened:
    study = load()
    return Opened(study, *truth.of(study))
