"""Prompts: read from others' files, kept in ours, and refused for any backbone but their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch

from grisaille.core.errors import DamagedWeights, WeightsMismatch
from grisaille.methods.anomalyclip.clip import Clip, create_clip
from grisaille.methods.anomalyclip.config import AnomalyClipConfig, ClipName, Preset
from grisaille.methods.anomalyclip.prompts import START, Prompts, decoded, published_preset, read_published
from grisaille.methods.anomalyclip.state import State
from grisaille.nn.backbone import read_content
from grisaille.weights.bundle import read_bundle, write_bundle
from methods.anomalyclip.small_clip import SETTINGS, small_clip, small_prompts
from methods.anomalyclip.weights_files import Bomb, checkpoint

pytestmark = pytest.mark.ai


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A checkpoint of AnomalyCLIP's."""
    torch.save(checkpoint(torch.tensor(small_clip().token(START)), deep=8), tmp_path / "epoch_15.pth")
    return tmp_path / "epoch_15.pth"


def test_a_published_file_gives_what_is_used_of_it(published: Path) -> None:
    learner = torch.load(published, weights_only=True)["prompt_learner"]
    prompts = read_published(published)
    np.testing.assert_array_equal(prompts.context[0], learner["ctx_pos"][0, 0].numpy())
    np.testing.assert_array_equal(prompts.context[1], learner["ctx_neg"][0, 0].numpy())
    np.testing.assert_array_equal(prompts.deep[7], learner["compound_prompts_text.7"].numpy())
    np.testing.assert_array_equal(prompts.start, small_clip().token(START))
    assert prompts.words == ("object.", "damaged object.")
    prompts.require_fits(small_clip())


def test_whose_layout_it_is_shows_in_the_projections_that_nothing_uses(published: Path) -> None:
    assert published_preset(read_content(published)) is Preset.ANOMALYCLIP
    assert published_preset(checkpoint(torch.zeros(8), projections=False)) is Preset.CRANE


def test_our_file_gives_the_same_prompts_and_none_of_the_projections(published: Path, tmp_path: Path) -> None:
    prompts = read_published(published)
    state = State(AnomalyClipConfig(preset=Preset.CRANE), prompts, learned_from="a test")
    write_bundle(state.bundle(), tmp_path / "ours.safetensors")
    again = State.of(read_bundle(tmp_path / "ours.safetensors"))
    for name, array in prompts.arrays().items():
        np.testing.assert_array_equal(again.prompts.arrays()[name], array)
    assert (again.prompts.words, again.config, again.learned_from) == (prompts.words, state.config, "a test")
    assert (tmp_path / "ours.safetensors").stat().st_size < published.stat().st_size / 20


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_damaged(published: Path, share: float) -> None:
    whole = published.read_bytes()
    published.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DamagedWeights, match=r"epoch_15\.pth cannot be read as tensors"):
        read_published(published)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ctx_neg", torch.zeros(1, 1, 7, 128)),
        ("ctx_pos", torch.zeros(1, 1, 12, 128)),
        ("ctx_pos", "text"),
        ("token_prefix_pos", torch.zeros(0)),
        ("compound_prompts_text.3", None),
        ("compound_prompts_text.3", torch.zeros(4, 96)),
        ("tokenized_prompts_neg", None),
        ("tokenized_prompts_neg", torch.tensor([49000.5])),
    ],
)
def test_parts_that_are_missing_or_of_another_size_are_said(published: Path, key: str, value: object) -> None:
    content = torch.load(published, weights_only=True)
    content["prompt_learner"][key] = value
    if value is None:
        del content["prompt_learner"][key]
    if key == "ctx_pos" and isinstance(value, torch.Tensor):
        content["prompt_learner"]["ctx_neg"] = torch.zeros(1, 1, 12, 96)
    torch.save(content, published)
    with pytest.raises(
        DamagedWeights, match=r"epoch_15\.pth is like the prompts .* parts are missing or of another size"
    ):
        read_published(published)


