"""What a loop costs, ours or the published one, in one currency."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grisaille.methods.autopaint.painting import Floats, Painter

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class CountingPainter(Painter):
    """A painter that counts its passes through the network, one slab with one hole each, over all it painted."""

    _passes: list[int] = field(default_factory=list, init=False, repr=False)

    @property
    def evaluations(self) -> int:
        """Passes so far."""
        return sum(self._passes)

    def _forward(self, batch: Tensor) -> tuple[Floats, Floats]:
        painted = super()._forward(batch)
        self._passes.append(len(batch))
        return painted
