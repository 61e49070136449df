"""The small CLIP: it learns, goes on after a kill, and its file gives back the network and only the words it knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")

import torch

from grisaille.core.errors import Cancelled, WeightsMismatch
from grisaille.core.run import Run
from grisaille.methods.anomalyclip.clip import load_clip
from grisaille.methods.anomalyclip.config import ClipName
from grisaille.methods.anomalyclip.demo.pictures import Pages, made
from grisaille.methods.anomalyclip.demo.teaching import ALONE
from grisaille.methods.anomalyclip.demo.training import Plan, Taught, teach
from grisaille.methods.anomalyclip.prompts import Prompts
from grisaille.methods.anomalyclip.text import Learned, text_features
from grisaille.methods.anomalyclip.vision import Look, see
from grisaille.phantom import Scan, Station
from grisaille.weights.bundle import write_bundle

pytestmark = pytest.mark.ai

COARSE = Scan(Station.CHEST, ct_spacing_mm=8.0, pet_spacing_mm=10.0)
RUN = Run(device="cpu", threads=1, seed=3)
PLAN = Plan(steps=24, tokens=400, warm_up=2, cooling=0.4)


@dataclass(frozen=True)
class File:
    path: Path
    name: str = "clip-demo"


@pytest.fixture(scope="module")
def library() -> list[Pages]:
    return [made(seed, 0, COARSE) for seed in (1, 2)]


@pytest.fixture(scope="module")
def taught(library: list[Pages]) -> Taught:
    return teach(library, PLAN, RUN)


def test_its_loss_falls(taught: Taught) -> None:
    assert np.mean(taught.losses[-8:]) < 0.9 * np.mean(taught.losses[:8])


def test_a_training_that_was_broken_off_before_it_cooled_ends_where_a_whole_one_does(
    library: list[Pages], taught: Taught, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grisaille.methods.anomalyclip.demo.training.STRETCH", 5)
    asked = iter(range(100))
    stopped = Run(device="cpu", threads=1, seed=3, is_cancelled=lambda: next(asked) > 7)
    with pytest.raises(Cancelled):
        teach(library, replace(PLAN, steps=40), stopped, checkpoint=tmp_path / "teaching.ckpt")
    again = teach(library, PLAN, RUN, checkpoint=tmp_path / "teaching.ckpt")
    assert again.clip.fingerprint == taught.clip.fingerprint
    assert again.losses == taught.losses
    anew = teach(library, replace(PLAN, steps=1), RUN, checkpoint=tmp_path / "teaching.ckpt")
    assert anew.losses == taught.losses[:1]


def test_its_file_gives_back_the_same_network_to_half_precision(taught: Taught, tmp_path: Path) -> None:
    write_bundle(taught.bundle(), tmp_path / "one.safetensors")
    write_bundle(taught.bundle(), tmp_path / "two.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    one, two = (load_clip(ClipName.DEMO, File(tmp_path / f"{which}.safetensors")) for which in ("one", "two"))
    assert one.fingerprint == two.fingerprint
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    look = Look((one.blocks,), ALONE)
    kept, before = (see(clip, images, look).patches for clip in (one, taught.clip))
    np.testing.assert_allclose(kept, before, atol=5e-3)


def test_it_reads_the_words_of_the_prompts_and_refuses_those_it_never_saw(taught: Taught, tmp_path: Path) -> None:
    write_bundle(taught.bundle(), tmp_path / "clip.safetensors")
    clip = load_clip(ClipName.DEMO, File(tmp_path / "clip.safetensors"))
    prompts = Prompts(np.zeros((2, 12, 128), np.float32), np.zeros((3, 4, 128), np.float32), clip.token(49406))
    prompts.require_fits(clip)
    features = text_features(clip, Learned.of(prompts, torch.device("cpu")), prompts.words)
    assert features.shape == (2, clip.features)
    with pytest.raises(WeightsMismatch, match="never saw the words bottle"):
        clip.tokens(["damaged bottle."])
