"""Who teaches and who is tested: a patient is never on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from grisaille.core.errors import ConfigError
from grisaille.flows.layouts.exam import Exam

USUAL_FOLDS = 5
TESTED_SHARE = 1 / 3
"""Of the healthy patients, where there is one part only."""

QUICK_PATIENTS = 4
"""With and without lesions each."""


@dataclass(frozen=True, eq=False)
class Part:
    """Healthy exams to learn or calibrate from, and the exams to measure on."""

    teaching: tuple[Exam, ...]
    tested: tuple[Exam, ...]


def split(exams: Sequence[Exam], has_lesion: Mapping[str, bool], folds: int | None, seed: int) -> tuple[Part, ...]:
    """Parts in which every exam is tested once, or, with one fold, at most once.

    Patients with and without lesions are dealt out one after the other, so that all parts have both.

    Parameters
    ----------
    has_lesion
        By the key of an exam.
    folds
        As many as there are patients, up to 5, if None.

    Raises
    ------
    ConfigError
        If there are fewer patients than folds.
    """
    ill, healthy = _patients(exams, has_lesion)
    if folds is None:
        folds = max(2, min(USUAL_FOLDS, len(healthy)))
    if folds > len(ill) + len(healthy):
        raise ConfigError(f"{len(ill) + len(healthy)} patients cannot be split into {folds} parts; ask for fewer folds")
    rng = np.random.default_rng(seed)
    ill, healthy = ([names[at] for at in rng.permutation(len(names))] for names in (ill, healthy))
    if folds == 1:
        count = min(max(1, round(TESTED_SHARE * len(healthy))), len(healthy))
        groups = [{*ill, *healthy[:count]}]
    else:
        dealt = [*ill, *healthy]
        groups = [set(dealt[first::folds]) for first in range(folds)]
    return tuple(_part(exams, group, has_lesion) for group in groups)


def few(exams: Sequence[Exam], has_lesion: Mapping[str, bool], seed: int) -> tuple[Exam, ...]:
    """The exams of a few patients with and a few without lesions."""
    rng = np.random.default_rng(seed)
    chosen: set[str] = set()
    for names in _patients(exams, has_lesion):
        chosen |= {names[at] for at in rng.permutation(len(names))[:QUICK_PATIENTS]}
    return tuple(exam for exam in exams if exam.patient in chosen)


def _patients(exams: Sequence[Exam], has_lesion: Mapping[str, bool]) -> tuple[list[str], list[str]]:
    """Those with a lesion in any exam, and the others; sorted."""
    ill = {exam.patient for exam in exams if has_lesion[exam.key]}
    return sorted(ill), sorted({exam.patient for exam in exams} - ill)


def _part(exams: Sequence[Exam], group: set[str], has_lesion: Mapping[str, bool]) -> Part:
    return Part(
        tuple(exam for exam in exams if exam.patient not in group and not has_lesion[exam.key]),
        tuple(exam for exam in exams if exam.patient in group),
    )
