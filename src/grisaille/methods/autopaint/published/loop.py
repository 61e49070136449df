"""The published loop of moving discs, on whatever network paints: a yardstick for our own loop.

Slice by slice: discs where the PET is hot, each painted on its own, scored by what is hotter than
painted; those with the best scores painted over together; what then is hotter is the residual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import UnsuitableVolume
from grisaille.core.run import Run
from grisaille.methods.autopaint.candidates import Mask
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame, hu, suv
from grisaille.methods.autopaint.painting import CHANNELS, Floats, Hole, Painter, top_of
from grisaille.methods.autopaint.published.discs import (
    ORGAN_HU,
    RADIUS_MM,
    dilated_seeds,
    disc_area,
    discs_at,
    grey,
    united,
    worth_painting,
)

STEP_MM = 20.0
"""Slices that share their discs: they are placed once in so much of the patient's length."""


@dataclass(frozen=True, eq=False)
class PublishedLook:
    """What the published loop makes of a study, in the working frame.

    Parameters
    ----------
    residual
        (z, y, x) SUV of the patient less what was painted, of either sign; 0 outside ``hole``.
    hole
        (z, y, x) the discs painted over at last, less air.
    healthy
        By modality, (c, z, y, x): the frame's images with what was painted in ``hole``.
    evaluations
        Passes through the network: one slab with one hole each.
    """

    residual: Floats
    hole: Mask
    healthy: Mapping[str, Floats]
    evaluations: int


def published_score(
    painter: Painter, frame: Frame, config: AutoPaintConfig, run: Run, *, gates: bool, step_mm: float = STEP_MM
) -> PublishedLook:
    """The published loop with ``painter`` in place of its network.

    Its network sees one slice, ours a slab. A disc in one slice only would be painted from the same
    tumour in the next slices, which would be unfair: a disc is a hole as a cylinder, as high as it
    is wide, through PET and CT. It is cut across its axis in neighbouring slices alike, so those of
    ``step_mm`` share their discs, and each is painted once for all of them, the slab centred on it;
    gates, ranks and scores are taken slice by slice as published. Each disc is a pass of its own:
    two in one pass would change each other's painting. Their images end at SUV 12; so do gates and
    scores here, the residual does not.

    Parameters
    ----------
    gates
        As published. Else discs over the whole body, all painted, and each slice's best united
        whatever they score: at a step of 20 mm some 6,000 passes for a whole body, against a hundred.
    step_mm
        Up to twice as much, ``RADIUS_MM``, still leaves half a radius above and below each slice judged.

    Raises
    ------
    UnsuitableVolume
        If there is no PET.
    Cancelled
        Between two passes.
    OutOfMemory
        If the computer cannot hold even one slab.
    """
    if "pet" not in frame.images:
        raise UnsuitableVolume(
            "the published pipeline judges SUV, and there is no PET; give one, or take the preset grisaille"
        )
    residual = np.zeros(frame.grid.shape, np.float32)
    hole = np.zeros(frame.grid.shape, dtype=bool)
    healthy = {key: np.array(image, dtype=np.float32) for key, image in frame.images.items()}
    evaluations = 0
    stretches = _stretches(frame, step_mm)
    for number, stretch in enumerate(stretches, 1):
        run.check_cancelled()
        block = _Block.of(frame, stretch, config, gates=gates)
        if block is None:
            continue
        where = f"(stretch {number} of {len(stretches)})"
        scores, passes = _scores(painter, block, run, f"painting discs {where}")
        chosen = [united(row, disc_area(block.spacing_mm), gates=gates) for row in scores]
        evaluations += passes
        painted = _painted_once(painter, block, chosen, run, f"painting over the best discs {where}")
        if painted is None:
            continue
        evaluations += 1
        there = np.stack([_union(block.discs[row]) for row in chosen]) & block.organ[block.judged]
        place = block.in_frame
        hole[place] = there
        for key in healthy:
            healthy[key][:, place] = np.where(there, painted[CHANNELS[key], block.judged], healthy[key][:, place])
        residual[place] = np.where(there, block.suv[block.judged] - suv(painted[0, block.judged]), np.float32(0))
    return PublishedLook(residual, hole, healthy, evaluations)


