"""On real lite0 features of phantom slices: scikit-learn's distances, the canary, bounded memory."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import psutil
import pytest
import torch

from grisaille.core.errors import WeightsMismatch
from grisaille.core.run import Precision, Run
from grisaille.core.volume import Modality
from grisaille.flows.load import find_weights
from grisaille.methods.mvg.canary import canary, require_same
from grisaille.methods.mvg.config import MvgConfig, Preset
from grisaille.methods.mvg.features import pooled_features
from grisaille.methods.mvg.gaussian import Gaussian, Moments, ledoit_wolf
from grisaille.methods.mvg.recipe import Recipe
from grisaille.nn.backbone import LEVELS, Backbone, load_backbone
from oracles import sklearn_gaussian
from phantoms import small_case

RUN = Run(device="cpu", threads=1)
CONFIG = MvgConfig(preset=Preset.RIPPEL2020, input_size=96)


@cache
def lite0() -> Backbone:
    return load_backbone("efficientnet-lite0", find_weights("mvg", CONFIG)["efficientnet-lite0"])


@cache
def slices() -> list[np.ndarray]:
    """(n, channels) pooled features of each of the nine levels, of several chests."""
    parts = []
    for seed in range(6):
        volume = small_case(seed).load().ct
        stack = Recipe(CONFIG).stack(volume, volume.voxels > -400)
        parts += list(pooled_features(stack, lite0(), LEVELS, pixels=96, batch=8, run=RUN, what="slices"))
    return [np.concatenate([maps[level].reshape(len(maps[level]), -1) for maps in parts]) for level in LEVELS]


@pytest.mark.parametrize("level", LEVELS)
def test_distances_of_real_features_equal_scikit_learns_at_each_level(level: int) -> None:
    rows = slices()[level]
    train, test = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    moments = Moments.zero(rows.shape[1])
    for chunk in np.array_split(train, 5):
        moments = moments + Moments.of(chunk)
    ours = Gaussian.of(moments.mean, ledoit_wolf(moments)).distances(test)
    np.testing.assert_allclose(ours, sklearn_gaussian.distances(train, test), rtol=1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_sites_merge_and_patients_leave_at_each_level(level: int) -> None:
    rows = slices()[level]
    a, b = np.array_split(rows, 2)
    merged, whole = Moments.of(a) + Moments.of(b), Moments.of(rows)
    removed, alone = whole - Moments.of(b), Moments.of(a)
    for found, wanted in ((merged, whole), (removed, alone)):
        one, other = (Gaussian.of(moments.mean, ledoit_wolf(moments)).distances(b) for moments in (found, wanted))
        np.testing.assert_allclose(one, other, rtol=1e-9)


def sung(config: MvgConfig, backbone: Backbone, run: Run = RUN) -> np.ndarray:
    return canary(Recipe(config), backbone, Modality.CT, run)


def test_the_canary_passes_where_only_batch_and_threads_differ() -> None:
    stored = sung(MvgConfig(), lite0())
    require_same(sung(MvgConfig(batch=3), lite0(), replace(RUN, threads=2)), stored, "CT")


def _blue_first(backbone: Backbone) -> Backbone:
    network = _copy(backbone)
    weight = network.get_submodule("conv_stem").weight
    weight.data = weight.data.flip(1)
    return replace(backbone, network=network)


def _one_weight_off(backbone: Backbone) -> Backbone:
    network = _copy(backbone)
    network.get_submodule("conv_stem").weight.data[0, 0, 1, 1] += 0.01
    return replace(backbone, network=network)


def _copy(backbone: Backbone) -> torch.nn.Module:
    from copy import deepcopy

    return deepcopy(backbone.network)


IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
THREE = (-1100.0, -300.0, -160.0, 240.0, 0.0, 700.0)


@pytest.mark.parametrize(
    ("config", "change", "run"),
    [
        (MvgConfig(ct_windows=THREE), _blue_first, RUN),
        (MvgConfig(), _one_weight_off, RUN),
        (MvgConfig(ct_windows=(-150.0, 250.0)), lambda one: one, RUN),
        (MvgConfig(), lambda one: replace(one, mean=IMAGENET[0], std=IMAGENET[1]), RUN),
        (MvgConfig(), lambda one: one, replace(RUN, precision=Precision.BFLOAT16)),
        (MvgConfig(levels=(4,)), lambda one: one, RUN),
    ],
    ids=["blue first", "one weight off", "another window", "another normalisation", "bfloat16", "other levels"],
)
def test_the_canary_refuses_what_would_move_scores(config: MvgConfig, change, run: Run) -> None:
    fitted_with = MvgConfig(ct_windows=THREE) if config.ct_windows == THREE else MvgConfig()
    stored = sung(fitted_with, lite0())
    with pytest.raises(WeightsMismatch, match="fitted on"):
        require_same(sung(config, change(lite0()), run), stored, "CT")


def test_memory_does_not_grow_with_the_slices() -> None:
    rng, process = np.random.default_rng(0), psutil.Process()
    dimensions = (32, 16, 24, 40, 80, 112, 192, 320, 1280)
    sums = [Moments.zero(size) for size in dimensions]

    def absorb(slices: int) -> int:
        for _ in range(slices // 250):
            for level, size in enumerate(dimensions):
                sums[level] = sums[level] + Moments.of(rng.standard_normal((250, size), dtype=np.float32))
        return process.memory_info().rss

    first, last = absorb(1000), absorb(4000)
    assert last - first < 50e6
