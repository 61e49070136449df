"""The moving discs of the published pipeline and its gates, in millimetres and SUV.

Facts: Astaraki et al. 2023, arXiv 2305.12358, and what is public of its pipeline. Its slices have
256 x 256 pixels of autoPET, whose voxels are 2.036 mm wide. We take them for cut out, 521 mm wide,
which holds a trunk: a disc then has a radius of 39 mm. Had whole slices of 400 pixels been scaled
down to 256, all lengths would be 1.56 times as long; this is not said where we could read it.

One thing is told otherwise than it was run: there the number of discs that are kept is overwritten
after a slice without seeds, and from then on all are kept. Here it is the same in every slice.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grisaille.methods.autopaint.candidates import Mask
from grisaille.methods.autopaint.painting import Floats

PIXEL_MM = 2.036
RADIUS_MM = 19 * PIXEL_MM
SEED_MM = 13 * PIXEL_MM
"""Side of the square that a seed is dilated to."""
SEED_AREA_MM2 = 19 * 8 * PIXEL_MM**2
"""One disc for so much of the seeds: each (19 * 8)-th of their pixels is a centre, counted row by row."""
SEED_SUV = 6.5
"""Half of the way from SUV 4 to 9."""
CEILING_SUV = 12.0
"""White in their images, and the unit of all that follows."""
HOTTEST = 0.8
"""A disc without a pixel as hot, SUV 9.6, is dropped."""
RANKED = 5
"""Discs of a slice that are painted: those with the highest mean."""
UNITED = 3
"""Discs of a slice that are painted over together at last: those with the highest score."""
EXCESS = 0.06
"""Score of a slice's best disc, a mean over its area, above which the slice is painted at all: SUV 0.72."""
ORGAN_HU = -910.0
"""5 % of the way from -1000 to 800 HU: what is denser may be painted over."""


def grey(suv_values: npt.NDArray[np.generic]) -> Floats:
    """SUV as their images hold it: 0..1 for 0..12."""
    return np.asarray(np.clip(suv_values, 0, CEILING_SUV), np.float32) / np.float32(CEILING_SUV)


def dilated_seeds(suv_slice: Floats, spacing_mm: float) -> Mask:
    """(y, x) the hot pixels of one slice, each a square of ``SEED_MM``."""
    from scipy import ndimage

    side = max(1, 2 * round((SEED_MM / spacing_mm - 1) / 2) + 1)
    return np.asarray(ndimage.binary_dilation(suv_slice > SEED_SUV, np.ones((side, side))))


def discs_at(seeds: Mask, spacing_mm: float) -> Mask:
    """(n, y, x) a disc at one seed of so many, cut off at the image's edges; n is 0 without seeds."""
    centres = np.argwhere(seeds)[:: max(1, round(SEED_AREA_MM2 / spacing_mm**2))]
    y, x = (np.arange(size) for size in seeds.shape)
    along_y = (y - centres[:, :1]) ** 2  # (n, y)
    along_x = (x - centres[:, 1:]) ** 2  # (n, x)
    return np.asarray(along_y[:, :, None] + along_x[:, None, :] <= (RADIUS_MM / spacing_mm) ** 2)


def disc_area(spacing_mm: float) -> float:
    """Pixels of a whole disc."""
    return float(np.pi * (RADIUS_MM / spacing_mm) ** 2)


def worth_painting(grey_slice: Floats, discs: Mask) -> npt.NDArray[np.intp]:
    """Numbers of the discs (n, y, x) that pass the gates in a slice: the highest means, if hot enough anywhere."""
    means = np.array([grey_slice[disc].mean() for disc in discs])
    ranked = np.argsort(-means, kind="stable")[:RANKED]
    hot = [number for number in ranked if grey_slice[discs[number]].max() >= HOTTEST]
    return np.array(hot, dtype=np.intp)


def united(scores: npt.NDArray[np.floating], area: float, *, gates: bool) -> npt.NDArray[np.intp]:
    """Numbers of the discs with the highest ``scores`` (n,), none if the best one says too little.

    Parameters
    ----------
    scores
        Positive differences summed over a disc, in shares of ``CEILING_SUV``; not above 0 where not painted.
    area
        Pixels of a whole disc.
    """
    best = np.argsort(-scores, kind="stable")[:UNITED]
    best = best[scores[best] > 0]
    if gates and best.size and scores[best[0]] / area <= EXCESS:
        return best[:0]
    return best
