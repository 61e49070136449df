"""The network that paints: what a healthy patient would look like inside holes, and how sure that is.

Only computation opens this module: it imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool3d

from grisaille.core.errors import DamagedWeights, WeightsMismatch
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.nn.engine import load_engine

CHANNELS = 3
"""log1p(SUV), then CT in two windows."""
MULTIPLE = 16
"""Sizes of everything given to the network are multiples of this."""
LOG_SCALE = -5.0, 2.0

Arrays = dict[str, npt.NDArray[np.generic]]
Block = tuple[int, int, int]

_MODALITY = (0, 1, 1)
"""Of each channel: PET 0, CT 1."""
_SQUARED, _SCALE = 4.0, 0.3
"""Weights of the squared error and of the scale's likelihood beside the absolute error."""
_VALID = 0.05
"""Weight of what the network was shown beside what it was not."""
_FAR = 25.0
"""Pairs of voxels from the middle that count as 1: about half a trunk."""
_FEWEST = 512
"""Voxels: smaller holes count less than their share, for their loss is mostly noise."""


class Inpainter(nn.Module):
    """A U-Net at half the resolution, every 2 x 2 x 2 voxels stacked as channels, or 1 x 2 x 2 of a flat one."""

    def __init__(self, width: int, *, mirrored: bool, placed: bool, axial: bool = False, flat: bool = False) -> None:
        super().__init__()
        load_engine("monai")
        from monai.networks.nets import DynUNet

        self.mirrored, self.placed, self.axial = mirrored, placed, axial
        self.block = 1 if flat else 2, 2, 2
        seen = CHANNELS + 2 + 1 + (CHANNELS + 2 if mirrored else 0)
        stacked = prod(self.block)
        kernel, half = ([1, 3, 3], [1, 2, 2]) if flat else ([3, 3, 3], [2, 2, 2])
        self.unet = DynUNet(
            spatial_dims=3,
            in_channels=seen * stacked + (2 if placed else 0) + (1 if axial else 0),
            out_channels=2 * CHANNELS * stacked,
            kernel_size=[kernel] * 4,
            strides=[[1, 1, 1], *[half] * 3],
            upsample_kernel_size=[half] * 3,
            filters=[width, 2 * width, 4 * width, 6 * width],
            norm_name=("INSTANCE", {"affine": True}),
        )

    def forward(self, images: Tensor, hole: Tensor, body: Tensor, below: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The healthy mean and the logarithm of the Laplace scale around it, everywhere.

        Parameters
        ----------
        images
            (n, 3, z, y, x) float32: log1p(SUV), both CT windows. What lies in holes is not looked at.
        hole
            (n, 2, z, y, x) bool or float: of PET, of CT. A modality that is missing is a hole everywhere.
        body
            (n, 1, z, y, x) bool or float.
        below
            (n,) float: slices from the first of the slab up to the top of the scan. Only axial networks look at it.

        Returns
        -------
        Two (n, 3, z, y, x), the logarithm from -5 to 2. Sizes are multiples of 16.
        """
        hole = hole.to(images.dtype)
        shown = torch.cat([images * (1 - per_channel(hole)), hole], dim=1)
        parts = [shown, body.to(images.dtype)]
        if self.mirrored:  # of what is shown: the mirror image of a hole hides as much as the hole
            parts.append(shown.flip(-1))
        seen = _folded(torch.cat(parts, dim=1), self.block)
        told = [_places(seen)] if self.placed else []
        if self.axial:
            assert below is not None, "an axial network is told where the scan ends"
            told.append(_heights(seen, below, self.block[0]))
        painted = _unfolded(self._painted(torch.cat([seen, *told], dim=1)).float(), self.block)
        return painted[:, :CHANNELS], painted[:, CHANNELS:].clamp(*LOG_SCALE)

    def _painted(self, seen: Tensor) -> Tensor:
        """What the U-Net makes of it; of each slice by itself if flat, for its norms would mix those of a slab."""
        if self.block[0] > 1:
            painted: Tensor = self.unet(seen)
            return painted
        n, c, z, y, x = seen.shape
        slices: Tensor = self.unet(seen.transpose(1, 2).reshape(n * z, c, 1, y, x))
        return slices.reshape(n, z, -1, y, x).transpose(1, 2)


def build(config: AutoPaintConfig, *, seed: int = 0) -> Inpainter:
    """An untrained network, on the CPU; the same for the same seed."""
    load_engine("torch", "monai")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Inpainter(
            config.width, mirrored=config.mirrored, placed=config.placed, axial=config.axial, flat=config.flat
        )


def arrays(net: Inpainter, *, half: bool = False) -> Arrays:
    """The weights by name, each once; with ``half`` in float16, half the size and exact to three digits."""
    kind = np.float16 if half else np.float32
    return {name: tensor.detach().cpu().numpy().astype(kind) for name, tensor in net.named_parameters()}


def take_up(net: Inpainter, weights: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Give a network the weights that ``arrays`` gave."""
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(torch.from_numpy(weights[name].astype(np.float32)))


def load(config: AutoPaintConfig, weights: Mapping[str, npt.NDArray[np.generic]]) -> Inpainter:
    """The network with these weights, on the CPU, ready to paint.

    Raises
    ------
    WeightsMismatch
        If they are those of a network of another shape.
    DamagedWeights
        If they are not finite.
    """
    net = build(config)
    wanted = {name: tuple(tensor.shape) for name, tensor in net.named_parameters()}
    # DynUNet lists its parts under two names, and older models hold their weights under both.
    twice = net.state_dict().keys() - wanted.keys()
    found = {name: array.shape for name, array in weights.items() if name not in twice}
    if found != wanted:
        name = next(name for name in sorted({*found, *wanted}) if found.get(name) != wanted.get(name))
        raise WeightsMismatch(
            f"weights {name}: found {found.get(name, 'none')}, expected {wanted.get(name, 'none')}; "
            "this model was made with other settings of the network or by another version: train it again"
        )
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise DamagedWeights("the network's weights hold values that are not finite; fetch or train the model again")
    take_up(net, weights)
    return net.eval().requires_grad_(False)


def laplace_loss(
    mean: Tensor, log_scale: Tensor, images: Tensor, hole: Tensor, body: Tensor, present: Tensor
) -> Tensor:
    """Squared and absolute error of the mean, and the Laplace likelihood of the scale, over holes in the body.

    The scale is fitted to the errors as they are, the mean does not see it: in one likelihood for both,
    fat and muscle, of which the network is sure, outweigh the organs, which are then never learned
    (Seitzer et al. 2022, arXiv 2203.09168). The skin counts too, and a little of what was shown.

    Parameters
    ----------
    mean, log_scale, images
        (n, 3, z, y, x).
    hole
        (n, 2, z, y, x), as the network was given it.
    body
        (n, 1, z, y, x).
    present
        (n, 2, z, y, x), or (n, 2) where it holds everywhere: PET and CT were scanned, so that what is
        painted can be compared with them.

    Returns
    -------
    One number, finite whatever is hidden: each slab and channel counts alike.
    """
    mean, log_scale, images = mean.float(), log_scale.float(), images.float()
    off = (images - mean).abs()
    likelihood = off.detach() * torch.exp(-log_scale) + log_scale
    loss = _SQUARED * off**2 + off + _SCALE * likelihood
    skin = _grown(body.float())  # air too, where arms and backs move
    scanned = present.float()
    there = per_channel(scanned if present.ndim == 5 else scanned[..., None, None, None]) * skin
    hidden = per_channel(hole.float())
    return _mean_over(loss, there * hidden) + _VALID * _mean_over(loss, there * (1 - hidden))


def per_channel(modalities: Tensor) -> Tensor:
    """(n, 2, ...) of PET and CT to (n, 3, ...) of the images' channels."""
    return modalities[:, _MODALITY, ...]


def _grown(mask: Tensor) -> Tensor:
    """Two voxels wider on every side; axis by axis, three times as fast as a cube."""
    for axis in range(3):
        size, pad = [1, 1, 1], [0, 0, 0]
        size[axis], pad[axis] = 5, 2
        mask = max_pool3d(mask, size, stride=1, padding=pad)
    return mask


def _mean_over(loss: Tensor, weight: Tensor) -> Tensor:
    space = (-3, -2, -1)
    count = weight.sum(space)
    return ((loss * weight).sum(space) / count.clamp(min=_FEWEST)).mean()


def _places(folded: Tensor) -> Tensor:
    """(n, 2, z, y, x): how far behind and left of a slab's middle each place lies; slabs are centred on the body."""
    n, _, z, y, x = folded.shape
    behind, left = (
        (torch.arange(size, dtype=folded.dtype, device=folded.device) - (size - 1) / 2) / _FAR for size in (y, x)
    )
    grid = torch.stack([behind[:, None].expand(y, x), left.expand(y, x)])
    return grid[None, :, None].expand(n, 2, z, y, x)


def _heights(folded: Tensor, below: Tensor, step: int) -> Tensor:
    """(n, 1, z, y, x): how far below the top of the scan each place lies."""
    n, _, z, y, x = folded.shape
    up = torch.arange(z, dtype=folded.dtype, device=folded.device) * step
    heights = (below.to(folded.dtype)[:, None] - up) / (2 * _FAR)
    return heights[:, None, :, None, None].expand(n, 1, z, y, x)


def _folded(values: Tensor, block: Block) -> Tensor:
    """(n, c, z, y, x) to (n, 8c, z / 2, y / 2, x / 2), nothing lost, for a block of 2 x 2 x 2."""
    n, c, z, y, x = values.shape
    k, j, i = block
    blocks = values.reshape(n, c, z // k, k, y // j, j, x // i, i).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return blocks.reshape(n, c * prod(block), z // k, y // j, x // i)


def _unfolded(values: Tensor, block: Block) -> Tensor:
    """The inverse of ``_folded``."""
    n, c, z, y, x = values.shape
    k, j, i = block
    channels = c // prod(block)
    blocks = values.reshape(n, channels, k, j, i, z, y, x).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return blocks.reshape(n, channels, k * z, j * y, i * x)
