"""From observations of healthy volumes to a model, and the maps each patient gets when left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from grisaille.core.errors import InputError
from grisaille.core.run import Run
from grisaille.methods.mvg.gaussian import Array
from grisaille.methods.mvg.lattice import FieldSums, Lattice
from grisaille.methods.mvg.levels import LevelModel
from grisaille.methods.mvg.modality import Known, ModalityModel, fused
from grisaille.methods.mvg.observation import Observation
from grisaille.methods.mvg.position import PositionModel
from grisaille.methods.mvg.recipe import Recipe
from grisaille.methods.mvg.scale import LocalScale, scale_sums
from grisaille.methods.mvg.spool import Slot, Spool

FEWEST_PATIENTS = 2

OUTERMOST = 0.001
"""Share of the patches beyond each face of the lattice; what is learned there holds beyond it."""

EVERY = 8
"""Of the patches this one is asked how far the lattice reaches."""


@dataclass(frozen=True, eq=False)
class Learned:
    """A model of one modality, and what it says of those it was made of.

    ``left_out`` gives, for an observation by its number, the map from a model that never saw
    its patient.
    """

    model: ModalityModel
    left_out: Callable[[int], Known]


def split_patients(patients: Sequence[str], folds: int, seed: int) -> list[list[int]]:
    """Numbers of the studies in each fold; studies of one patient stay together.

    Raises
    ------
    InputError
        If there are fewer than two patients, so that none can be left out.
    """
    names = sorted(set(patients))
    if len(names) < FEWEST_PATIENTS:
        raise InputError(
            f"{len(names)} healthy patients were given, expected at least {FEWEST_PATIENTS}: one is left out"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[number]: place % folds for place, number in enumerate(order)}
    parts = [[number for number, patient in enumerate(patients) if fold_of[patient] == fold] for fold in range(folds)]
    return [part for part in parts if part]


def learn(
    seen: Sequence[Observation],
    patients: Sequence[str],
    recipe: Recipe,
    spool: Spool,
    position: PositionModel | None,
    *,
    run: Run,
    what: str,
) -> Learned:
    """Fit one modality; ``position`` is taken as it is where given, as other sites share it."""
    position, seen = _placed(seen, recipe, position)
    lattice = _lattice(seen, recipe)
    rule = recipe.rule(lattice)
    folds = split_patients(patients, recipe.config.folds, run.seed)
    levels = range(len(recipe.config.taps))
    models: list[LevelModel] = []
    distances: list[list[Slot]] = []
    for level in run.track(levels, f"fitting {what}"):
        model, kept = _fit_level(level, seen, folds, rule, spool, run)
        models.append(model)
        distances.append(kept)

    scale_lattice = recipe.scale_lattice(lattice)
    final, by_fold = _scales(seen, folds, distances, scale_lattice, recipe, spool)
    fold_of = {number: fold for fold, part in enumerate(folds) for number in part}

    def left_out(number: int) -> Known:
        parts = []
        for level in levels:
            values = spool.get(distances[level][number])
            if by_fold:
                values = by_fold[fold_of[number]][level].standardised(values, seen[number].places(level))
            parts.append(values)
        return fused(seen[number].patches, parts)

    mean, spread = _moments(left_out, len(seen))
    learned = ModalityModel(tuple(models), final, position, lattice, mean, spread)

    def standardised(number: int) -> Known:
        values, known, grid = left_out(number)
        return (values - np.float32(mean)) / np.float32(spread), known, grid

    return Learned(learned, standardised)


def _placed(
    seen: Sequence[Observation], recipe: Recipe, position: PositionModel | None
) -> tuple[PositionModel | None, list[Observation]]:
    if not recipe.is_placed:
        return None, list(seen)
    bodies = [(one.frame, one.pictures) for one in seen if one.frame is not None and one.pictures is not None]
    if position is not None:
        frames = [position.place(frame, pictures) for frame, pictures in bodies]
    else:
        position, offsets = PositionModel.fit([(frame.z_mm, pictures) for frame, pictures in bodies])
        frames = [frame.shifted(offset) for (frame, _), offset in zip(bodies, offsets, strict=True)]
    return position, [one.placed(frame) for one, frame in zip(seen, frames, strict=True)]


def _lattice(seen: Sequence[Observation], recipe: Recipe) -> Lattice:
    """Round the places of the patches but for the outermost, which one odd patient alone may reach."""
    places = np.concatenate([one.places(level)[::EVERY] for one in seen for level in range(len(one.patches))])
    low, high = np.quantile(places, (OUTERMOST, 1 - OUTERMOST), axis=0)
    return recipe.lattice(low, high)


def _fit_level(
    level: int, seen: Sequence[Observation], folds: Sequence[Sequence[int]], rule: Any, spool: Spool, run: Run
) -> tuple[LevelModel, list[Slot]]:
    """The model of all, and each observation's distances from the model without its fold."""

    def sums(number: int) -> Any:
        run.check_cancelled()
        return rule.sums(seen[number].rows(level, spool), seen[number].places(level))

    parts = [reduce(add, map(sums, fold)) for fold in folds]
    total = reduce(add, parts)
    slots: dict[int, Slot] = {}
    for fold, part in zip(folds, parts, strict=True):
        model = rule.model(total - part)
        for number in fold:
            run.check_cancelled()
            measured = model.distances(seen[number].rows(level, spool), seen[number].places(level))
            slots[number] = spool.put(measured)
    return rule.model(total), [slots[number] for number in range(len(seen))]


def _scales(
    seen: Sequence[Observation],
    folds: Sequence[Sequence[int]],
    distances: Sequence[Sequence[Slot]],
    lattice: Lattice | None,
    recipe: Recipe,
    spool: Spool,
) -> tuple[tuple[LocalScale, ...], list[tuple[LocalScale, ...]]]:
    """The usual distances of all patients, and those without each fold, a level each."""
    if lattice is None:
        return (), []

    def of(sums: FieldSums) -> LocalScale:
        return LocalScale.of(lattice, sums, recipe.config.stiffness)

    final: list[LocalScale] = []
    by_fold: list[list[LocalScale]] = [[] for _ in folds]
    for level, slots in enumerate(distances):

        def sums(number: int, level: int = level, slots: Sequence[Slot] = slots) -> FieldSums:
            return scale_sums(lattice, spool.get(slots[number]), seen[number].places(level))

        parts = [reduce(add, map(sums, fold)) for fold in folds]
        total = reduce(add, parts)
        final.append(of(total))
        for fold, part in zip(by_fold, parts, strict=True):
            fold.append(of(total - part))
    return tuple(final), [tuple(part) for part in by_fold]


def _moments(left_out: Callable[[int], Known], count: int) -> tuple[float, float]:
    """Mean and standard deviation of the scores of all, each weighed by how much of it is known."""
    weight = first = second = 0.0
    for number in range(count):
        values, known, _ = left_out(number)
        wide: Array = values.astype(np.float64)
        weight += float(known.sum())
        first += float((known * wide).sum())
        second += float((known * wide**2).sum())
    mean = first / weight
    return mean, float(np.sqrt(max(second / weight - mean**2, 1e-12)))
