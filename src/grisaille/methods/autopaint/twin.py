"""From the working frame back to the study: the scores on its grid, and its healthy twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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

DOUBT, CONFIDENCE = "doubt", "confidence"
"""Keys among the extras, float16: how far what was painted differs, in healthy spreads; ``confidence``."""


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
    residual = change(frame, painting.key, painting.mean, frame.images[painting.key], config)
    unit = Unit.SUVBW if painting.key == "pet" else Unit.HU
    extras = {
        Z: Volume(z, grid, name=Z),
        RESIDUAL: Volume(
            np.where(body, frame.to_volume(residual, grid), np.float32(0)), grid, unit=unit, name=RESIDUAL
        ),
        PAINTED: Volume(frame.to_volume(painting.hole, grid) > 0, grid, name=PAINTED),
        BODY: Volume(body, grid, name=BODY),
    }
    if painting.doubt is not None:
        doubt = frame.to_volume(painting.doubt, grid).astype(np.float16)
        extras[DOUBT] = Volume(doubt, grid, name=DOUBT)
        extras[CONFIDENCE] = Volume(confidence(z, doubt), grid, name=CONFIDENCE)
    slices = SliceScores(Axis.AXIAL, slice_scores(scores, grid, Axis.AXIAL))
    twin = healthy_twin(study, frame, painting, config)
    return AnomalyMap(scores, slices, grid, calibration, twin, extras, study.main.source)


def confidence(z: Floats, doubt: npt.NDArray[np.floating]) -> npt.NDArray[np.float16]:
    """How steady a difference is: |z| as a share of itself and of how far what was painted differs.

    1 where every phase and mode painted the same, 0.5 where they differ by as much as the patient
    does from them. No probability: ``healthy_tail`` tells how rare a score is among the healthy.
    """
    apart = np.abs(z)
    share = apart / np.maximum(apart + doubt, np.float32(1e-6))
    return np.asarray(share, dtype=np.float16)


def healthy_twin(study: Study, frame: Frame, painting: Painting, config: AutoPaintConfig) -> Study:
    """The study with healthy tissue in the hole; outside it every bit stays.

    The change is brought to each volume's own grid and added there, so that noise and fine
    structure stay where the network, which works on coarser voxels, knows nothing of them.
    """
    volumes: dict[str, Volume] = {}
    for key, volume in study.volumes.items():
        healthy = change(frame, key, frame.images[key], painting.healthy[key], config)
        added = frame.to_volume(np.where(painting.hole, healthy, np.float32(0)), volume)
        changed = (frame.to_volume(painting.hole, volume) > 0) & (added != 0)
        values = volume.voxels[changed].astype(np.float64) + added[changed]
        volumes[key] = volume.with_voxels(with_values(volume.voxels, changed, values, volume.unit))
    return Study(volumes, study.patient)


def change(
    frame: Frame, key: str, before: npt.NDArray[np.generic], after: npt.NDArray[np.generic], config: AutoPaintConfig
) -> Floats:
    """(z, y, x) in the study's own SUV or HU, of channels (c, z, y, x)."""
    if key == "pet":
        return (suv(after[0]) - suv(before[0])) / np.float32(frame.suv_scale)
    return ct_change_to_hu(before, after, config.windows)


def with_values(
    voxels: npt.NDArray[Any], where: npt.NDArray[np.bool_], values: npt.NDArray[Any], unit: Unit
) -> npt.NDArray[Any]:
    """A copy of ``voxels`` with other values ``where`` (z, y, x): no SUV below 0, whole numbers kept in their range."""
    changed = np.array(voxels)
    if unit is Unit.SUVBW:
        values = np.maximum(values, 0)
    if voxels.dtype.kind in "iu":
        ends = np.iinfo(voxels.dtype)
        values = np.clip(np.rint(values), ends.min, ends.max)
    changed[where] = values
    return changed


def residual_of(extras: Mapping[str, Volume]) -> Floats:
    """How much a finding stands out: of PET what is hot, of CT what differs either way."""
    volume = extras[RESIDUAL]
    values: Floats = np.abs(volume.voxels) if volume.unit is Unit.HU else np.asarray(volume.voxels)
    return values
