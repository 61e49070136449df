"""Nine levels of the right network, from files of two layouts, and nothing else."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from grisaille.core.errors import DamagedWeights, WeightsMismatch
from grisaille.nn.backbone import LEVELS, Backbone, BackboneName, fingerprint, load_backbone, random_backbone
from grisaille.weights.store import WeightsFile, find

pytestmark = pytest.mark.ai
torch = pytest.importorskip("torch")

LITE0 = "efficientnet-lite0"
Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def lite0() -> Backbone:
    return load_backbone(LITE0, find(LITE0))


@pytest.fixture(scope="module")
def untrained() -> Backbone:
    return random_backbone(LITE0, seed=0)


@dataclass(frozen=True)
class Saved:
    """A file of no card."""

    path: Path
    name: str = "mine"


def saved(path: Path, content: object) -> Saved:
    torch.save(content, path)
    return Saved(path)


def other_layout(tensors: Tensors) -> Tensors:
    """The same tensors in the same order under names that timm does not know."""
    return {f"_layer{i}.{name.rpartition('.')[2]}": tensor for i, (name, tensor) in enumerate(tensors.items())}


def photo(name: str) -> torch.Tensor:
    """(1, 3, 224, 224), 0 to 1."""
    data = pytest.importorskip("skimage.data")
    image = torch.from_numpy(getattr(data, name)().copy()).permute(2, 0, 1)[None] / 255
    return torch.nn.functional.interpolate(image, (224, 224), mode="bilinear", antialias=True)


def plain_forward(backbone: Backbone, images: torch.Tensor) -> list[torch.Tensor]:
    """The nine levels by hooks on a whole forward pass: slow, independent of ``features``."""
    seen: list[torch.Tensor] = []
    net = backbone.network
    parts = [net.bn1, *net.blocks, net.bn2]
    handles = [part.register_forward_hook(lambda _, __, out: seen.append(out)) for part in parts]
    try:
        mean = torch.tensor(backbone.mean)[:, None, None]
        net((images - mean) / torch.tensor(backbone.std)[:, None, None])
    finally:
        for handle in handles:
            handle.remove()
    return seen


@torch.inference_mode()
def test_the_levels_are_those_of_a_whole_forward_pass(lite0: Backbone) -> None:
    images = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    for found, expected in zip(lite0.features(images), plain_forward(lite0, images), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


@torch.inference_mode()
@pytest.mark.parametrize(("name", "classes"), [("chelsea", {281, 282, 285}), ("coffee", {967, 968})])
def test_the_weights_are_in_their_places_for_the_network_knows_cat_and_coffee(
    lite0: Backbone, name: str, classes: set[int]
) -> None:
    """ImageNet classes: 281, 282, 285 house cats; 967 espresso, 968 cup."""
    pooled = lite0.pooled(photo(name), [8])[0]
    chances = lite0.network.get_submodule("classifier")(pooled).softmax(1)[0]
    assert int(chances.argmax()) in classes
    assert float(chances[list(classes)].sum()) > 0.8


def test_the_channels_are_those_of_the_paper() -> None:
    assert random_backbone(LITE0, 0).channels == (32, 16, 24, 40, 80, 112, 192, 320, 1280)
    assert random_backbone("efficientnet-b0", 0).channels == (32, 16, 24, 40, 80, 112, 192, 320, 1280)
    assert random_backbone("efficientnet-b4", 0).channels == (48, 24, 32, 56, 112, 160, 272, 448, 1792)


def test_sizes_and_colours_are_those_of_the_training() -> None:
    timm = pytest.importorskip("timm")
    for name in BackboneName:
        default = timm.get_pretrained_cfg(f"tf_{name.replace('-', '_')}{'' if name == LITE0 else '.aa_in1k'}")
        assert default.input_size == (3, name.size, name.size)
    assert random_backbone(LITE0, 0).mean == (0.5, 0.5, 0.5)
    assert random_backbone("efficientnet-b0", 0).mean == (0.485, 0.456, 0.406)


@torch.inference_mode()
def test_levels_come_in_the_order_asked_and_do_not_depend_on_the_others(untrained: Backbone) -> None:
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    every = untrained.features(images)
    for levels in ([4, 2], [0], [8], list(LEVELS)):
        for level, found in zip(levels, untrained.features(images, levels), strict=True):
            torch.testing.assert_close(found, every[level], rtol=0, atol=0)
            assert found.shape[1] == untrained.channels[level]


@torch.inference_mode()
def test_pooled_features_are_means(untrained: Backbone) -> None:
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    for pooled, maps in zip(untrained.pooled(images), untrained.features(images), strict=True):
        torch.testing.assert_close(pooled, maps.flatten(2).mean(2), rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_the_rest_of_a_batch_and_the_memory_format_change_nothing_that_matters(lite0: Backbone) -> None:
    images = torch.rand(3, 3, 96, 96, generator=torch.Generator().manual_seed(3))
    together = lite0.pooled(images.contiguous(memory_format=torch.channels_last))
    for level, alone in enumerate(lite0.pooled(images[1:2])):
        torch.testing.assert_close(together[level][1:2], alone, rtol=1e-5, atol=1e-5)


ELSEWHERE = torch.device("meta")  # a device that every computer has and that is not the CPU


def moves(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """Where networks are moved to from now on, one entry a move."""
    made: list[torch.device] = []
    to = torch.nn.Module.to

    def counted(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
        made.append(device)
        return to(module, device)

    monkeypatch.setattr(torch.nn.Module, "to", counted)
    return made


@torch.inference_mode()
def test_a_network_goes_to_another_device_once_and_stays_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, images = random_backbone(LITE0, 0), torch.rand(1, 3, 64, 64)
    made, before = moves(monkeypatch), backbone.features(images)
    assert not made
    for _ in range(3):
        assert all(level.device == ELSEWHERE for level in backbone.features(images.to(ELSEWHERE)))
    assert made == [ELSEWHERE]
    for level, expected in zip(backbone.features(images), before, strict=True):
        torch.testing.assert_close(level, expected, rtol=0, atol=0)
    assert fingerprint(backbone.network.state_dict()) == backbone.fingerprint


@torch.inference_mode()
def test_a_device_too_small_for_the_network_keeps_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, images = random_backbone(LITE0, 0), torch.rand(1, 3, 64, 64)

    def full(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.Module, "to", full)
        with pytest.raises(torch.OutOfMemoryError):
            backbone.features(images.to(ELSEWHERE))
    assert backbone.features(images)[0].device.type == "cpu"
    assert backbone.features(images.to(ELSEWHERE))[0].device == ELSEWHERE


def test_threads_on_two_devices_do_not_take_the_network_from_each_other() -> None:
    backbone, images = random_backbone(LITE0, 0), torch.rand(1, 3, 32, 32)

    def pushed(where: torch.device) -> list[torch.Tensor]:
        with torch.inference_mode():
            return backbone.features(images.to(where))

    expected = pushed(torch.device("cpu"))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(pushed, [torch.device("cpu"), ELSEWHERE] * 20))
    for levels in found[::2]:
        for level, wanted in zip(levels, expected, strict=True):
            torch.testing.assert_close(level, wanted, rtol=1e-5, atol=1e-5)
    assert all(level.device == ELSEWHERE for levels in found[1::2] for level in levels)


def test_one_seed_is_one_network_and_nobody_elses_numbers_are_touched() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = random_backbone(LITE0, 1)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    assert random_backbone(LITE0, 1).fingerprint == first.fingerprint
    assert random_backbone(LITE0, 2).fingerprint != first.fingerprint


def test_a_file_of_either_layout_and_format_is_the_same_network(untrained: Backbone, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensors = untrained.network.state_dict()
    without_counters = {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
    save_file(tensors, tmp_path / "timm.safetensors")
    files = [
        Saved(tmp_path / "timm.safetensors"),
        saved(tmp_path / "timm.pth", tensors),
        saved(tmp_path / "shuffled.pth", dict(sorted(tensors.items(), reverse=True))),
        saved(tmp_path / "other.pth", other_layout(without_counters)),
        saved(tmp_path / "other_counted.pth", other_layout(tensors)),
    ]
    for file in files:
        loaded = load_backbone(LITE0, file)
        assert loaded.fingerprint == untrained.fingerprint, file.path.name
        assert not loaded.network.training
        assert not any(parameter.requires_grad for parameter in loaded.network.parameters())


def test_the_fingerprint_is_that_of_the_default_weights(lite0: Backbone) -> None:
    """Golden, as ``load_backbone`` gave it first; fitted models name it, so it must never change."""
    assert lite0.fingerprint == "2dbe06e42e948fdbcc607a401b5e381aab39031e4dab07cbb14fb3df5f0f9a78"


def test_one_changed_weight_changes_the_fingerprint(untrained: Backbone) -> None:
    tensors = {name: tensor.clone() for name, tensor in untrained.network.state_dict().items()}
    assert fingerprint(dict(reversed(tensors.items()))) == untrained.fingerprint
    tensors["classifier.bias"][3] += 1e-6
    assert fingerprint(tensors) != untrained.fingerprint


def test_weights_of_another_network_are_refused(untrained: Backbone, tmp_path: Path) -> None:
    tensors = untrained.network.state_dict()
    file = saved(tmp_path / "lite0.pth", tensors)
    with pytest.raises(WeightsMismatch, match="as efficientnet-b0: the file holds 247 tensors, expected 311"):
        load_backbone("efficientnet-b0", file)
    wide = {name: tensor.repeat_interleave(2, dim=0) if tensor.ndim else tensor for name, tensor in tensors.items()}
    with pytest.raises(WeightsMismatch, match=r"conv_stem\.weight \(64, 3, 3, 3\) does not fit"):
        load_backbone(LITE0, saved(tmp_path / "wide.pth", wide))


def test_tensors_in_an_unknown_order_are_refused_rather_than_guessed(untrained: Backbone, tmp_path: Path) -> None:
    turned = other_layout(dict(sorted(untrained.network.state_dict().items())))
    with pytest.raises(WeightsMismatch, match="does not fit"):
        load_backbone(LITE0, saved(tmp_path / "turned.pth", turned))


def test_a_whole_checkpoint_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="state_dict"):
        load_backbone(LITE0, saved(tmp_path / "checkpoint.pth", {"epoch": 3, "state_dict": {}}))


def test_weights_that_are_not_finite_are_damaged(untrained: Backbone, tmp_path: Path) -> None:
    tensors = {name: tensor.clone() for name, tensor in untrained.network.state_dict().items()}
    tensors["bn1.bias"][0] = float("nan")
    with pytest.raises(DamagedWeights, match=r"bn1\.bias holds values that are not finite"):
        load_backbone(LITE0, saved(tmp_path / "nan.pth", tensors))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"hello", b"<html>not found</html>", bytes(5000)])
def test_files_that_hold_no_tensors_are_damaged(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(DamagedWeights, match="cannot be read as tensors"):
        load_backbone(LITE0, Saved(path))


def test_truncated_files_are_damaged(tmp_path: Path, untrained: Backbone) -> None:
    whole = saved(tmp_path / "whole.pth", untrained.network.state_dict()).path.read_bytes()
    for share in (0.1, 0.5, 0.999):
        (tmp_path / "part.pth").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DamagedWeights):
            load_backbone(LITE0, Saved(tmp_path / "part.pth"))


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, (self.command,)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, how: str) -> None:
    bomb, path = Bomb(f"touch {tmp_path / 'run'}"), tmp_path / "bomb.pth"
    if how == "torch":
        torch.save({"conv_stem.weight": bomb}, path)
    else:
        path.write_bytes(pickle.dumps(bomb, protocol=2))
    with pytest.raises(DamagedWeights):
        load_backbone(LITE0, Saved(path))
    assert not (tmp_path / "run").exists()


def test_the_stores_files_are_what_a_backbone_takes(lite0: Backbone) -> None:
    assert isinstance(find(LITE0), WeightsFile)
    assert lite0.name is BackboneName.LITE0
    assert lite0.size == 224
