"""From the working frame back to the study: the scores on its grid, and its healthy twin."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from grisaille.core.anomaly import BODY, AnomalyMap, SliceScores
from grisaille.core.calibration import Calibration
from grisaille.core.grid import Axis
from grisaille.core.study import Study
from grisaille.core.volume import Unit, Volume
from grisaille.imaging.slice_scores import slice_scores
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame, ct_change_to_hu, suv
from grisaille.methods.autopaint.loop import Painting, judged, one_sided
from grisaille.methods.autopaint.painting import Floats

Z, RESIDUAL, PAINTED = "z", "residual", "painted"
"""Keys among the extras: signed distance from healthy; value less the healthy one; what the twin changes."""


def anomaly_map(
    study: Study, frame: Frame, painting: Painting, config: AutoPaintConfig, calibration: Calibration
) -> AnomalyMap:
    """What was painted of a study, on its own grids.

    Scores are healthy spreads pressed through log(1 + exp(z)): above 3 that is z itself, and it
    never falls to the 0 of what was not judged.
    """
    grid = study.reference
    body = frame.to_volume(judged(frame)[1], grid) >= 0.5
    z = np.where(body, frame.to_volume(painting.z, grid), np.float32(0))
    scores = np.logaddexp(np.float32(0), one_sided(painting.key, z), dtype=np.float32)
    scores[~body] = 0
    residual = _change(painting.key, painting.mean, frame.images[painting.key], config)
    unit = Unit.SUVBW if painting.key == "pet" else Unit.HU
    extras = {
        Z: Volume(z, grid, name=Z),
        RESIDUAL: Volume(
            np.where(body, frame.to_volume(residual, grid), np.float32(0)), grid, unit=unit, name=RESIDUAL
        ),
        PAINTED: Volume(frame.to_volume(painting.hole, grid) > 0, grid, name=PAINTED),
        BODY: Volume(body, grid, name=BODY),
    }
    slices = SliceScores(Axis.AXIAL, slice_scores(scores, grid, Axis.AXIAL))
    twin = healthy_twin(study, frame, painting, config)
    return AnomalyMap(scores, slices, grid, calibration, twin, extras, study.main.source)


def healthy_twin(study: Study, frame: Frame, painting: Painting, config: AutoPaintConfig) -> Study:
    """The study with healthy tissue in the hole; outside it every bit stays.

    The change is brought to each volume's own grid and added there, so that noise and fine
    structure stay where the network, which works on coarser voxels, knows nothing of them.
    """
    volumes: dict[str, Volume] = {}
    for key, volume in study.volumes.items():
        healthy = _change(key, frame.images[key], painting.healthy[key], config)
        change = frame.to_volume(np.where(painting.hole, healthy, np.float32(0)), volume)
        changed = (frame.to_volume(painting.hole, volume) > 0) & (change != 0)
        volumes[key] = volume.with_voxels(_added(volume, change, changed))
    return Study(volumes, study.patient)


def _change(
    key: str, before: npt.NDArray[np.generic], after: npt.NDArray[np.generic], config: AutoPaintConfig
) -> Floats:
    """(z, y, x) in SUV or HU, of channels (c, z, y, x)."""
    if key == "pet":
        return suv(after[0]) - suv(before[0])
    return ct_change_to_hu(before, after, config.windows)


def _added(volume: Volume, change: Floats, where: npt.NDArray[np.bool_]) -> npt.NDArray[np.generic]:
    voxels = np.array(volume.voxels)
    values = voxels[where].astype(np.float64) + change[where]
    if volume.unit is Unit.SUVBW:
        values = np.maximum(values, 0)
    if voxels.dtype.kind in "iu":
        ends = np.iinfo(voxels.dtype)
        values = np.clip(np.rint(values), ends.min, ends.max)
    voxels[where] = values
    return voxels


def residual_of(extras: Mapping[str, Volume]) -> Floats:
    """How much a finding stands out: of PET what is hot, of CT what differs either way."""
    volume = extras[RESIDUAL]
    values: Floats = np.abs(volume.voxels) if volume.unit is Unit.HU else np.asarray(volume.voxels)
    return values
