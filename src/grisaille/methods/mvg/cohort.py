"""Healthy cases learned together: the one way behind a fit, a merge and a patient taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.core.run import Run
from grisaille.methods.mvg.fitting import learn
from grisaille.methods.mvg.left_out import left_out_counts
from grisaille.methods.mvg.modality import ModalityModel
from grisaille.methods.mvg.observation import SeenCase
from grisaille.methods.mvg.position import PositionModel
from grisaille.methods.mvg.promise import calibration
from grisaille.methods.mvg.recipe import Recipe
from grisaille.methods.mvg.spool import Spool


@dataclass(frozen=True, eq=False)
class CohortFit:
    """What was learned of each modality, and the promise of each set of them that a study may have."""

    models: Mapping[str, ModalityModel]
    calibrations: Mapping[str, Calibration]


def learn_cohort(
    cases: Sequence[SeenCase],
    recipe: Recipe,
    spool: Spool,
    positions: Mapping[str, PositionModel | None],
    *,
    run: Run,
    source: CalibrationSource = CalibrationSource.PATIENTS,
) -> CohortFit:
    """Fit each modality and measure the promise, leaving patients out.

    Parameters
    ----------
    positions
        By modality key, taken as they are; where a key is absent it is learned from all bodies.
    source
        What the promise is worth.

    Raises
    ------
    InputError
        If a modality has fewer than two patients.
    """
    learned = {}
    for key in dict.fromkeys(key for case in cases for key in case.scans):
        part = [case for case in cases if key in case.scans]
        learned[key] = learn(
            [case.scans[key] for case in part],
            [case.patient for case in part],
            recipe,
            spool,
            positions.get(key),
            run=run,
            what=key.upper(),
        )
    counts = left_out_counts(learned, cases, spool, recipe.config.smallest_ml, run=run)
    return CohortFit(
        {key: one.model for key, one in learned.items()},
        {key: calibration(part, source) for key, part in counts.items()},
    )
