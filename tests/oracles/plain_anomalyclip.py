"""AnomalyCLIP's forward pass as the paper writes it: tokens first (LND), explicit softmax, nothing pruned.

Written from arXiv 2310.18961 and the published facts, without grisaille's code: from a table of
parameters, slice by slice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import interpolate, layer_norm

Parameters = Mapping[str, Tensor]


def text(p: Parameters, ids: Tensor, contexts: Tensor, deep: Sequence[Tensor], heads: int) -> Tensor:
    """(2, e) unit features of (2, 77) ids, (2, n, w) contexts and deep prompts (t, w)."""
    features = []
    for row, context in zip(ids, contexts, strict=True):
        x = p["token_embedding.weight"][row].clone()
        x = torch.cat([x[:1], context, x[1 + len(context) :]])
        x = (x + p["positional_embedding"])[:, None]
        causal = torch.full((len(x), len(x)), float("-inf")).triu(1)
        for number in range(_blocks(p, "transformer.")):
            if 1 <= number <= len(deep):
                new = deep[number - 1].half().float()
                x = torch.cat([x[:1], new[:, None], x[1 + len(new) :]])
            name = f"transformer.resblocks.{number}."
            q, k, v = _qkv(p, name, _norm(p, f"{name}ln_1", x), heads)
            x = x + _out(p, name, _mixed(q, k, v, causal))
            x = x + _mlp(p, name, _norm(p, f"{name}ln_2", x))
        x = _norm(p, "ln_final", x)
        feature = x[int(row.argmax()), 0] @ p["text_projection"]
        features.append(feature / feature.norm())
    return torch.stack(features)


def image(
    p: Parameters, picture: Tensor, heads: int, taps: Sequence[int], first: int, kinds: str = "v"
) -> tuple[Tensor, dict[int, Tensor]]:
    """The unit class feature (e,) and, by tap, unit patches (1 + n, e) of a standardised (3, s, s) picture.

    ``first`` is the first block, from 1, with the second way; ``kinds`` the projections whose
    attention to themselves is summed there.
    """
    kernel = p["visual.conv1.weight"]
    x = torch.nn.functional.conv2d(picture[None], kernel, stride=kernel.shape[-1])[0]
    side = x.shape[-1]
    x = torch.cat([p["visual.class_embedding"][None], x.reshape(len(x), -1).T])
    grid = p["visual.positional_embedding"]
    old = round((len(grid) - 1) ** 0.5)
    spread = grid[1:].reshape(1, old, old, -1).permute(0, 3, 1, 2)
    spread = interpolate(spread, size=(side, side), mode="bilinear", align_corners=False)
    x = x + torch.cat([grid[:1], spread[0].reshape(len(spread[0]), -1).T])
    x = _norm(p, "visual.ln_pre", x[:, None])
    alone = None
    found = {}
    for number in range(1, _blocks(p, "visual.transformer.") + 1):
        name = f"visual.transformer.resblocks.{number - 1}."
        q, k, v = _qkv(p, name, _norm(p, f"{name}ln_1", x), heads)
        if number >= first:
            chosen = {"q": q, "k": k, "v": v}
            total = sum(_mixed(chosen[kind], chosen[kind], v) for kind in kinds)
            alone = (x if alone is None else alone) + _out(p, name, total)
        x = x + _out(p, name, _mixed(q, k, v))
        x = x + _mlp(p, name, _norm(p, f"{name}ln_2", x))
        if number in taps:
            found[number] = (x if alone is None else alone).clone()
    feature = x[0, 0] @ p["visual.proj"]
    patches = {tap: _norm(p, "visual.ln_post", one)[:, 0] @ p["visual.proj"] for tap, one in found.items()}
    return feature / feature.norm(), {tap: one / one.norm(dim=-1, keepdim=True) for tap, one in patches.items()}


def score(feature: Tensor, prompts: Tensor) -> float:
    """Of the image, 0 to 1."""
    return float((feature @ prompts.T / 0.07).softmax(-1)[1])


def anomaly_map(patches: Mapping[int, Tensor], prompts: Tensor, side: int, sigma: float) -> npt.NDArray[np.float32]:
    """(side, side) the smoothed sum over the taps."""
    return smoothed([(one[1:] @ prompts.T / 0.07).softmax(-1) for one in patches.values()], side, sigma)


def smoothed(chances: Sequence[Tensor], side: int, sigma: float) -> npt.NDArray[np.float32]:
    """(side, side) of the chances (tokens, 2) of both prompts, a tap each: enlarged, summed, then blurred.

    The two prompts lie beside each other in memory when they are enlarged, as in the published code.
    """
    total = 0
    for both in chances:
        tokens = round(len(both) ** 0.5)
        both = both.reshape(1, tokens, tokens, 2).permute(0, 3, 1, 2)
        normal, abnormal = interpolate(both, size=(side, side), mode="bilinear", align_corners=False)[0]
        total = total + (abnormal + 1 - normal) / 2
    return gaussian_filter(total.numpy(), sigma)


def _blocks(p: Parameters, tower: str) -> int:
    return 1 + max(int(name.split("resblocks.")[1].split(".")[0]) for name in p if name.startswith(f"{tower}resblocks"))


def _norm(p: Parameters, name: str, x: Tensor) -> Tensor:
    return layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"])


def _qkv(p: Parameters, name: str, x: Tensor, heads: int) -> list[Tensor]:
    """Each (heads, l, d) of (l, 1, w)."""
    parts = (x[:, 0] @ p[f"{name}attn.in_proj_weight"].T + p[f"{name}attn.in_proj_bias"]).chunk(3, dim=-1)
    return [part.reshape(len(x), heads, -1).transpose(0, 1) for part in parts]


def _mixed(a: Tensor, b: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """(l, 1, w) by explicit softmax."""
    logits = a @ b.transpose(-2, -1) / a.shape[-1] ** 0.5
    weights = (logits if mask is None else logits + mask).softmax(-1)
    return (weights @ v).transpose(0, 1).reshape(v.shape[1], 1, -1)


def _out(p: Parameters, name: str, x: Tensor) -> Tensor:
    return x @ p[f"{name}attn.out_proj.weight"].T + p[f"{name}attn.out_proj.bias"]


def _mlp(p: Parameters, name: str, x: Tensor) -> Tensor:
    x = x @ p[f"{name}mlp.c_fc.weight"].T + p[f"{name}mlp.c_fc.bias"]
    x = x * torch.sigmoid(1.702 * x)  # QuickGELU
    return x @ p[f"{name}mlp.c_proj.weight"].T + p[f"{name}mlp.c_proj.bias"]
