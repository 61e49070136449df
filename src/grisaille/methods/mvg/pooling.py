"""Fitted models of two sites made one, and a patient taken out, without any image.

A model that kept its patients' slice features is learned again from them, so that what comes
out is the fit of those patients and not an estimate of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from grisaille.core.config import knobs
from grisaille.core.errors import ConfigError, InputError, WeightsMismatch
from grisaille.core.run import Run
from grisaille.methods.mvg.fitting import learn
from grisaille.methods.mvg.kept import KeptScan
from grisaille.methods.mvg.spool import Spool

if TYPE_CHECKING:
    from grisaille.methods.mvg.method import MVG

Kept = Mapping[str, tuple[KeptScan, ...]]


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
    kept = {key: ours.kept.get(key, ()) + theirs.kept.get(key, ()) for key in {**ours.kept, **theirs.kept}}
    pooled = replace(
        ours,
        weights=tuple(dict.fromkeys(ours.weights + theirs.weights)),
        canaries={**theirs.canaries, **ours.canaries},
    )
    return _learned_again(pooled, kept, run)


def without_patient(method: MVG, pseudonym: str, run: Run) -> MVG:
    """The fit of all patients but one."""
    _require_kept(method)
    if pseudonym not in _patients(method.kept):
        raise InputError("none of the model's patients has that pseudonym; give it as it was when the model was fitted")
    kept = {key: tuple(scan for scan in scans if scan.patient != pseudonym) for key, scans in method.kept.items()}
    return _learned_again(method, kept, run)


def _learned_again(method: MVG, kept: Kept, run: Run) -> MVG:
    """What ``fit`` would make of these scans, but for the promise: its findings were counted on images."""
    with Spool() as spool:
        models = {
            key: learn(
                [scan.observation(spool) for scan in scans],
                [scan.patient for scan in scans],
                method.recipe,
                spool,
                None,
                run=run,
                what=key.upper(),
            ).model
            for key, scans in kept.items()
        }
    return replace(method, models=models, kept=kept, calibrations={}, patients=len(_patients(kept)))


def _patients(kept: Kept) -> set[str]:
    return {scan.patient for scans in kept.values() for scan in scans}


def _require_kept(method: MVG) -> None:
    if not method.kept:
        raise ConfigError(
            f"this model of the preset {method.config.preset.value} keeps nothing of each patient, so none can be "
            "added or taken out; fit with keep_patients (preset rippel2020), or fit anew from the images: in the "
            "other presets distances are compared with those usual at a place, which only all images together tell"
        )


def _require_same(ours: MVG, theirs: MVG) -> None:
    fixed = [one.name for one in knobs(type(ours.config)) if not one.after_fit]
    other = [name for name in fixed if getattr(ours.config, name) != getattr(theirs.config, name)]
    if other:
        raise ConfigError(f"the models were fitted with different {', '.join(other)}; fit both with the same settings")
    if ours.backbone.fingerprint != theirs.backbone.fingerprint:
        raise WeightsMismatch("the models were fitted with different backbone weights; fit both with the same file")
