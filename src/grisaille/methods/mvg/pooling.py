"""Fitted models of two sites made one, and a patient taken out, without any image.

A model that kept what it saw of its patients is learned again from that, so that what comes
out is the fit of those patients, promise included, and not an estimate of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from grisaille.core.calibration import CalibrationSource
from grisaille.core.config import knobs
from grisaille.core.errors import ConfigError, InputError, WeightsMismatch
from grisaille.core.run import Run
from grisaille.methods.mvg.cohort import learn_cohort
from grisaille.methods.mvg.kept import KeptCase
from grisaille.methods.mvg.spool import Spool

if TYPE_CHECKING:
    from grisaille.methods.mvg.method import MVG


def merged(ours: MVG, theirs: MVG, run: Run) -> MVG:
    """The fit of the patients of both."""
    _require_kept(ours)
    _require_kept(theirs)
    _require_same(ours, theirs)
    if _patients(ours.kept) & _patients(theirs.kept):
        raise InputError(
            "both models hold the same pseudonyms, expected different patients: one would count twice; "
            "give each site's patients pseudonyms of their own, and merge a model once only"
        )
    pooled = replace(
        ours,
        weights=tuple(dict.fromkeys(ours.weights + theirs.weights)),
        canaries={**theirs.canaries, **ours.canaries},
    )
    return _learned_again(pooled, (*ours.kept, *theirs.kept), run)


def without_patient(method: MVG, pseudonym: str, run: Run) -> MVG:
    """The fit of all patients but one."""
    _require_kept(method)
    if pseudonym not in _patients(method.kept):
        raise InputError("none of the model's patients has that pseudonym; give it as it was when the model was fitted")
    return _learned_again(method, tuple(case for case in method.kept if case.patient != pseudonym), run)


def _learned_again(method: MVG, kept: tuple[KeptCase, ...], run: Run) -> MVG:
    """What ``fit`` would make of these cases; places in the body too are learned from all of them."""
    sources = {case.source for case in kept}
    source = CalibrationSource.SYNTHETIC if CalibrationSource.SYNTHETIC in sources else CalibrationSource.PATIENTS
    with Spool() as spool:
        fitted = learn_cohort([case.seen(spool) for case in kept], method.recipe, spool, {}, run=run, source=source)
    return replace(
        method,
        models=fitted.models,
        canaries={key: method.canaries[key] for key in fitted.models},
        calibrations=fitted.calibrations,
        patients=len(_patients(kept)),
        kept=kept,
    )


def _patients(kept: Sequence[KeptCase]) -> set[str]:
    return {case.patient for case in kept}


def _require_kept(method: MVG) -> None:
    if not method.kept:
        raise ConfigError(
            "this model keeps nothing of each patient, so none can be added or taken out; "
            "fit with keep_patients, or fit anew from the images"
        )


def _require_same(ours: MVG, theirs: MVG) -> None:
    fixed = [one.name for one in knobs(type(ours.config)) if not one.after_fit]
    other = [name for name in fixed if getattr(ours.config, name) != getattr(theirs.config, name)]
    if other:
        raise ConfigError(f"the models were fitted with different {', '.join(other)}; fit both with the same settings")
    if ours.backbone.fingerprint != theirs.backbone.fingerprint:
        raise WeightsMismatch("the models were fitted with different backbone weights; fit both with the same file")
