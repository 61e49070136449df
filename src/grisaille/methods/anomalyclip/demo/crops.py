"""What the network is shown in one step: parts of slices at random, some with a lesion in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.methods.anomalyclip.demo.captions import UNSURE
from grisaille.methods.anomalyclip.demo.pictures import PATCH, WINDOWS, Pages

SHAPES = ((12, 12), (16, 16), (16, 24), (24, 16), (20, 28))
"""Rows and columns of tokens, one shape a step, so that no place in a picture means a place in the body."""

_WITH_LESION = 0.5
_PET_SHARE = 0.5
_CONTRAST, _BRIGHTNESS = (0.1, 0.2), 0.02
"""Standard deviations of what a picture, of CT or PET, is multiplied by and of what is added."""


@dataclass(frozen=True, eq=False)
class Crops:
    """n pictures and what is known of them.

    Parameters
    ----------
    images
        (n, y, x) float32 of 0 to 1.
    tissues, damage
        (n, rows, columns) uint8, or ``UNSURE``.
    modalities, regions
        (n,) uint8; the modalities are CT and PET.
    """

    images: npt.NDArray[np.float32]
    tissues: npt.NDArray[np.uint8]
    damage: npt.NDArray[np.uint8]
    modalities: npt.NDArray[np.uint8]
    regions: npt.NDArray[np.uint8]

    @property
    def states(self) -> npt.NDArray[np.intp]:
        """(n,) 1 where a picture shows a lesion, 0 where none, -1 where that is unsure."""
        damaged, unsure = ((self.damage == one).any(axis=(1, 2)) for one in (1, UNSURE))
        return np.where(damaged, 1, np.where(unsure, -1, 0))


def draw(library: Sequence[Pages], tokens: int, rng: np.random.Generator) -> Crops:
    """As many crops of one shape as make about so many tokens."""
    shape = SHAPES[rng.integers(len(SHAPES))]
    drawn = [
        _one(library[int(rng.integers(len(library)))], shape, rng)
        for _ in range(max(2, tokens // (shape[0] * shape[1])))
    ]
    return Crops(*(np.stack(part) for part in zip(*drawn, strict=True)))


def _one(pages: Pages, shape: tuple[int, int], rng: np.random.Generator) -> tuple[Any, ...]:
    window = len(WINDOWS) - 1 if rng.random() < _PET_SHARE else int(rng.integers(len(WINDOWS) - 1))
    modality = int(window == len(WINDOWS) - 1)
    number, row, column = _place(pages.damage[modality], shape, rng)
    rows, columns = (slice(start, start + side) for start, side in zip((row, column), shape, strict=True))
    image = pages.picture(number, window, rows, columns)
    image = image * np.exp(_CONTRAST[modality] * rng.normal()) + _BRIGHTNESS * rng.normal()
    tissues, damage = pages.tissues[number, rows, columns], pages.damage[modality, number, rows, columns]
    parts = [
        _padded(image.clip(0, 1).astype(np.float32), (shape[0] * PATCH, shape[1] * PATCH)),
        _padded(tissues, shape),
        _padded(damage, shape),
    ]
    if rng.random() < 0.5:
        parts = [one[:, ::-1] for one in parts]
    return (*parts, np.uint8(modality), pages.regions[number])


def _place(damage: npt.NDArray[np.uint8], shape: tuple[int, int], rng: np.random.Generator) -> tuple[int, int, int]:
    """Slice, first row and column; half of them round a damaged token, if there is one."""
    room = np.maximum(np.array(damage.shape[1:]) - shape, 0)
    if rng.random() < _WITH_LESION:
        damaged = np.argwhere(damage == 1)
        if len(damaged):
            number, row, column = damaged[rng.integers(len(damaged))]
            first = (
                int(rng.integers(max(0, at - side + 1), min(at, most) + 1))
                for at, side, most in zip((row, column), shape, room, strict=True)
            )
            return (int(number), *first)  # type: ignore[return-value] # of two
    number = rng.integers(len(damage))
    return int(number), int(rng.integers(room[0] + 1)), int(rng.integers(room[1] + 1))


def _padded(part: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """With zeros behind, that is with healthy air."""
    return np.pad(part, [(0, want - have) for want, have in zip(size, part.shape, strict=True)])
