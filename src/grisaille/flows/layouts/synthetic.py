"""Synthetic patients by seed: no data needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

import grisaille
from grisaille import phantom
from grisaille.core.study import Study
from grisaille.flows.layouts.exam import Exam, Opened
from grisaille.flows.layouts.truth import onto
from grisaille.io.pseudonym import pseudonym

_STREAM = 3605
"""Sets these patients apart from every cohort that a model was trained on with the same seed."""


@dataclass(frozen=True)
class Cohort:
    """How many synthetic patients, and how they are scanned.

    The CT is as coarse as the PET, so that a patient is made in seconds.
    """

    healthy: int = 30
    with_lesions: int = 20
    scan: phantom.Scan = field(default_factory=lambda: phantom.Scan(ct_spacing_mm=4.0))


QUICK = Cohort(healthy=4, with_lesions=4)


def synthetic_exams(cohort: Cohort, seed: int) -> tuple[Exam, ...]:
    """Different people: healthy ones, then others with 1 to 6 lesions."""
    return tuple(_exam(cohort.scan, seed, 0, number, lesions=False) for number in range(cohort.healthy)) + tuple(
        _exam(cohort.scan, seed, 1, number, lesions=True) for number in range(cohort.with_lesions)
    )


def _exam(scan: phantom.Scan, seed: int, group: int, number: int, *, lesions: bool) -> Exam:
    drawn = int(np.random.SeedSequence([_STREAM, seed, group, number]).generate_state(1)[0])
    name = f"phantom {drawn}{' with lesions' if lesions else ''}"
    made = partial(phantom.patient, drawn, lesions=lesions, scan=scan)
    return Exam(
        name,
        pseudonym(name),
        partial(_study, made),
        partial(_opened, made),
        partial(bool, lesions),
        recipe=f"grisaille {grisaille.__version__} phantom.patient({drawn}, lesions={lesions}, scan={scan})",
    )


def _study(made: partial[phantom.Phantom]) -> Study:
    return made().study


def _opened(made: partial[phantom.Phantom]) -> Opened:
    patient = made()
    return Opened(patient.study, patient.lesions, onto(patient.organs, patient.study.reference))
