"""A whole picture squeezed to a square, as AnomalyCLIP was published: one score of it and one map.

Source: Zhou et al. 2024, arXiv 2310.18961, and its released test script.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from grisaille.core.run import Run
from grisaille.methods.anomalyclip.config import ClipName, Preset
from grisaille.methods.anomalyclip.reader import Reader
from grisaille.methods.anomalyclip.tokens import image_scores, smooth_maps, token_scores
from grisaille.methods.anomalyclip.vision import Seen, see
from grisaille.methods.picture_reader import PictureScore, Squares

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 518
"""Pixels along a side of the published square: 37 patches of 14."""

_SIGMA_PX = 4.0


@dataclass(frozen=True, eq=False)
class SquareReader:
    """A reader of whole pictures; nothing of a body, a window or a plane enters."""

    settings: ClassVar[tuple[str, ...]] = ("preset", "backbone", "sigma_px", "taps", "alone", "eight_bit", "batch")

    reader: Reader

    @property
    def rows(self) -> int:
        """Tokens along a side: as many patches of the backbone as come nearest to ``SIDE``."""
        return max(1, round(SIDE / self.reader.clip.patch))

    @property
    def side(self) -> int:
        """Pixels along a side."""
        return self.rows * self.reader.clip.patch

    @property
    def departures(self) -> tuple[str, ...]:
        """Sentences on what is not as published."""
        config, clip, prompts = self.reader.config, self.reader.clip, self.reader.prompts
        taps = self.reader.look.taps
        return tuple(
            sentence
            for is_so, sentence in (
                (clip.name is not ClipName.VIT_L14_336, f"the backbone is {clip.name}, not {ClipName.VIT_L14_336}"),
                (self.side != SIDE, f"pictures are {self.side} pixels wide, not {SIDE}"),
                (not prompts.start.size, "the prompts are plain words; nothing was learned for them"),
                (config.preset is not Preset.ANOMALYCLIP, f"attention and image score are those of {config.preset}"),
                (taps != (clip.blocks,), f"patches are those after the blocks {' and '.join(map(str, taps))}"),
                (config.sigma_px != _SIGMA_PX, f"maps are smoothed by {config.sigma_px:g} px, not {_SIGMA_PX:g}"),
                (config.eight_bit, "the network computes in eight bits"),
            )
            if is_so
        )

    def scores(self, squares: Squares, run: Run) -> Iterator[PictureScore]:
        """Of each picture in turn, tokens summed over the taps.

        Raises
        ------
        Cancelled
            Between two pictures.
        OutOfMemory
            If the computer cannot hold one.
        """
        from grisaille.nn.device import in_batches, resolve_device
        from grisaille.nn.threads import threads

        reader, text = self.reader, self.reader.text()
        clip, run = reader.sight(run)

        def forward(images: Tensor) -> Seen:
            seen = see(clip, clip.standardised(images), reader.look)
            return Seen(seen.image.float().cpu(), seen.patches.float().cpu())

        with threads(run):
            for seen in in_batches(
                _Images(squares), forward, batch=reader.config.batch, run=run, what="looking at pictures",
                device=resolve_device(run),
            ):  # fmt: skip
                whole = image_scores(seen, text, pooled=reader.config.preset is Preset.CRANE)
                tokens = token_scores(seen.patches, text).sum(dim=0).numpy()
                yield from (PictureScore(float(one), part) for one, part in zip(whole, tokens, strict=True))

    def smooth(self, tokens: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(side, side) of (rows, rows) scores: bilinear, then Gaussian, over the whole picture."""
        import torch

        maps = smooth_maps(torch.from_numpy(tokens)[None], (self.side, self.side), self.reader.config.sigma_px)
        return np.asarray(maps[0].numpy())


@dataclass(frozen=True)
class _Images:
    """Pictures as (3, y, x) tensors of 0 to 1."""

    squares: Squares

    def __len__(self) -> int:
        return len(self.squares)

    def __iter__(self) -> Iterator[Tensor]:
        import torch

        for square in self.squares:
            yield torch.from_numpy(square.copy()).permute(2, 0, 1) / 255
