"""From nothing to a small CLIP; a training that was broken off goes on where it stood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grisaille.core.run import Run
from grisaille.core.safe_write import replacing
from grisaille.methods.anomalyclip.clip import TOKENS, Clip, bundle_parts, create_clip
from grisaille.methods.anomalyclip.config import ClipName
from grisaille.methods.anomalyclip.demo.captions import every_text
from grisaille.methods.anomalyclip.demo.crops import draw
from grisaille.methods.anomalyclip.demo.pictures import PATCH, Pages
from grisaille.nn.threads import threads
from grisaille.weights.bundle import Bundle

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SETTINGS: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 48 * PATCH, "layers": 4, "width": 128, "patch_size": PATCH, "head_width": 64},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 4},
    "quick_gelu": True,
}
"""Of open_clip's CLIP."""

STRETCH = 50
"""Steps between two checkpoints."""


@dataclass(frozen=True)
class Plan:
    """How it is taught.

    Parameters
    ----------
    steps
        In the last part of them the learning rate falls to nothing.
    tokens
        Of pictures in a step, about.
    """

    steps: int = 8000
    tokens: int = 4096
    rate: float = 2e-3
    warm_up: int = 100
    cooling: float = 0.9
    decay: float = 0.05

    @property
    def cools_at(self) -> int:
        """The step from which on the learning rate falls; before it nothing depends on how many there will be."""
        return round((1 - self.cooling) * self.steps)


@dataclass(frozen=True, eq=False)
class Taught:
    """The network and the loss of each step."""

    clip: Clip
    losses: tuple[float, ...]

    def bundle(self) -> Bundle:
        """For ``weights.bundle.write_bundle``."""
        ids = sorted(set(self.clip.tokens(every_text()).flatten().tolist()))
        return Bundle(bundle_parts(self.clip.network, ids), {"clip": SETTINGS})


def teach(library: Sequence[Pages], plan: Plan, run: Run, *, checkpoint: Path | None = None) -> Taught:
    """A network after ``plan.steps`` steps; the same seed and thread count give the same.

    Parameters
    ----------
    checkpoint
        Where a training of the same plan, seed and number of patients is gone on with.

    Raises
    ------
    Cancelled
        After the step in hand; the last checkpoint stays.
    """
    import torch

    from grisaille.methods.anomalyclip.demo.teaching import Reader, lesson_loss

    network = create_clip(SETTINGS, run.seed)
    prepare(network, run.seed)
    reader = Reader(Clip.of(network, ClipName.DEMO))
    network.requires_grad_(True)
    optimiser = torch.optim.AdamW(_groups(network, plan), lr=plan.rate, betas=(0.9, 0.98), fused=True)
    said = {"steps": plan.steps, "key": repr((asdict(replace(plan, steps=0)), run.seed, len(library), SETTINGS))}
    losses = _taken_up(checkpoint, said, plan, network, optimiser)
    with threads(run):
        for step in run.track(range(len(losses), plan.steps), "teaching"):
            rng = np.random.default_rng([run.seed, step])
            for group in optimiser.param_groups:
                group["lr"] = plan.rate * _share(step, plan)
            loss = lesson_loss(reader, draw(library, plan.tokens, rng), rng)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call] # torch's
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            losses.append(float(loss.detach()))
            if checkpoint is not None and (step + 1) % STRETCH == 0:
                _keep(said, losses, network, optimiser, checkpoint)
    return Taught(Clip.of(network, ClipName.DEMO), tuple(losses))


def prepare(network: torch.nn.Module, seed: int) -> None:
    """Give an untrained network what it would take long to learn.

    Places are waves, so that between grids of other sizes they are interpolated and neighbours are alike. One
    vector is added to all of them: the first norm would else take the brightness of a plain patch away. Attention
    begins by looking at what is alike and near and taking some of it away (after Trockman and Kolter 2023, arXiv
    2305.09828), so that what differs from its surroundings stands out.
    """
    import torch

    visual: Any = network.get_submodule("visual")
    side, width = visual.grid_size[0], visual.positional_embedding.shape[1]
    random = torch.Generator().manual_seed(seed)
    waves = torch.arange(side)[:, None] * torch.pi / side * 2.0 ** torch.linspace(0, 4.4, width // 4)
    line = torch.cat([waves.sin(), waves.cos()], dim=1)
    places = torch.cat([line[:, None].expand(-1, side, -1), line[None].expand(side, -1, -1)], dim=2)
    with torch.no_grad():
        visual.positional_embedding[1:] = 0.35 * places.flatten(0, 1) + 0.7 * torch.randn(width, generator=random)
        for block in visual.transformer.resblocks:
            _begin_attention(block.attn, random)
        network.get_parameter(TOKENS).mul_(15)


def _begin_attention(attention: Any, random: torch.Generator) -> None:
    """Queries and keys whose product is near the identity, values and output whose product is near its opposite."""
    import torch

    width, heads = attention.embed_dim, attention.num_heads
    query, key, value = attention.in_proj_weight.view(3, heads, width // heads, width)
    identity = torch.eye(width)

    def noise() -> Tensor:
        return torch.randn(width, width, generator=random).div(width**0.5)

    for own_query, own_key in zip(query, key, strict=True):
        left, sizes, right = torch.linalg.svd(0.6 * (noise() + identity))
        count = len(own_query)
        own_query.copy_((left[:, :count] * sizes[:count].sqrt()).T)
        own_key.copy_(sizes[:count].sqrt()[:, None] * right[:count])
    left, sizes, right = torch.linalg.svd(0.4 * (noise() - identity))
    attention.out_proj.weight.copy_(left * sizes.sqrt())
    value.view(width, width).copy_(sizes.sqrt()[:, None] * right)
    attention.in_proj_bias.zero_()
    attention.out_proj.bias.zero_()


def _share(step: int, plan: Plan) -> float:
    """Of the learning rate, at a step."""
    left = (plan.steps - step) / (plan.steps - plan.cools_at) if step >= plan.cools_at else 1.0
    return min(left, (step + 1) / plan.warm_up, 1.0)


def _groups(network: torch.nn.Module, plan: Plan) -> list[dict[str, Any]]:
    """Matrices decay; embeddings, norms and biases do not."""
    parameters = dict(network.named_parameters())
    plain = [one for name, one in parameters.items() if one.ndim < 2 or "embedding" in name]
    matrices = [one for name, one in parameters.items() if one.ndim >= 2 and "embedding" not in name]
    return [{"params": matrices, "weight_decay": plan.decay}, {"params": plain, "weight_decay": 0.0}]


def _keep(
    said: dict[str, Any],
    losses: list[float],
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    checkpoint: Path,
) -> None:
    import torch

    whole = {**said, "losses": losses, "network": network.state_dict(), "optimiser": optimiser.state_dict()}
    with replacing(checkpoint, makes_folder=True) as temporary:
        torch.save(whole, temporary)


def _taken_up(
    checkpoint: Path | None,
    said: dict[str, Any],
    plan: Plan,
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
) -> list[float]:
    """The losses so far, with network and optimiser as they were then; none without a checkpoint of this training.

    One with another number of steps is this training too until it cools.
    """
    import torch

    if checkpoint is None or not checkpoint.exists():
        return []
    kept = torch.load(checkpoint, map_location="cpu", weights_only=True)
    losses: list[float] = kept["losses"]
    warm = min(replace(plan, steps=kept["steps"]).cools_at, plan.cools_at)
    if kept["key"] != said["key"] or (kept["steps"] != said["steps"] and len(losses) > warm):
        return []
    network.load_state_dict(kept["network"])
    optimiser.load_state_dict(kept["optimiser"])
    return losses
