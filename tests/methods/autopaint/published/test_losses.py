"""Each published loss against plain numpy and loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grisaille.core.errors import DamagedWeights, WeightsMismatch
from grisaille.core.run import Run

pytestmark = pytest.mark.ai
torch = pytest.importorskip("torch")

from grisaille.methods.autopaint.published import losses  # noqa: E402 - needs torch
from grisaille.methods.autopaint.published.losses import PublishedLoss, VggFeatures  # noqa: E402 - needs torch

RNG = np.random.default_rng(0)
PAINTED, IMAGES = RNG.random((2, 2, 3, 16, 20)).astype(np.float32)
HOLE = (RNG.random((2, 1, 16, 20)) < 0.3).astype(np.float32)
WHOLE = np.where(HOLE > 0, PAINTED, IMAGES)


def tensors(*arrays: np.ndarray) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(array) for array in arrays)


def plain_roughness(values: np.ndarray, hole: np.ndarray) -> float:
    n, c, height, width = values.shape

    def near(i: int, y: int, x: int) -> bool:
        return bool(hole[i, 0, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].any())

    total = 0.0
    for i in range(n):
        for y in range(height):
            for x in range(width):
                for other in ((y + 1, x), (y, x + 1)):
                    if other[0] < height and other[1] < width and near(i, y, x) and near(i, *other):
                        total += float(np.abs(values[i, :, y, x] - values[i, :, other[0], other[1]]).sum())
    return total / (n * c * height * width)


def plain_pyramid(image: np.ndarray) -> list[np.ndarray]:
    """Of one (y, x) by loops: a weighted mean of 5 x 5, every other pixel; and back."""
    weights = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256

    def at(values: np.ndarray, y: int, x: int) -> float:
        return values[np.clip(y, 0, values.shape[0] - 1), np.clip(x, 0, values.shape[1] - 1)]

    levels, values = [], image.astype(np.float64)
    for _ in range(2):
        height, width = values.shape
        coarse = np.array(
            [
                [
                    sum(weights[i, j] * at(values, 2 * y + i - 2, 2 * x + j - 2) for i in range(5) for j in range(5))
                    for x in range(width // 2)
                ]
                for y in range(height // 2)
            ]
        )
        wide = np.zeros_like(values)
        for y in range(height):
            for x in range(width):
                for i in range(5):
                    for j in range(5):
                        if (y + i - 2) % 2 == 0 and (x + j - 2) % 2 == 0:
                            wide[y, x] += 4 * weights[i, j] * at(coarse, (y + i - 2) // 2, (x + j - 2) // 2)
        levels.append(values - wide)
        values = coarse
    return [*levels, values]


def test_without_a_network_to_compare_features_the_four_other_terms_are_summed() -> None:
    valid, hidden = (np.abs((PAINTED - IMAGES) * mask).mean() for mask in (1 - HOLE, HOLE))
    levels = [[plain_pyramid(one) for one in image] for image in PAINTED - IMAGES]
    steps = sum(np.mean([[np.abs(one[level]).mean() for one in image] for image in levels]) for level in range(3))
    expected = 30 * valid + 240 * hidden + 250 * plain_roughness(WHOLE, HOLE) + 20 * steps
    assert PublishedLoss()(*tensors(PAINTED, IMAGES, HOLE)).item() == pytest.approx(expected, rel=1e-5)


def test_smoothness_is_asked_in_the_hole_and_one_pixel_round_it() -> None:
    assert losses.roughness(*tensors(WHOLE, HOLE)).item() == pytest.approx(plain_roughness(WHOLE, HOLE), rel=1e-5)


def test_the_pyramid_holds_the_image_and_nothing_else() -> None:
    (image,) = tensors(IMAGES)
    fine, middle, coarse = losses.pyramid(image)
    torch.testing.assert_close(losses.doubled(losses.doubled(coarse) + middle) + fine, image)
    flat = losses.pyramid(torch.full((1, 3, 16, 16), 0.4))
    assert all(part.abs().max() < 1e-6 for part in flat[:2])
    torch.testing.assert_close(flat[2], torch.full((1, 3, 4, 4), 0.4))
    for found, expected in zip(losses.pyramid(image), plain_pyramid(IMAGES[1, 2]), strict=True):
        np.testing.assert_allclose(found[1, 2].numpy(), expected, atol=1e-6)


def test_products_of_features_are_means_over_pixels_and_channels() -> None:
    expected = np.zeros((2, 3, 3))
    for i in range(2):
        for a in range(3):
            for b in range(3):
                expected[i, a, b] = (IMAGES[i, a] * IMAGES[i, b]).mean() / 3
    np.testing.assert_allclose(losses.gram(torch.from_numpy(IMAGES)).numpy(), expected, rtol=1e-5)


def vgg_file(folder: Path, suffix: str) -> tuple[Path, torch.nn.Module]:
    """Random weights of the first layers in torchvision's names; the whole fills 500 MB."""
    from safetensors.torch import save_file
    from torchvision.models import vgg16

    with torch.device("meta"):
        layers = vgg16(weights=None).features[:17]
    layers = layers.to_empty(device="cpu").requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for one in layers.parameters():
        one.normal_(0, 0.05, generator=generator)
    kept = {f"features.{name}": tensor for name, tensor in layers.state_dict().items()}
    path = folder / f"vgg16{suffix}"
    if suffix == ".safetensors":
        save_file(kept, path)
    else:
        torch.save(kept, path)
    return path, layers


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_with_vgg16_given_perceptual_and_style_terms_join(tmp_path: Path, suffix: str) -> None:
    path, layers = vgg_file(tmp_path, suffix)
    notes: list[str] = []
    loss = PublishedLoss.of(path, Run(on_note=notes.append))
    assert notes == []

    def pooled(images: np.ndarray) -> list[np.ndarray]:
        mean, std = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)[:, None, :, None, None]
        values, found = torch.from_numpy((images - mean) / std), []
        with torch.inference_mode():
            for layer in layers:
                values = layer(values)
                if isinstance(layer, torch.nn.MaxPool2d):
                    found.append(values.numpy().astype(np.float64))
        return found

    def products(features: np.ndarray) -> np.ndarray:
        flat = features.reshape(*features.shape[:2], -1)
        return np.einsum("nap,nbp->nab", flat, flat) / (flat.shape[1] * flat.shape[2])

    extra = 0.0
    for one, whole, true in zip(pooled(PAINTED), pooled(WHOLE), pooled(IMAGES), strict=True):
        for other in (one, whole):
            extra += 0.2 * np.abs(other - true).mean()
            extra += 0.05 * np.abs(products(other) - products(true)).mean()
    inputs = tensors(PAINTED, IMAGES, HOLE)
    assert (loss(*inputs) - PublishedLoss()(*inputs)).item() == pytest.approx(extra, rel=1e-2, abs=1e-4)
    painted = inputs[0].clone().requires_grad_()
    loss(painted, *inputs[1:]).backward()
    assert painted.grad.abs().max() > 0
    assert not any(one.requires_grad for one in loss.parameters())


def test_without_weights_a_note_says_which_terms_are_off() -> None:
    notes: list[str] = []
    assert PublishedLoss.of(None, Run(on_note=notes.append)).features is None
    assert len(notes) == 1
    assert "VGG16" in notes[0]


def test_other_networks_and_damaged_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.zeros(4, 3, 3, 3)}, other)
    with pytest.raises(WeightsMismatch, match=r"other\.pth: tensor features\.0\.weight"):
        VggFeatures.read(other)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no tensors here")
    with pytest.raises(DamagedWeights, match=r"damaged\.safetensors"):
        VggFeatures.read(damaged)
