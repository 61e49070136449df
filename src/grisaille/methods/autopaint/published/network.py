"""The published network: a 2D U-Net of gated convolutions over slices of [CT, PET, CT].

Only computation opens this module: it imports torch.

Sources: the arrangement of Liu et al. 2018, arXiv 1804.07723, eight times halved; gated convolutions
of Yu et al. 2019, arXiv 1806.03589, in place of the partial ones. MONAI 1.6 has neither.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, relu

from grisaille.core.errors import ShapeError

IMAGES = 3
"""CT, PET, CT: -1000 to 800 HU and SUV 0 to 12, each 0 to 1."""
ENCODER = (64, 7), (128, 5), (256, 5), (512, 3), (512, 3), (512, 3), (512, 3), (512, 3)
"""Channels and kernel of each halving."""
DECODER = 512, 512, 512, 512, 256, 128, 64
"""Channels of each doubling; an eighth gives the image."""
SLOPE = 0.2
MULTIPLE = 2 ** len(ENCODER)


class GatedConv(nn.Module):
    """A convolution whose every output is let through by another one, from not at all to wholly.

    Where a hole is, the network learns for itself how far to believe what it is shown.
    """

    def __init__(
        self,
        seen: int,
        made: int,
        kernel: int,
        activation: Callable[[Tensor], Tensor],
        *,
        stride: int = 1,
        normed: bool = True,
    ) -> None:
        super().__init__()
        self.features = nn.Conv2d(seen, made, kernel, stride, kernel // 2, bias=not normed)  # the norm takes it off
        self.gate = nn.Conv2d(seen, made, kernel, stride, kernel // 2)
        self.norm = nn.BatchNorm2d(made) if normed else nn.Identity()
        self.activation = activation

    def forward(self, values: Tensor) -> Tensor:
        """(n, seen, y, x) to (n, made, y / stride, x / stride)."""
        return self.activation(self.norm(self.features(values))) * torch.sigmoid(self.gate(values))


class GatedUNet(nn.Module):
    """The published inpainter; ``width`` 1 is its size, 1/16 trains in seconds."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()

        def scaled(channels: int) -> int:
            return max(1, round(width * channels))

        skips = [IMAGES + 1]  # image and hole
        encoder = []
        for level, (channels, kernel) in enumerate(ENCODER):
            encoder.append(GatedConv(skips[-1], scaled(channels), kernel, relu, stride=2, normed=level > 0))
            skips.append(scaled(channels))
        below, decoder = skips.pop(), []
        for channels in DECODER:
            decoder.append(GatedConv(below + skips.pop(), scaled(channels), 3, _leaky))
            below = scaled(channels)
        decoder.append(GatedConv(below + skips.pop(), IMAGES, 3, _leaky, normed=False))
        self.encoder, self.decoder = nn.ModuleList(encoder), nn.ModuleList(decoder)
        self.last = nn.Conv2d(IMAGES, IMAGES, 1)

    def forward(self, images: Tensor, hole: Tensor) -> Tensor:
        """What is painted, in and beside the holes.

        Parameters
        ----------
        images
            (n, 3, y, x) float32, 0..1; what lies in holes is not looked at. Sides are multiples of 256;
            while it learns, n is at least 2, for the norm of the last level.
        hole
            (n, 1, y, x) bool or float, of all channels at once.

        Returns
        -------
        (n, 3, y, x), 0..1.

        Raises
        ------
        ShapeError
            If the sides are not multiples of 256.
        """
        if any(side % MULTIPLE for side in images.shape[-2:]):
            raise ShapeError(f"slices of {tuple(images.shape[-2:])} pixels, expected multiples of {MULTIPLE}; pad them")
        hole = hole.to(images.dtype)
        values = torch.cat([torch.where(hole > 0, 1.0, images), hole], dim=1)  # white holes, as published
        skips = []
        for level in self.encoder:
            skips.append(values)
            values = level(values)
        for level, skip in zip(self.decoder, reversed(skips), strict=True):
            values = level(torch.cat([interpolate(values, scale_factor=2.0, mode="nearest"), skip], dim=1))
        return torch.sigmoid(self.last(values))


def _leaky(values: Tensor) -> Tensor:
    return leaky_relu(values, SLOPE)


def build(width: float = 1.0, *, seed: int = 0) -> GatedUNet:
    """An untrained network, on the CPU; the same for the same seed, torch's own generator left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GatedUNet(width)
