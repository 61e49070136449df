"""The pipeline of Rippel, Mertens and Merhof 2020 (arXiv 2005.14140) written plainly.

One image at a time: window, resize, normalise, nine pooled levels by hooks on the network;
scikit-learn's Ledoit-Wolf on float32 rows; SciPy's Mahalanobis distance in a loop. Written
from the paper, it shares nothing with grisaille but the network's weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

Row = list[np.ndarray]


class PlainRippel2020:
    """Fit on images, then distances of images.

    Parameters
    ----------
    network
        A timm EfficientNet in eval mode.
    size
        Side in pixels of the square that images are stretched to.
    mean, std
        By colour channel, of values 0 to 1.
    window
        Low and high value of an image, becoming 0 and 255.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
        window: tuple[float, float],
    ) -> None:
        self.network, self.size, self.window = network, size, window
        self.mean, self.std = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))
        self.means: Row = []
        self.precisions: Row = []

    def fit(self, images: Iterable[np.ndarray]) -> PlainRippel2020:
        """From healthy (y, x) images."""
        return self.fit_rows([self.features(image) for image in images])

    def fit_rows(self, rows: Sequence[Row]) -> PlainRippel2020:
        """From healthy features, nine vectors an image."""
        levels = [np.stack(level).astype(np.float32) for level in zip(*rows, strict=True)]
        self.means = [level.mean(axis=0) for level in levels]
        self.precisions = [LedoitWolf().fit(level).precision_.astype(np.float32) for level in levels]
        return self

    def distances(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """(n, 9); their mean over the levels is an image's score."""
        return self.row_distances([self.features(image) for image in images])

    def row_distances(self, rows: Sequence[Row]) -> np.ndarray:
        """(n, 9) of features."""
        return np.array(
            [[mahalanobis(*parts) for parts in zip(row, self.means, self.precisions, strict=True)] for row in rows]
        )

    def features(self, image: np.ndarray) -> Row:
        """Nine vectors: the mean over y and x of each level's map of a (y, x) image."""
        low, high = self.window
        grey = np.round(np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8)
        colour = torch.from_numpy(np.repeat(grey[None, None], 3, axis=1)).float() / 255
        square = torch.nn.functional.interpolate(colour, size=(self.size, self.size), mode="bilinear")
        taps = [self.network.bn1, *self.network.blocks, self.network.bn2]
        found: list[torch.Tensor] = []
        hooks = [tap.register_forward_hook(lambda _, __, maps: found.append(maps.mean(dim=(2, 3)))) for tap in taps]
        try:
            with torch.no_grad():
                self.network.forward_features((square - self.mean) / self.std)
        finally:
            for hook in hooks:
                hook.remove()
        return [level[0].numpy() for level in found]
