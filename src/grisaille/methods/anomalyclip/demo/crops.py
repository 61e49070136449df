"""What the network is shown in one step: parts of slices at random, lesions in most of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from grisaille.imaging.intensity import windowed
from grisaille.methods.anomalyclip.demo.captions import UNSURE
from grisaille.methods.anomalyclip.demo.pictures import PATCH, SAMPLES, WINDOWS, Pages, share_of_tokens, states
from grisaille.methods.anomalyclip.demo.spots import draw_spot, paint_ct, paint_pet

SHAPES = ((16, 16), (16, 24), (24, 16))
"""Rows and columns of tokens, one shape a step."""

WHOLE = (28, 42)
"""The same of a step that shows about the whole of slices."""

_WHOLE_SHARE = 0.3
_PET_SHARE = 0.85
_LESION_SLICE = 0.4
_PAINTED = 0.75
_GAIN, _SHIFT_HU = (0.03, 0.15), 8.0
"""Standard deviations of what CT and PET are multiplied by, and of what is added to CT."""

_PET_UNSEEN = 1 / 8
"""Of the spots, those without uptake."""


class Place(NamedTuple):
    """Where a crop lies: rows and columns of the whole slice, first row and column; in tokens."""

    rows: int
    columns: int
    row: int
    column: int


@dataclass(frozen=True, eq=False)
class Crops:
    """n pictures of one modality, and what is known of them.

    Parameters
    ----------
    images
        (n, y, x) float32 of 0 to 1.
    tissues, damage
        (n, rows, columns) uint8, or ``UNSURE``.
    modality
        0 for CT, 1 for PET.
    regions
        (n,) uint8.
    places
        Of each.
    """

    images: npt.NDArray[np.float32]
    tissues: npt.NDArray[np.uint8]
    damage: npt.NDArray[np.uint8]
    modality: int
    regions: npt.NDArray[np.uint8]
    places: tuple[Place, ...]

    @property
    def states(self) -> npt.NDArray[np.intp]:
        """(n,) 1 where a picture shows a lesion, 0 where none, -1 where that is unsure."""
        damaged, unsure = ((self.damage == one).any(axis=(1, 2)) for one in (1, UNSURE))
        return np.where(damaged, 1, np.where(unsure, -1, 0))


class _Crop(NamedTuple):
    image: npt.NDArray[np.float32]
    tissues: npt.NDArray[np.uint8]
    damage: npt.NDArray[np.uint8]
    region: np.uint8
    place: Place


def draw(library: Sequence[Pages], tokens: int, rng: np.random.Generator) -> Crops:
    """As many crops of one shape and window as make about so many tokens."""
    window = len(WINDOWS) - 1 if rng.random() < _PET_SHARE else int(rng.integers(len(WINDOWS) - 1))
    shape = WHOLE if rng.random() < _WHOLE_SHARE else SHAPES[rng.integers(len(SHAPES))]
    count = max(2, tokens // (shape[0] * shape[1]))
    drawn = [_one(library[int(rng.integers(len(library)))], shape, window, rng) for _ in range(count)]
    return Crops(
        np.stack([one.image for one in drawn]),
        np.stack([one.tissues for one in drawn]),
        np.stack([one.damage for one in drawn]),
        int(window == len(WINDOWS) - 1),
        np.array([one.region for one in drawn]),
        tuple(one.place for one in drawn),
    )


def _one(pages: Pages, shape: tuple[int, int], window: int, rng: np.random.Generator) -> _Crop:
    modality = int(window == len(WINDOWS) - 1)
    number, row, column = _chosen(pages, modality, shape, rng)
    rows, columns = (
        slice(start, min(start + side, size))
        for start, side, size in zip((row, column), shape, pages.tissues.shape[1:], strict=True)
    )
    values, lesions = _painted(pages, number, modality, rows, columns, rng)
    values = values * np.exp(_GAIN[modality] * rng.normal()) + (0 if modality else _SHIFT_HU * rng.normal())
    low, high = WINDOWS[window]
    image = windowed(values, low, high)
    damage = states(*(share_of_tokens(one[None])[0] for one in lesions[[0, modality]]))
    height, width = (max(size, side) for size, side in zip(pages.tissues.shape[1:], shape, strict=True))
    return _Crop(
        _padded(image, (shape[0] * PATCH, shape[1] * PATCH)),
        _padded(pages.tissues[number, rows, columns], shape),
        _padded(damage, shape),
        pages.regions[number],
        Place(height, width, row, column),
    )


def _painted(
    pages: Pages, number: int, modality: int, rows: slice, columns: slice, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """HU or SUV of a part of a slice with one or two more spots, and (2, y, x) samples of lesions: all, and seen."""
    y, x = (slice(one.start * PATCH, one.stop * PATCH) for one in (rows, columns))
    values = (pages.pet if modality else pages.ct)[number, y, x].astype(np.float32)
    y, x = (slice(one.start * SAMPLES, one.stop * SAMPLES) for one in (rows, columns))
    words, lesions = pages.words[number, y, x], pages.lesions[:, number, y, x].copy()
    for _ in range(rng.integers(1, 3) if rng.random() < _PAINTED else 0):
        spot = draw_spot(words, rng)
        if spot is None:
            continue
        lesions[0] |= spot.whole
        if not modality:
            paint_ct(values, spot, words, rng)
        elif rng.random() > _PET_UNSEEN and paint_pet(values, spot, rng):
            lesions[1] |= spot.whole
    return values, lesions


def _chosen(pages: Pages, modality: int, shape: tuple[int, int], rng: np.random.Generator) -> tuple[int, int, int]:
    """Slice, first row and column: round a lesion, if there is one, or some tissue, rare ones as often as others."""
    shown = np.flatnonzero(pages.lesions[modality].any(axis=(1, 2)))
    if len(shown) and rng.random() < _LESION_SLICE:
        number = int(rng.choice(shown))
        damaged = np.argwhere(pages.damage(modality, number) == 1)
        places = damaged if len(damaged) else np.argwhere(pages.tissues[number])
    else:
        words = np.unique(pages.tissues)
        found = np.argwhere(pages.tissues == rng.choice(words[(words != UNSURE) & (words != 0)]))
        number = int(found[rng.integers(len(found)), 0])
        places = found[found[:, 0] == number, 1:]
    at = places[rng.integers(len(places))]
    row, column = (
        int(np.clip(there - rng.integers(1, side - 1), 0, max(size - side, 0)))
        for there, side, size in zip(at, shape, pages.tissues.shape[1:], strict=True)
    )
    return number, row, column


def _padded(part: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """With zeros behind, that is with healthy air."""
    return np.pad(part, [(0, want - have) for want, have in zip(size, part.shape, strict=True)])
