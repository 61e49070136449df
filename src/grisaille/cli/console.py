"""What a person at a terminal sees while a command runs: all of it on stderr."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

from grisaille.core.run import Progress, Run


class Console:
    """Progress and notes; results go to stdout and are not its business."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._is_terminal = self._stream.isatty()
        self._stage = ""
        self._drawn = 0
        self._cancelled = threading.Event()

    def listen(self, run: Run) -> Run:
        """``run`` with its progress, notes and cancelling wired to this console."""
        return replace(run, on_progress=self.progress, on_note=self.say, is_cancelled=self._cancelled.is_set)

    def progress(self, step: Progress) -> None:
        """On a terminal one line that moves; in a log one line a stage."""
        if self._is_terminal:
            self._draw(_line(step))
        elif step.what != self._stage:
            self._write(f"{step.what}{_count(step.total)}\n")
        self._stage = step.what

    def say(self, sentence: str) -> None:
        """A sentence on a line of its own."""
        self._clear()
        self._write(f"{sentence}\n")

    def error(self, sentence: str) -> None:
        """What went wrong."""
        self.say(f"grisaille: {sentence}")

    @contextmanager
    def cancelling(self) -> Iterator[None]:
        """The first Ctrl-C stops the run at its next step; the second one at once."""
        if threading.current_thread() is not threading.main_thread():  # Python takes signals there only
            yield
            return

        def cancel(_: int, __: FrameType | None) -> None:
            self._cancelled.set()
            signal.signal(signal.SIGINT, before)
            self.say("stopping at the next step; press Ctrl-C again to stop at once")

        before = signal.signal(signal.SIGINT, cancel)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self._clear()

    def _draw(self, line: str) -> None:
        line = line[: shutil.get_terminal_size().columns - 1]
        self._write(f"\r{line.ljust(self._drawn)}")
        self._drawn = len(line)

    def _clear(self) -> None:
        if self._drawn:
            self._write(f"\r{' ' * self._drawn}\r")
            self._drawn = 0

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _count(total: int | None) -> str:
    return f", {total} step{'s' * (total > 1)}" if total else ""


def _line(step: Progress) -> str:
    of = f" {step.done}" if step.total is None else f" {step.done}/{step.total}"
    left = "" if step.seconds_left is None else f", {_duration(step.seconds_left)} left"
    return f"{step.what}{of}{left}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
