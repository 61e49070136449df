"""Prompts learned from slices with masks; a learning that was killed goes on where it stood.

Source: Zhou et al. 2024, arXiv 2310.18961: its losses, optimizer, steps and beginning. CLIP is
frozen, so that here it looks at each slice once, and only the prompts go through its text encoder.
"""

from __future__ import annotations

import csv
import hashlib
import io
import pickle
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from grisaille.core.errors import InputError, OutOfMemory, UnsuitableVolume
from grisaille.core.run import Run
from grisaille.core.safe_write import replacing
from grisaille.methods.anomalyclip.clip import Clip
from grisaille.methods.anomalyclip.config import AnomalyClipConfig
from grisaille.methods.anomalyclip.held_out import Counted, Figures
from grisaille.methods.anomalyclip.prompts import START, WORDS, Prompts
from grisaille.methods.anomalyclip.token_cache import MarkedTokens
from grisaille.nn.device import describe, full_float32, is_out_of_memory, resolve_device
from grisaille.nn.engine import load_engine
from grisaille.nn.threads import threads

if TYPE_CHECKING:
    import torch

    from grisaille.methods.anomalyclip.pupil import Pupil

CHECKPOINT, CURVE = "learning.ckpt", "learning.csv"
"""In the learning's folder."""

_UNREADABLE = (OSError, RuntimeError, EOFError, LookupError, ValueError, TypeError, pickle.UnpicklingError)
"""What reading a file that was cut or is something else can raise."""


class Lessons(Protocol):
    """Slices to learn from, ``token_cache.TokenCache`` say; read as often as there are epochs."""

    @property
    def patients(self) -> Sequence[str]:
        """Pseudonyms."""
        ...

    @property
    def marked(self) -> int:
        """How many slices bear a mark."""
        ...

    @property
    def fingerprint(self) -> str:
        """Of all that the slices are made of."""
        ...

    def __len__(self) -> int:
        """How many slices."""
        ...

    def __getitem__(self, number: int, /) -> MarkedTokens:
        """One of them."""
        ...


@dataclass(frozen=True)
class Epoch:
    """One time through the slices.

    ``seconds`` it took; ``loss`` is the mean over its slices; the figures of patients left out are
    those after it, None where they cannot be told.
    """

    epoch: int
    seconds: float
    loss: float
    pixel_ap: float | None = None
    slice_auroc: float | None = None


def learn(
    clip: Clip,
    lessons: Lessons,
    held_out: Lessons | None,
    config: AnomalyClipConfig,
    run: Run,
    *,
    folder: Path | None = None,
) -> tuple[Prompts, tuple[Epoch, ...]]:
    """Prompts after ``config.epochs`` epochs, or after the best of them, and the course that was taken.

    A learning of the same slices, settings, seed and backbone that ``folder`` holds is gone on with,
    to the same prompts as if it had not been broken off; one that is complete is given back as it is,
    and with more epochs goes further.

    Parameters
    ----------
    lessons
        Some of them marked.
    held_out
        Slices of other patients. If some are marked, the epoch with the highest average precision of
        their pixels is kept, else the last.
    folder
        Made where missing; gets the checkpoint and ``learning.csv``, a row an epoch.

    Raises
    ------
    UnsuitableVolume
        If no slice is marked.
    InputError
        If a patient is both learned from and left out.
    ConfigError
        If the learning diverged.
    OutputError
        If the folder cannot be written.
    OutOfMemory
        If not even one slice fits.
    Cancelled
        Between two slices; the last checkpoint stays.
    """
    _require_suitable(lessons, held_out, run)
    load_engine("torch", "open_clip")
    import torch

    course = _Course(clip, lessons, held_out, config, run, folder, _told(clip, lessons, held_out, config, run))
    course.look_back()
    device = resolve_device(run)
    while True:
        try:
            with threads(run), full_float32() if device.type == "cuda" else nullcontext():
                prompts = course.taken(device)
            run.ran_on(str(device))
            return prompts, course.epochs
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if device.type == "cpu":
            raise OutOfMemory(
                "the computer has too little free memory for the prompts and one slice; "
                "close other programs, or take a smaller backbone"
            )
        run.note(f"{describe(device)} has too little memory to learn; going on with the CPU, which is slower")
        device = torch.device("cpu")


