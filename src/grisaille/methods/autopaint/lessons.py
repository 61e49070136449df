"""What the network practises on: slabs of healthy patients with a hole, disturbed as scans are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Grid
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.holes import Mask, training_hole
from grisaille.methods.autopaint.painting import CHANNELS, slabs, top_of

Floats = npt.NDArray[np.float32]
Box = tuple[slice, slice, slice]

_BOTH_HIDDEN = 0.4
"""Share of the lessons with PET and CT whose hole is in both; in the others it is in the PET alone."""
_ALIGNED = 0.5
"""Share of the lessons in which CT and PET stay as they were aligned."""
_DRAWS = 8
"""Voxels of which the hottest is the middle of a slab that is laid where uptake is high."""
_HOTTEST = 0.9
"""Quantile of a slab's uptake above which the middles of its hole lie."""
_LEAST_STUB = 8
"""Slices that are left of a scan that ends within the slab."""
_NOISE = 0.02
"""Largest standard deviation of the noise added, in the network's units."""


class Framed(Protocol):
    """What a lesson needs of a frame; ``frame.Frame`` has it."""

    @property
    def grid(self) -> Grid:
        """Its shape and spacing."""
        ...

    @property
    def images(self) -> Mapping[str, npt.NDArray[Any]]:
        """``pet`` (1, z, y, x) and ``ct`` (2, z, y, x), or one of them."""
        ...

    @property
    def body(self) -> Mask:
        """(z, y, x)."""
        ...

    @property
    def covered(self) -> Mapping[str, Mask]:
        """(z, y, x) by modality: inside its field of view."""
        ...


@dataclass(frozen=True, eq=False)
class Lesson:
    """One slab to paint, all of the same z, y, x.

    Parameters
    ----------
    images
        (3, z, y, x) as the network sees them, and what it should paint.
    hole
        (2, z, y, x) of PET and CT: painted over, or never scanned.
    body
        (1, z, y, x).
    present
        (2, z, y, x): scanned, so that what is painted can be compared with it.
    below
        Slices from the first of the slab up to the top of the scan.
    """

    images: Floats
    hole: Mask
    body: Mask
    present: Mask
    below: int = 0


@dataclass(frozen=True, eq=False)
class Lessons:
    """An endless list of lessons, each made from its number and the seed alone.

    ``noise`` is the largest standard deviation of what is added, in the network's units.
    """

    frames: Sequence[Framed]
    config: AutoPaintConfig
    seed: int
    noise: float = _NOISE

    def __getitem__(self, number: int) -> Lesson:
        """The lesson of this number, from 0."""
        rng = np.random.default_rng((self.seed, number))
        frame = self.frames[int(rng.integers(len(self.frames)))]
        return lesson(frame, self.config, rng, noise=self.noise)


def lesson(frame: Framed, config: AutoPaintConfig, rng: np.random.Generator, *, noise: float = _NOISE) -> Lesson:
    """A slab of a frame, cut as they are cut for painting, with a random hole and random disturbances."""
    spacing_mm = frame.grid.spacing_mm[0]
    at_organs = "pet" in frame.images and rng.random() < config.organ_share
    box = _box(frame, config.lesson, _middle(frame, rng, _DRAWS if at_organs else 1))
    top = top_of(np.asarray(frame.body)) - box[0].start
    body = np.array(frame.body[box])
    scanned = _scanned(body, config.cut_share, rng)
    body &= scanned
    if not scanned[-1]:
        top = top_of(body)
    images = np.zeros((3, *body.shape), np.float32)
    present = np.zeros((2, *body.shape), dtype=bool)
    shift = _misalignment(rng, config.misalignment_mm / spacing_mm) if len(frame.images) == 2 else (0, 0, 0)
    taught = _taught(tuple(frame.images), config.hidden_share, rng)
    for number, (key, channels) in enumerate(CHANNELS.items()):
        if key in taught:
            by = shift if key == "pet" else (0, 0, 0)  # the body is the CT's
            images[channels] = _moved(frame.images[key], box, by) * scanned
            present[number] = _moved(frame.covered[key][None], box, by)[0] & scanned
    within = _hottest(images[0], body, present[0]) if at_organs else body
    _disturb(images, present, config.suv_jitter, noise, rng)
    return Lesson(images, _hole(within, present, taught, spacing_mm, rng), body[None], present, top)


def collated(lessons: Sequence[Lesson]) -> tuple[npt.NDArray[Any], ...]:
    """Lessons stacked, (n, c, z, y, x) and (n,) in the order of ``Lesson``; smaller slabs get air around them.

    The middle of x stays the middle, so that flipping still mirrors the patient.
    """
    shape = np.max([one.body.shape[1:] for one in lessons], axis=0)
    air = [_air(np.asarray(one.body.shape[1:]), shape) for one in lessons]
    parts = ("images", "hole", "body", "present")
    below = np.array([one.below + pad[0][0] for one, pad in zip(lessons, air, strict=True)], np.float32)
    stacked = (
        np.stack([np.pad(getattr(one, part), ((0, 0), *pad)) for one, pad in zip(lessons, air, strict=True)])
        for part in parts
    )
    return (*stacked, below)


