"""The cases that a fit is given: which are learned from, and which the promise is measured on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from grisaille.core.errors import InputError
from grisaille.core.run import Run
from grisaille.core.study import Case
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.measuring import named
from grisaille.methods.autopaint.reference import muscle_suv
from grisaille.methods.autopaint.withheld import is_healthy

FEWEST_PATIENTS = 2
WATCHED = 8
"""Studies kept out of the training whose loss is watched in its course; the promise is measured on all of them."""


def split(cases: Sequence[Case], share: float, seed: int) -> tuple[list[Case], list[Case]]:
    """Cases to learn from and cases to measure on; those of one patient stay together.

    Patients with lesions are measured on only where the healthy ones are too few: a promise is
    made of healthy tissue, and theirs is less surely so.
    """
    names = sorted({case.patient for case in cases})
    if len(names) < FEWEST_PATIENTS:
        raise InputError(
            f"{len(names)} healthy patients were given, expected at least {FEWEST_PATIENTS}: one is kept out of the "
            "training to measure false positives on"
        )
    count = min(max(1, round(share * len(names))), len(names) - 1)
    sick = {case.patient for case in cases if not is_healthy(case)}
    drawn = [names[number] for number in np.random.default_rng(seed).permutation(len(names))]
    chosen = set(sorted(drawn, key=lambda name: name in sick)[:count])
    return [case for case in cases if case.patient not in chosen], [case for case in cases if case.patient in chosen]


def tell_of_lesions(held_out: Sequence[Case], run: Run) -> None:
    """Say it if the promise is measured on patients with lesions too."""
    sick = {case.patient for case in held_out if not is_healthy(case)}
    if sick:
        run.note(
            f"{len(sick)} of the {len({case.patient for case in held_out})} patients that the promise is measured on "
            "have lesions: findings that reach their masks are not counted as false positives"
        )


def usual_muscle(frames: Iterable[Frame], windows: tuple[tuple[float, float], ...]) -> dict[str, float]:
    """The median SUV of muscle by the modalities it was measured with, ``ct+pet`` or ``pet``; empty without PET."""
    found: dict[str, list[float]] = {}
    for frame in frames:
        if "pet" not in frame.images:
            continue
        for seen in (frame, frame.only("pet")) if len(frame.images) > 1 else (frame,):
            measured = muscle_suv(seen, windows)
            if measured is not None:
                found.setdefault(named(tuple(seen.images)), []).append(measured)
    return {key: float(np.median(values)) for key, values in sorted(found.items())}
