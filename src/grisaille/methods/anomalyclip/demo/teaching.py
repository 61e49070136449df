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
    UNTOLD,
    of_objects,
    of_parts,
    of_slices,
    of_tissue,
)
from grisaille.methods.anomalyclip.demo.crops import Crops
from grisaille.methods.anomalyclip.text import encoded
from grisaille.methods.anomalyclip.vision import Look, positions, see

if TYPE_CHECKING:
    from torch import Tensor

    from grisaille.methods.anomalyclip.clip import Clip

ALONE = 1
"""Of the last so many blocks its patches take the second way: so few blocks leave no more to be read out."""

_TOLD = 0.1
"""Share of the tokens of ``UNTOLD`` organs that are said to be healthy tissue."""

_IMAGES = 0.25
"""Weight of what is said of whole pictures."""

TEMPERATURE = 0.05

_PARTS = 0.5
"""Weight of what names the tissue of a part, beside what only says whether it is a lesion."""

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


def lesson_loss(reader: Reader, crops: Crops, rng: np.random.Generator) -> Tensor:
    """How far the network is from what the captions say."""
    import torch

    clip = reader.clip
    images = clip.standardised(torch.from_numpy(crops.images)[:, None].expand(-1, 3, -1, -1))
    look = Look((clip.blocks,), ALONE, class_norm=bool(rng.random() < 0.5))
    seen = see(clip, images, look, places=_places(clip, crops))
    prefix = int(rng.integers(1, LONGEST_PREFIX + 1)) if rng.random() < 0.3 else 0
    healthy = HEALTHY[rng.integers(len(HEALTHY))]
    parts = of_parts(healthy, ENDINGS[rng.integers(len(ENDINGS))], crops.modality)
    anything, slices, objects = of_tissue(healthy), of_slices(healthy, crops.modality), of_objects(healthy)
    known = (crops.tissues != UNSURE) & (crops.damage != UNSURE)
    tissues, damage = np.where(known, crops.tissues, 0), np.where(known, crops.damage, 0)
    of_word = np.where(known, parts.which[tissues, damage], -1)
    untold = np.isin(crops.tissues, UNTOLD) & (crops.damage == 0) & (rng.random(crops.damage.shape) > _TOLD)
    of_state = np.where((crops.damage == UNSURE) | untold, -1, crops.damage.astype(int))
    states = crops.states
    of_slice = np.where(states < 0, -1, slices.which[crops.regions, np.maximum(states, 0)])
    texts = reader.features((*parts.texts, *anything.texts, *slices.texts, *objects.texts), prefix)
    named, any_, whole, object_ = torch.split(texts, [len(parts.texts), 2, len(slices.texts), 2])
    patches = seen.patches[0].flatten(0, 2)
    rarity = _rarity(tissues * 2 + damage)
    loss = _PARTS * _crossed(patches, named, of_word, rarity) + _crossed(patches, any_, of_state, rarity)
    return loss + _IMAGES * (_contrast(seen.image, whole, of_slice) + _crossed(seen.image, object_, states, None))


def _rarity(kinds: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The weight of each thing: one over the root of how often its kind is there, so that small organs count."""
    counts = np.bincount(kinds.ravel())
    weights = (np.maximum(counts, 1) ** -0.5).astype(np.float32)
    return np.asarray(weights[kinds])


def _places(clip: Clip, crops: Crops) -> Tensor:
    """(n, 1 + rows * columns, width) position embeddings, those that the crops have in their whole slices."""
    import torch

    visual: Any = clip.network.get_submodule("visual")
    rows, columns = crops.tissues.shape[1:]
    every = []
    for place in crops.places:
        own = positions(visual, place.rows, place.columns)
        grid = own[1:].reshape(place.rows, place.columns, -1)
        part = grid[place.row : place.row + rows, place.column : place.column + columns]
        every.append(torch.cat([own[:1], part.flatten(0, 1)]))
    return torch.stack(every)


def _crossed(things: Tensor, texts: Tensor, which: npt.NDArray[Any], weights: npt.NDArray[np.float32] | None) -> Tensor:
    """Mean cross-entropy of (n, e) things against texts, where one of these is true."""
    import torch
    from torch.nn.functional import cross_entropy

    which = which.ravel()
    kept = np.flatnonzero(which >= 0)
    if not kept.size:
        return texts.sum() * 0
    logits = things[torch.from_numpy(kept)] @ texts.T / TEMPERATURE
    each = cross_entropy(logits, torch.from_numpy(which[kept]), reduction="none")
    if weights is None:
        return each.mean()
    share = torch.from_numpy(weights.ravel()[kept])
    return (each * share).sum() / share.sum()


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
