"""Which lessons are learned when, and by which process."""

from __future__ import annotations

from collections.abc import Iterator

from torch import distributed
from torch.utils.data import Sampler


class Stretches(Sampler[int]):
    """The numbers of the lessons of one stretch (an epoch to Lightning) after another.

    Of several processes each gets its own part of every step, so that all of them together learn
    what one alone would.

    Parameters
    ----------
    steps
        Of a stretch.
    batch
        Lessons a step, of all processes together.
    """

    def __init__(self, steps: int, batch: int) -> None:
        self.steps, self.batch, self._stretch = steps, batch, 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls it before each stretch, after a resumption too."""
        self._stretch = epoch

    def __len__(self) -> int:
        return self.steps * (self.batch // place()[1])

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers(*place()))

    def numbers(self, rank: int, processes: int) -> list[int]:
        """Those of the stretch in hand that fall to one of so many processes."""
        share = self.batch // processes
        first = self._stretch * self.steps
        return [
            step * self.batch + rank * share + number
            for step in range(first, first + self.steps)
            for number in range(share)
        ]


def place() -> tuple[int, int]:
    """Number of this process among those that learn together, and how many they are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