@dataclass(eq=False)
class _Course:
    """A learning, epoch by epoch."""

    clip: Clip
    lessons: Lessons
    held_out: Lessons | None
    config: AnomalyClipConfig
    run: Run
    folder: Path | None
    told: str
    """Fingerprint of all that the prompts depend on but the number of epochs."""
    epochs: tuple[Epoch, ...] = ()
    latest: dict[str, Any] | None = None
    """What the last whole epoch left behind: ``pupil``, ``best`` and what the checkpoint tells besides."""

    def look_back(self) -> None:
        """Take up the checkpoint in the folder."""
        import torch

        path = self.folder / CHECKPOINT if self.folder else None
        if path is None or not path.exists():
            return
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
            epochs = tuple(Epoch(*row) for row in found["epochs"])
            if found["told"] == self.told and 0 < len(epochs) <= self.config.epochs:
                self.epochs, self.latest = epochs, found
                return
        except _UNREADABLE:
            pass
        self.run.note(f"{path.name} is damaged or of a learning with other settings or slices; starting anew")

    def taken(self, device: torch.device) -> Prompts:
        """The prompts at the end of the course, from where it stands."""
        from grisaille.methods.anomalyclip.pupil import Pupil

        pupil = Pupil(self.clip, self.config, self.run.seed, device)
        pupil.prompts().require_fits(self.clip)
        if self.latest is not None:
            pupil.take_up(self.latest["pupil"])
        steps = [
            (numbers, is_last)
            for epoch in range(len(self.epochs), self.config.epochs)
            for numbers, is_last in self._steps(epoch)
        ]
        losses: list[float] = []
        started = time.monotonic()
        for numbers, is_last in self.run.track(steps, "learning prompts") if steps else ():
            losses += pupil.step([self.lessons[number] for number in numbers], self.run)
            if is_last:
                self._conclude(pupil, losses, started)
                losses, started = [], time.monotonic()
        assert self.latest is not None
        best = self.latest["best"]
        return Prompts(best["context"].numpy(), best["deep"].numpy(), self.clip.token(START), WORDS)

    def _steps(self, epoch: int) -> Iterator[tuple[list[int], bool]]:
        """Numbers of each step's slices, shuffled by seed and epoch alone, and whether it is the epoch's last."""
        order = np.random.default_rng([self.run.seed, epoch]).permutation(len(self.lessons)).tolist()
        for begin in range(0, len(order), self.config.lesson):
            end = begin + self.config.lesson
            yield order[begin:end], end >= len(order)

    def _conclude(self, pupil: Pupil, losses: Sequence[float], started: float) -> None:
        """An epoch is done: watch, choose, write."""
        figures = self._watched(pupil)
        seconds = time.monotonic() - started
        loss = float(np.mean(losses))
        now = Epoch(len(self.epochs) + 1, seconds, loss, figures.pixel_ap, figures.slice_auroc)
        before = max((one.pixel_ap for one in self.epochs if one.pixel_ap is not None), default=-1.0)
        state = pupil.state()
        self.epochs = (*self.epochs, now)
        if self.latest is None or now.pixel_ap is None or now.pixel_ap > before:
            best = {name: state[name] for name in ("context", "deep")}
        else:
            best = self.latest["best"]
        rows = [list(asdict(one).values()) for one in self.epochs]
        self.latest = {"told": self.told, "epochs": rows, "pupil": state, "best": best}
        if self.folder is not None:
            self._write(self.folder, self.latest)

    def _watched(self, pupil: Pupil) -> Figures:
        if self.held_out is None:
            return Figures()
        counted, text = Counted(), pupil.text()
        for number in range(len(self.held_out)):
            self.run.check_cancelled()
            pupil.watch(self.held_out[number], text, counted)
        return counted.figures()

    def _write(self, folder: Path, state: dict[str, Any]) -> None:
        import torch

        content = io.BytesIO()  # torch's own writer does not tell a full disk from other failures
        torch.save(state, content)
        with replacing(folder / CHECKPOINT, makes_folder=True) as temporary:
            temporary.write_bytes(content.getvalue())
        with replacing(folder / CURVE) as temporary, temporary.open("w", newline="") as file:
            rows = csv.DictWriter(file, [one.name for one in fields(Epoch)])
            rows.writeheader()
            rows.writerows(asdict(one) for one in self.epochs)


def _require_suitable(lessons: Lessons, held_out: Lessons | None, run: Run) -> None:
    if not lessons.marked:
        raise UnsuitableVolume(
            f"none of the {len(lessons)} slices to learn from is marked, but masks tell what is abnormal; "
            "give studies with lesions and their masks"
        )
    if held_out is None:
        return
    both = set(lessons.patients) & set(held_out.patients)
    if both:
        raise InputError(
            f"{len(both)} patients are both learned from and left out, so that the score would promise too much; "
            "part the slices by patient"
        )
    if not held_out.marked:
        run.note("no slice of the patients left out is marked: they cannot tell the best epoch, so the last is kept")


def _told(clip: Clip, lessons: Lessons, held_out: Lessons | None, config: AnomalyClipConfig, run: Run) -> str:
    settings = [config.lesson, config.learning_rate, config.context, config.deep, config.deep_tokens]
    watching = [config.sigma_px, held_out.fingerprint if held_out else ""]
    told = [settings, watching, WORDS, run.seed, clip.fingerprint, lessons.fingerprint]
    return hashlib.sha256(repr(told).encode()).hexdigest()
