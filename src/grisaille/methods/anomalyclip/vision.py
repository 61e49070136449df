"""An image through CLIP twice at once: as trained, and by what its patches have in common.

Source: Zhou et al. 2024, arXiv 2310.18961 (V-V attention); Salehi et al. 2025, arXiv 2504.11055 (Crane).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from grisaille.core.run import Run
from grisaille.methods.anomalyclip.clip import Clip
from grisaille.methods.anomalyclip.eight_bit import PROJECTION

if TYPE_CHECKING:
    from torch import Tensor


class Attention(StrEnum):
    """How patches look at each other: by values alone (as AnomalyCLIP), or the sum of three softmaxes (as Crane)."""

    VALUES = "vv"
    ALL = "qq+kk+vv"


@dataclass(frozen=True)
class Look:
    """What is taken of an image.

    Parameters
    ----------
    taps
        Blocks, from 1, after which patches are taken, ascending.
    alone
        Of the last so many blocks patches take the second way.
    attention
        Of that way.
    class_norm
        Whether the class token passes ``ln_post`` before its projection, as in CLIP.
    """

    taps: tuple[int, ...]
    alone: int
    attention: Attention = Attention.VALUES
    class_norm: bool = False


@dataclass(frozen=True, eq=False)
class Seen:
    """What CLIP made of n images, all of unit length.

    Parameters
    ----------
    image
        (n, e) of the class token.
    patches
        (taps, n, rows, columns, e).
    """

    image: Tensor
    patches: Tensor


def see(clip: Clip, images: Tensor, look: Look, run: Run | None = None, *, places: Tensor | None = None) -> Seen:
    """Both ways through the image encoder.

    Exactly the published sums, less what nothing is made of: the second way is a running sum
    without feed-forward, fed by the first; of the last block's first way only the class token is
    needed.

    Parameters
    ----------
    images
        (n, 3, y, x) standardised; y and x are multiples of the patch, and need not be equal.
    run
        Who may stop it between two blocks: large networks take seconds for an image on a CPU.
    places
        (n, 1 + rows * columns, width) position embeddings of each; those of whole images if None.

    Raises
    ------
    Cancelled
        If ``run`` says so.
    """
    import torch
    from torch.nn.functional import normalize

    visual = clip.on(images.device).visual
    tokens = visual.conv1(images)  # (n, width, rows, columns)
    rows, columns = tokens.shape[-2:]
    tokens = tokens.flatten(2).mT  # (n, patches, width)
    first = visual.class_embedding.to(tokens.dtype).expand(len(tokens), 1, -1)
    places = positions(visual, rows, columns) if places is None else places
    values = torch.cat([first, tokens], dim=1) + places.to(tokens.dtype)
    values = visual.ln_pre(values)
    blocks = visual.transformer.resblocks
    alone: Tensor | None = None
    taken = {}
    for number, block in enumerate(blocks, 1):
        if run is not None:
            run.check_cancelled()
        has_second = number > len(blocks) - look.alone
        if has_second and alone is None:
            alone = values[:, 1:]
        is_last = number == len(blocks) and has_second
        values, step = _through(block, values, look.attention if has_second else None, is_last=is_last)
        alone = alone if alone is None or step is None else alone + step
        if number in look.taps:
            taken[number] = values[:, 1:] if alone is None else alone
    image = visual.ln_post(values[:, 0]) if look.class_norm else values[:, 0]
    patches = torch.stack([visual.ln_post(taken[tap]) @ visual.proj for tap in look.taps])
    patches = patches.reshape(*patches.shape[:2], rows, columns, -1)
    return Seen(normalize(image @ visual.proj, dim=-1), normalize(patches, dim=-1))


def positions(visual: Any, rows: int, columns: int) -> Tensor:
    """(1 + rows * columns, width) the position embedding of another grid, bilinear as published; the network stays."""
    import torch
    from torch.nn.functional import interpolate

    own = visual.positional_embedding
    if (rows, columns) == tuple(visual.grid_size):
        return own  # type: ignore[no-any-return] # open_clip's
    grid = own[1:].reshape(*visual.grid_size, -1).permute(2, 0, 1)[None]
    grid = interpolate(grid, size=(rows, columns), mode="bilinear", align_corners=False)
    return torch.cat([own[:1], grid[0].flatten(1).mT])


def _through(block: Any, values: Tensor, attention: Attention | None, *, is_last: bool) -> tuple[Tensor, Tensor | None]:
    """A block: the next (n, 1 + patches, width), of the last its class token only; and what patches add to their sum.

    Without ``attention`` there is no second way.
    """
    from torch.nn.functional import scaled_dot_product_attention

    own = block.attn
    projected = _projected(own, block.ln_1(values))
    parts = projected.reshape(*projected.shape[:2], 3, own.num_heads, -1)
    query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (n, heads, tokens, d)

    def out(heads: Tensor) -> Tensor:
        return block.ls_1(own.out_proj(heads.transpose(1, 2).flatten(2)))  # type: ignore[no-any-return] # open_clip's

    step = None
    if attention is not None:
        kinds: Sequence[Tensor] = (value,) if attention is Attention.VALUES else (query, key, value)
        looks = [scaled_dot_product_attention(kind[:, :, 1:], kind, value) for kind in kinds]
        step = out(looks[0] if len(looks) == 1 else looks[0] + looks[1] + looks[2])
    if is_last:
        query, values = query[:, :, :1], values[:, :1]
    values = values + out(scaled_dot_product_attention(query, key, value))
    return values + block.ls_2(block.mlp(block.ln_2(values))), step


def _projected(attention: Any, values: Tensor) -> Tensor:
    """Query, key and value side by side; by the eight-bit layer where there is one."""
    from torch.nn.functional import linear

    layer = getattr(attention, PROJECTION, None)
    if layer is not None:
        return layer(values)  # type: ignore[no-any-return] # a module
    return linear(values, attention.in_proj_weight, attention.in_proj_bias)
