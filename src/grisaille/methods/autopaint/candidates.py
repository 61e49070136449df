"""From scores to what is marked: two thresholds, then the outline as PET readers draw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.arrays import box_of
from grisaille.core.grid import Grid, Spacing
from grisaille.imaging.findings import components, label_above
from grisaille.methods.autopaint.config import AutoPaintConfig

Mask = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float32]

PEAK_MM = 12.0
"""A peak is the mean over a cube this wide, as large as SUVpeak's sphere of 1 ml."""


def hysteresis(scores: Scores, high: float, low: float, body: Mask) -> Mask:
    """The connected parts of the body at or above ``low`` that reach ``high`` somewhere.

    Parameters
    ----------
    scores, body
        (z, y, x) of one shape.
    low
        Taken as ``high`` where it is more.

    Returns
    -------
    (z, y, x); parts are joined by faces, edges and corners.
    """
    low = min(low, high)
    above = scores >= low
    above &= body
    marked = np.zeros(scores.shape, dtype=bool)
    box = box_of(above)
    if box is None or not (seeds := above[box] & (scores[box] >= high)).any():
        return marked
    parts = components(above[box])
    reaches = np.zeros(int(parts.max()) + 1, dtype=bool)
    reaches[parts[seeds]] = True
    reaches[0] = False
    marked[box] = reaches[parts]
    return marked


@dataclass(frozen=True)
class Outline:
    """How findings are drawn: the config's knobs of the same names."""

    delineation: float
    grow_mm: float
    smallest_ml: float

    @classmethod
    def of(cls, config: AutoPaintConfig) -> Self:
        """As a config says."""
        return cls(config.delineation, config.grow_mm, config.smallest_ml)


def delineate(mask: Mask, residual: Scores, outline: Outline, spacing_mm: Spacing, within: Mask) -> Mask:
    """Each part of ``mask`` redrawn where the residual is above a share of its peak.

    As readers draw a lesion at 41 % of its SUVmax, but what is healthy at the place is taken off
    first, so that a lesion in the liver is not drawn as the liver.

    Parameters
    ----------
    residual
        (z, y, x) what is there less what would be healthy.
    outline
        ``delineation`` of the peak (``PEAK_MM``) of the residual in the part, at most ``grow_mm`` beyond it.
    within
        (z, y, x) what may be marked at all.

    Returns
    -------
    (z, y, x). A part without a positive residual stays as it is.
    """
    drawn = np.zeros_like(mask)
    parts = components(mask)
    margin = _margin(outline.grow_mm, spacing_mm)
    window = [max(1, 2 * int(PEAK_MM / (2 * step)) + 1) for step in spacing_mm]
    for number, place in enumerate(ndimage.find_objects(parts), start=1):
        box = grown(place, margin, mask.shape)
        part = parts[box] == number
        means = ndimage.uniform_filter(residual[box], window, mode="nearest")
        peak = float(means[part].max())
        if peak <= 0:
            drawn[box] |= part
            continue
        near = ndimage.distance_transform_edt(~part, sampling=spacing_mm) <= outline.grow_mm
        drawn[box] |= near & within[box] & (residual[box] >= outline.delineation * peak)
    return drawn


def mark(
    scores: Scores, residual: Scores, body: Mask, cuts: tuple[float, float], outline: Outline, grid: Grid
) -> npt.NDArray[np.uint16]:
    """All that ``label`` marks at one threshold: pure, and fast enough for a slider.

    Parameters
    ----------
    cuts
        High and low of the hysteresis.
    """
    high, low = cuts
    marked = np.zeros(scores.shape, dtype=np.uint16)
    box = box_of((scores >= min(low, high)) & body)
    if box is None:
        return marked
    box = grown(box, _margin(outline.grow_mm, grid.spacing_mm), scores.shape)
    seeds = hysteresis(scores[box], high, low, body[box])
    drawn = delineate(seeds, residual[box], outline, grid.spacing_mm, body[box])
    marked[box] = label_above(
        scores[box], -np.inf, drawn, smallest_ml=outline.smallest_ml, voxel_ml=grid.voxel_ml
    )  # fmt: skip
    return marked


def without_small(mask: Mask, smallest_ml: float, voxel_ml: float) -> Mask:
    """The parts of ``mask`` of at least ``smallest_ml``."""
    parts = components(mask)
    kept = np.bincount(parts.ravel()) * voxel_ml >= smallest_ml * (1 - 1e-9)
    kept[0] = False
    return np.asarray(kept[parts])


def dilated(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    """Everything within ``radius_mm`` of ``mask``."""
    box = box_of(mask)
    if box is None or radius_mm <= 0:
        return mask.copy()
    wide = grown(box, _margin(radius_mm, spacing_mm), mask.shape)
    result = np.zeros_like(mask)
    result[wide] = ndimage.distance_transform_edt(~mask[wide], sampling=spacing_mm) <= radius_mm
    return result


def overlap(first: Mask, second: Mask) -> float:
    """Intersection over union; 1 where both are empty."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0


def grown(box: tuple[slice, ...], margin: list[int], shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
    """``box`` wider by ``margin`` voxels on every side, cut off at the volume's faces."""
    z, y, x = (
        slice(max(0, side.start - more), min(size, side.stop + more))
        for side, more, size in zip(box, margin, shape, strict=True)
    )
    return z, y, x


def _margin(length_mm: float, spacing_mm: Spacing) -> list[int]:
    return [int(np.ceil(length_mm / step)) for step in spacing_mm]
