"""A painter that is no network: inside a hole it paints the mean of what is shown of the body."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from grisaille.methods.autopaint.inpainter import per_channel

LOG_SCALE = -1.5


class PlainInpainter(nn.Module):
    """Called as an ``Inpainter`` is; remembers the shapes and holes it was called with."""

    def __init__(self, log_scale: float = LOG_SCALE) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(log_scale), requires_grad=False)
        self.seen: list[tuple[int, ...]] = []
        self.holes: list[Tensor] = []

    def forward(self, images: Tensor, hole: Tensor, body: Tensor, below: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.seen.append(tuple(images.shape))
        self.holes.append(hole)
        shown = body * (1 - per_channel(hole))
        space = (-3, -2, -1)
        mean = (images * shown).sum(space, keepdim=True) / shown.sum(space, keepdim=True).clamp(min=1)
        painted = mean.expand_as(images)
        return painted, self.log_scale.expand_as(images)
