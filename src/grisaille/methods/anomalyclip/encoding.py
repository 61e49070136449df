"""Slices through CLIP, a batch of tiles at a time: a score a token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grisaille.core.run import Run
from grisaille.methods.anomalyclip.clip import Clip
from grisaille.methods.anomalyclip.feature_store import FeatureStore
from grisaille.methods.anomalyclip.pictures import Sheet, Tile
from grisaille.methods.anomalyclip.tokens import token_scores
from grisaille.methods.anomalyclip.vision import Look, see

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float32]
Half = npt.NDArray[np.float16]


@dataclass(frozen=True, eq=False)
class Encoder:
    """CLIP, what is taken of it, and where what it gave is kept.

    Parameters
    ----------
    text
        (2, e) unit features of the normal and the abnormal prompt, on the CPU.
    """

    clip: Clip
    look: Look
    text: Tensor
    store: FeatureStore
    run: Run
    batch: int

    def scores(self, sheet: Sheet, slices: Iterable[int]) -> Iterator[tuple[int, Floats]]:
        """(rows, columns) token scores, 0 to 1, the mean over the taps, of each of these slices that shows a body.

        What patches look like is rounded to half precision first, kept or not, so that a second run
        with kept features gives the same bits.

        Raises
        ------
        Cancelled
            Between two tiles, or two blocks of the network.
        OutOfMemory
            If the computer cannot hold one tile.
        """
        waiting = [number for number in slices if sheet.shown[number].any()]
        known = [number for number in waiting if self.store.has(sheet, number)]
        for number in known:
            self.run.check_cancelled()
            features = self.store.load(sheet, number, self.run)
            if features is None:
                continue
            waiting.remove(number)
            yield number, self._scored(features, sheet, number)
        yield from self._encoded(sheet, waiting)

    def _scored(self, features: Sequence[Half], sheet: Sheet, number: int) -> Floats:
        import torch

        tiles = [token_scores(torch.from_numpy(one).float(), self.text).mean(dim=0).numpy() for one in features]
        return _joined(sheet, number, tiles)

    def _encoded(self, sheet: Sheet, slices: Sequence[int]) -> Iterator[tuple[int, Floats]]:
        from grisaille.nn.device import in_batches, resolve_device
        from grisaille.nn.threads import threads

        tiles = [(number, tile) for number in slices for tile in sheet.tiles(number)]
        features: list[Half] = []
        waiting = iter(slices)
        number = next(waiting, None)
        run = self.run
        with threads(run):
            for some in in_batches(
                _Pictures(sheet, tiles), self._forward, batch=self.batch, run=run,
                what=f"looking at {sheet.title}", device=resolve_device(run),
            ):  # fmt: skip
                features += list(some)
                while number is not None and len(features) >= (count := len(list(sheet.tiles(number)))):
                    self.store.keep(sheet, number, features[:count], run)
                    yield number, self._scored(features[:count], sheet, number)
                    del features[:count]
                    number = next(waiting, None)

    def _forward(self, images: Tensor) -> Half:
        """(n, taps, rows, columns, e) of (n, 1, y, x)."""
        seen = see(self.clip, self.clip.standardised(images.expand(-1, 3, -1, -1)), self.look, self.run)
        return seen.patches.transpose(0, 1).half().cpu().numpy()


@dataclass(frozen=True)
class _Pictures:
    """Tiles as a sized iterable of (1, y, x) tensors."""

    sheet: Sheet
    tiles: Sequence[tuple[int, Tile]]

    def __len__(self) -> int:
        return len(self.tiles)

    def __iter__(self) -> Iterator[Tensor]:
        import torch

        for number, tile in self.tiles:
            yield torch.from_numpy(self.sheet.picture(number, tile))


def _joined(sheet: Sheet, number: int, tiles: Sequence[Floats]) -> Floats:
    """(rows, columns) the mean where tiles overlap, 0 where none was looked at."""
    _, rows, columns = sheet.shape
    total, times = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
    for (row, column), scores in zip(sheet.tiles(number), tiles, strict=True):
        total[row, column] += scores
        times[row, column] += 1
    return np.asarray(total / np.maximum(times, 1), np.float32)
