"""EfficientNets as feature extractors: nine levels, one sha256.

Level 0 is the stem, 1 to 7 the ends of the seven stages, 8 the head; each after its
normalisation and activation. Torch is imported by the functions, so that settings may name
the backbones without it.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from grisaille.core.errors import DamagedWeights, WeightsMismatch
from grisaille.nn.copies import Copies
from grisaille.nn.engine import load_engine

if TYPE_CHECKING:
    from torch import Tensor, nn

LEVELS = tuple(range(9))
_STAGES = 7
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


class BackboneName(StrEnum):
    """The backbones, by the names of their weights cards."""

    LITE0 = "efficientnet-lite0"
    B0 = "efficientnet-b0"
    B1 = "efficientnet-b1"
    B2 = "efficientnet-b2"
    B3 = "efficientnet-b3"
    B4 = "efficientnet-b4"
    B5 = "efficientnet-b5"
    B6 = "efficientnet-b6"
    B7 = "efficientnet-b7"

    @property
    def size(self) -> int:
        """Side in pixels of the square images it was trained on."""
        return _SIZES[self]


_SIZES = dict(zip(BackboneName, (224, 224, 240, 260, 300, 380, 456, 528, 600), strict=True))


class ResolvedFile(Protocol):
    """A weights file on this machine whose hash was checked."""

    @property
    def name(self) -> str:
        """Of its card, or as the user calls it."""
        ...

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen network in inference mode.

    Parameters
    ----------
    network
        A timm EfficientNet, where it was loaded; it stays there, and images on other devices go
        through a copy, made at the first of them and kept.
    mean, std
        Of the values (0 to 1) it was trained on, by colour channel.
    channels
        Of each of the nine levels.
    fingerprint
        sha256 over its tensors, sorted by name: each name, then its bytes.
    """

    name: BackboneName
    network: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: tuple[int, ...]
    fingerprint: str
    _copies: Copies[nn.Module] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_copies", Copies(self.network))

    @property
    def size(self) -> int:
        """Side in pixels of the square images it was trained on."""
        return self.name.size

    def features(self, images: Tensor, levels: Sequence[int] = LEVELS) -> list[Tensor]:
        """Feature maps of ``levels``, in the order asked.

        Parameters
        ----------
        images
            (n, 3, y, x), values 0 to 1, any size; they are standardised here.

        Returns
        -------
        One (n, channels, y, x) a level, on the device of ``images``.
        """
        network = self._copies.on(images.device)
        values = (images - images.new_tensor(self.mean).view(3, 1, 1)) / images.new_tensor(self.std).view(3, 1, 1)
        maps: dict[int, Tensor] = {}
        for level in range(max(levels) + 1):  # nothing beyond the last level asked for is computed
            values = _through(network, level, values)
            if level in levels:
                maps[level] = values
        return [maps[level] for level in levels]

    def pooled(self, images: Tensor, levels: Sequence[int] = LEVELS) -> list[Tensor]:
        """The means over y and x of ``features``: one (n, channels) a level."""
        return [level.mean(dim=(-2, -1)) for level in self.features(images, levels)]


def load_backbone(name: str, file: ResolvedFile) -> Backbone:
    """The backbone ``name`` with the weights of ``file``.

    The tensors are matched by name where the file has timm's, else by order, shape and kind,
    as in files of the efficientnet_pytorch family (BatchNorm counters left out).

    Raises
    ------
    DamagedWeights
        If the file cannot be read as tensors.
    WeightsMismatch
        If it holds another network.
    """
    load_engine("torch", "timm", "safetensors")
    import torch

    backbone = BackboneName(name)
    with torch.device("meta"):
        network = _create(backbone)
    wanted = network.state_dict()
    tensors = _matched(read_tensors(file.path), wanted, f"{file.path.name} as {backbone}")
    counters = {key: torch.zeros((), dtype=torch.long) for key in wanted if _is_counter(key)}
    network.load_state_dict({**counters, **tensors}, assign=True)
    return _backbone(backbone, network)


def random_backbone(name: str, seed: int) -> Backbone:
    """An untrained backbone, for tests and timings only."""
    load_engine("torch", "timm")
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _backbone(BackboneName(name), _create(BackboneName(name)))


def _create(name: BackboneName) -> nn.Module:
    import timm

    network: nn.Module = timm.create_model(f"tf_{name.replace('-', '_')}", pretrained=False)
    return network


def _backbone(name: BackboneName, network: nn.Module) -> Backbone:
    import torch

    network.eval().requires_grad_(False)
    values, channels = torch.zeros(1, 3, 32, 32), []
    for level in LEVELS:
        values = _through(network, level, values)
        channels.append(values.shape[1])
    mean, std = _HALF if name is BackboneName.LITE0 else _IMAGENET
    return Backbone(name, network, mean, std, tuple(channels), fingerprint(network.state_dict()))


def _through(network: nn.Module, level: int, values: Tensor) -> Tensor:
    """From the level before to ``level``."""
    part = network.get_submodule
    if level == 0:
        result: Tensor = part("bn1")(part("conv_stem")(values))
    elif level <= _STAGES:
        result = part(f"blocks.{level - 1}")(values)
    else:
        result = part("bn2")(part("conv_head")(values))
    return result


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names and bytes, sorted by name; BatchNorm counters do not count."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        if not _is_counter(name):
            digest.update(name.encode())
            digest.update(tensors[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pth file, in its order; no code of the file is run."""
    import torch

    content = read_content(path)
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise WeightsMismatch(f"{path.name} holds no plain table of tensors; save the model's state_dict() alone")
    return content


def read_content(path: Path) -> object:
    """What a .safetensors or .pth file holds; no code of the file is run.

    Raises
    ------
    DamagedWeights
        If it cannot be read so.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # torch's own words tell how to run the code all the same
        raise DamagedWeights(
            f"{path.name} cannot be read as tensors: it is damaged or holds other things, and code in a file is never "
            "run; save its tensors alone, or fetch it again"
        ) from error
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DamagedWeights(f"{path.name} cannot be read as tensors ({first}); fetch it again") from error
    return content


def _matched(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
    """The tensors of ``found`` under the names of ``wanted``."""
    keys = [key for key in found if not _is_counter(key)]
    names = [name for name in wanted if not _is_counter(name)]
    if set(keys) == set(names):
        keys = names
    if len(keys) != len(names):
        raise WeightsMismatch(
            f"{what}: the file holds {len(keys)} tensors, expected {len(names)}; give the weights of this network"
        )
    for key, name in zip(keys, names, strict=True):
        if found[key].shape != wanted[name].shape or _kind(key) != _kind(name):
            raise WeightsMismatch(
                f"{what}: tensor {key} {tuple(found[key].shape)} does not fit {name} {tuple(wanted[name].shape)}; "
                "give the weights of this network, in timm's or efficientnet_pytorch's layout"
            )
        if not found[key].isfinite().all():
            raise DamagedWeights(f"{what}: tensor {key} holds values that are not finite; fetch the file again")
    return {name: found[key].float() for key, name in zip(keys, names, strict=True)}


def _kind(name: str) -> str:
    """weight, bias, running_mean or running_var."""
    return name.rpartition(".")[2]


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")
