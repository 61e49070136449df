"""The losses beside plain ones, and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from grisaille.methods.anomalyclip.losses import dice, focal, picture_loss
from grisaille.methods.anomalyclip.text import Learned, text_features
from methods.anomalyclip.small_clip import small_clip, small_prompts
from oracles import plain_anomalyclip, plain_anomalyclip_losses

MASKS = {
    "part": torch.eye(6, 5, dtype=torch.bool),
    "empty": torch.zeros(6, 5, dtype=torch.bool),
    "full": torch.ones(6, 5, dtype=torch.bool),
}


def random_map(sharp: bool = False) -> torch.Tensor:
    values = torch.rand(1, 6, 5, generator=torch.Generator().manual_seed(3))
    return (values > 0.5).float() if sharp else values


@pytest.mark.parametrize("sharp", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_focal_equals_the_plain_one_on_both_channels(mask: str, sharp: bool) -> None:
    abnormal = random_map(sharp)
    wanted = plain_anomalyclip_losses.focal(torch.stack([1 - abnormal, abnormal], dim=1), MASKS[mask][None].float())
    assert float(focal(abnormal, MASKS[mask])) == pytest.approx(float(wanted), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("sharp", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_dice_equals_the_plain_one(mask: str, sharp: bool) -> None:
    abnormal = random_map(sharp)
    wanted = plain_anomalyclip_losses.dice(abnormal, MASKS[mask][None].float())
    assert float(dice(abnormal, MASKS[mask])) == pytest.approx(float(wanted), rel=1e-5, abs=1e-7)


def test_the_losses_by_hand() -> None:
    one = torch.tensor([[[0.8, 0.4]]])
    mask = torch.tensor([[True, False]])
    right = [0.8 * (1 - 2e-5) + 2e-5, 0.6 * (1 - 2e-5) + 2e-5]
    assert float(focal(one, mask)) == pytest.approx(-sum((1 - p) ** 2 * math.log(p) for p in right) / 2)
    assert float(dice(one, mask)) == pytest.approx(1 - (2 * 0.8 + 1) / (1.2 + 1 + 1))


def test_a_perfect_map_costs_nothing_and_the_opposite_is_finite() -> None:
    mask = MASKS["part"]
    assert float(focal(mask[None].float(), mask)) == pytest.approx(0, abs=1e-9)
    assert float(dice(mask[None].float(), mask)) == pytest.approx(0, abs=1e-6)
    assert float(focal((~mask)[None].float(), mask)) == pytest.approx(-((1 - 2e-5) ** 2) * math.log(2e-5), rel=1e-4)


@pytest.mark.parametrize("taps", [1, 2])
def test_loss_and_gradients_are_those_of_the_published_step(taps: int) -> None:
    clip, prompts = small_clip(), small_prompts()
    random = torch.Generator().manual_seed(taps)
    images = normalize(torch.randn(3, 96, generator=random), dim=-1)
    patches = normalize(torch.randn(taps, 3, 4, 3, 96, generator=random), dim=-1)
    masks = torch.zeros(3, 40, 36, dtype=torch.bool)
    masks[1, 5:20, 10:30], masks[2] = True, True

    context, *deep = (torch.tensor(one, requires_grad=True) for one in (prompts.context, *prompts.deep))
    ids = clip.tokens([f"{'X ' * 12}{words}" for words in prompts.words])
    text = plain_anomalyclip.text(clip.network.state_dict(), ids, context, deep, heads=2)
    wanted = plain_anomalyclip_losses.whole(images, patches, masks.float(), text)
    wanted.backward()

    learned = Learned.of(prompts, torch.device("cpu"))
    learned.context.requires_grad_()
    learned.deep.requires_grad_()
    ours = text_features(clip, learned, prompts.words)
    parts = [picture_loss(images[n], patches[:, n], masks[n], ours) for n in range(3)]
    loss = torch.stack(parts).mean()
    loss.backward()

    assert float(loss.detach()) == pytest.approx(float(wanted.detach()), rel=1e-5)
    assert relative(learned.context.grad, context.grad) < 1e-4
    assert relative(learned.deep.grad, torch.stack([one.grad for one in deep])) < 1e-3


def relative(found: torch.Tensor | None, wanted: torch.Tensor | None) -> float:
    """Largest difference by the largest value."""
    assert found is not None
    assert wanted is not None
    assert wanted.abs().max() > 0
    return float((found - wanted).abs().max() / wanted.abs().max())
