"""Paint over, compare, paint over what stands out: the loop that AutoPaint is named after.

First every voxel is judged inside holes of several sizes, laid out as checkerboards; then all that
stood out is painted over at once and judged again. Source of the idea: Astaraki et al. 2023,
arXiv 2305.12358; the sizes, the predicted scale and the healthy thresholds are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.run import Run
from grisaille.methods.autopaint.candidates import Mask, dilated, hysteresis, overlap, without_small
from grisaille.methods.autopaint.config import AutoPaintConfig, CtShown
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.holes import checkerboards, require_cover
from grisaille.methods.autopaint.norms import Norms
from grisaille.methods.autopaint.painting import CHANNELS, Floats, Hole, Kept, Painter, Sums, all_channels

SMALL_CELL_MM = 36.0
"""In smaller cubes every voxel is near an edge, so that all four offsets are needed; in larger ones two do."""

FLOOR: Mapping[str, float] = {"pet": 0.03, "ct": 0.02}
"""Least scale that is believed: 3 % of 1 + SUV, and 2 % of a CT window."""

SMOOTH_MM = 5.0
"""Standard deviation of the blur of distances: what differs in one voxel only is noise."""

FURTHEST = 50.0
"""Distances beyond it say no more."""

SETTLED = 0.95
"""Overlap of the candidates of two rounds from which on another would change nothing."""


@dataclass(frozen=True, eq=False)
class FirstLook:
    """What the checkerboards say of each voxel.

    Parameters
    ----------
    key
        The modality that is judged.
    distances
        (scales, z, y, x) how many predicted scales above (+) or below the painted mean.
    means
        (scales, c, z, y, x) the painted means of that modality's channels.
    doubt
        (z, y, x) by how many predicted scales the painted mean differs between the phases, half of
        which show the CT and half of which hide it; the mean over the sizes. None where not kept.
    """

    key: str
    distances: Floats
    means: Floats
    doubt: Floats | None = None

    def combined(self, spreads: npt.NDArray[np.float64]) -> tuple[Floats, Floats]:
        """(z, y, x) and (c, z, y, x): the mean over the sizes, each in its own healthy spreads.

        Cubes smaller than a tumour are painted from the tumour itself, larger ones are painted
        less surely than a small lesion deserves: which size is right differs from place to place.
        """
        z = self.distances / spreads.astype(np.float32)[:, None, None, None]
        return z.mean(axis=0, dtype=np.float32), self.means.mean(axis=0, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Painting:
    """A study beside its healthy twin, in the working frame.

    Parameters
    ----------
    key
        The modality that was judged.
    z
        (z, y, x) healthy spreads above (+) or below healthy.
    mean
        (c, z, y, x) what would be healthy, of that modality.
    hole
        (z, y, x) what was painted over at last.
    healthy
        By modality, (c, z, y, x): what would be healthy in the hole.
    doubt
        (z, y, x) how far, in healthy spreads, what was painted differs between phases and between
        modes, whichever is more; None where the first look did not keep it.
    """

    key: str
    z: Floats
    mean: Floats
    hole: Mask
    healthy: Mapping[str, Floats]
    doubt: Floats | None = None


def judged(frame: Frame) -> tuple[str, Mask]:
    """The modality that decides, PET where there is one, and the body that it covers."""
    key = "pet" if "pet" in frame.images else "ct"
    return key, np.asarray(frame.body) & frame.covered[key]


def one_sided(key: str, z: Floats) -> Floats:
    """How anomalous signed distances are: PET that is hot, CT that is too dense or not dense enough."""
    return z if key == "pet" else np.abs(z)


def first_look(painter: Painter, frame: Frame, config: AutoPaintConfig, run: Run) -> FirstLook:
    """Every voxel of the body judged inside cubes of every size of ``config.cells_mm``."""
    key, body = judged(frame)
    distances, means, doubt = [], [], np.zeros(body.shape, np.float32)
    for number, cell_mm in enumerate(config.cells_mm, 1):
        boards = _boards(body.shape, cell_mm, config)
        require_cover(boards, body)
        sums = Sums.empty(_count(key), body.shape)
        depths = [_depth(board) for board in boards]
        what = f"painting cubes of {cell_mm:g} mm ({number} of {len(config.cells_mm)})"
        for patch in painter.paint(frame, _modes(frame, boards, config.ct_shown), run, what):
            sums.add(patch, CHANNELS[key], depths[patch.hole][patch.slab.box])
        mean, log_scale = sums.means()
        distances.append(np.where(body, distance(key, frame, mean, log_scale), np.float32(0)))
        means.append(mean)
        doubt += doubt_of(key, sums, log_scale)
    return FirstLook(key, np.stack(distances), np.stack(means), doubt / np.float32(len(means)))


def repaint(
    painter: Painter, frame: Frame, look: FirstLook, norms: Norms, config: AutoPaintConfig, run: Run
) -> Painting:
    """Candidates painted over all at once and judged again, until they stay, at most ``config.rounds`` times.

    What was painted over scores as its first look or as its last, whichever is nearer to healthy
    (docs/decisions/0004). With no round at all candidates are painted once, for the healthy twin, and the
    scores stay.
    """
    key, body = judged(frame)
    z, mean = look.combined(norms.spreads)
    first = z
    spread = float(np.mean(norms.spreads))
    doubt = None if look.doubt is None else look.doubt / np.float32(spread)
    candidates = _candidates(key, z, norms, body, config)
    channels = all_channels(frame)
    hole = np.zeros_like(body)
    healthy = {one: channels[CHANNELS[one]].copy() for one in frame.images}
    kept = Kept()
    for number in range(max(1, config.rounds)):
        hole = dilated(candidates, config.grow_mm, frame.grid.spacing_mm) & frame.body
        if not hole.any():
            break
        sums = paint_over(painter, frame, hole, run, f"painting over candidates, round {number + 1}", kept)
        kept.next_round()
        painted, log_scale = sums[key].means()
        known = hole & body & (sums[key].weight > 0)
        mean = np.where(known, painted, mean)
        for one, parts in sums.items():
            original = channels[CHANNELS[one]]
            healthy[one] = np.where(hole & (parts.weight > 0), parts.means()[0], original)
        if doubt is not None:
            doubt = np.where(known, np.maximum(doubt, doubt_of(key, sums[key], log_scale) / np.float32(spread)), doubt)
        if config.rounds == 0:
            break
        z = np.where(known, distance(key, frame, painted, log_scale) / np.float32(spread), z)
        before, candidates = candidates, _candidates(key, z, norms, body, config)
        if overlap(before, candidates) >= SETTLED:
            break
    nearer = np.where(one_sided(key, z) < one_sided(key, first), z, first)
    return Painting(key, nearer, mean, hole, healthy, doubt)


def _candidates(key: str, z: Floats, norms: Norms, body: Mask, config: AutoPaintConfig) -> Mask:
    marked = hysteresis(one_sided(key, z), norms.high, norms.low, body)
    return without_small(marked, config.smallest_ml, config.spacing_mm**3 / 1000)


def paint_over(
    painter: Painter, frame: Frame, hole: Mask, run: Run, what: str, kept: Kept | None = None
) -> dict[str, Sums]:
    """The hole painted with the CT shown and with it hidden; the twin's CT comes of the latter."""
    nothing = np.zeros_like(hole)
    holes = [Hole(hole, hole)]
    shown = painter.config.ct_shown if len(frame.images) > 1 else CtShown.NEVER
    if shown is not CtShown.NEVER:
        holes.append(Hole(hole, nothing))
    with_ct, without = len(holes) - 1, 0
    judging = {"ct": (without,), "pet": (with_ct,) if shown is CtShown.ALWAYS else (without, with_ct)}
    sums = {key: Sums.empty(_count(key), hole.shape) for key in frame.images}
    everywhere = np.float32(1)
    for patch in painter.paint(frame, holes, run, what, kept):
        for key, parts in sums.items():
            if patch.hole in judging[key]:
                parts.add(patch, CHANNELS[key], np.broadcast_to(everywhere, patch.mean.shape[1:]))
    return sums


