"""From patches and prompts to scores, and from a score a token to a smooth map."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grisaille.methods.anomalyclip.vision import Seen

if TYPE_CHECKING:
    from torch import Tensor

TEMPERATURE = 0.07


def token_scores(patches: Tensor, text: Tensor) -> Tensor:
    """(...,) of unit (..., e) features and (2, e) prompts: softmax of the abnormal one against the normal, 0 to 1.

    With two prompts that is the sigmoid of one difference. It says which prompt is nearer and is no
    probability of anything.
    """
    return ((patches @ (text[1] - text[0])) / TEMPERATURE).sigmoid()


def image_scores(seen: Seen, text: Tensor, *, pooled: bool) -> Tensor:
    """(n,) scores of whole images, 0 to 1.

    Parameters
    ----------
    pooled
        As Crane: half of the class token, half of the patches' mean by how abnormal each is; their
        softmax is taken of the logits averaged over the taps.
    """
    from torch.nn.functional import normalize

    image = seen.image
    if pooled:
        patches = seen.patches.flatten(2, 3)  # (taps, n, patches, e)
        weights = token_scores(patches.mean(dim=0), text)
        mean = normalize((patches.mean(dim=0) * weights[..., None]).sum(dim=1), dim=-1)
        image = normalize((mean + image) / 2, dim=-1)
    return token_scores(image, text)


@lru_cache(maxsize=64)
def smoothing(tokens: int, pixels: int, sigma_px: float) -> npt.NDArray[np.float32]:
    """(pixels, tokens) that takes a line of token scores to its pixels: bilinear, then Gaussian, in one matrix.

    The map of a slice is ``rows @ scores @ columns.T``: both steps are linear and separable. The
    Gaussian ends at 4 sigma and is mirrored at the edge, as scipy's.
    """
    from scipy.ndimage import gaussian_filter1d

    places = np.clip((np.arange(pixels) + 0.5) * tokens / pixels - 0.5, 0, tokens - 1)
    below = np.minimum(places.astype(int), max(tokens - 2, 0))
    matrix = np.zeros((pixels, tokens))
    matrix[np.arange(pixels), below] = 1 - (places - below)
    matrix[np.arange(pixels), np.minimum(below + 1, tokens - 1)] += places - below
    if sigma_px > 0:
        matrix = gaussian_filter1d(matrix, sigma_px, axis=0)
    smooth = matrix.astype(np.float32)
    smooth.flags.writeable = False
    return smooth


def smooth_maps(scores: Tensor, pixels: tuple[int, int], sigma_px: float) -> Tensor:
    """(n, y, x) maps of (n, rows, columns) token scores, on their device."""
    rows, columns = (
        scores.new_tensor(smoothing(count, size, sigma_px))
        for count, size in zip(scores.shape[1:], pixels, strict=True)
    )
    return rows @ scores @ columns.mT
