"""A small CLIP whose weights are a formula: the one that the golden figures were made with."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from grisaille.methods.anomalyclip.clip import Clip, create_clip
from grisaille.methods.anomalyclip.config import ClipName
from grisaille.methods.anomalyclip.prompts import START, Prompts
from oracles.formula_weights import uniform, weight

SETTINGS = {
    "embed_dim": 96,
    "vision_cfg": {"image_size": 112, "layers": 12, "width": 256, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 12},
    "quick_gelu": True,
}


@cache
def small_clip() -> Clip:
    """Its parameters are ``weight("pub/", name, shape)``."""
    with torch.inference_mode(False):  # whichever test asks first, others learn with it
        network = create_clip(SETTINGS, 0)
        wanted = network.state_dict().items()
        network.load_state_dict(
            {name: torch.from_numpy(weight("pub/", name, tuple(one.shape))) for name, one in wanted}
        )
        return Clip.of(network, ClipName.DEMO)


@cache
def small_prompts() -> Prompts:
    """By formula too."""
    return Prompts(
        np.stack([0.6 * uniform(f"pub/{name}", (1, 1, 12, 128))[0, 0] for name in ("ctx_pos", "ctx_neg")]),
        np.stack([0.6 * uniform(f"pub/deep.{number}", (4, 128)) for number in range(8)]),
        small_clip().token(START),
    )


def picture(name: str, rows: int, columns: int) -> torch.Tensor:
    """(1, 3, rows, columns), standardised already."""
    return torch.tensor(3.0 * uniform(f"pub/image.{name}", (1, 3, rows, columns)), dtype=torch.float32)
