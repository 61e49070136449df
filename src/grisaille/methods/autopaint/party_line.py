"""From processes that learn together to the one that waits for them, and back."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from grisaille.core.errors import GrisailleError
from grisaille.core.run import Progress, Run
from grisaille.nn.device import is_out_of_memory

_PATIENCE = 0.2
"""Seconds between two looks at whether the user wants to stop."""


class PartyLine(Callback):
    """A run's callbacks for other processes; Lightning takes it there with the trainer.

    ``fault`` is what went wrong there, if it is for the user to read.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._ear, self._mouth = context.Pipe(duplex=False)
        self._one_at_a_time, self._stop = context.Lock(), context.Event()
        self.fault: BaseException | None = None

    def far_end(self, run: Run) -> Run:
        """``run`` for the other processes."""
        return replace(run, on_progress=self.say, on_note=self.say, is_cancelled=self._stop.is_set)

    def say(self, what: Progress | str | BaseException) -> None:
        """In another process: tell the one that waits."""
        with self._one_at_a_time:
            self._mouth.send(what)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """In another process: have it tell what goes wrong, for Lightning brings home a traceback in words only."""
        teach = trainer.fit_loop.run

        def telling() -> None:
            try:
                teach()
            except BaseException as error:
                if isinstance(error, GrisailleError):
                    self.say(error)
                elif is_out_of_memory(error):
                    self.say(MemoryError(str(error)))
                raise

        trainer.fit_loop.run = telling  # type: ignore[method-assign]

    @contextmanager
    def listening(self, run: Run) -> Iterator[None]:
        """Within, what the other processes say goes to ``run``, and its wish to stop to them."""
        over = threading.Event()

        def listen() -> None:
            while not over.is_set() or self._ear.poll():
                if self._ear.poll(_PATIENCE):
                    self._pass_on(self._ear.recv(), run)
                if run.is_cancelled():
                    self._stop.set()

        listener = threading.Thread(target=listen, name="party line", daemon=True)
        listener.start()
        try:
            yield
        finally:
            over.set()
            listener.join()

    def _pass_on(self, what: Any, run: Run) -> None:
        if isinstance(what, Progress):
            run.on_progress(what)
        elif isinstance(what, str):
            run.note(what)
        elif self.fault is None:
            self.fault = what
