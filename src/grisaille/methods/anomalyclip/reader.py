"""A study read by CLIP: what is taken of it, and the map of each sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from grisaille.core.errors import ConfigError
from grisaille.core.run import Run
from grisaille.methods.anomalyclip.config import AnomalyClipConfig, Preset
from grisaille.methods.anomalyclip.encoding import Encoder
from grisaille.methods.anomalyclip.feature_store import FeatureStore
from grisaille.methods.anomalyclip.fusing import SheetMap, sheet_map
from grisaille.methods.anomalyclip.pictures import Sheet
from grisaille.methods.anomalyclip.prompts import Prompts
from grisaille.methods.anomalyclip.vision import Attention, Look

if TYPE_CHECKING:
    from torch import Tensor

    from grisaille.methods.anomalyclip.clip import Clip

_SECOND_WAY = 19 / 24
"""Share of the blocks, the last ones, in which patches look at each other by their values: as published for 24."""


@dataclass(frozen=True, eq=False)
class Reader:
    """The backbone with prompts and settings."""

    clip: Clip
    config: AnomalyClipConfig
    prompts: Prompts

    @property
    def look(self) -> Look:
        """What is taken of an image."""
        blocks, config = self.clip.blocks, self.config
        taps = tuple(sorted(set(config.taps))) or (blocks,)
        if taps[-1] > blocks:
            raise ConfigError(f"taps is {list(taps)}, but {self.clip.name} has {blocks} blocks")
        alone = min(config.alone, blocks) or round(blocks * _SECOND_WAY)
        is_crane = config.preset is Preset.CRANE
        return Look(taps, alone, Attention.ALL if is_crane else Attention.VALUES, is_crane)

    def text(self) -> Tensor:
        """(2, e) unit features of both prompts, on the CPU."""
        import torch

        from grisaille.methods.anomalyclip.text import Learned, text_features

        prompts = self.prompts
        with torch.inference_mode():
            return text_features(self.clip, Learned.of(prompts, torch.device("cpu")), prompts.words)

    def encoder(self, run: Run) -> Encoder:
        """The backbone with these prompts, which keeps what it sees where ``run`` says."""
        clip, run = self.sight(run)
        arithmetic = "int8" if self.config.eight_bit else run.precision.value
        folder = None if run.cache is None else run.cache / "clip"
        store = FeatureStore(folder, self.clip.fingerprint, self.look, arithmetic)
        return Encoder(clip, self.look, self.text(), store, run, self.config.batch)

    def sight(self, run: Run) -> tuple[Clip, Run]:
        """The backbone in the arithmetic asked for, and the run on a device that has it."""
        return (self.clip.in_eight_bits, _on_cpu(run)) if self.config.eight_bit else (self.clip, run)

    def maps(self, seen: Sequence[Sheet], run: Run) -> list[SheetMap]:
        """The whole map of each sheet."""
        return next(maps for _, maps in self.refined(seen, run, (1,)))

    def refined(self, seen: Sequence[Sheet], run: Run, strides: Sequence[int]) -> Iterator[tuple[int, list[SheetMap]]]:
        encoder = self.encoder(run)
        tokens: list[dict[int, Any]] = [{} for _ in seen]
        for stride in strides:
            for sheet, done in zip(seen, tokens, strict=True):
                wanted = [number for number in sheet.slices[::stride] if number not in done]
                done.update(encoder.scores(sheet, wanted))
            yield stride, [self._map(sheet, done) for sheet, done in zip(seen, tokens, strict=True)]
        encoder.store.tidy()

    def _map(self, sheet: Sheet, done: Mapping[int, Any]) -> SheetMap:
        numbers = sorted(done)
        stacked = np.stack([done[number] for number in numbers])
        return sheet_map(sheet, stacked, np.array(numbers), self.config.sigma_px)


def _on_cpu(run: Run) -> Run:
    """Eight bits are for the CPU."""
    if run.device not in ("auto", "cpu"):
        raise ConfigError(f"eight_bit is for the CPU, and the device is {run.device}; leave eight_bit off, or take cpu")
    return replace(run, device="cpu")