@dataclass(frozen=True, eq=False)
class _Block:
    """Slices that share their discs, in the middle of the slab that the network sees them in.

    Parameters
    ----------
    frame
        The slab. All below lies in it.
    first
        Its first slice in the whole frame.
    judged
        The slices that share the discs.
    suv, organ
        (z, y, x).
    discs
        (n, y, x).
    candidates
        (slices, n) the discs that count in each slice.
    """

    frame: Frame
    first: int
    judged: slice
    suv: Floats
    organ: Mask
    discs: Mask
    candidates: Mask

    @classmethod
    def of(cls, frame: Frame, slices: slice, config: AutoPaintConfig, *, gates: bool) -> Self | None:
        """None if nothing in these slices is to be painted."""
        height, depth = frame.grid.shape[0], min(config.slab, frame.grid.shape[0])
        first = min(max(0, (slices.start + slices.stop - depth) // 2), height - depth)
        slab = _slab(frame, slice(first, first + depth))
        judged = slice(slices.start - first, slices.stop - first)
        values, organ = suv(slab.images["pet"][0]), _organ(slab, config)
        spacing_mm = frame.grid.spacing_mm[1]
        body = np.asarray(slab.body[judged]) & slab.covered["pet"][judged]
        seeds = np.stack([dilated_seeds(one, spacing_mm) for one in values[judged]]) & body if gates else body
        discs = discs_at(_union(seeds), spacing_mm)
        counted = np.zeros((len(seeds), len(discs)), dtype=bool)
        for row, (seeded, image) in enumerate(zip(seeds, grey(values[judged]), strict=True)):
            if seeded.any():
                counted[row, worth_painting(image, discs) if gates else slice(None)] = True
        return cls(slab, first, judged, values, organ, discs, counted) if counted.any() else None

    @property
    def in_frame(self) -> slice:
        """The slices judged, in the whole frame."""
        return slice(self.first + self.judged.start, self.first + self.judged.stop)

    @property
    def spacing_mm(self) -> float:
        return self.frame.grid.spacing_mm[1]

    def cylinder(self, disc: Mask) -> Mask:
        """(z, y, x) of a disc (y, x): as high as wide, its middle that of the slices judged."""
        z = np.arange(self.frame.grid.shape[0])
        middle = (self.judged.start + self.judged.stop - 1) / 2
        near = np.abs(z - middle) * self.frame.grid.spacing_mm[0] <= RADIUS_MM
        near[self.judged] = True
        cylinder: Mask = near[:, None, None] & disc
        return cylinder


def _stretches(frame: Frame, step_mm: float) -> list[slice]:
    height, thickness = frame.grid.shape[0], max(1, round(step_mm / frame.grid.spacing_mm[0]))
    return [slice(start, min(height, start + thickness)) for start in range(0, height, thickness)]


def _scores(painter: Painter, block: _Block, run: Run, what: str) -> tuple[npt.NDArray[np.float64], int]:
    """(slices, n) positive difference summed over each disc that counts; passes through the network."""
    numbers = np.flatnonzero(block.candidates.any(axis=0))
    cylinders = [block.cylinder(block.discs[number]) for number in numbers]
    before = grey(block.suv)
    scores = np.zeros(block.candidates.shape)
    passes = 0
    for patch in painter.paint(block.frame, [Hole(one, one) for one in cylinders], run, what):
        number, box = numbers[patch.hole], patch.slab.box
        rows, columns = box[1], box[2]
        excess = np.maximum(before[box] - grey(suv(patch.mean[0])), 0)
        counted = block.organ[box] & block.discs[number, rows, columns]
        scores[:, number] = np.where(counted, excess, 0)[block.judged].sum(axis=(1, 2), dtype=np.float64)
        passes += 1
    return scores * block.candidates, passes


def _painted_once(
    painter: Painter, block: _Block, chosen: list[npt.NDArray[np.intp]], run: Run, what: str
) -> Floats | None:
    """(3, z, y, x) of the slab with the discs of all its slices painted over, or None without a disc."""
    numbers = np.unique(np.concatenate(chosen))
    if not numbers.size:
        return None
    hole = block.cylinder(_union(block.discs[numbers])) & block.organ
    painted = np.zeros((3, *hole.shape), np.float32)
    for patch in painter.paint(block.frame, [Hole(hole, hole)], run, what):
        painted[:, *patch.slab.box] = patch.mean
    return painted


def _union(masks: Mask) -> Mask:
    """(y, x) of (n, y, x)."""
    return np.asarray(np.logical_or.reduce(masks, axis=0))


def _slab(frame: Frame, slices: slice) -> Frame:
    shape = (slices.stop - slices.start, *frame.grid.shape[1:])
    return Frame(
        frame.grid.cropped((slices.start, 0, 0), shape),
        {key: image[:, slices] for key, image in frame.images.items()},
        frame.body[slices],
        {key: covered[slices] for key, covered in frame.covered.items()},
        top=top_of(np.asarray(frame.body)) - slices.start,
    )


def _organ(frame: Frame, config: AutoPaintConfig) -> Mask:
    """(z, y, x) the body without air, as far as the CT tells."""
    organ = np.asarray(frame.body) & frame.covered["pet"]
    if "ct" in frame.images:
        organ &= ~frame.covered["ct"] | (hu(frame.images["ct"], config.windows) > ORGAN_HU)
    return organ
