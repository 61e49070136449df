"""The published figures, and a plain version of the published pass."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from grisaille.core.errors import Cancelled
from grisaille.core.run import Run
from grisaille.methods.anomalyclip.text import Learned, text_features
from grisaille.methods.anomalyclip.tokens import image_scores, smooth_maps, token_scores
from grisaille.methods.anomalyclip.vision import Attention, Look, positions, see
from methods.anomalyclip.small_clip import picture, small_clip, small_prompts
from oracles import plain_anomalyclip as plain

GOLDEN = Path(__file__).parents[2] / "golden" / "anomalyclip_reference.npz"
CASES = {"a": ((12,), 7, 112), "b": ((3, 6, 9, 12), 7, 176), "c": ((3, 6, 9, 12), 12, 240)}
"""Taps, blocks with the second way, side: the table in the golden figures' description."""


@torch.inference_mode()
def _text() -> torch.Tensor:
    prompts = small_prompts()
    return text_features(small_clip(), Learned.of(prompts, torch.device("cpu")), prompts.words)


@torch.inference_mode()
@pytest.mark.parametrize("case", CASES)
def test_features_scores_and_maps_are_the_published_ones(case: str) -> None:
    taps, alone, side = CASES[case]
    with np.load(GOLDEN) as golden:
        wanted = {name.removeprefix(f"{case}."): golden[name] for name in golden if name.startswith(f"{case}.")}
    text = _text()
    seen = see(small_clip(), picture(case, side, side), Look(taps, alone))
    np.testing.assert_allclose(text.numpy(), wanted["text"], atol=1e-5)
    np.testing.assert_allclose(seen.image.numpy(), wanted["cls"], atol=1e-5)
    np.testing.assert_allclose(image_scores(seen, text, pooled=False).numpy(), wanted["score"], atol=1e-5)
    for number, tap in enumerate(taps):
        rows = seen.patches[number].flatten(1, 2)[0, ::7]
        np.testing.assert_allclose(rows.numpy(), wanted[f"patch_L{tap}"], atol=1e-5)
    maps = smooth_maps(token_scores(seen.patches, text).sum(dim=0), (side, side), 4.0)
    np.testing.assert_allclose(maps.numpy(), wanted["map"], atol=2e-5)


@torch.inference_mode()
@pytest.mark.parametrize(("attention", "kinds"), [(Attention.VALUES, "v"), (Attention.ALL, "qkv")])
def test_both_attentions_equal_the_plain_pass(attention: Attention, kinds: str) -> None:
    clip, side = small_clip(), 160
    parameters = clip.network.state_dict()
    one = picture("plain", side, side)
    feature, patches = plain.image(parameters, one[0], heads=4, taps=(5, 12), first=4, kinds=kinds)
    seen = see(clip, one, Look((5, 12), 9, attention))
    np.testing.assert_allclose(seen.image[0].numpy(), feature.numpy(), atol=1e-5)
    for number, tap in enumerate((5, 12)):
        np.testing.assert_allclose(seen.patches[number, 0].flatten(0, 1).numpy(), patches[tap][1:].numpy(), atol=1e-5)


@torch.inference_mode()
def test_the_text_equals_the_plain_pass() -> None:
    clip, prompts = small_clip(), small_prompts()
    ids = clip.tokens([f"{'X ' * 12}{words}" for words in prompts.words])
    deep = [torch.tensor(one) for one in prompts.deep]
    found = plain.text(clip.network.state_dict(), ids, torch.tensor(prompts.context), deep, heads=2)
    np.testing.assert_allclose(_text().numpy(), found.numpy(), atol=1e-5)


