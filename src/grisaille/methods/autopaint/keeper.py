"""What a training leaves on the disk after each stretch, and what it tells after each step."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import TensorBoardLogger

from grisaille.core.run import Progress, Run
from grisaille.core.safe_write import replacing
from grisaille.methods.autopaint.pupil import CurvePoint, Pupil


class Keeper(Checkpoint):
    """Writes the checkpoint and the curve after each stretch, whole or not at all, and tells TensorBoard.

    Lightning calls a ``Checkpoint`` after the module's own hook, so that the curve has its newest point.

    Parameters
    ----------
    board
        Folder of TensorBoard's files; none are written where the package is not installed.
    """

    def __init__(self, checkpoint: Path, curve: Path, board: Path) -> None:
        self.checkpoint, self.curve = checkpoint, curve
        self.board = TensorBoardLogger(board, name="", version="") if find_spec("tensorboard") else None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.checkpoint)  # writes nothing: all processes meet in it
            return
        with replacing(self.checkpoint) as file:
            trainer.save_checkpoint(file)
        curve = cast(Pupil, pl_module).curve
        rows = [asdict(point) for point in curve]
        with replacing(self.curve) as file:
            lines = [",".join(rows[0]), *(",".join(map(_shown, row.values())) for row in rows)]
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._show(curve[-1])

    def _show(self, point: CurvePoint) -> None:
        if self.board is None:
            return
        values = {name: value for name, value in asdict(point).items() if name != "step" and value is not None}
        with suppress(OSError):  # a full disk is said where it matters, at the checkpoint
            self.board.log_metrics(values, point.step)
            self.board.experiment.flush()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close TensorBoard's file."""
        if self.board is not None and trainer.is_global_zero:
            with suppress(OSError):
                self.board.experiment.close()


class Teller(Callback):
    """Tells a run each step, and stops when it or the clock says so; at ``until`` of the training after a stretch."""

    def __init__(self, run: Run, until: float) -> None:
        self.run, self.until, self._told = run, until, 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """In processes of its own Lightning's advice is not for our users either."""
        if trainer.world_size > 1:
            logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if trainer.is_global_zero:
            self.run.check_cancelled()
        step = trainer.global_step
        if step == self._told:  # some batches are parts of a step
            return
        self._told = step
        share, budget = cast(Pupil, pl_module).share, cast(Pupil, pl_module).budget
        if trainer.is_global_zero:
            done = max(step, round(share * budget.steps))
            self.run.on_progress(Progress("training", done, budget.steps, budget.spent * (1 - share) / share))
        if share >= 1:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if cast(Pupil, pl_module).share >= self.until:
            trainer.should_stop = True


def _shown(value: float | None) -> str:
    return "" if value is None else str(value)
