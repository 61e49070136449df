"""The published losses: absolute errors, smoothness, a Laplacian pyramid, and VGG16's features where given.

Only computation opens this module: it imports torch.

Sources: Liu et al. 2018, arXiv 1804.07723, for the terms and their sums; Burt and Adelson 1983 for
the pyramid, which is the pipeline's own addition. Each term is a mean over all elements, so that a
small hole weighs as little as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, l1_loss, max_pool2d, pad

from grisaille.core.errors import WeightsMismatch
from grisaille.core.run import Run
from grisaille.nn.backbone import read_tensors
from grisaille.nn.engine import load_engine

VALID, HOLE, SMOOTH, PYRAMID, PERCEPTUAL, STYLE = 30.0, 240.0, 250.0, 20.0, 0.2, 0.05
LEVELS = 3

_BINOMIAL = 1.0, 4.0, 6.0, 4.0, 1.0
_POOLS = 4, 9, 16
"""The first three poolings among VGG16's layers."""
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class PublishedLoss(nn.Module):
    """All terms, weighted; without ``features`` those that compare VGG16's are off."""

    def __init__(self, features: VggFeatures | None = None) -> None:
        super().__init__()
        self.features = features

    @classmethod
    def of(cls, vgg: Path | None, run: Run) -> Self:
        """With the terms that the files at hand allow; a note says which are off.

        Parameters
        ----------
        vgg
            VGG16 as torchvision names its tensors, a .safetensors or .pth file.

        Raises
        ------
        DamagedWeights
            If the file cannot be read as tensors.
        WeightsMismatch
            If it holds another network.
        """
        if vgg is None:
            run.note("no VGG16 weights were given: the perceptual and the style terms of the published loss are off")
            return cls()
        return cls(VggFeatures.read(vgg))

    def forward(self, painted: Tensor, images: Tensor, hole: Tensor) -> Tensor:
        """One number.

        Parameters
        ----------
        painted, images
            (n, 3, y, x), 0..1.
        hole
            (n, 1, y, x) float, 1 in the hole.
        """
        whole = composite(painted, images, hole)
        loss = (
            VALID * l1_loss(painted * (1 - hole), images * (1 - hole))
            + HOLE * l1_loss(painted * hole, images * hole)
            + SMOOTH * roughness(whole, hole)
            + PYRAMID * pyramid_difference(painted, images)
        )
        if self.features is not None:
            looks = [self.features(one) for one in (painted, whole, images)]
            loss = loss + PERCEPTUAL * perceptual(*looks) + STYLE * style(*looks)
        return loss


def composite(painted: Tensor, images: Tensor, hole: Tensor) -> Tensor:
    """The images with what was painted in their holes."""
    return torch.where(hole > 0, painted, images)


def roughness(values: Tensor, hole: Tensor) -> Tensor:
    """Total variation in the hole and one pixel round it: mean difference of neighbours both of which lie there."""
    near = max_pool2d(hole, 3, stride=1, padding=1)
    down = (values[..., 1:, :] - values[..., :-1, :]).abs() * near[..., 1:, :] * near[..., :-1, :]
    right = (values[..., 1:] - values[..., :-1]).abs() * near[..., 1:] * near[..., :-1]
    return (down.sum() + right.sum()) / values.numel()


def pyramid(values: Tensor, levels: int = LEVELS) -> list[Tensor]:
    """What each level holds that the next coarser one does not, then the coarsest itself; (n, c, y, x) each."""
    parts = []
    for _ in range(levels - 1):
        coarse = _halved(values)
        parts.append(values - doubled(coarse))
        values = coarse
    return [*parts, values]


def pyramid_difference(painted: Tensor, images: Tensor) -> Tensor:
    """Mean absolute difference of each level, summed; sides are multiples of 4."""
    return torch.stack([part.abs().mean() for part in pyramid(painted - images)]).sum()  # a pyramid is linear


def perceptual(painted: list[Tensor], whole: list[Tensor], images: list[Tensor]) -> Tensor:
    """Mean absolute difference of features, of what was painted and of the composite, from the image's."""
    pairs = zip(painted, whole, images, strict=True)
    return torch.stack([l1_loss(one, true) + l1_loss(other, true) for one, other, true in pairs]).sum()


def style(painted: list[Tensor], whole: list[Tensor], images: list[Tensor]) -> Tensor:
    """As ``perceptual``, of the features' products with each other."""
    return perceptual(*([gram(level) for level in one] for one in (painted, whole, images)))


def gram(features: Tensor) -> Tensor:
    """(n, c, c) mean products of the features (n, c, y, x), and over the channels."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


class VggFeatures(nn.Module):
    """VGG16 up to its third pooling, fixed."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers.eval().requires_grad_(False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """With the weights of a file; see ``PublishedLoss.of``."""
        load_engine("torchvision", "safetensors")
        from torchvision.models import vgg16

        with torch.device("meta"):  # the classifier, which is not used, would fill 500 MB
            layers = vgg16(weights=None).features[: _POOLS[-1] + 1]
        wanted = layers.state_dict()
        found = {name.removeprefix("features."): tensor for name, tensor in read_tensors(path).items()}
        for name, tensor in wanted.items():
            if name not in found or found[name].shape != tensor.shape:
                shape = tuple(found[name].shape) if name in found else "none"
                raise WeightsMismatch(
                    f"{path.name}: tensor features.{name} is {shape}, expected {tuple(tensor.shape)}; "
                    "give VGG16 as torchvision names it"
                )
        layers.load_state_dict({name: found[name].float() for name in wanted}, assign=True)
        return cls(layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(n, 3, y, x), 0..1, to what the three poolings give."""
        mean, std = (images.new_tensor(values).view(1, 3, 1, 1) for values in _IMAGENET)
        values, pooled = (images - mean) / std, []
        for number, layer in enumerate(self.layers):
            values = layer(values)
            if number in _POOLS:
                pooled.append(values)
        return pooled


def _halved(values: Tensor) -> Tensor:
    return conv2d(_padded(values), _kernel(values, 16 * 16), stride=2, groups=values.shape[1])


def doubled(values: Tensor) -> Tensor:
    """(n, c, y, x) to (n, c, 2 y, 2 x), interpolated smoothly."""
    wide = conv_transpose2d(
        pad(values, [1] * 4, mode="replicate"), _kernel(values, 8 * 8), stride=2, groups=values.shape[1]
    )
    return wide[..., 4:-3, 4:-3]


def _padded(values: Tensor) -> Tensor:
    return pad(values, [2] * 4, mode="replicate")


def _kernel(values: Tensor, whole: float) -> Tensor:
    """(c, 1, 5, 5) the binomial kernel that sums to 256 / ``whole``."""
    row = values.new_tensor(_BINOMIAL)
    return (torch.outer(row, row) / whole).expand(values.shape[1], 1, 5, 5)
