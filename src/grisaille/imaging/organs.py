"""How unlike healthy tissue each organ is: scores in the organ's own units, and where it is most so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.errors import ConfigError, InputError
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.organ import Organ, OrganMap
from grisaille.core.study import Study
from grisaille.core.volume import Unit, Volume
from grisaille.imaging.regions import Region
from grisaille.imaging.resample import resample_array
from grisaille.imaging.top_component import top_component

TOP_ML = 1.0
"""How much of an organ has to hang together to count as its top."""

FEWEST = 30
"""Judged voxels below which an organ's own median deviation is too uncertain to be its unit."""

_NORMAL = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""

_EVEN = 1e-6
"""A deviation below this share of the largest score is rounding."""

_QUIET = 0.01
"""An organ whose unit is below this share of the largest has none of its own: in maps that are next to nothing almost
everywhere, the least specks would else stand out of quiet organs a thousandfold."""


_LEAST_SHARE = 1e-6
"""Log-odds are told no nearer to 0 and 1 than this."""


@dataclass(frozen=True, eq=False)
class _Part:
    """An organ as far as it was judged.

    ``core`` is what its statistics are of, and ``scores`` and ``spreading`` (n,) are those in it; one z is ``spread``
    of the latter.
    """

    id: int
    judged: Region
    core: Region
    scores: npt.NDArray[np.float32]
    spreading: npt.NDArray[np.float32]
    median: float
    spread: float
    borrowed: bool = False


def find_organs(
    anomaly: AnomalyMap, labels: Labels, study: Study, *, edge_mm: float = 0.0, called: str = "the organ labels"
) -> tuple[tuple[Organ, ...], OrganMap]:
    """Each organ's scores and measures, the most anomalous organ first, and all scores in units of their organ.

    An organ of fewer than ``FEWEST`` judged voxels, or more than half of whose scores are equal, has no unit of its
    own: it borrows the median of the others' or, where no organ has one, the standard deviation of all about their
    medians. So an organ that is nearly empty is not led by its rounding errors. Where all scores are equal z is 0.

    Parameters
    ----------
    labels
        The organs on any grid in the study's frame. Scores are read at the nearest voxel, volume is measured on the
        labels' grid, SUV and HU on the grid of each volume.
    edge_mm
        Voxels no deeper in their organ than this count in no statistic, unless nothing of the organ would be left;
        borders of organs draw scores that say little of either.
    called
        The name of the labels' file or layer, for errors.

    Returns
    -------
    Rows of the organs that were judged, by ``z_top`` from the highest; and their map.

    Raises
    ------
    InputError
        If there is no label, or none lies on what was judged.
    ConfigError
        If ``edge_mm`` is negative or not finite.
    """
    if not 0 <= edge_mm < np.inf:
        raise ConfigError(f"the edge left out of organs is {edge_mm} mm, expected 0 or more")
    there = on_grid(labels, anomaly.grid)
    spreading = _spreading(anomaly)
    parts = _with_units(list(_judged(there, anomaly, spreading, edge_mm)))
    if not parts:
        raise InputError(misses(labels, there, called))
    z = np.zeros(anomaly.grid.shape, dtype=np.float32)
    for part in parts:
        values = part.judged.values(spreading)
        z[part.judged.box][part.judged.mask] = _in_units(values, part)
    measured = _measured(labels, study)
    rows = [_row(part, labels, anomaly, spreading, measured[part.id]) for part in parts]
    rows.sort(key=lambda row: (-row.z_top, row.id))
    there_named = Labels(there, anomaly.grid, labels.names, anomaly.source)
    return tuple(rows), OrganMap(there_named, z, edge_mm, called)


def _spreading(anomaly: AnomalyMap) -> npt.NDArray[np.float32]:
    """(z, y, x) what standard deviations are taken of: the scores, or their log-odds."""
    if not anomaly.by_odds:
        return anomaly.scores
    shares = np.clip(anomaly.scores, _LEAST_SHARE, 1 - _LEAST_SHARE, dtype=np.float64)
    return np.asarray(special.logit(shares), dtype=np.float32)


def on_grid(labels: Labels, grid: Grid) -> npt.NDArray[np.uint16]:
    """(z, y, x) the number of the label at the nearest voxel, 0 beyond the labels' grid."""
    if labels.grid.is_close(grid):
        return labels.voxels
    return np.asarray(resample_array(labels.voxels, labels.grid, grid, nearest=True), dtype=np.uint16)


def _regions(voxels: npt.NDArray[np.uint16]) -> Iterator[tuple[int, Region]]:
    """Each label number and where it is, ascending."""
    for number, box in enumerate(ndimage.find_objects(voxels), start=1):
        if box is not None:
            yield number, Region((box[0].start, box[1].start, box[2].start), voxels[box] == number)


def _judged(
    voxels: npt.NDArray[np.uint16], anomaly: AnomalyMap, spreading: npt.NDArray[np.float32], edge_mm: float
) -> Iterator[_Part]:
    """The organs of which something was judged, with their own units."""
    body = anomaly.body
    for number, region in _regions(voxels):
        judged = replace(region, mask=region.mask & body[region.box])
        if not judged.mask.any():
            continue
        core = replace(judged, mask=judged.mask & _deep(region, anomaly.grid, edge_mm))
        if not core.mask.any():
            core = judged
        values = core.values(spreading)
        median = float(np.median(values))
        deviation = float(np.median(np.abs(values - median)))
        is_even = deviation <= _EVEN * float(np.abs(values).max())
        spread = 0.0 if values.size < FEWEST or is_even else _NORMAL * deviation
        yield _Part(number, judged, core, core.values(anomaly.scores), values, median, spread)


