"""What prompts are learned by: focal and dice on the maps, cross-entropy on the whole picture.

Source: Zhou et al. 2024, arXiv 2310.18961, with the constants of its published code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grisaille.methods.anomalyclip.tokens import TEMPERATURE, smooth_maps, token_scores

if TYPE_CHECKING:
    from torch import Tensor

MAP_WEIGHT = 4.0
"""Of the maps beside the picture's cross-entropy."""

_SMOOTH = 1e-5
"""By which a label is softened, and what is added to a probability before its logarithm."""


def picture_loss(image: Tensor, patches: Tensor, mask: Tensor, text: Tensor) -> Tensor:
    """() of one picture; the published loss of a batch is the mean over its pictures.

    Parameters
    ----------
    image
        (e,) the unit feature of its class token.
    patches
        (taps, rows, columns, e) unit features.
    mask
        (y, x) bool, true where it is abnormal; a picture with any true pixel is abnormal.
    text
        (2, e) unit features of the normal and the abnormal prompt.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits

    rows, columns = mask.shape
    maps = smooth_maps(token_scores(patches, text), (rows, columns), sigma_px=0.0)
    normal, is_normal = 1 - maps, ~mask
    of_maps = focal(maps, mask) + dice(maps, mask) + dice(normal, is_normal)
    logit = image @ (text[1] - text[0]) / TEMPERATURE
    return MAP_WEIGHT * of_maps.sum() + binary_cross_entropy_with_logits(logit, mask.any().to(logit.dtype))


def focal(abnormal: Tensor, mask: Tensor) -> Tensor:
    """(n,) mean over pixels of the focal loss with gamma 2.

    The published one takes the maps of both prompts; they add up to one, so one is enough.

    Parameters
    ----------
    abnormal
        (n, y, x) 0 to 1.
    mask
        (y, x) bool.
    """
    right = abnormal.where(mask, 1 - abnormal)
    right = right * (1 - 2 * _SMOOTH) + 2 * _SMOOTH
    return -((1 - right).square() * right.log()).mean(dim=(-2, -1))


def dice(map_: Tensor, mask: Tensor) -> Tensor:
    """(n,) one less the Dice of (n, y, x) maps of 0 to 1 with a (y, x) mask, one added to both parts."""
    shared = (map_ * mask).sum(dim=(-2, -1))
    return 1 - (2 * shared + 1) / (map_.sum(dim=(-2, -1)) + mask.sum() + 1)
