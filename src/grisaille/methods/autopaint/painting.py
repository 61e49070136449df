"""A whole study painted, slab by slab: what would be healthy in each hole, and how sure that is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import box_of
from grisaille.core.run import Run
from grisaille.methods.autopaint.candidates import Mask
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import MARGIN_MM, MULTIPLE, Frame
from grisaille.nn.copies import Copies
from grisaille.nn.device import in_batches, resolve_device, threads

if TYPE_CHECKING:
    from torch import Tensor

    from grisaille.methods.autopaint.inpainter import Inpainter

Floats = npt.NDArray[np.float32]
Box = tuple[slice, slice, slice]

CHANNELS: Mapping[str, slice] = {"pet": slice(0, 1), "ct": slice(1, 3)}
"""Of each modality among those that the network sees and paints."""

OVERLAP = 16
"""Slices that neighbouring slabs share; across them one gives way to the other."""


@dataclass(frozen=True, eq=False)
class Hole:
    """What is painted over in one pass: (z, y, x) of each modality."""

    pet: Mask
    ct: Mask

    @property
    def either(self) -> Mask:
        """(z, y, x) what is painted over in any modality."""
        return self.pet | self.ct


@dataclass(frozen=True, eq=False)
class Slab:
    """A part of the frame that the network sees at once.

    ``share`` is (z, 1, 1): how much each of its slices counts where slabs overlap.
    """

    box: Box
    share: Floats


@dataclass(frozen=True, eq=False)
class Patch:
    """What was painted of one hole in one slab: ``mean`` and ``log_scale``, (c, z, y, x) each."""

    hole: int
    slab: Slab
    mean: Floats
    log_scale: Floats


@dataclass(eq=False)
class Kept:
    """What was painted in the round before: a slab whose hole did not change is not painted again."""

    _before: dict[bytes, Patch] = field(default_factory=dict)
    _now: dict[bytes, Patch] = field(default_factory=dict)

    def next_round(self) -> None:
        """Forget what the round just ended did not need."""
        self._before, self._now = self._now, {}

    def find(self, hole: Hole, number: int, slab: Slab) -> Patch | None:
        """The patch of this hole in this slab, if the round before or this one painted it."""
        name = _name(hole, slab)
        known = self._now.get(name) or self._before.get(name)
        if known is not None:
            self._now[name] = known
            known = replace(known, hole=number)
        return known

    def keep(self, hole: Hole, patch: Patch) -> None:
        """Remember a patch until the end of the next round."""
        self._now[_name(hole, patch.slab)] = patch


def _name(hole: Hole, slab: Slab) -> bytes:
    told = hashlib.sha256(repr(slab.box).encode())
    for mask in (hole.pet, hole.ct):
        told.update(np.packbits(mask[slab.box]).tobytes())
    return told.digest()


@dataclass(frozen=True, eq=False)
class Painter:
    """A network on whatever device a run asks for; it is never moved from under another thread."""

    network: Inpainter
    config: AutoPaintConfig
    _copies: Copies[Inpainter] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_copies", Copies(self.network))

    def paint(
        self, frame: Frame, holes: Sequence[Hole], run: Run, what: str, kept: Kept | None = None
    ) -> Iterator[Patch]:
        """Each hole in each slab in which it meets the body, slab after slab, but for what is ``kept`` of it.

        Raises
        ------
        Cancelled
            Before the next batch of slabs.
        OutOfMemory
            If the computer cannot hold even one slab.
        """
        items = _Items.of(frame, holes, self.config.slab)
        if kept is None:
            yield from self._painted(items, run, what)
            return
        known = [kept.find(holes[number], number, slab) for number, slab in items.places]
        places = zip(items.places, known, strict=True)
        changed = replace(items, places=tuple(place for place, patch in places if patch is None))
        painted = self._painted(changed, run, what)
        for patch in known:
            if patch is None:
                patch = next(painted)
                kept.keep(holes[patch.hole], patch)
            yield patch

    def _painted(self, items: _Items, run: Run, what: str) -> Iterator[Patch]:
        device = resolve_device(run)
        places = iter(items.places)
        with threads(run):
            painted = in_batches(items, self._forward, batch=self.config.batch, run=run, what=what, device=device)
            for means, log_scales in painted:
                for mean, log_scale in zip(means, log_scales, strict=True):
                    number, slab = next(places)
                    yield Patch(number, slab, mean, log_scale)

    def _forward(self, batch: Tensor) -> tuple[Floats, Floats]:
        """Seven channels, (n, 7, z, y, x): three of images, both holes, the body, how far below the top."""
        images, hole, body, below = batch[:, :3], batch[:, 3:5], batch[:, 5:6], batch[:, 6, 0, 0, 0]
        mean, log_scale = self._copies.on(batch.device)(images, hole, body, below)
        return mean.float().cpu().numpy(), log_scale.float().cpu().numpy()


@dataclass(eq=False)
class Sums:
    """Weighted sums of patches that overlap: ``weight`` (z, y, x); mean, its square and log scale (c, z, y, x)."""

    weight: Floats
    mean: Floats
    square: Floats
    log_scale: Floats

    @classmethod
    def empty(cls, channels: int, shape: tuple[int, int, int]) -> Self:
        """Nothing painted yet."""
        return cls(np.zeros(shape, np.float32), *(np.zeros((channels, *shape), np.float32) for _ in range(3)))

    def add(self, patch: Patch, channels: slice, weight: Floats) -> None:
        """Add the channels of a patch where ``weight`` (z, y, x of the slab) is above 0."""
        weight = weight * patch.slab.share
        self.weight[patch.slab.box] += weight
        weighted = weight * patch.mean[channels]
        self.mean[:, *patch.slab.box] += weighted
        self.square[:, *patch.slab.box] += weighted * patch.mean[channels]
        self.log_scale[:, *patch.slab.box] += weight * patch.log_scale[channels]

    def means(self) -> tuple[Floats, Floats]:
        """``mean`` and ``log_scale`` of all that was added; 0 where nothing was."""
        weight = np.maximum(self.weight, np.float32(1e-12))
        return np.divide(self.mean, weight), np.divide(self.log_scale, weight)

    def spread(self) -> Floats:
        """(c, z, y, x) standard deviation of the means that were added: of phases, modes and slabs alike."""
        weight = np.maximum(self.weight, np.float32(1e-12))
        variance = np.divide(self.square, weight)
        variance -= np.square(np.divide(self.mean, weight))
        return np.sqrt(np.maximum(variance, 0, out=variance), out=variance)


def top_of(body: Mask) -> int:
    """The uppermost slice of a body (z, y, x), which frames have at the end; 0 without a body."""
    slices = np.flatnonzero(body.any(axis=(1, 2)))
    return int(slices[-1]) if slices.size else 0


def slabs(body: Mask, depth: int, spacing_mm: float) -> tuple[Slab, ...]:
    """Slabs of ``depth`` slices, each cut to the body in it and centred on the mid-sagittal plane.

    Slabs without body are left out.
    """
    height = body.shape[0]
    depth = min(depth, height)
    overlap = min(OVERLAP, depth // 2)
    count = 1 if height <= depth else -(-(height - overlap) // (depth - overlap))
    starts = np.linspace(0, height - depth, count).round().astype(int)
    found = []
    for start in starts.tolist():
        within = slice(start, start + depth)
        sides = _cross_section(body[within], spacing_mm)
        if sides is not None:
            ramp = np.minimum(np.arange(1, depth + 1), np.arange(depth, 0, -1)).clip(max=overlap) / overlap
            if start == 0:
                ramp[: depth // 2] = 1
            if start + depth == height:
                ramp[depth // 2 :] = 1
            found.append(Slab((within, *sides), ramp.astype(np.float32)[:, None, None]))
    return tuple(found)


def _cross_section(body: Mask, spacing_mm: float) -> tuple[slice, slice] | None:
    box = box_of(body)
    if box is None:
        return None
    margin = int(np.ceil(MARGIN_MM / spacing_mm))
    _, height, width = body.shape
    rows = min(height, _rounded_up(box[1].stop - box[1].start + 2 * margin))
    first = min(max(0, (box[1].start + box[1].stop - rows) // 2), height - rows)
    middle = width // 2
    half = min(middle, _rounded_up(2 * (max(middle - box[2].start, box[2].stop - middle) + margin)) // 2)
    return slice(first, first + rows), slice(middle - half, middle + half)


def _rounded_up(size: int) -> int:
    return -(-size // MULTIPLE) * MULTIPLE


@dataclass(frozen=True, eq=False)
class _Items(Sized):
    """What the network is given, made when it is asked for."""

    images: Floats
    body: Mask
    hidden: Hole
    holes: Sequence[Hole]
    places: tuple[tuple[int, Slab], ...]
    top: int

    @classmethod
    def of(cls, frame: Frame, holes: Sequence[Hole], depth: int) -> Self:
        body = np.asarray(frame.body)
        places = tuple(
            (number, slab)
            for slab in slabs(body, depth, frame.grid.spacing_mm[0])
            for number, hole in enumerate(holes)
            if (hole.either[slab.box] & body[slab.box]).any()
        )
        # What no scanner saw is a hole in every pass.
        hidden = {key: ~frame.covered[key] if key in frame.images else np.ones_like(body) for key in CHANNELS}
        top = top_of(body) if frame.top is None else frame.top
        return cls(all_channels(frame), body, Hole(hidden["pet"], hidden["ct"]), holes, places, top)

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Tensor]:
        import torch

        for number, slab in self.places:
            hole = self.holes[number]
            pet = hole.pet[slab.box] | self.hidden.pet[slab.box]
            ct = hole.ct[slab.box] | self.hidden.ct[slab.box]
            below = np.full(pet.shape, self.top - slab.box[0].start, np.float32)
            masks = np.stack([pet, ct, self.body[slab.box], below], dtype=np.float32, casting="unsafe")
            yield torch.from_numpy(np.concatenate([self.images[:, *slab.box], masks]))


def all_channels(frame: Frame) -> Floats:
    """(3, z, y, x): every channel that the network sees; 0 where a modality is missing."""
    images = np.zeros((3, *frame.grid.shape), np.float32)
    for key, image in frame.images.items():
        images[CHANNELS[key]] = image
    return images
