"""Files as others publish them, small: CLIPs under the names of OpenAI's, prompts, TorchScript archives."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from grisaille.methods.anomalyclip.clip import create_clip
from grisaille.methods.anomalyclip.config import ARCHITECTURES, ClipName
from grisaille.weights import store

TEXTS = 32
"""Width of the texts of every small CLIP."""


def small_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under OpenAI's names, two blocks each; they differ in the side of their patches."""
    for number, architecture in enumerate(ARCHITECTURES.values()):
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, architecture, _settings(8 + 4 * number))


def empty_places(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """The weights folder, empty; nothing else is looked through but what is installed."""
    monkeypatch.delenv(store.FOLDERS_VARIABLE, raising=False)
    monkeypatch.setattr(store, "cache_folder", lambda: folder / "weights")
    return folder / "weights"


def clip_tensors(name: ClipName, seed: int = 0, *, half: bool = True) -> dict[str, torch.Tensor]:
    """Of the small CLIP called ``name``; its projections in half precision, as OpenAI's are."""
    tensors = create_clip(open_clip.get_model_config(ARCHITECTURES[name]), seed).state_dict()
    return {key: one.half().float() if half and "proj" in key else one for key, one in tensors.items()}


def checkpoint(start: torch.Tensor, *, projections: bool = True, deep: int = 1) -> dict[str, Any]:
    """What AnomalyCLIP (with projections) and Crane (without) save."""
    width, random = len(start), torch.Generator().manual_seed(3)
    learner = {f"ctx_{which}": torch.randn(1, 1, 12, width, generator=random) for which in ("pos", "neg")}
    for which, words in (("pos", "object."), ("neg", "damaged object.")):
        ids = open_clip.tokenizer.tokenize([f"{'X ' * 12}{words}"])
        learner[f"token_prefix_{which}"] = start.clone().reshape(1, 1, 1, width)
        learner[f"token_suffix_{which}"] = torch.zeros(1, 1, 64, width)
        learner[f"tokenized_prompts_{which}"] = ids[None].int()
    for number in range(deep):
        learner[f"compound_prompts_text.{number}"] = torch.randn(4, width, generator=random)
        if projections:
            learner[f"compound_prompt_projections.{number}.weight"] = torch.zeros(896, width)
            learner[f"compound_prompt_projections.{number}.bias"] = torch.zeros(896)
    return {"prompt_learner": learner}


def write_archive(tensors: dict[str, torch.Tensor], path: Path) -> Path:
    """A TorchScript archive with these parameters and OpenAI's three numbers, in half precision."""
    root = torch.nn.Module()
    for name, one in tensors.items():
        *folders, last = name.split(".")
        place = root
        for folder in folders:
            if folder not in place._modules:
                place.add_module(folder, torch.nn.Module())
            place = place._modules[folder]
        place.register_buffer(last, one.half() if "proj" in name else one)
    for name in ("input_resolution", "context_length", "vocab_size"):
        root.register_buffer(name, torch.tensor(77))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.save(torch.jit.script(root), path)
    return path


def saved(content: Any, path: Path) -> Path:
    """Written as its suffix says; the path."""
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save(content, path)
    return path


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, (self.command,)


def _settings(patch: int) -> dict[str, Any]:
    return {
        "embed_dim": 16,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 48, "layers": 2, "width": 64, "patch_size": patch},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": TEXTS, "heads": 2, "layers": 2},
    }
