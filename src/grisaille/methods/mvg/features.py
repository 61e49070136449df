"""Slices through the network, a batch at a time: patches of a level, or one vector a slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.imaging.resample import resample_array
from grisaille.imaging.slices import SliceStack

if TYPE_CHECKING:
    from torch import Tensor

    from grisaille.nn.backbone import Backbone

Maps = list[npt.NDArray[np.float32]]

BODY_SHARE = 0.5
"""A patch is judged where the body covers its centre at least this much."""


@dataclass(frozen=True)
class LevelPatches:
    """The places of one level's patches over a stack.

    ``grid`` has one voxel a patch, index axes (slice, row, column); ``body`` marks those judged.
    """

    grid: Grid
    body: npt.NDArray[np.bool_]

    def points_mm(self) -> npt.NDArray[np.float64]:
        """(n, 3) LPS places (z, y, x) of the judged patches, in C order."""
        return self.grid.to_mm(np.argwhere(self.body))


def patch_grid(grid: Grid, stride: int) -> Grid:
    """The centres of a level's patches over the canvases of ``grid``.

    Patch i of stride t answers to the middle of its own t pixels: t * i + (t - 1) / 2. Counting
    through TensorFlow's "same" padding puts the receptive field half a patch further on, but
    what the learned kernels answer to lies before its centre (measured with blobs).
    """
    slices, rows, columns = grid.shape
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.to_mm((0, (stride - 1) / 2, (stride - 1) / 2))
    affine[:3, 1:3] *= stride
    return Grid((slices, rows // stride, columns // stride), affine)


def patches_of(stack: SliceStack, stride: int) -> LevelPatches:
    """The patches of a level with ``stride`` pixels from one to the next."""
    grid = patch_grid(stack.grid, stride)
    body = resample_array(stack.body.astype(np.float32), stack.grid, grid) >= BODY_SHARE
    return LevelPatches(grid, body)


def strides(backbone: Backbone, levels: tuple[int, ...]) -> tuple[int, ...]:
    """Pixels from one patch to the next at each level."""
    import torch

    with torch.inference_mode():
        maps = backbone.features(torch.zeros(1, 3, 64, 64), levels)
    return tuple(64 // level.shape[-1] for level in maps)


def patch_features(
    stack: SliceStack, backbone: Backbone, levels: tuple[int, ...], *, batch: int, run: Run, what: str
) -> Iterator[Maps]:
    """For each batch of slices in turn, the (n, rows, columns, channels) maps of ``levels``."""

    def forward(images: Tensor) -> Maps:
        return [level.permute(0, 2, 3, 1).float().cpu().numpy() for level in backbone.features(images, levels)]

    yield from _batches(stack, forward, batch=batch, run=run, what=what)


def pooled_features(
    stack: SliceStack, backbone: Backbone, levels: tuple[int, ...], *, pixels: int, batch: int, run: Run, what: str
) -> Iterator[Maps]:
    """For each batch of slices in turn, the (n, 1, 1, channels) means of ``levels``.

    Slices are stretched to ``pixels`` x ``pixels`` without regard to their shape, linearly and
    without antialiasing, as published.
    """
    from torch.nn.functional import interpolate

    def forward(images: Tensor) -> Maps:
        square = interpolate(images, size=(pixels, pixels), mode="bilinear", align_corners=False)
        return [level[:, None, None, :].float().cpu().numpy() for level in backbone.pooled(square, levels)]

    yield from _batches(stack, forward, batch=batch, run=run, what=what)


def _batches(stack: SliceStack, forward: object, *, batch: int, run: Run, what: str) -> Iterator[Maps]:
    from grisaille.nn.device import in_batches, resolve_device
    from grisaille.nn.threads import threads

    with threads(run):
        yield from in_batches(
            _Images(stack), forward, batch=batch, run=run, what=what, device=resolve_device(run)  # type: ignore[arg-type]
        )  # fmt: skip


@dataclass(frozen=True)
class _Images:
    """A stack as a sized iterable of (3, rows, columns) tensors."""

    stack: SliceStack

    def __len__(self) -> int:
        return len(self.stack)

    def __iter__(self) -> Iterator[Tensor]:
        import torch

        for number in range(len(self.stack)):
            yield torch.from_numpy(self.stack.images(np.array([number]))[0])