def test_prompts_that_are_not_finite_or_without_words_are_refused(published: Path) -> None:
    content = torch.load(published, weights_only=True)
    content["prompt_learner"]["ctx_pos"][0, 0, 0, 0] = float("nan")
    torch.save(content, published)
    with pytest.raises(DamagedWeights, match="not finite"):
        read_published(published)
    content["prompt_learner"]["ctx_pos"][0, 0, 0, 0] = 0
    content["prompt_learner"]["tokenized_prompts_pos"] = open_clip.tokenizer.tokenize(["X " * 12])
    torch.save(content, published)
    with pytest.raises(WeightsMismatch, match="without words"):
        read_published(published)


def test_another_file_is_told_apart_and_code_is_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.pth")
    with pytest.raises(WeightsMismatch, match=r"other\.pth holds no prompts of AnomalyCLIP or Crane"):
        read_published(tmp_path / "other.pth")
    torch.save({"prompt_learner": Bomb(f"touch {tmp_path / 'run'}")}, tmp_path / "bomb.pth")
    with pytest.raises(DamagedWeights, match="code in a file is never run"):
        read_published(tmp_path / "bomb.pth")
    assert not (tmp_path / "run").exists()


# --- the backbone that they were learned with, and no other


def test_prompts_of_another_width_are_refused_with_both_widths() -> None:
    narrow = Prompts(np.zeros((2, 12, 96)), np.zeros((8, 4, 96)), np.zeros(96))
    with pytest.raises(
        WeightsMismatch, match="prompts are 96 wide, but the texts of clip-demo are 128; give the backbone"
    ):
        narrow.require_fits(small_clip())


def test_prompts_deeper_than_the_text_encoder_are_refused() -> None:
    deep = replace(small_prompts(), deep=np.zeros((12, 4, 128), np.float32))
    with pytest.raises(WeightsMismatch, match="go into 12 text blocks after the first, but clip-demo has 12 in all"):
        deep.require_fits(small_clip())


def test_prompts_of_other_weights_are_told_by_how_a_text_begins() -> None:
    other = replace(small_prompts(), start=small_clip().token(START) * 1.01)
    with pytest.raises(WeightsMismatch, match="learned with other weights than those of clip-demo"):
        other.require_fits(small_clip())
    replace(small_prompts(), start=small_clip().token(START).astype(np.float16)).require_fits(small_clip())


def test_words_alone_fit_every_backbone() -> None:
    Prompts.untuned(128).require_fits(small_clip())


def test_a_network_with_gelu_is_refused_though_every_tensor_fits() -> None:
    network = create_clip({**SETTINGS, "quick_gelu": False}, 0)
    network.load_state_dict(small_clip().network.state_dict())
    with pytest.raises(WeightsMismatch, match=r"clip-vit-b-16 has the activation GELU, but .* QuickGELU.*-quickgelu"):
        Clip.of(network, ClipName.VIT_B16)


@pytest.mark.real_data
def test_real_prompts_keep_their_words_and_shrink_to_what_is_used(real_data: Path, tmp_path: Path) -> None:
    file = real_data / "prompts" / "object_agnostic_epoch_5.pth"
    prompts = read_published(file)
    assert (prompts.context.shape, prompts.deep.shape, prompts.start.shape) == ((2, 12, 768), (8, 4, 768), (768,))
    assert 0.02 < prompts.context.std() < 0.05
    ids = torch.load(file, map_location="cpu", weights_only=True)["prompt_learner"]
    assert decoded(ids["tokenized_prompts_pos"].flatten().tolist()) == f"{'x ' * 12}object."
    assert decoded(ids["tokenized_prompts_neg"].flatten().tolist()) == f"{'x ' * 12}damaged object."
    assert prompts.words == ("object.", "damaged object.")
    write_bundle(State(AnomalyClipConfig(), prompts).bundle(), tmp_path / "ours.safetensors")
    assert 172_032 < (tmp_path / "ours.safetensors").stat().st_size < 180_000
