"""AnomalyCLIP's losses pixel by pixel over two-channel maps, from the paper's formulas and the published constants."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

GAMMA, SMOOTH = 2, 1e-5


def focal(maps: Tensor, masks: Tensor) -> Tensor:
    """Mean over all pixels of (n, 2, y, x) softmaxed maps, normal first, and (n, y, x) masks of 0 and 1."""
    losses = []
    for both, mask in zip(maps, masks, strict=True):
        for y in range(mask.shape[0]):
            for x in range(mask.shape[1]):
                wanted = [SMOOTH, SMOOTH]
                wanted[int(mask[y, x])] = 1 - SMOOTH
                right = both[0, y, x] * wanted[0] + both[1, y, x] * wanted[1] + SMOOTH
                losses.append(-((1 - right) ** GAMMA) * torch.log(right))
    return torch.stack(losses).mean()


def dice(maps: Tensor, masks: Tensor) -> Tensor:
    """Mean over pictures of (n, y, x) maps and masks."""
    losses = []
    for one, mask in zip(maps, masks, strict=True):
        shared = torch.zeros(())
        total = torch.zeros(())
        for y in range(mask.shape[0]):
            for x in range(mask.shape[1]):
                shared = shared + one[y, x] * mask[y, x]
                total = total + one[y, x] + mask[y, x]
        losses.append(1 - (2 * shared + 1) / (total + 1))
    return torch.stack(losses).mean()


def cross_entropy(logits: Tensor, labels: Sequence[int]) -> Tensor:
    """Mean over (n, 2) logits."""
    return torch.stack([-row.log_softmax(0)[label] for row, label in zip(logits, labels, strict=True)]).mean()


def whole(images: Tensor, patches: Tensor, masks: Tensor, text: Tensor) -> Tensor:
    """Of (n, e) images, (taps, n, rows, columns, e) patches, (n, y, x) masks of 0 and 1 and (2, e) prompts."""
    loss = torch.zeros(())
    for tap in patches:
        both = (tap @ text.T / 0.07).softmax(-1).permute(0, 3, 1, 2)
        maps = interpolate(both, size=masks.shape[-2:], mode="bilinear", align_corners=False)
        loss = loss + focal(maps, masks) + dice(maps[:, 1], masks) + dice(maps[:, 0], 1 - masks)
    labels = [int(mask.max()) for mask in masks]
    return 4 * loss + cross_entropy(images @ text.T / 0.07, labels)
