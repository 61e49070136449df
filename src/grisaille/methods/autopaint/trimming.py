"""Learning from patients of whom nobody said that they are healthy: what stands out most is taken for sick.

Half of the training is on everything. The tissue that the network then finds least healthy is hidden,
as known lesions are, and the other half goes on without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, overload

import numpy as np

from grisaille.core.errors import UnreadableFile
from grisaille.core.run import Run
from grisaille.core.safe_write import replacing
from grisaille.methods.autopaint.candidates import dilated, without_small
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.frame_cache import FrameCache
from grisaille.methods.autopaint.loop import first_look, judged, one_sided
from grisaille.methods.autopaint.norms import Norms
from grisaille.methods.autopaint.painting import Floats, Painter

if TYPE_CHECKING:
    from grisaille.methods.autopaint.inpainter import Arrays

TRIMMED_AT = 0.5
"""Share of the training after which the network knows enough to tell what stands out."""

_DONE = "trimmed.json"

_CELLS = 2
"""Sizes of cubes that are enough for that: the middle ones, for time."""


@dataclass(frozen=True, eq=False)
class TrimmedFrames(Sequence[Frame]):
    """Frames of which each hides a mask (z, y, x) in ``folder``; safe to hand to other processes."""

    frames: FrameCache
    folder: Path

    def __len__(self) -> int:
        return len(self.frames)

    @overload
    def __getitem__(self, number: int) -> Frame: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Frame]: ...
    def __getitem__(self, number: int | slice) -> Frame | Sequence[Frame]:
        """A frame without what stood out in it."""
        if isinstance(number, slice):
            return replace(self, frames=self.frames[number])
        frame, file = self.frames[number], _mask_file(self.folder, self.frames, number)
        try:
            return frame.hiding(np.load(file, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise UnreadableFile(
                f"{file.name} in {self.folder.name} is damaged or gone; remove that folder and fit again"
            ) from error


def learn(
    frames: FrameCache,
    watched: Sequence[Frame],
    config: AutoPaintConfig,
    run: Run,
    *,
    folder: Path,
    minutes: float | None = None,
) -> Arrays:
    """The weights that ``training.train`` gives, in one go or with what stands out hidden half-way."""
    from grisaille.methods.autopaint.inpainter import load
    from grisaille.methods.autopaint.training import train

    taught = partial(train, config=config, run=run, folder=folder / "training", watched=watched, minutes=minutes)
    if not config.trim:
        return taught(frames)[0]
    hiding = trimmed(frames, folder / "trimmed", config, run)
    if hiding is None:
        halfway = taught(frames, until=TRIMMED_AT)[0]
        hiding = trim(Painter(load(config, halfway), config), frames, folder / "trimmed", config, run)
    return taught(hiding)[0]


def trimmed(frames: FrameCache, folder: Path, config: AutoPaintConfig, run: Run) -> TrimmedFrames | None:
    """What ``trim`` left in ``folder`` for these frames and settings, if it came to its end."""
    try:
        told = json.loads((folder / _DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return TrimmedFrames(frames, folder) if told == {"of": _told(frames, config, run)} else None


def trim(painter: Painter, frames: FrameCache, folder: Path, config: AutoPaintConfig, run: Run) -> TrimmedFrames:
    """Hide in each frame what is among the highest-scoring ``config.trim`` of all their tissue, with a margin.

    Patients are not trimmed alike: those with many lesions lose more. Parts smaller than the
    smallest finding stay: they are noise.
    """
    with TemporaryDirectory(prefix="grisaille-") as scratch:
        files = [Path(scratch) / f"{number}.npy" for number in range(len(frames))]
        tissue: dict[str, list[Floats]] = {}
        keys = []
        for number, file in enumerate(files):
            key, scores = standing_out(painter, frames[number], config, run)
            np.save(file, scores)
            keys.append(key)
            tissue.setdefault(key, []).append(_sample(scores))
        cuts = {key: float(np.quantile(np.concatenate(parts), 1 - config.trim)) for key, parts in tissue.items()}
        folder.mkdir(parents=True, exist_ok=True)
        for number, file in enumerate(files):
            mask = np.load(file) >= cuts[keys[number]]
            mask = without_small(mask, config.smallest_ml, config.spacing_mm**3 / 1000)
            with replacing(_mask_file(folder, frames, number)) as kept:
                np.save(kept, dilated(mask, config.grow_mm, frames[number].grid.spacing_mm))
    with replacing(folder / _DONE) as kept:
        kept.write_text(json.dumps({"of": _told(frames, config, run)}), encoding="utf-8")
    return TrimmedFrames(frames, folder)


def _sample(scores: Floats) -> Floats:
    """Every so many of the tissue's scores, in their order: enough for any share."""
    inside = np.sort(scores[np.isfinite(scores)])
    return inside[:: max(1, inside.size // 100_000)]


def standing_out(painter: Painter, frame: Frame, config: AutoPaintConfig, run: Run) -> tuple[str, Floats]:
    """The modality judged, and how far each voxel (z, y, x) is from healthy; -inf where it was not judged."""
    sizes = config.cells_mm
    first = (len(sizes) - _CELLS) // 2 if len(sizes) > _CELLS else 0
    few = replace(config, cells_mm=sizes[first : first + _CELLS])
    look = first_look(painter, frame, few, run)
    z = look.combined(Norms.unmeasured(len(few.cells_mm)).spreads)[0]
    scores = np.where(judged(frame)[1], one_sided(look.key, z), np.float32(-np.inf))
    return look.key, scores.astype(np.float32)


def _told(frames: FrameCache, config: AutoPaintConfig, run: Run) -> str:
    """By everything that the masks depend on."""
    told = [config.to_mapping(), run.seed, run.precision.value, [one.name for one in frames.kept]]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _mask_file(folder: Path, frames: FrameCache, number: int) -> Path:
    return folder / f"{frames.kept[number].name}.npy"
