"""The lesson: pictures to what is said of them, and their smallest parts to what lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from grisaille.methods.anomalyclip.demo.captions import (
    ENDINGS,
    HEALTHY,
    PLACEHOLDER,
    UNSURE,
    of_objects,
    of_parts,
    of_slices,
    of_tissue,
)
from grisaille.methods.anomalyclip.demo.crops import Crops
from grisaille.methods.anomalyclip.text import encoded
from grisaille.methods.anomalyclip.vision import Look, see

if TYPE_CHECKING:
    from torch import Tensor

    from grisaille.methods.anomalyclip.clip import Clip

ALONE = 3
"""Of the last so many blocks its patches take the second way."""

TEMPERATURE = 0.05

LONGEST_PREFIX = 12
"""Placeholders before a caption, as before words that prompts are learned for."""


class Reader:
    """Captions through the text encoder, with gradients."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self._ids: dict[str, Tensor] = {}

    def features(self, texts: tuple[str, ...], prefix: int) -> Tensor:
        """(n, e) unit features of texts after so many placeholders."""
        import torch

        network: Any = self.clip.network
        ids = torch.stack([self._read(f"{PLACEHOLDER} " * prefix + text) for text in texts])
        ends = ids.argmax(dim=-1)
        length = int(ends.max()) + 1  # the encoder is causal
        return encoded(network, network.token_embedding(ids[:, :length]), ends)

    def _read(self, text: str) -> Tensor:
        if text not in self._ids:
            self._ids[text] = self.clip.tokens([text])[0]
        return self._ids[text]


def lesson_loss(reader: Reader, crops: Crops, rng: np.random.Generator, generic: float) -> Tensor:
    """How far the network is from what the captions say."""
    import torch

    clip = reader.clip
    images = clip.standardised(torch.from_numpy(crops.images)[:, None].expand(-1, 3, -1, -1))
    seen = see(clip, images, Look((clip.blocks,), ALONE, class_norm=bool(rng.random() < 0.5)))
    prefix = int(rng.integers(1, LONGEST_PREFIX + 1)) if rng.random() < 0.3 else 0
    healthy = HEALTHY[rng.integers(len(HEALTHY))]
    parts = of_parts(healthy, ENDINGS[rng.integers(len(ENDINGS))])
    anything, slices, objects = of_tissue(healthy), of_slices(healthy), of_objects(healthy)
    patches = seen.patches[0].flatten(0, 2)
    known = (crops.tissues != UNSURE) & (crops.damage != UNSURE)
    tissues, damage = np.where(known, crops.tissues, 0), np.where(known, crops.damage, 0)
    of_word = np.where(known, parts.which[crops.modalities[:, None, None], tissues, damage], -1)
    of_state = np.where(crops.damage != UNSURE, crops.damage.astype(int), -1)
    states = crops.states
    of_slice = np.where(states < 0, -1, slices.which[crops.modalities, crops.regions, np.maximum(states, 0)])
    texts = reader.features((*parts.texts, *anything.texts, *slices.texts, *objects.texts), prefix)
    named, any_, whole, object_ = torch.split(texts, [len(parts.texts), 2, len(slices.texts), 2])
    loss = _balanced(patches, named, of_word.ravel()) + generic * _balanced(patches, any_, of_state.ravel())
    return loss + (_contrast(seen.image, whole, of_slice) + generic * _balanced(seen.image, object_, states)) / 2


def _balanced(things: Tensor, texts: Tensor, which: npt.NDArray[Any]) -> Tensor:
    """Cross-entropy of things against texts, rare texts counting more: each by the root of how often it is true."""
    import torch
    from torch.nn.functional import cross_entropy

    counts = np.bincount(which[which >= 0], minlength=len(texts))
    weights = torch.tensor(1 / np.sqrt(np.maximum(counts, 1)), dtype=texts.dtype)
    if not counts.any():
        return texts.sum() * 0
    return cross_entropy(things @ texts.T / TEMPERATURE, torch.from_numpy(which), weights, ignore_index=-1)


def _contrast(images: Tensor, texts: Tensor, which: npt.NDArray[Any]) -> Tensor:
    """CLIP's: each picture finds its caption among all, each caption its pictures among all in the batch."""
    import torch
    from torch.nn.functional import cross_entropy

    kept = which >= 0
    if not kept.any():
        return texts.sum() * 0
    targets = torch.from_numpy(which[kept])
    logits = images[torch.from_numpy(kept)] @ texts.T / TEMPERATURE
    there = torch.unique(targets)
    shares = (targets[None] == there[:, None]).to(logits.dtype)
    back = cross_entropy(logits[:, there].T, shares / shares.sum(dim=1, keepdim=True))
    return (cross_entropy(logits, targets) + back) / 2
