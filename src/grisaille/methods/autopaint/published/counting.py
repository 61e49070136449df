"""What a loop costs, ours or the published one, in one currency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from grisaille.core.run import Run
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.painting import Hole, Painter, Patch


@dataclass(frozen=True, eq=False)
class CountingPainter(Painter):
    """A painter that counts its passes through the network, one slab with one hole each, over all it painted."""

    _passes: list[int] = field(default_factory=list, init=False, repr=False)

    @property
    def evaluations(self) -> int:
        """Passes so far."""
        return sum(self._passes)

    def paint(self, frame: Frame, holes: Sequence[Hole], run: Run, what: str) -> Iterator[Patch]:
        """As ``Painter.paint``."""
        self._passes.append(0)
        place = len(self._passes) - 1
        for patch in super().paint(frame, holes, run, what):
            self._passes[place] += 1
            yield patch
