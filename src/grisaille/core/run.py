"""How a computation is run: device, seed, and the line back to whoever waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from grisaille.core.errors import Cancelled

T = TypeVar("T")


class Precision(StrEnum):
    """Arithmetic of a network's forward pass."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


@dataclass(frozen=True)
class Progress:
    """One step of a loop.

    ``done`` of ``total`` steps of ``what``; ``total`` is None where it is not known;
    ``seconds_left`` is an estimate from the steps so far, None before the first.
    """

    what: str
    done: int
    total: int | None
    seconds_left: float | None


def _ignore(_: object) -> None:
    """Nobody listens."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Run:
    """Passed last, by name, to everything that takes longer than a blink.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    precision
        Of network passes; a model fitted in float32 refuses others where they change its scores.
    seed
        Every random generator is made of it.
    threads
        CPU threads of the networks; None leaves one physical core to the screen.
    cache
        A folder where what was computed may be kept for the next run; nothing is kept if None, except
        the voxels of series over 2 GB, which then lie in the user's cache folder. It may be emptied at
        any time.
    on_progress, on_note
        Called on the computing thread with each step, and with each sentence for the user.
    on_device
        Called on that thread with each device that a network really ran on, as torch names it.
    is_cancelled
        Asked at each step.
    """

    device: str = "auto"
    precision: Precision = Precision.FLOAT32
    seed: int = 0
    threads: int | None = None
    cache: Path | None = None
    on_progress: Callable[[Progress], None] = field(default=_ignore, compare=False)
    on_note: Callable[[str], None] = field(default=_ignore, compare=False)
    on_device: Callable[[str], None] = field(default=_ignore, compare=False)
    is_cancelled: Callable[[], bool] = field(default=_never, compare=False)

    def track(self, steps: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
        """Yield from ``steps``, telling progress after each and stopping when asked to.

        Raises
        ------
        Cancelled
            Before the next step once ``is_cancelled`` says so.
        """
        if total is None and isinstance(steps, Sized):
            total = len(steps)
        started = time.monotonic()
        self.check_cancelled()
        self.on_progress(Progress(what, 0, total, None))
        for done, step in enumerate(steps, start=1):
            yield step
            self.check_cancelled()
            per_step = (time.monotonic() - started) / done
            self.on_progress(Progress(what, done, total, None if total is None else per_step * (total - done)))

    def check_cancelled(self) -> None:
        """Raise ``Cancelled`` if the user asked to stop."""
        if self.is_cancelled():
            raise Cancelled

    def note(self, sentence: str) -> None:
        """Tell the user one sentence."""
        self.on_note(sentence)

    def ran_on(self, device: str) -> None:
        """Tell that a network ran on ``device``, which may be another than was asked for."""
        self.on_device(device)
