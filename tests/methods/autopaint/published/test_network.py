"""The published network at a sixteenth of its width."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.errors import ShapeError
from grisaille.core.run import Run
from grisaille.methods.autopaint.published.masks import training_mask

pytestmark = pytest.mark.ai
torch = pytest.importorskip("torch")

from grisaille.methods.autopaint.published.losses import PublishedLoss  # noqa: E402 - needs torch
from grisaille.methods.autopaint.published.network import build  # noqa: E402 - needs torch

WIDTH = 1 / 16


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def batch(n: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Discs in front of a ramp, as [CT, PET, CT], and holes of the published kind."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:256, :256] / 255
    images = np.stack([np.stack([x, (np.hypot(y - 0.5, x - shift) < 0.2), x]) for shift in rng.uniform(0.3, 0.7, n)])
    holes = np.stack([training_mask((256, 256), rng)[None] for _ in range(n)])
    return torch.from_numpy(images.astype(np.float32)), torch.from_numpy(holes.astype(np.float32))


def test_its_levels_are_as_published() -> None:
    with torch.device("meta"):
        whole = build(1.0)
    channels = [(conv.features.out_channels, conv.features.kernel_size[0]) for conv in whole.encoder]
    assert channels == [(64, 7), (128, 5), (256, 5), *[(512, 3)] * 5]
    assert all(conv.features.stride == (2, 2) for conv in whole.encoder)
    assert [conv.features.out_channels for conv in whole.decoder] == [512, 512, 512, 512, 256, 128, 64, 3]
    assert [conv.features.in_channels for conv in whole.decoder] == [1024, 1024, 1024, 1024, 768, 384, 192, 64 + 4]
    assert whole.last.kernel_size == (1, 1)


def test_it_paints_the_shape_it_was_given_between_black_and_white() -> None:
    network = build(WIDTH).eval()
    with torch.inference_mode():
        for sides in ((256, 256), (256, 512)):
            painted = network(torch.rand(1, 3, *sides), torch.zeros(1, 1, *sides))
            assert painted.shape == (1, 3, *sides)
            assert 0 <= painted.min() < painted.max() <= 1
    with pytest.raises(ShapeError, match="256"):
        network(torch.rand(1, 3, 200, 256), torch.zeros(1, 1, 200, 256))


def test_what_a_hole_hides_changes_nothing() -> None:
    network = build(WIDTH).eval()
    images, hole = batch(1)
    with torch.inference_mode():
        first, second = network(images, hole), network(torch.where(hole > 0, 0.3, images), hole)
    assert torch.equal(first, second)


def test_every_parameter_is_taught() -> None:
    network = build(WIDTH)
    images, hole = batch()
    PublishedLoss()(network(images, hole), images, hole).backward()
    silent = [name for name, one in network.named_parameters() if one.grad is None or not one.grad.abs().max() > 0]
    assert silent == []


def test_the_loss_falls_on_a_tiny_set() -> None:
    network, loss = build(WIDTH), PublishedLoss.of(None, Run())
    images, hole = batch()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)  # a hundred times as published: seconds, not days
    seen = []
    for _ in range(12):
        optimizer.zero_grad()
        value = loss(network(images, hole), images, hole)
        value.backward()
        optimizer.step()
        seen.append(value.item())
    assert np.mean(seen[-3:]) < 0.6 * seen[0]


def test_building_it_leaves_torchs_generator_as_it_was_and_is_alike_for_a_seed() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = build(WIDTH, seed=1).state_dict()
    assert torch.equal(torch.rand(3), expected)
    second = build(WIDTH, seed=1).state_dict()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_painting_leaves_the_network_as_it_was() -> None:
    network = build(WIDTH).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    images, hole = batch(1)
    kept = images.clone(), hole.clone()
    with torch.inference_mode():
        first, second = network(images, hole), network(images, hole)
    assert torch.equal(first, second)
    assert torch.equal(images, kept[0])
    assert torch.equal(hole, kept[1])
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
