"""A region that a person points at, painted over again; everything else of the result stays, bit for bit."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grisaille.core.anomaly import AnomalyMap, SliceScores
from grisaille.core.arrays import box_of, require_shape
from grisaille.core.errors import InputError
from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Unit, Volume
from grisaille.imaging.regions import Region
from grisaille.imaging.resample import resample_array
from grisaille.imaging.slice_scores import slice_scores
from grisaille.methods.autopaint.candidates import Mask, dilated
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.loop import Painting, distance, doubt_of, judged, one_sided, paint_over
from grisaille.methods.autopaint.norms import Norms
from grisaille.methods.autopaint.painting import CHANNELS, Floats, Painter, all_channels
from grisaille.methods.autopaint.twin import CONFIDENCE, DOUBT, PAINTED, RESIDUAL, Z, change, confidence, with_values

if TYPE_CHECKING:
    from grisaille.methods.autopaint.adapting import Adapted


@dataclass(eq=False)
class LastFrame:
    """The frame of the study scored last: making it takes longer than painting one region in it.

    ``closer`` is what was adapted to that study, if anything was.
    """

    volumes: tuple[Volume, ...] = ()
    frame: Frame | None = None
    closer: Adapted | None = None

    def of(self, study: Study, make: Callable[[Study], Frame]) -> Frame:
        """The frame of a study, made unless it is the last one's."""
        volumes = tuple(study.volumes.values())
        frame = self.frame
        is_last = len(volumes) == len(self.volumes) and all(map(operator.is_, volumes, self.volumes))
        if frame is None or not is_last:
            frame = make(study)
            self.volumes, self.frame, self.closer = volumes, frame, None
        return frame


def require_repaintable(anomaly: AnomalyMap, study: Study, region: Mask) -> None:
    """Raise unless our loop made ``anomaly`` of ``study``, and the region lies on its grid.

    Raises
    ------
    InputError, ShapeError
        The sentence for the user.
    """
    if DOUBT not in anomaly.extras or anomaly.grid != study.reference:
        raise InputError(
            "only a result of AutoPaint on this study, with the preset grisaille, can be repainted; run it first"
        )
    require_shape(region, anomaly.grid.shape, "the region to paint over")


def hole_of(region: Mask, grid: Grid, frame: Frame, grow_mm: float) -> Mask:
    """A region (z, y, x) of ``grid`` with its margin, as far as it lies in the body of the frame.

    Raises
    ------
    InputError
        If there is no body in it.
    """
    hole = np.zeros(frame.grid.shape, dtype=bool)
    box = box_of(region)
    if box is not None:
        z, y, x = box
        there = Region((z.start, y.start, x.start), region[box]).onto(frame.grid, grid)
        hole[there.box] = there.mask
    hole = dilated(hole, grow_mm, frame.grid.spacing_mm) & frame.body
    if not hole.any():
        raise InputError("there is nothing of the body in the region to paint over; paint on the patient")
    return hole


def paint_again(painter: Painter, frame: Frame, hole: Mask, others: Mask, norms: Norms, run: Run) -> Painting:
    """The hole painted once more, in the slabs that it meets; only in it do the arrays mean anything.

    Parameters
    ----------
    others
        (z, y, x) what was painted over already. It is hidden from the network wherever it is not
        painted itself, so that one lesion is not filled from another.
    """
    key, body = judged(frame)
    hidden = others & ~hole
    around = replace(frame, covered={one: covered & ~hidden for one, covered in frame.covered.items()})
    sums = paint_over(painter, around, hole, run, "painting over the region again")
    mean, log_scale = sums[key].means()
    known = hole & body & (sums[key].weight > 0)
    spread = np.float32(np.mean(norms.spreads))
    channels = all_channels(frame)
    healthy = {
        one: np.where(hole & (parts.weight > 0), parts.means()[0], channels[CHANNELS[one]])
        for one, parts in sums.items()
    }
    z = distance(key, frame, mean, log_scale) / spread
    return Painting(key, z, mean, known, healthy, doubt_of(key, sums[key], log_scale) / spread)


