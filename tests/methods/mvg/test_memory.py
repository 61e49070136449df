"""A whole fit, only the network replaced, takes no more memory for many slices than for few."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.methods.mvg.config import MvgConfig, Preset
from grisaille.methods.mvg.method import MVG
from grisaille.nn.backbone import LEVELS, Backbone, BackboneName

CASE_SLICES = 500
CHANNELS = (640, 1280, 64)
"""So many that the rows themselves, if they were kept, would break the limit."""

STRIDES = (2, 4, 8)


@dataclass(frozen=True, eq=False)
class Noise(Backbone):
    """Three levels of noise about the picture's brightness, as fast as noise can be made."""

    def features(self, images: torch.Tensor, levels: Sequence[int] = LEVELS) -> list[torch.Tensor]:
        return [self._level(images, CHANNELS[level], STRIDES[level]) for level in levels]

    def _level(self, images: torch.Tensor, channels: int, stride: int) -> torch.Tensor:
        means = torch.nn.functional.avg_pool2d(images, stride).mean(dim=1, keepdim=True)
        return means + torch.randn(len(images), channels, *means.shape[-2:])


def cylinder(number: int) -> Study:
    """An elliptic body of 18 x 24 cm and two metres, coarse."""
    random = np.random.default_rng(number)
    z, y, x = np.ogrid[:CASE_SLICES, :14, :18]
    inside = ((y - 6.5) / 5) ** 2 + ((x - 8.5) / 6.5) ** 2 < 1 + 0.2 * np.sin(z / 15)
    voxels = np.where(inside, random.normal(40, 20, inside.shape), -1000).astype(np.float32)
    volume = Volume(voxels, Grid.from_spacing(voxels.shape, (4.0, 18.0, 18.0)), Modality.CT, Unit.HU, "cylinder")
    return Study.of(volume, patient=str(number))


def peak_of_fit(config: MvgConfig, slices: int) -> int:
    """Most bytes held at a time."""
    backbone = Noise(BackboneName.LITE0, torch.nn.Identity(), (0.5,) * 3, (0.5,) * 3, CHANNELS, "")
    cases = [Case(lambda number=number: cylinder(number), str(number)) for number in range(slices // CASE_SLICES)]
    tracemalloc.start()
    try:
        MVG(config, backbone).fit(cases, Run(device="cpu", threads=1))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


POOLED = MvgConfig(preset=Preset.RIPPEL2020, levels=(0, 1), input_size=8, batch=64, folds=2)
PATCHES = MvgConfig(preset=Preset.VOLUME, levels=(2,), spacing_mm=4.0, batch=64, folds=2)

FEW, BYTES_A_SLICE = 1_000, 5_000
"""A pooled row alone is 1,920 numbers of 4 bytes."""


@pytest.mark.parametrize(("config", "slices"), [(POOLED, 10_000), (PATCHES, 4_000)], ids=["rippel2020", "volume"])
def test_memory_of_a_fit_does_not_grow_with_the_slices(config: MvgConfig, slices: int) -> None:
    assert peak_of_fit(config, slices) - peak_of_fit(config, FEW) < BYTES_A_SLICE * (slices - FEW)