def _deep(region: Region, grid: Grid, edge_mm: float) -> npt.NDArray[np.bool_]:
    """What of a region lies deeper than ``edge_mm``; the image's edge is no border."""
    if not edge_mm:
        return region.mask
    ends = np.asarray(region.start) + region.mask.shape
    margin = [(int(low > 0), int(high < size)) for low, high, size in zip(region.start, ends, grid.shape, strict=True)]
    padded = np.pad(region.mask, margin)
    if padded.all():
        return region.mask
    depth_mm = ndimage.distance_transform_edt(padded, sampling=grid.spacing_mm)
    own = tuple(slice(low, low + size) for (low, _), size in zip(margin, region.mask.shape, strict=True))
    return np.asarray(depth_mm[own] > edge_mm)


def _with_units(parts: list[_Part]) -> list[_Part]:
    """The parts; those without a unit of their own, ``spread`` 0 or quiet beside the others', have borrowed."""
    least = _QUIET * max((part.spread for part in parts), default=0.0)
    parts = [part if part.spread >= least else replace(part, spread=0.0) for part in parts]
    own = [part.spread for part in parts if part.spread]
    if own:
        common = float(np.median(own))
    else:
        off = [part.spreading - part.median for part in parts]
        common = float(np.sqrt(np.mean(np.square(np.concatenate(off or [np.zeros(1)]), dtype=np.float64))))
    return [part if part.spread else replace(part, spread=common, borrowed=True) for part in parts]


def _in_units(scores: npt.NDArray[np.float32], part: _Part) -> npt.NDArray[np.float32]:
    if not part.spread:
        return np.zeros_like(scores)
    return np.asarray((scores - part.median) / part.spread, dtype=np.float32)


def _row(
    part: _Part, labels: Labels, anomaly: AnomalyMap, spreading: npt.NDArray[np.float32], measured: _Measured
) -> Organ:
    """The row of one organ, without a percentile."""
    grid, scores = anomaly.grid, anomaly.scores
    wanted = max(1, round(TOP_ML / grid.voxel_ml))
    top = replace(part.core, mask=top_component(scores[part.core.box], part.core.mask, wanted))
    of_top = top.values(scores)
    superior, posterior, left = (float(mm) for mm in grid.to_mm(top.indices.mean(axis=0)))
    p95, p99 = (float(value) for value in np.percentile(part.scores, (95, 99)))
    return Organ(
        id=part.id,
        name=labels.names.get(part.id, f"organ {part.id}"),
        volume_ml=measured.volume_ml,
        z_top=float(_in_units(top.values(spreading), part).sum(dtype=np.float64)) / max(of_top.size, wanted),
        z_max=float(_in_units(part.spreading.max(keepdims=True), part)[0]),
        percentile=None,
        score_mean=float(part.scores.mean(dtype=np.float64)),
        score_p95=p95,
        score_p99=p99,
        score_max=float(part.scores.max()),
        score_top=float(of_top.mean(dtype=np.float64)),
        top_ml=of_top.size * grid.voxel_ml,
        centroid_l_mm=left,
        centroid_p_mm=posterior,
        centroid_s_mm=superior,
        suv_max=measured.suv_max,
        suv_mean=measured.suv_mean,
        hu_mean=measured.hu_mean,
        borrowed=part.borrowed,
    )


@dataclass(frozen=True)
class _Measured:
    """What an organ measures, whatever its scores."""

    volume_ml: float
    suv_max: float | None = None
    suv_mean: float | None = None
    hu_mean: float | None = None


def _measured(labels: Labels, study: Study) -> dict[int, _Measured]:
    """By label number; each volume on its own grid."""
    counts = np.bincount(labels.voxels.ravel())
    suv = _values(labels, study.pet if study.pet is not None and study.pet.unit is Unit.SUVBW else None)
    hu = _values(labels, study.ct if study.ct is not None and study.ct.unit is Unit.HU else None)
    measured = {}
    for number in labels.ids:
        suv_max, suv_mean = suv.get(number, (None, None))
        volume_ml = int(counts[number]) * labels.grid.voxel_ml
        measured[number] = _Measured(volume_ml, suv_max, suv_mean, hu.get(number, (None, None))[1])
    return measured


def _values(labels: Labels, volume: Volume | None) -> dict[int, tuple[float, float]]:
    """Highest and mean number of each label in a volume, at the voxels whose centres lie in it."""
    if volume is None:
        return {}
    found = {}
    for number, region in _regions(on_grid(labels, volume.grid)):
        values = region.values(volume.voxels)
        found[number] = float(values.max()), float(values.mean(dtype=np.float64))
    return found


def misses(labels: Labels, there: npt.NDArray[np.uint16], called: str) -> str:
    """Why no organ was judged of ``labels``, which are ``there`` on the grid of the scores."""
    if not labels.ids:
        return f"{called} holds no organ, all its voxels are 0; give one with labels"
    if not there.any():
        return f"{called} lies on {labels.grid}, beside the study; give the organs of this patient in the same frame"
    return f"no organ of {called} lies in the body that was scored; check that it is of this patient and not mirrored"
