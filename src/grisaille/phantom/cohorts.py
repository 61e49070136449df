"""Synthetic patients and cohorts of them, with truth and healthy twins."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import numpy as np

from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.study import Case, Study
from grisaille.core.volume import Modality
from grisaille.imaging.resample import resample
from grisaille.phantom.anatomy import paint_body
from grisaille.phantom.canvas import Canvas
from grisaille.phantom.lesions import Host, Lesion, Side, draw_lesions, paint_lesions
from grisaille.phantom.person import Person
from grisaille.phantom.scan import Scan
from grisaille.phantom.scanner import Truth, healthy_truth, scan_ct, scan_pet
from grisaille.phantom.tissues import NAMES


@dataclass(frozen=True, eq=False)
class Phantom:
    """A synthetic patient.

    Parameters
    ----------
    study
        What the scanner saw.
    twin
        The same anatomy and the very same noise without the lesions.
    lesions
        Truth on the study's reference grid, one number a lesion.
    organs
        Tissues on the CT's grid, lesions not marked.
    lesion_list
        How each lesion was made.
    """

    study: Study
    twin: Study
    lesions: Labels
    organs: Labels
    lesion_list: tuple[Lesion, ...]


@dataclass(frozen=True)
class _Wanted:
    """Which lesions are asked for."""

    lesions: bool | int
    side: Side
    hosts: frozenset[Host]

    @classmethod
    def of(cls, lesions: bool | int, side: Side, hosts: Collection[Host] | None) -> _Wanted:
        """All hosts if None."""
        return cls(lesions, Side(side), frozenset(Host if hosts is None else map(Host, hosts)))


_SCAN = Scan()


def patient(
    seed: int,
    *,
    lesions: bool | int = True,
    scan: Scan = _SCAN,
    side: Side = Side.BOTH,
    hosts: Collection[Host] | None = None,
) -> Phantom:
    """The synthetic patient of a seed.

    Parameters
    ----------
    lesions
        How many; True for 1 to 6, drawn; False for none.
    scan
        Station, arms, spacings, modalities.
    side
        Where lesions may sit.
    hosts
        The tissues they may grow in; all if None.
    """
    person, canvas, truth = _body(seed, scan)
    made, diseased, numbers = _diseased(person, canvas, truth, _Wanted.of(lesions, side, hosts))
    twin = _scanned(truth, canvas, person, scan)
    study = _scanned(diseased, canvas, person, scan) if made else twin
    return Phantom(
        study,
        twin,
        _on(study.reference, numbers, made),
        Labels(canvas.tissues.astype(np.uint16), canvas.grid, NAMES),
        made,
    )


def cohort(
    n: int,
    seed: int,
    *,
    lesions: bool | int = True,
    scan: Scan = _SCAN,
    side: Side = Side.BOTH,
    hosts: Collection[Host] | None = None,
) -> tuple[Case, ...]:
    """``n`` different patients; the studies are made when they are loaded, again each time.

    Parameters
    ----------
    lesions
        How many each; True for 1 to 6, drawn; False for healthy patients.
    scan, side, hosts
        As for ``patient``.
    """
    wanted = _Wanted.of(lesions, side, hosts)
    return tuple(
        _case(int(np.random.SeedSequence([seed, number]).generate_state(1)[0]), wanted, scan) for number in range(n)
    )


def _case(seed: int, wanted: _Wanted, scan: Scan) -> Case:
    load = partial(_study, seed, wanted, scan)
    if not wanted.lesions:
        person = scan.person(seed)
        grid = _reference(person, scan)
        return Case(load, _name(seed), Labels(np.zeros(grid.shape, np.uint16), grid), healthy=True)
    person, canvas, truth = _body(seed, scan)
    made, _, numbers = _diseased(person, canvas, truth, wanted)
    return Case(load, _name(seed), _on(_reference(person, scan), numbers, made), healthy=False)


def _study(seed: int, wanted: _Wanted, scan: Scan) -> Study:
    person, canvas, truth = _body(seed, scan)
    _, diseased, _ = _diseased(person, canvas, truth, wanted)
    return _scanned(diseased, canvas, person, scan)


def _body(seed: int, scan: Scan) -> tuple[Person, Canvas, Truth]:
    person = scan.person(seed)
    canvas = paint_body(scan.ct_grid(person), person)
    return person, canvas, healthy_truth(canvas, person)


def _diseased(
    person: Person, canvas: Canvas, truth: Truth, wanted: _Wanted
) -> tuple[tuple[Lesion, ...], Truth, Labels]:
    """Lesions as asked, the truth with them, and their numbers on the canvas' grid."""
    count = None if wanted.lesions is True else int(wanted.lesions)
    made = draw_lesions(canvas, person, count, wanted.side, wanted.hosts) if wanted.lesions else ()
    diseased, numbers = paint_lesions(truth, canvas, person, made)
    names = {lesion.id: f"{lesion.host.value} lesion" for lesion in made}
    return made, diseased, Labels(numbers, canvas.grid, names)


def _on(grid: Grid, numbers: Labels, lesions: tuple[Lesion, ...]) -> Labels:
    """Truth on another grid; a lesion that falls between its voxels keeps the one at its centre."""
    there = resample(numbers, grid)
    missing = [lesion for lesion in lesions if lesion.id not in there.ids]
    if not missing:
        return there
    voxels = there.voxels.copy()
    for lesion in missing:
        z, y, x = np.rint(grid.to_index(lesion.centre_mm)).astype(int).clip(0, np.asarray(grid.shape) - 1)
        voxels[z, y, x] = lesion.id
    return Labels(voxels, grid, there.names)


def _scanned(truth: Truth, canvas: Canvas, person: Person, scan: Scan) -> Study:
    volumes = []
    if Modality.CT.key in scan.modalities:
        volumes.append(scan_ct(truth, canvas, person))
    if Modality.PET.key in scan.modalities:
        volumes.append(scan_pet(truth, canvas, scan.pet_grid(person), person))
    return Study.of(*volumes, patient=_name(person.seed))


def _reference(person: Person, scan: Scan) -> Grid:
    return scan.pet_grid(person) if Modality.PET.key in scan.modalities else scan.ct_grid(person)


def _name(seed: int) -> str:
    return f"phantom-{seed}"
