"""The published loop as a method's scores: what it marks, and what that costs on healthy patients."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.imaging.findings import label_above
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.loop import FURTHEST, Painting
from grisaille.methods.autopaint.measuring import named
from grisaille.methods.autopaint.painting import CHANNELS, Painter
from grisaille.methods.autopaint.promise import calibration, count
from grisaille.methods.autopaint.published.loop import STEP_MM, published_score
from grisaille.methods.autopaint.twin import PAINTED, Z, anomaly_map
from grisaille.methods.scan_count import ScanCount


def scored(
    painter: Painter,
    study: Study,
    config: AutoPaintConfig,
    promise: Calibration,
    run: Run,
    *,
    gates: bool = True,
    step_mm: float = STEP_MM,
) -> AnomalyMap:
    """The residual in place of healthy spreads: scores are log(1 + exp(SUV)). Gates as in ``published_score``."""
    frame = Frame.of(study, config, run)
    look = published_score(painter, frame, config, run, gates=gates, step_mm=step_mm)
    if gates and not look.hole.any():
        run.note("the published pipeline painted nothing over: no disc passed its gates (SUV 6.5 and 9.6)")
    painting = Painting(
        "pet", np.clip(look.residual, -FURTHEST, FURTHEST), look.healthy["pet"], look.hole, look.healthy
    )
    anomaly = anomaly_map(study, frame, painting, config, promise)
    # No z: the published residual is in SUV, not in healthy spreads.
    return replace(anomaly, extras={name: volume for name, volume in anomaly.extras.items() if name != Z})


def marked(anomaly: AnomalyMap, cut: float, smallest_ml: float) -> npt.NDArray[np.uint16]:
    """What was painted over and reaches one threshold, as published: no second threshold, no outline."""
    painted = anomaly.body & np.asarray(anomaly.extras[PAINTED].voxels, dtype=bool)
    return label_above(anomaly.scores, cut, painted, smallest_ml=smallest_ml, voxel_ml=anomaly.grid.voxel_ml)


def promises(
    painter: Painter,
    config: AutoPaintConfig,
    cases: Sequence[Case],
    run: Run,
    *,
    gates: bool = True,
    step_mm: float = STEP_MM,
    only: Collection[str] | None = None,
) -> Mapping[str, Calibration]:
    """Of healthy cases that the network was not trained on, by the keys of their modalities joined by ``+``.

    Only combinations with PET are judged, and of these only ``only`` if it is given.
    """
    counts: dict[str, list[ScanCount]] = {}
    for case in run.track(cases, "counting false positives of the published loop"):
        study = case.load()
        for keys in {("pet",), tuple(key for key in CHANNELS if key in study.volumes)}:
            if "pet" in study.volumes and (only is None or named(keys) in only):
                part = Study({key: study.volumes[key] for key in keys}, study.patient)
                anomaly = scored(painter, part, config, Calibration.none(), run, gates=gates, step_mm=step_mm)
                mark = partial(marked, anomaly, smallest_ml=config.smallest_ml)
                counts.setdefault(named(keys), []).append(count(anomaly.scores, anomaly.body, mark, case.patient))
    return {key: calibration(those, CalibrationSource.PATIENTS) for key, those in counts.items()}
