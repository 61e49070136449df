"""A network on whatever device is asked for, never moved from under another thread."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import nn

N = TypeVar("N", bound="nn.Module")


@dataclass(eq=False)
class Copies(Generic[N]):
    """``network`` stays where it is; each other device gets a copy, made when first asked for and kept.

    Never moved: another thread may be in the midst of it elsewhere, and the way back to the CPU
    must not need what memory is short of.
    """

    network: N
    _made: dict[torch.device, N] = field(default_factory=dict, init=False, repr=False)
    _making: Lock = field(default_factory=Lock, init=False, repr=False)

    def on(self, device: torch.device) -> N:
        """The network on ``device``; a copy that does not fit there leaves no trace."""
        import torch

        if next(self.network.parameters()).device == device:
            return self.network
        with self._making, torch.inference_mode(False):
            if device not in self._made:
                self._made[device] = deepcopy(self.network).to(device)
            return self._made[device]
