"""The network while it learns, as Lightning wants it; ``training`` opens this module."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, distributed
from torch.optim import AdamW

from grisaille.core.errors import ConfigError
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.inpainter import Arrays, build, laplace_loss, take_up
from grisaille.methods.autopaint.stretches import place

Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]

_WARM = 0.02
"""Share of the training in which the learning rate rises."""
_NOTES = "autopaint"


@dataclass(frozen=True)
class CurvePoint:
    """Where the training stood.

    ``step`` and ``seconds`` since its start, breaks not counted; ``loss`` is the mean since the point
    before; ``validation_loss`` that of the averaged weights on lessons of patients kept out, every few points.
    """

    step: int
    seconds: float
    loss: float
    learning_rate: float
    validation_loss: float | None = None


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
    """An inpainter, its average over the last steps, and its optimizer.

    Parameters
    ----------
    fingerprint
        Of the settings and studies; a checkpoint of another is not gone on with.
    start
        Weights to begin with; those of the seed if None.
    """

    def __init__(
        self, config: AutoPaintConfig, seed: int, budget: Budget, fingerprint: str, start: Arrays | None = None
    ) -> None:
        super().__init__()
        self.config, self.budget, self.fingerprint = config, budget, fingerprint
        self.net = build(config, seed=seed)
        self.average = build(config, seed=seed).requires_grad_(False)
        if start is not None:
            take_up(self.net, start)
            take_up(self.average, start)
        self.share = 0.0
        """Of the training, with the step in hand."""
        self.curve: list[CurvePoint] = []
        self._losses: list[Tensor] = []
        self._watched: list[Tensor] = []

    def configure_optimizers(self) -> AdamW:
        return AdamW(self.net.parameters(), lr=self.config.learning_rate, weight_decay=1e-4)

    def on_train_start(self) -> None:
        self.budget.started = time.monotonic()
        self._losses.clear()
        self._watched.clear()

    def training_step(self, batch: Batch, _: int) -> Tensor:
        images, hole, body, present, below = batch
        mean, log_scale = self.net(images, hole, body, below)
        loss = laplace_loss(mean, log_scale, images, hole, body, present)
        self._losses.append(loss.detach())
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        images, hole, body, present, below = batch
        mean, log_scale = self.average(images, hole, body, below)
        self._watched.append(laplace_loss(mean, log_scale, images, hole, body, present))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        # All processes by the clock of one: their weights must stay the same.
        self.share = _of_first(self.budget.share(self.global_step + 1), self.device)
        for group in optimizer.param_groups:
            group["lr"] = self.config.learning_rate * _cosine(self.share)

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
        loss = float(self.trainer.strategy.reduce(torch.stack(self._losses).mean(), reduce_op="mean"))
        watched = torch.stack(self._watched).mean().item() if self._watched else None
        self._losses.clear()
        self._watched.clear()
        if not loss < float("inf"):
            raise ConfigError(
                f"the training diverged before step {self.global_step}: the loss is {loss}; "
                f"train again with a learning_rate below {self.config.learning_rate}"
            )
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.curve.append(CurvePoint(self.global_step, self.budget.spent, loss, rate, watched))

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


def _of_first(value: float, device: torch.device) -> float:
    """The first process's value, in all that learn together."""
    if place()[1] == 1:
        return value
    told = torch.tensor([value], dtype=torch.float64, device=device)
    distributed.broadcast(told, 0)
    return float(told.item())


def _cosine(share: float) -> float:
    """From 1 at the start to 0 at the end, after a short rise."""
    return min(1.0, share / _WARM) * 0.5 * (1 + math.cos(math.pi * share))
