"""Cases made in Python, as exams."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from grisaille.core.errors import ConfigError
from grisaille.core.labels import Labels
from grisaille.core.study import Case
from grisaille.flows.layouts.exam import Exam, Opened
from grisaille.flows.layouts.truth import onto


def case_exams(cases: Sequence[Case | Exam]) -> tuple[Exam, ...]:
    """Cases with a truth, one number a lesion, or known to be healthy; exams stay what they are.

    Raises
    ------
    ConfigError
        If there is none, or one says neither.
    """
    if not cases:
        raise ConfigError("no case was given; evaluating needs some with lesions and some without")
    for number, case in enumerate(cases, start=1):
        if isinstance(case, Case) and case.truth is None and not case.healthy:
            raise ConfigError(
                f"case {number} of {len(cases)} has no truth and is not said to be healthy; give its truth"
            )
    numbered = enumerate(cases, start=1)
    return tuple(case if isinstance(case, Exam) else _exam(case, number) for number, case in numbered)


def _exam(case: Case, number: int) -> Exam:
    has_lesion = case.truth is not None and bool(case.truth.voxels.any())
    return Exam(f"case {number}", case.patient, case.load, partial(_opened, case), partial(bool, has_lesion))


def _opened(case: Case) -> Opened:
    study = case.load()
    grid = study.reference
    if case.truth is None:
        return Opened(study, Labels(np.zeros(grid.shape, np.uint16), grid))
    return Opened(study, onto(case.truth, grid))