def repainted(
    painter: Painter, anomaly: AnomalyMap, study: Study, frame: Frame, region: Mask, norms: Norms, run: Run
) -> AnomalyMap:
    """A result with a region (z, y, x of its grid) and its margin painted over again.

    Parameters
    ----------
    study
        The volumes that are painted, brought into ``frame``.
    """
    hole = hole_of(region, anomaly.grid, frame, painter.config.grow_mm)
    painting = paint_again(painter, frame, hole, painted_before(anomaly, frame), norms, run)
    return put_in(anomaly, study, frame, hole, painting, painter.config)


def put_in(
    anomaly: AnomalyMap, study: Study, frame: Frame, hole: Mask, painting: Painting, config: AutoPaintConfig
) -> AnomalyMap:
    """The result with a hole painted again: outside the hole and the voxels that touch it every bit stays.

    At the hole's edge, between two voxels of the frame, what was there gives way to what is new.

    Parameters
    ----------
    study
        The volumes that were painted.
    hole
        (z, y, x) of the frame: what the twin changes. Of it, ``painting.hole`` is judged.
    """
    grid, extras = anomaly.grid, dict(anomaly.extras)
    share = frame.to_volume(painting.hole, grid)
    where = (share > 0) & anomaly.body
    residual = change(frame, painting.key, painting.mean, frame.images[painting.key], config)
    for name, values in ((Z, painting.z), (RESIDUAL, residual)):
        new = frame.to_volume(np.where(painting.hole, values, np.float32(0)), grid)
        extras[name] = _blended(extras[name], new, share, where)
    if DOUBT in extras and painting.doubt is not None:
        extras |= _doubted(extras, frame.to_volume(painting.doubt * painting.hole, grid), where)
    extras[PAINTED] = replace(extras[PAINTED], voxels=extras[PAINTED].voxels | (frame.to_volume(hole, grid) > 0))
    scores = np.array(anomaly.scores)
    scores[where] = np.logaddexp(np.float32(0), one_sided(painting.key, extras[Z].voxels[where]), dtype=np.float32)
    axis = anomaly.slice_scores.axis
    return replace(
        anomaly,
        scores=scores,
        slice_scores=SliceScores(axis, slice_scores(scores, grid, axis)),
        healthy=_twin(anomaly.healthy, study, frame, hole, painting, config),
        extras=extras,
    )


def painted_before(anomaly: AnomalyMap, frame: Frame) -> Mask:
    """(z, y, x) of the frame: what the twin changes already."""
    painted: Mask = resample_array(anomaly.extras[PAINTED].voxels, anomaly.grid, frame.grid, nearest=True)
    return painted.astype(bool)


def _doubted(extras: Mapping[str, Volume], new: Floats, where: Mask) -> dict[str, Volume]:
    """One hole tells less of the phases than all checkerboards did: the doubt never falls."""
    doubt = np.array(extras[DOUBT].voxels)
    doubt[where] = np.maximum(doubt[where], new[where])
    sure = np.array(extras[CONFIDENCE].voxels)
    sure[where] = confidence(extras[Z].voxels[where], doubt[where])
    return {DOUBT: extras[DOUBT].with_voxels(doubt), CONFIDENCE: extras[CONFIDENCE].with_voxels(sure)}


def _twin(
    before: Study | None, study: Study, frame: Frame, hole: Mask, painting: Painting, config: AutoPaintConfig
) -> Study:
    twins = study if before is None else before
    volumes: dict[str, Volume] = {}
    for key, volume in study.volumes.items():
        healthy = change(frame, key, frame.images[key], painting.healthy[key], config)
        added = frame.to_volume(np.where(hole, healthy, np.float32(0)), volume)
        share = frame.to_volume(hole, volume)
        where, twin = share > 0, twins.volumes[key]
        patient = volume.voxels[where].astype(np.float64)
        stays = (1 - share[where]) * (twin.voxels[where] - patient)
        volumes[key] = twin.with_voxels(with_values(twin.voxels, where, patient + stays + added[where], volume.unit))
    return Study(volumes, study.patient)


def _blended(volume: Volume, new: Floats, share: Floats, where: npt.NDArray[np.bool_]) -> Volume:
    """``new`` counts its ``share`` already."""
    stays = (1 - share[where]) * volume.voxels[where].astype(np.float64)
    return volume.with_voxels(with_values(volume.voxels, where, stays + new[where], Unit.NONE))