def _middle(frame: Framed, rng: np.random.Generator, draws: int) -> int:
    """The slice of a random voxel of the body, the one with the highest uptake that was seen of so many."""
    chosen = np.unravel_index(rng.choice(np.flatnonzero(frame.body), draws), frame.body.shape)
    # What is hidden, a known lesion say, must not draw lessons to itself: nothing is learned there.
    hottest = (frame.images["pet"][0][chosen] * frame.covered["pet"][chosen]).argmax() if draws > 1 else 0
    return int(chosen[0][hottest])


def _box(frame: Framed, depth: int, middle: int) -> Box:
    """A slab around a slice."""
    height = frame.grid.shape[0]
    depth = min(depth, height)
    start = min(max(0, middle - depth // 2), height - depth)
    _, rows, columns = slabs(frame.body[start : start + depth], depth, frame.grid.spacing_mm[0])[0].box
    return slice(start, start + depth), rows, columns


def _scanned(body: Mask, share: float, rng: np.random.Generator) -> Mask:
    """(z, 1, 1) slices that the scanner reached: all, or in this share of the lessons those on one side."""
    depth = body.shape[0]
    reached = np.ones((depth, 1, 1), dtype=bool)
    if rng.random() < share and depth > _LEAST_STUB:
        kept = int(rng.integers(_LEAST_STUB, depth))
        ends = [slice(kept, None), slice(0, depth - kept)]
        gone = ends[int(rng.integers(2))]
        if np.delete(body, np.arange(depth)[gone], axis=0).any():
            reached[gone] = False
    return reached


def _hottest(pet: Floats, body: Mask, seen: Mask) -> Mask:
    """The tenth with the highest uptake of the body that the scanner saw; all of the body if it saw none."""
    known = body & seen
    return known & (pet >= np.quantile(pet[known], _HOTTEST)) if known.any() else body


def _taught(keys: Sequence[str], hidden_share: float, rng: np.random.Generator) -> Sequence[str]:
    """The modalities that the lesson has; the other is missing now and then, as it is in some studies."""
    if len(keys) == 2 and rng.random() < hidden_share:
        return (keys[int(rng.integers(2))],)
    return keys


def _hole(within: Mask, present: Mask, taught: Sequence[str], spacing_mm: float, rng: np.random.Generator) -> Mask:
    """(2, z, y, x) what is painted over, and what no scanner saw; ellipsoids have their middles in ``within``."""
    z, y, x = within.shape
    hole = training_hole((z, y, x), spacing_mm, rng, within=within)
    holes = ~present
    everywhere = len(taught) == 1 or rng.random() < _BOTH_HIDDEN
    holes |= np.stack([hole, hole & everywhere])
    return holes


def _misalignment(rng: np.random.Generator, reach: float) -> tuple[int, int, int]:
    """A shift in whole voxels, each part up to ``reach``; often none."""
    if rng.random() < _ALIGNED:
        return 0, 0, 0
    z, y, x = np.round(rng.uniform(-reach, reach, 3)).astype(int).tolist()
    return z, y, x


def _moved(image: npt.NDArray[Any], box: Box, shift: tuple[int, int, int]) -> npt.NDArray[Any]:
    """``image[:, *box]`` after the image was shifted; 0 where it came from beyond its faces."""
    taken, free = [], []
    for side, by, size in zip(box, shift, image.shape[1:], strict=True):
        start, stop = side.start - by, side.stop - by
        taken.append(slice(max(0, start), min(size, stop)))
        free.append((max(0, -start), max(0, stop - size)))
    part = image[:, *taken]
    return np.pad(part, ((0, 0), *free)) if any(map(any, free)) else part


def _disturb(images: Floats, present: Mask, suv_jitter: float, most_noise: float, rng: np.random.Generator) -> None:
    """In place: another SUV scale, and noise where there is an image."""
    factor = np.float32(np.exp(rng.uniform(-suv_jitter, suv_jitter)))
    images[0] = np.log1p(factor * np.expm1(images[0]))
    noise = rng.standard_normal(images.shape, dtype=np.float32) * np.float32(rng.uniform(0.0, most_noise))
    images += noise * present[[0, 1, 1]]
    np.maximum(images, 0, out=images)


def _air(size: npt.NDArray[np.int_], wanted: npt.NDArray[np.int_]) -> list[tuple[int, int]]:
    before = (wanted - size) // 2
    return [(int(low), int(more - low)) for low, more in zip(before, wanted - size, strict=True)]
