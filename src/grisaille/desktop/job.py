"""One computation on a worker thread, told to the screen by signals.

The worker never touches a layer or a widget: it computes, and everything that the screen needs
to know arrives as a queued Qt signal on the GUI thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from napari.qt.threading import create_worker
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QObject, Signal

from grisaille.core.errors import Cancelled, GrisailleError, OutOfMemory
from grisaille.core.run import Progress, Run

_TELL_EVERY_S = 0.05
"""Progress is told at most this often: a queue full of steps would itself make the screen lag."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended: with a value, with an error, or cancelled."""

    value: Any = None
    error: Exception | None = None
    cancelled: bool = False
    seconds: float = 0.0

    @property
    def sentence(self) -> str:
        """The error as the user should read it; empty where there is none."""
        if self.error is None:
            return ""
        if isinstance(self.error, GrisailleError):
            return str(self.error)
        return f"an error inside grisaille, please report it: {type(self.error).__name__}: {self.error}"


class Job(QObject):
    """A function of a ``Run``, run once on a worker thread.

    Parameters
    ----------
    run
        Device, precision, seed, threads.
    title
        Names the job in napari's question when the window is closed while it runs.
    engine
        Packages of the AI stack that are imported, guarded, before the work begins.

    Signals
    -------
    said
        What runs on what, in a sentence.
    progressed
        A ``Progress``.
    noted
        A sentence that the user should keep in mind.
    previewed
        What the work hands over before its end, through ``preview``.
    finished
        The ``Outcome``, once, whether the work ended well, failed or was cancelled.
    """

    said = Signal(str)
    progressed = Signal(object)
    noted = Signal(str)
    previewed = Signal(object)
    finished = Signal(object)

    def __init__(self, run: Run, title: str, engine: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._work: Callable[[Run], Any] | None = None
        self._title = title
        self._engine = engine
        self._told_at = 0.0
        self._outcome = Outcome(cancelled=True)
        self._is_running = False
        # What escapes is shown by napari; raised again on the GUI thread it would end a script.
        self._worker: Any = create_worker(_Named(self._compute, title), _ignore_errors=True)
        self._worker.errored.connect(self._on_errored)
        # ``returned`` is not emitted once a worker was asked to quit; ``finished`` always is.
        self._worker.finished.connect(self._on_finished)
        self.run = replace(
            run, on_progress=self._tell, on_note=self.noted.emit, is_cancelled=lambda: self._worker.abort_requested
        )

    @property
    def is_running(self) -> bool:
        """Whether the outcome is still awaited."""
        return self._is_running

    @property
    def was_cancelled(self) -> bool:
        """Whether somebody asked it to stop, the closing window included."""
        return bool(self._worker.abort_requested)

    def start(self, work: Callable[[Run], Any]) -> None:
        """Begin; returns at once.

        ``work`` gets the job's run, whose progress, notes and cancelling are wired to this job.
        """
        self._work = work
        self._is_running = True
        self._worker.start()

    def cancel(self) -> None:
        """Ask it to stop; ``finished`` follows at the next step of the work."""
        self._worker.quit()

    def _compute(self) -> None:
        started = time.monotonic()
        try:
            if self._engine:
                from grisaille.nn.engine import load_engine

                self.said.emit("Loading the AI engine; the first time takes some seconds…")
                load_engine(*self._engine)
                self.run.check_cancelled()
            outcome = Outcome(value=None if self._work is None else self._work(self.run))
        except Cancelled:
            outcome = Outcome(cancelled=True)
        except GrisailleError as error:
            outcome = Outcome(error=error)
        except MemoryError:
            outcome = Outcome(
                error=OutOfMemory(
                    f"{self._title}: the computer's memory was not enough; close programs or take a smaller volume"
                )
            )
        self._outcome = replace(outcome, seconds=time.monotonic() - started)

    def _tell(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told_at >= _TELL_EVERY_S or progress.done in (0, progress.total):
            self._told_at = now
            self.progressed.emit(progress)

    def _on_errored(self, error: Exception) -> None:
        """An error that is no sentence of ours: napari keeps its traceback for a report."""
        self._outcome = Outcome(error=error)
        notification_manager.receive_error(type(error), error, error.__traceback__)

    def _on_finished(self) -> None:
        self._is_running = False
        outcome = self._outcome
        if self.was_cancelled:
            outcome = Outcome(cancelled=True, seconds=outcome.seconds)
        self.finished.emit(outcome)


class _Named:
    """A function under the name that napari shows for it."""

    def __init__(self, function: Callable[[], None], title: str) -> None:
        self._function = function
        self._title = title
        self.__name__ = title

    def __call__(self) -> None:
        self._function()

    def __str__(self) -> str:
        return self._title
