"""The network sees nothing of what is hidden, neither directly nor in the mirror."""

from dataclasses import replace

import numpy as np
import pytest

from grisaille.core.errors import DamagedWeights, WeightsMismatch
from grisaille.methods.autopaint.config import AutoPaintConfig

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from grisaille.methods.autopaint.inpainter import (  # noqa: E402
    _folded,
    _heights,
    _places,
    _unfolded,
    arrays,
    build,
    laplace_loss,
    load,
)

pytestmark = pytest.mark.ai
TINY = AutoPaintConfig(width=4, slab=16)
SHAPE = (16, 16, 32)


CUBE, SQUARE = (2, 2, 2), (1, 2, 2)


@pytest.fixture(scope="module")
def net():
    return build(TINY, seed=1).eval()


def scene(n=1):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(n, 3, *SHAPE, generator=generator)
    hole = torch.rand(n, 2, *SHAPE, generator=generator) > 0.5
    body = torch.ones(n, 1, *SHAPE, dtype=torch.bool)
    return images, hole, body


def test_nothing_of_what_is_hidden_reaches_the_result(net):
    images, hole, body = scene()
    other = torch.where(hole[:, [0, 1, 1]], torch.rand_like(images) * 9, images)
    for one, two in zip(net(images, hole, body), net(other, hole, body), strict=True):
        assert torch.equal(one, two)


def test_what_is_shown_does_reach_the_result_and_so_does_the_other_side(net):
    images, hole, body = scene()
    hole[:] = False
    hole[..., :16] = True  # all of one side
    other = images.clone()
    other[0, 0, 8, 8, 30] += 1.0
    there = (net(images, hole, body)[0] - net(other, hole, body)[0]).abs()[0, 0, 8, 8]
    assert there[30] > 0
    assert there[1] > 0  # its mirror image, beyond 13 voxels of holes


def test_means_and_scales_have_the_shape_of_the_images_and_scales_are_bounded(net):
    mean, log_scale = net(*(1000 * scene(2)[0], *scene(2)[1:]))
    assert mean.shape == log_scale.shape == (2, 3, *SHAPE)
    assert log_scale.min() >= -5
    assert log_scale.max() <= 2


@pytest.mark.parametrize("block", [CUBE, SQUARE])
def test_folding_loses_nothing_and_keeps_neighbours_together(block):
    values = torch.arange(2 * 3 * 4 * 6 * 8.0).reshape(2, 3, 4, 6, 8)
    folded = _folded(values, block)
    assert torch.equal(_unfolded(folded, block), values)
    stacked = folded[0, : 4 * block[0], 0, 0, 0]
    assert set(stacked.tolist()) == set(values[0, 0, : block[0], :2, :2].flatten().tolist())


def test_the_same_seed_builds_the_same_network_and_leaves_the_global_one_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, other = build(TINY, seed=7), build(TINY, seed=7)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), build(TINY).parameters(), strict=True))


def test_weights_go_out_and_come_back_exactly_and_in_half_nearly(net):
    scenes = scene()
    exact, rough = load(TINY, arrays(net)), load(TINY, arrays(net, half=True))
    assert torch.equal(exact(*scenes)[0], net(*scenes)[0])
    assert torch.allclose(rough(*scenes)[0], net(*scenes)[0], atol=0.05)
    assert {array.dtype for array in arrays(net, half=True).values()} == {np.dtype(np.float16)}


def test_weights_are_kept_once_and_taken_up_from_older_files_that_hold_them_under_two_names(net):
    once = arrays(net)
    twice = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    assert sum(array.size for array in once.values()) == sum(one.numel() for one in net.parameters())
    assert len(twice) > len(once)
    assert all(torch.equal(a, b) for a, b in zip(load(TINY, twice).parameters(), net.parameters(), strict=True))


@pytest.mark.parametrize(
    "setting", [{"width": 8}, {"mirrored": False}, {"placed": False}, {"axial": True}, {"flat": True}]
)
def test_weights_of_another_network_are_refused_with_a_sentence(net, setting):
    with pytest.raises(WeightsMismatch, match=r"expected .*other settings of the network"):
        load(replace(TINY, **setting), arrays(net))


def test_weights_that_are_not_numbers_are_refused(net):
    weights = arrays(net)
    next(iter(weights.values()))[:] = np.nan
    with pytest.raises(DamagedWeights, match="not finite"):
        load(TINY, weights)


