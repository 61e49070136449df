"""A whole-body PET that was never a patient, where no real one is at hand."""

from __future__ import annotations

from typing import Any

WHOLE_BODY = (267, 128, 128)


def drawn_whole_body(last: Any, method: Any) -> tuple[Any, Any]:
    """Forty balls of rising score in a body of scores below every cut."""
    import numpy as np

    from grisaille.core.anomaly import BODY, AnomalyMap, SliceScores
    from grisaille.core.calibration import Per
    from grisaille.core.grid import Axis, Grid
    from grisaille.core.study import Study
    from grisaille.core.volume import Modality, Unit, Volume
    from grisaille.flows.detect import relabel

    random = np.random.default_rng(0)
    grid = Grid.from_spacing(WHOLE_BODY, (3.27, 4.69, 4.69))
    cuts = last.anomaly.calibration.cuts
    scores = random.uniform(0, cuts[0], WHOLE_BODY).astype(np.float32)
    ball = np.argwhere(np.linalg.norm(np.indices((13, 13, 13)) - 6, axis=0) <= 6)
    for score in np.linspace(cuts[0], cuts[-1], 40):
        near = ball[np.linalg.norm(ball - 6, axis=1) <= random.uniform(2, 6)]
        scores[tuple((near + random.integers(0, np.asarray(WHOLE_BODY) - 13)).T)] = score
    pet = Volume(scores, grid, Modality.PET, Unit.SUVBW, name="PET")
    study = Study.of(pet)
    body = pet.with_voxels(np.ones(WHOLE_BODY, np.uint8))
    values = SliceScores(Axis.AXIAL, scores.mean(axis=(1, 2)))
    anomaly = AnomalyMap(scores, values, grid, last.anomaly.calibration, extras={BODY: body})
    unmarked = type(last)(anomaly, last.labels, (), last.provenance)
    return relabel(unmarked, study, method, 1.0, Per.SCAN), study
