"""Prompt learning as it is published: 77 tokens of text, both channels at full size, every slice looked at each epoch.

Our own code of the published steps (arXiv 2310.18961), on open_clip's networks; to be measured beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, interpolate, normalize, one_hot

TEMPERATURE, SMOOTH, GAMMA, WEIGHT = 0.07, 1e-5, 2, 4


def text(network: Any, ids: Tensor, context: Tensor, deep: Tensor) -> Tensor:
    """(2, e) unit features of all (2, 77) tokens."""
    values = network.token_embedding(ids)
    values = torch.cat([values[:, :1], context, values[:, 1 + context.shape[1] :]], dim=1)
    values = values + network.positional_embedding
    for number, block in enumerate(network.transformer.resblocks):
        if 0 < number <= len(deep):
            new = deep[number - 1].half().float().expand(2, -1, -1)
            values = torch.cat([values[:, :1], new, values[:, 1 + new.shape[1] :]], dim=1)
        values = block(values, attn_mask=network.attn_mask)
    values = network.ln_final(values)[torch.arange(2), ids.argmax(dim=-1)]
    return normalize(values @ network.text_projection, dim=-1)


def loss(images: Tensor, patches: Tensor, masks: Tensor, prompts: Tensor) -> Tensor:
    """Of (n, e) images, (taps, n, rows, columns, e) patches and (n, y, x) masks of 0 and 1."""
    total = torch.zeros(())
    for tap in patches:
        tokens = (tap @ prompts.T / TEMPERATURE).softmax(-1).permute(0, 3, 1, 2)
        both = interpolate(tokens, size=masks.shape[-2:], mode="bilinear", align_corners=False)
        total = total + _focal(both, masks) + _dice(both[:, 1], masks) + _dice(both[:, 0], 1 - masks)
    labels = masks.flatten(1).amax(dim=1).long()
    return WEIGHT * total + cross_entropy(images @ prompts.T / TEMPERATURE, labels)


def epochs(
    encode: Any,
    prompts: Any,
    pictures: Tensor,
    masks: Tensor,
    orders: Sequence[Sequence[Sequence[int]]],
    optimizer: torch.optim.Optimizer,
) -> Iterator[float]:
    """The mean loss of each epoch.

    Parameters
    ----------
    encode
        (n, 3, y, x) standardised pictures to images and patches; called anew for every step.
    prompts
        () to (2, e).
    orders
        By epoch and step, the numbers of the slices.
    """
    for order in orders:
        told = []
        for numbers in order:
            with torch.no_grad():
                images, patches = encode(pictures[list(numbers)])
            now = loss(images, patches, masks[list(numbers)], prompts())
            optimizer.zero_grad()
            now.backward()
            optimizer.step()
            told.append(now.item())
        yield sum(told) / len(told)


def _focal(both: Tensor, masks: Tensor) -> Tensor:
    pixels = both.flatten(2).transpose(1, 2).reshape(-1, 2)
    wanted = one_hot(masks.flatten().long(), 2).float().clamp(SMOOTH, 1 - SMOOTH)
    right = (wanted * pixels).sum(dim=1) + SMOOTH
    return -((1 - right) ** GAMMA * right.log()).mean()


def _dice(maps: Tensor, masks: Tensor) -> Tensor:
    flat, wanted = maps.flatten(1), masks.flatten(1)
    shared = (flat * wanted).sum(dim=1)
    return 1 - ((2 * shared + 1) / (flat.sum(dim=1) + wanted.sum(dim=1) + 1)).mean()