def test_the_loss_is_the_error_squared_and_absolute_and_the_laplace_likelihood_of_the_scale():
    images, hole, body = scene()
    mean, log_scale = torch.zeros_like(images), torch.full_like(images, 0.5)
    everywhere, present = torch.ones_like(hole), torch.tensor([[True, True]])
    off = images.double().numpy()
    expected = (4 * off**2 + off + 0.3 * (off / np.exp(0.5) + 0.5)).mean()
    assert laplace_loss(mean, log_scale, images, everywhere, body, present).item() == pytest.approx(expected, rel=1e-5)
    shown = laplace_loss(mean, log_scale, images, ~everywhere, body, present).item()
    assert shown == pytest.approx(0.05 * expected, rel=1e-5)


def test_the_scale_is_fitted_to_the_errors_and_the_mean_does_not_see_it():
    images, hole, body = scene()
    everywhere, present = torch.ones_like(hole), torch.tensor([[True, True]])

    def slopes(log_scale):
        mean = torch.zeros_like(images).requires_grad_()
        scale = torch.full_like(images, log_scale).requires_grad_()
        laplace_loss(mean, scale, images, everywhere, body, present).backward()
        return mean.grad, scale.grad

    sure, unsure = slopes(-3.0), slopes(1.0)
    assert torch.equal(sure[0], unsure[0])
    assert sure[1].sum() < 0 < unsure[1].sum()  # of the loss: wider, narrower


def test_the_network_can_be_told_where_it_is():
    images, _, _ = scene()
    places = _places(_folded(images, CUBE))
    assert places.shape == (1, 2, *(size // 2 for size in images.shape[2:]))
    assert torch.equal(places[:, 0], -places[:, 0].flip(-2))
    assert torch.equal(places[:, 1], -places[:, 1].flip(-1))
    assert (places[:, 1].diff(dim=-1) > 0).all()


@pytest.mark.parametrize("step", [1, 2])
def test_heights_are_0_at_the_top_and_the_same_in_whatever_slab_a_place_is_seen(step):
    below = torch.tensor([24.0, 24.0 - 4])
    slabs = torch.zeros(2, 1, 32 // step, 3, 3)  # the second four slices further up
    lower, upper = _heights(slabs, below, step)[:, 0, :, 0, 0]
    assert torch.equal(lower[4 // step :], upper[: -4 // step])
    assert lower[24 // step] == 0
    assert (lower.diff() < 0).all()


def test_only_an_axial_network_asks_where_the_scan_ends(net):
    axial = build(replace(TINY, axial=True), seed=1).eval()
    one, other = (axial(*scene(), torch.tensor([below]))[0] for below in (10.0, 60.0))
    assert (one - other).abs().max() > 0
    assert torch.equal(net(*scene(), torch.tensor([10.0]))[0], net(*scene())[0])


@pytest.mark.parametrize("axial", [False, True])
def test_no_slice_of_a_flat_network_depends_on_another(axial):
    flat = build(replace(TINY, flat=True, axial=axial), seed=1).eval()
    images, hole, body = scene(2)
    others = images.clone(), hole.clone(), body.clone()
    others[0][0, :, 5] += 9.0
    others[1][0, :, 5] = ~hole[0, :, 5]
    others[2][0, :, 5, :8] = False
    below = torch.tensor([10.0, 10.0])
    for one, two in zip(flat(images, hole, body, below), flat(*others, below), strict=True):
        differing = (one != two).flatten(3).any(3).any(1)  # (n, z)
        assert differing.nonzero().tolist() == [[0, 5]]


def test_the_loss_asks_nothing_of_a_modality_that_is_not_there_nor_of_the_air():
    images, hole, body = scene()
    body[..., 10:] = False
    mean, log_scale = torch.zeros_like(images), torch.zeros_like(images)
    present = torch.tensor([[False, True]])
    before = laplace_loss(mean, log_scale, images, hole, body, present)
    images[:, 0] += 3.0  # PET, which is missing
    images[..., 12:] += 3.0  # beyond the skin
    assert laplace_loss(mean, log_scale, images, hole, body, present) == before
    images[:, 1, ..., 11] += 3.0  # CT of the skin
    assert laplace_loss(mean, log_scale, images, hole, body, present) > before


def test_the_loss_is_finite_where_nothing_is_to_be_painted():
    images, hole, body = scene()
    nothing = torch.zeros_like(body)
    loss = laplace_loss(images, images * 0, images, hole, nothing, torch.tensor([[True, True]]))
    assert loss.item() == 0.0
