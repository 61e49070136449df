"""The network while it learns, as Lightning wants it; ``training`` opens this module."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor
from torch.optim import AdamW
from torch.utils.data import Sampler

from grisaille.core.errors import ConfigError
from grisaille.core.run import Progress, Run
from grisaille.core.safe_write import replacing
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.inpainter import build, laplace_loss

Batch = tuple[Tensor, Tensor, Tensor, Tensor]

_WARM = 0.02
"""Share of the training in which the learning rate rises."""
_NOTES = "autopaint"


@dataclass(frozen=True)
class CurvePoint:
    """Where the training stood.

    ``step`` and ``seconds`` since its start, breaks not counted; ``loss`` is the mean since the point before.
    """

    step: int
    seconds: float
    loss: float
    learning_rate: float


@dataclass
class Budget:
    """How much of the training is done, by steps or by minutes, whichever is further."""

    steps: int
    minutes: float | None
    seconds: float = 0.0
    """Spent before ``started``."""
    started: float | None = None

    @property
    def spent(self) -> float:
        """Seconds."""
        return self.seconds + (0.0 if self.started is None else time.monotonic() - self.started)

    def share(self, step: int) -> float:
        """0 to 1, of ``step`` steps done."""
        late = self.spent / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(step / self.steps, late))


class Pupil(LightningModule):
    """An inpainter, its average over the last steps, and its optimizer."""

    def __init__(self, config: AutoPaintConfig, seed: int, budget: Budget, fingerprint: str) -> None:
        super().__init__()
        self.config, self.budget, self.fingerprint = config, budget, fingerprint
        self.net = build(config, seed=seed)
        self.average = build(config, seed=seed).requires_grad_(False)
        self.curve: list[CurvePoint] = []
        self._losses: list[Tensor] = []

    def configure_optimizers(self) -> AdamW:
        return AdamW(self.net.parameters(), lr=self.config.learning_rate, weight_decay=1e-4)

    def on_train_start(self) -> None:
        self.budget.started = time.monotonic()
        self._losses.clear()

    def training_step(self, batch: Batch, _: int) -> Tensor:
        images, hole, body, present = batch
        mean, log_scale = self.net(images, hole, body)
        loss = laplace_loss(mean, log_scale, images, hole, body, present)
        self._losses.append(loss.detach())
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        share = self.budget.share(self.global_step + 1)
        for group in optimizer.param_groups:
            group["lr"] = self.config.learning_rate * _cosine(share)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        self._follow()

    @torch.no_grad()
    def _follow(self) -> None:
        """Draw the average towards the network: fast at first, when the network knows little."""
        keep = min(self.config.ema, (1 + self.global_step) / (10 + self.global_step))
        for mean, now in zip(self.average.parameters(), self.net.parameters(), strict=True):
            mean.lerp_(now.detach(), 1 - keep)

    def on_train_epoch_end(self) -> None:
        loss = torch.stack(self._losses).mean().item()
        self._losses.clear()
        if not loss < float("inf"):
            raise ConfigError(
                f"the training diverged before step {self.global_step}: the loss is {loss}; "
                f"train again with a learning_rate below {self.config.learning_rate}"
            )
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.curve.append(CurvePoint(self.global_step, self.budget.spent, loss, rate))

    def take_up(self, checkpoint: dict[str, Any]) -> bool:
        """Be what the checkpoint says, if it is of this training; say whether it is."""
        if checkpoint.get(_NOTES, {}).get("fingerprint") != self.fingerprint:
            return False
        self.load_state_dict(checkpoint["state_dict"])
        self.on_load_checkpoint(checkpoint)
        return True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        points = [asdict(point) for point in self.curve]
        checkpoint[_NOTES] = {"fingerprint": self.fingerprint, "seconds": self.budget.spent, "curve": points}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.budget.seconds = checkpoint[_NOTES]["seconds"]
        self.curve = [CurvePoint(**point) for point in checkpoint[_NOTES]["curve"]]


class Keeper(Checkpoint):
    """Writes the checkpoint and the curve after each stretch, whole or not at all.

    Lightning calls a ``Checkpoint`` after the module's own hook, so that the curve has its newest point.
    """

    def __init__(self, checkpoint: Path, curve: Path) -> None:
        self.checkpoint, self.curve = checkpoint, curve

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        with replacing(self.checkpoint) as file:
            trainer.save_checkpoint(file)
        rows = [asdict(point) for point in cast(Pupil, pl_module).curve]
        with replacing(self.curve) as file:
            lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Teller(Callback):
    """Tells a run each step, and stops when it or the clock says so."""

    def __init__(self, run: Run, budget: Budget) -> None:
        self.run, self.budget, self._told = run, budget, 0

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.run.check_cancelled()
        step = trainer.global_step
        if step == self._told:  # some batches are parts of a step
            return
        self._told = step
        share = self.budget.share(step)
        left = self.budget.spent * (1 - share) / share
        done = max(step, round(share * self.budget.steps))
        self.run.on_progress(Progress("training", done, self.budget.steps, left))
        if share >= 1:
            trainer.should_stop = True


class Stretches(Sampler[int]):
    """The numbers of the lessons of one stretch (an epoch to Lightning) after another."""

    def __init__(self, length: int) -> None:
        self.length, self._stretch = length, 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls it before each stretch, after a resumption too."""
        self._stretch = epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        first = self._stretch * self.length
        return iter(range(first, first + self.length))


def _cosine(share: float) -> float:
    """From 1 at the start to 0 at the end, after a short rise."""
    return min(1.0, share / _WARM) * 0.5 * (1 + math.cos(math.pi * share))
