"""OpenAI's CLIPs as files: which of them a table of tensors is, and the archives that they were published as."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grisaille.core.errors import DamagedWeights, WeightsMismatch
from grisaille.methods.anomalyclip.clip import TOKENS, outline, require_tensors
from grisaille.methods.anomalyclip.config import ARCHITECTURES, ClipName
from grisaille.nn.engine import load_engine

if TYPE_CHECKING:
    from torch import Tensor

_PATCHES, _PLACES = "visual.conv1.weight", "visual.positional_embedding"
_SIZES = ("input_resolution", "context_length", "vocab_size")
"""Numbers that OpenAI's files keep as tensors."""


def recognise(tensors: Mapping[str, Tensor], file: str) -> ClipName:
    """Which of the CLIPs these tensors are by names and shapes; whose weights they are, shapes cannot tell.

    Raises
    ------
    DamagedWeights
        If values are not finite.
    WeightsMismatch
        If they are none of them.
    """
    load_engine("torch", "open_clip")
    import open_clip

    found = _measures(tensors, file)
    for name, architecture in ARCHITECTURES.items():
        settings = open_clip.get_model_config(architecture)
        if found == _expected(settings):
            require_tensors(tensors, outline(settings).state_dict(), f"{file} as {name}")
            return name
    width, patch, places, text = found
    raise WeightsMismatch(
        f"{file} is a CLIP of width {width} with patches of {patch} px, {places} places and texts {text} wide, "
        f"which is none of {', '.join(ARCHITECTURES)}; give one of these"
    )


def without_sizes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without the numbers about them that OpenAI's files hold besides."""
    return {name: tensor for name, tensor in tensors.items() if name not in _SIZES}


def is_half(tensors: Mapping[str, Tensor]) -> bool:
    """Whether both projections are numbers of half precision, as OpenAI published them; another training's are not."""
    import torch

    parts = (tensors["visual.proj"], tensors["text_projection"])
    return all(torch.equal(part.float(), part.half().float()) for part in parts)


def is_archive(path: Path) -> bool:
    """Whether a file is a TorchScript archive, which runs its author's code when it is opened."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def read_archive(path: Path) -> dict[str, Tensor]:
    """The parameters of a TorchScript archive, as they are stored. Runs code of its author: ask whether it is trusted.

    Raises
    ------
    DamagedWeights
        If it cannot be read.
    """
    load_engine("torch")
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # torch.jit is on its way out; OpenAI's files stay as they are
            module = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DamagedWeights(
            f"{path.name} cannot be read as a TorchScript archive ({first}); fetch it again"
        ) from error
    return without_sizes(module.state_dict())


def _measures(tensors: Mapping[str, Tensor], file: str) -> tuple[int, int, int, int]:
    """Width, side of a patch, places and width of the texts."""
    lacking = [name for name in (_PATCHES, _PLACES, TOKENS) if name not in tensors or tensors[name].ndim < 2]
    if lacking:
        raise WeightsMismatch(
            f"{file} holds no CLIP with a ViT: no {lacking[0]} among its {len(tensors)} tensors; "
            f"give the weights of {', '.join(ARCHITECTURES)} in open_clip's or OpenAI's layout"
        )
    patches, places, tokens = (tensors[name].shape for name in (_PATCHES, _PLACES, TOKENS))
    return patches[0], patches[-1], places[0], tokens[1]


def _expected(settings: Mapping[str, Any]) -> tuple[int, int, int, int]:
    vision, text = settings["vision_cfg"], settings["text_cfg"]
    return (
        vision["width"],
        vision["patch_size"],
        (vision["image_size"] // vision["patch_size"]) ** 2 + 1,
        text["width"],
    )