def _boards(shape: tuple[int, int, int], cell_mm: float, config: AutoPaintConfig) -> tuple[Mask, ...]:
    """Both colours of the checkerboards of one size, offset after offset."""
    boards = tuple(checkerboards(shape, config.spacing_mm, cell_mm))
    return boards[: min(config.passes, 8 if cell_mm < SMALL_CELL_MM else 4)]


def _modes(frame: Frame, boards: Sequence[Mask], ct_shown: CtShown) -> list[Hole]:
    """PET painted with the CT shown (offsets 1, 3) and with it hidden (2, 4): each voxel in both ways.

    What the CT shows sharpens the painting where the two agree, and misleads it where they were
    breathed apart.
    """
    nothing = np.zeros_like(boards[0])
    shown = {CtShown.BOTH: (True, False), CtShown.ALWAYS: (True, True), CtShown.NEVER: (False, False)}[ct_shown]
    return [
        Hole(board, nothing if len(frame.images) > 1 and shown[number // 2 % 2] else board)
        for number, board in enumerate(boards)
    ]


def _depth(board: Mask) -> Floats:
    """How deep in the hole each voxel lies, squared: what surrounds an edge gives it away."""
    if board.all():
        return np.ones(board.shape, np.float32)
    depth = ndimage.distance_transform_cdt(board, metric="chessboard")
    squared: Floats = np.square(depth, dtype=np.float32)
    return squared


def distance(key: str, frame: Frame, mean: Floats, log_scale: Floats) -> Floats:
    """(z, y, x) predicted scales above the mean, smoothed within the body; of several channels the furthest."""
    off = (frame.images[key] - mean) / np.maximum(np.exp(log_scale), np.float32(FLOOR[key]))
    sigma = [SMOOTH_MM / step for step in frame.grid.spacing_mm]
    off = np.stack([ndimage.gaussian_filter(one * frame.body, sigma) for one in off])
    furthest = np.take_along_axis(off, np.abs(off).argmax(axis=0)[None], axis=0)[0]
    clipped: Floats = np.clip(furthest, -FURTHEST, FURTHEST)
    return clipped


def doubt_of(key: str, sums: Sums, log_scale: Floats) -> Floats:
    """(z, y, x) how far what was painted differs, in predicted scales; of several channels the furthest."""
    doubt: Floats = (sums.spread() / np.maximum(np.exp(log_scale), np.float32(FLOOR[key]))).max(axis=0)
    return doubt


def _count(key: str) -> int:
    channels = CHANNELS[key]
    return int(channels.stop - channels.start)
