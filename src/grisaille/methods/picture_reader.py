"""What a method promises that looks at whole pictures too, which have no millimetres."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from grisaille.core.run import Run


@dataclass(frozen=True, eq=False)
class PictureScore:
    """Of one picture.

    Parameters
    ----------
    whole
        Its score, 0 to 1.
    tokens
        (rows, columns) float32, the score of each part.
    """

    whole: float
    tokens: npt.NDArray[np.float32]


class Squares(Protocol):
    """(side, side, 3) uint8 pictures, one after the other, some of which may be left out on the way."""

    def __len__(self) -> int:
        """As many at the most."""
        ...

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Those that there are."""
        ...


class PictureReader(Protocol):
    """The method, looking at pictures that were squeezed to a square.

    ``settings`` are the names of those that it heeds.
    """

    settings: ClassVar[tuple[str, ...]]

    @property
    def side(self) -> int:
        """Pixels along a side of the square."""
        ...

    @property
    def rows(self) -> int:
        """Parts along a side of it that have a score each."""
        ...

    @property
    def departures(self) -> tuple[str, ...]:
        """Sentences on what is not as published."""
        ...

    def scores(self, squares: Squares, run: Run) -> Iterator[PictureScore]:
        """Of each picture in turn; some are asked for ahead."""
        ...

    def smooth(self, tokens: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(side, side) the map of (rows, columns) scores."""
        ...


@runtime_checkable
class SeesPictures(Protocol):
    """A method that looks at whole pictures too."""

    @property
    def picture_reader(self) -> PictureReader:
        """The method with its settings, as it looks at pictures."""
        ...
