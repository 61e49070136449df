"""The canary sings once for what it rests on, is heard at every score, and goes with its network."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from grisaille.core.errors import WeightsMismatch
from grisaille.core.run import Precision, Run
from grisaille.core.volume import Modality
from grisaille.methods.mvg import canary as module
from grisaille.methods.mvg.canary import canary
from grisaille.methods.mvg.config import MvgConfig
from grisaille.methods.mvg.method import MVG
from grisaille.methods.mvg.recipe import Recipe
from grisaille.nn.backbone import Backbone, random_backbone
from phantoms import small_case

pytestmark = pytest.mark.ai

RUN = Run(device="cpu", threads=1)
RECIPE = Recipe(MvgConfig())


@pytest.fixture
def backbone() -> Backbone:
    return random_backbone("efficientnet-lite0", 0)


@pytest.fixture
def songs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time that the picture goes through a network."""
    sung: list[str] = []
    features = Recipe.features

    def counted(recipe: Recipe, stack, backbone: Backbone, *, run: Run, what: str):
        sung.append(what)
        return features(recipe, stack, backbone, run=run, what=what)

    monkeypatch.setattr(Recipe, "features", counted)
    return sung


def test_one_network_and_recipe_sing_once_whoever_asks(backbone: Backbone, songs: list[str]) -> None:
    first = canary(RECIPE, backbone, Modality.CT, RUN)
    again = canary(Recipe(MvgConfig()), backbone, Modality.CT, replace(RUN, threads=2, seed=5))
    assert len(songs) == 1
    np.testing.assert_array_equal(again, first)
    with pytest.raises(ValueError, match="read-only"):
        again[0] = 0.0


def test_whatever_could_change_the_song_is_sung_anew(backbone: Backbone, songs: list[str]) -> None:
    first = canary(RECIPE, backbone, Modality.CT, RUN)
    others = [
        canary(RECIPE, backbone, Modality.PET, RUN),
        canary(Recipe(MvgConfig(ct_windows=(-150.0, 250.0))), backbone, Modality.CT, RUN),
        canary(RECIPE, replace(backbone, mean=(0.4, 0.4, 0.4)), Modality.CT, RUN),
        canary(RECIPE, backbone, Modality.CT, replace(RUN, precision=Precision.BFLOAT16)),
    ]
    assert len(songs) == 5
    assert not any(np.array_equal(other, first) for other in others)
    canary(RECIPE, backbone, Modality.CT, replace(RUN, device="auto"))
    assert len(songs) == 6


def test_a_mismatch_is_refused_at_every_score(backbone: Backbone, songs: list[str]) -> None:
    stored = canary(RECIPE, backbone, Modality.CT, RUN) * (1 + 1e-4)
    method = MVG(RECIPE.config, backbone, models={"ct": None}, canaries={"ct": stored})  # refused before it is asked
    for _ in range(3):
        with pytest.raises(WeightsMismatch, match="fitted on"):
            method.score(small_case(0).load(), RUN)
    assert len(songs) == 1


def test_what_was_sung_goes_with_its_network(backbone: Backbone) -> None:
    gone = replace(backbone)
    canary(RECIPE, gone, Modality.CT, RUN)
    assert gone in module._sung
    kept, ghost = len(module._sung), weakref.ref(gone)
    del gone
    gc.collect()
    assert ghost() is None
    assert len(module._sung) == kept - 1
