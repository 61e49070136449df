"""Spots painted into slices: lesions without end, in more organs than those of the phantoms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.methods.anomalyclip.demo.captions import SPARED, TISSUES, UNSURE
from grisaille.methods.anomalyclip.demo.pictures import BRIGHT_SUV

SAMPLE_MM = 2.5
"""Width of a sample of the labels; images are twice as fine."""

_RADIUS_MM = (4.0, 35.0)
_CORED_MM = 14.0
"""Spots with a larger radius may have a cold core."""

_PSF_PX = 2.7
"""Standard deviation of the phantoms' PET, about 8 mm full width at half maximum."""

_LEAST_SUV, _HIGHEST_SUV, _FAINT_SUV = 1.8, 14.0, 3.5
_LEAST_SEEN = 0.25
"""Of what is around: a fainter spot is called nothing."""

_PADDING = tuple(TISSUES.index(word) for word in ("fat", "muscle"))
_FAT = _PADDING[0]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Spot:
    """Where one lies, (y, x) samples: the whole, and its cold core."""

    whole: Mask
    core: Mask
    radius_mm: float
    tissue: int
    """The number of the word for what it begins in."""


def draw_spot(tissues: npt.NDArray[np.uint8], rng: np.random.Generator) -> Spot | None:
    """One of any size in any tissue but those that are spared; None where there is no room.

    Parameters
    ----------
    tissues
        (y, x) numbers of words.
    """
    allowed = ~np.isin(tissues, (*SPARED, UNSURE))
    words = np.unique(tissues[allowed])
    if not words.size:
        return None
    places = np.argwhere(tissues == rng.choice(words) if rng.random() < 0.6 else allowed)
    middle = places[rng.integers(len(places))]
    tissue = int(tissues[tuple(middle)])
    if rng.random() < 0.7:
        allowed &= np.isin(tissues, (tissue, *_PADDING))
    radius = float(np.exp(rng.uniform(*np.log(_RADIUS_MM))))
    distance = _distance(tissues.shape, middle, radius, rng)
    pieces, _ = ndimage.label((distance <= 1) & allowed)
    whole = pieces == pieces[tuple(middle)]
    cored = radius > _CORED_MM and rng.random() < 0.5
    core = whole & (distance < rng.uniform(0.35, 0.65)) & cored
    return Spot(whole, core, radius, tissue)


def _distance(shape: tuple[int, ...], middle: npt.NDArray[np.intp], radius: float, rng: np.random.Generator) -> Floats:
    """From the middle, 1 at the rim of a stretched, turned and dented disc."""
    y, x = (np.arange(size) - at for size, at in zip(shape, middle, strict=True))
    turn, stretch = rng.uniform(0, np.pi), np.exp(0.2 * rng.normal())
    dy, dx = y[:, None] * SAMPLE_MM, x[None] * SAMPLE_MM
    along = (np.cos(turn) * dx + np.sin(turn) * dy) / (radius * stretch)
    across = (np.cos(turn) * dy - np.sin(turn) * dx) / (radius / stretch)
    angle, dents = np.arctan2(across, along), rng.choice((0.04, 0.12))
    waves = sum(np.cos(count * angle + rng.uniform(0, 2 * np.pi)) / np.sqrt(count) for count in (2, 3, 5))
    distance: Floats = np.hypot(along, across) * (1 + dents * waves)
    return distance


def paint_ct(image: Floats, spot: Spot, tissues: npt.NDArray[np.uint8], rng: np.random.Generator) -> None:
    """HU a little off what is around, in place; ``image`` (2y, 2x)."""
    whole, core = fine(spot.whole), fine(spot.core)
    around = float(np.median(image[fine(tissues == spot.tissue)]))
    off = rng.choice((-1, 1), p=(0.4, 0.6)) * rng.uniform(15, 40)
    level = 35 + off / 3 if spot.tissue == _FAT or rng.random() < 0.2 else around + off
    noise = ndimage.gaussian_filter(12 * rng.normal(size=image.shape), 1) * 2.2
    image[whole] = level + noise[whole]
    image[core] = 18 + noise[core]


def paint_pet(image: Floats, spot: Spot, rng: np.random.Generator) -> bool:
    """SUV from just above what is around to 14, as the scanner blurs it, in place; whether that can be seen.

    Parameters
    ----------
    image
        (2y, 2x) SUV.
    """
    whole, core = fine(spot.whole), fine(spot.core)
    around = float(np.median(image[whole]))
    least = max(1.5 * around, _LEAST_SUV)
    highest = _FAINT_SUV if rng.random() < 0.3 else _HIGHEST_SUV
    level = float(np.exp(rng.uniform(np.log(least), np.log(max(highest, 1.2 * least)))))
    thick = min(1.0, spot.radius_mm / 8) ** 0.5  # a small one is blurred along the slices too
    share = thick * ndimage.gaussian_filter(whole.astype(np.float32), _PSF_PX)
    uptake = ndimage.gaussian_filter(np.where(core, min(0.8, level), level * whole).astype(np.float32), _PSF_PX)
    grain = np.clip(image / (ndimage.uniform_filter(image, 13) + 0.05), 0.7, 1.4) ** 0.7
    image[:] = image * (1 - share) + thick * uptake * grain
    shown, before = (min(value, BRIGHT_SUV) for value in (thick * level, around))  # in the window
    return shown > (1 + _LEAST_SEEN) * before


def fine(samples: Mask) -> Mask:
    """(2y, 2x) of (y, x)."""
    return np.repeat(np.repeat(samples, 2, axis=0), 2, axis=1)