@torch.inference_mode()
def test_slices_together_are_as_slices_one_by_one() -> None:
    clip, look = small_clip(), Look((12,), 7)
    images = torch.cat([picture(f"batch{number}", 112, 144) for number in range(4)])
    together = see(clip, images, look)
    for number in range(4):
        alone = see(clip, images[number : number + 1], look)
        np.testing.assert_allclose(together.patches[:, number].numpy(), alone.patches[:, 0].numpy(), atol=1e-5)
        np.testing.assert_allclose(together.image[number].numpy(), alone.image[0].numpy(), atol=1e-5)


@torch.inference_mode()
def test_another_size_in_between_changes_not_a_bit() -> None:
    clip, look, one = small_clip(), Look((12,), 7), picture("again", 112, 112)
    before = see(clip, one, look)
    see(clip, picture("other", 80, 208), look)
    after = see(clip, one, look)
    assert torch.equal(before.patches, after.patches)
    assert torch.equal(before.image, after.image)


def test_a_picture_need_not_be_square() -> None:
    clip = small_clip()
    seen = see(clip, picture("wide", 80, 208), Look((12,), 7))
    assert seen.patches.shape == (1, 1, 5, 13, 96)
    visual = deepcopy(clip.network.visual)
    wide = positions(visual, 5, 13)[1:].unflatten(0, (5, 13))
    grid = visual.positional_embedding[1:].unflatten(0, (7, 7)).transpose(0, 1)
    visual.positional_embedding = torch.nn.Parameter(torch.cat([visual.positional_embedding[:1], grid.flatten(0, 1)]))
    tall = positions(visual, 13, 5)[1:].unflatten(0, (13, 5))
    torch.testing.assert_close(wide, tall.transpose(0, 1))


@pytest.mark.parametrize(("tokens", "side"), [(7, 98), (7, 101), (37, 518), (1, 16)])
def test_one_matrix_is_the_published_enlargement_and_blur(tokens: int, side: int) -> None:
    scores = torch.rand(2, tokens, tokens, generator=torch.Generator().manual_seed(side))
    chances = torch.stack([1 - scores, scores], dim=-1).flatten(1, 2)
    maps = smooth_maps(scores, (side, side), 4.0)
    for map_, both in zip(maps.numpy(), chances, strict=True):
        np.testing.assert_allclose(map_, plain.smoothed([both], side, 4.0), atol=2e-6)
    np.testing.assert_allclose(maps.sum(dim=0).numpy(), plain.smoothed(list(chances), side, 4.0), atol=4e-6)


def test_positions_may_be_given_for_each_picture() -> None:
    clip = small_clip()
    images, look = torch.cat([picture(name, 64, 96) for name in ("one", "two")]), Look((clip.blocks,), 2)
    plain_one = positions(clip.network.get_submodule("visual"), *(size // clip.patch for size in (64, 96)))
    usual = see(clip, images, look)
    same = see(clip, images, look, places=plain_one.expand(2, -1, -1))
    torch.testing.assert_close(same.patches, usual.patches)
    other = see(clip, images, look, places=torch.stack([plain_one, plain_one.flip(0)]))
    torch.testing.assert_close(other.patches[:, 0], usual.patches[:, 0])
    assert (other.patches[:, 1] - usual.patches[:, 1]).abs().max() > 0.01


def test_the_map_of_one_hot_token_lies_where_the_token_is() -> None:
    scores = torch.zeros(1, 5, 9)
    scores[0, 1, 6] = 1
    maps = smooth_maps(scores, (80, 144), 4.0)[0]
    there = np.unravel_index(int(maps.argmax()), maps.shape)
    assert np.abs(np.array(there) - (1.5 * 16 - 0.5, 6.5 * 16 - 0.5)).max() <= 1


@torch.inference_mode()
def test_it_stops_between_two_blocks_of_the_network() -> None:
    asked: list[None] = []
    run = Run(is_cancelled=lambda: len(asked) > 4 or asked.append(None) is not None)
    with pytest.raises(Cancelled):
        see(small_clip(), picture("stopped", 80, 80), Look((12,), 7), run)
    assert len(asked) == 5
