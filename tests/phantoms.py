"""Small synthetic patients for all tests: coarse, made once a session, seconds at most in all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

from grisaille.core.study import Case, Study
from grisaille.phantom import Phantom, Scan, Side, Station, cohort, patient

SMALL = Scan(Station.CHEST, ct_spacing_mm=8.0, pet_spacing_mm=10.0)
"""A chest of 36 x 45 x 60 CT voxels; about 0.1 s a patient."""


@cache
def small_phantom(seed: int = 0, lesions: int = 2, station: Station = Station.CHEST) -> Phantom:
    """A coarse patient with truth and twin; its lesions are on the left only."""
    scan = Scan(station, ct_spacing_mm=SMALL.ct_spacing_mm, pet_spacing_mm=SMALL.pet_spacing_mm)
    return patient(seed, lesions=lesions, scan=scan, side=Side.LEFT)


def small_study(seed: int = 0) -> Study:
    """CT and PET of a coarse chest, each on its own grid, with two lesions on the left."""
    return small_phantom(seed).study


@cache
def small_case(seed: int = 0, healthy: bool = True) -> Case:
    """One coarse chest as a case."""
    return _made_once(cohort(1, seed, lesions=False if healthy else 2, scan=SMALL))[0]


@cache
def small_cohort(n: int = 4, seed: int = 0, lesions: int = 0) -> tuple[Case, ...]:
    """Coarse chests of different patients, healthy unless ``lesions`` are asked."""
    return _made_once(cohort(n, seed, lesions=lesions, scan=SMALL))


def _made_once(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    return tuple(replace(case, load=partial(_loaded, case.load)) for case in cases)


@cache
def _loaded(load: Callable[[], Study]) -> Study:
    return load()
