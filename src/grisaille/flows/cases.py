"""Healthy studies on disk as cases that are read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from grisaille.core.errors import InputError
from grisaille.core.run import Run
from grisaille.core.study import Case
from grisaille.flows.suitable import require_suitable
from grisaille.io.study import read_study


def healthy_cases(
    paths: Iterable[Path],
    *,
    pet_unit: str | None = None,
    ct_series: str | None = None,
    pet_series: str | None = None,
    run: Run | None = None,
) -> tuple[Case, ...]:
    """One case a study, said to be healthy.

    Each study is read once now, so that one that cannot be read stops a fit before it begins
    and studies of one patient are known to be.

    Raises
    ------
    InputError
        If a study cannot be read or learned from; names its path.
    """
    run = run or Run()
    cases: list[Case] = []
    for path in run.track(tuple(paths), "reading studies"):
        load = partial(read_study, path, pet_unit=pet_unit, ct_series=ct_series, pet_series=pet_series)
        try:
            study = load()
            require_suitable(study, study.volumes)
        except InputError as error:
            raise type(error)(f"{path}: {error}") from error
        cases.append(Case(load, study.patient, healthy=True))
    return tuple(cases)
