"""The two prompts through CLIP's text encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grisaille.methods.anomalyclip.clip import Clip
from grisaille.methods.anomalyclip.prompts import Prompts

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Learned:
    """The tensors of prompts, as the text encoder and a training take them.

    Parameters
    ----------
    context
        (2, n, width), of the normal and the abnormal prompt.
    deep
        (d, t, width).
    """

    context: Tensor
    deep: Tensor

    @classmethod
    def of(cls, prompts: Prompts, device: torch.device) -> Learned:
        """Copies of the arrays."""
        import torch

        return cls(torch.tensor(prompts.context, device=device), torch.tensor(prompts.deep, device=device))


def text_features(clip: Clip, learned: Learned, words: tuple[str, str]) -> Tensor:
    """(2, e) unit features of the normal and the abnormal prompt; gradients reach ``learned``.

    Learned contexts take the place of as many tokens before the words; before each of the blocks
    after the first, a deep prompt takes the place of the first of them, rounded to half precision
    as published. The encoder is causal, so tokens after the last end are left out.
    """
    import torch

    network = clip.on(learned.context.device)
    count = learned.context.shape[1]
    ids = clip.tokens([f"{'X ' * count}{one}" for one in words]).to(learned.context.device)
    values = network.token_embedding(ids)
    values = torch.cat([values[:, :1], learned.context, values[:, 1 + count :]], dim=1)
    return encoded(network, values, ids.argmax(dim=-1), learned.deep)


def encoded(network: Any, values: Tensor, ends: Tensor, deep: Sequence[Tensor] | Tensor = ()) -> Tensor:
    """(n, e) unit features of (n, length, width) token embeddings whose texts end at (n,) ``ends``.

    ``deep`` are (t, width) each, in place of the tokens after the first before block 1, 2, ...
    """
    import torch
    from torch.nn.functional import normalize

    length = int(ends.max()) + 1
    values = values[:, :length] + network.positional_embedding[:length]
    mask = network.attn_mask[:length, :length]
    for number, block in enumerate(network.transformer.resblocks):
        if 0 < number <= len(deep):
            new = deep[number - 1].half().to(values.dtype).expand(len(values), -1, -1)
            values = torch.cat([values[:, :1], new, values[:, 1 + new.shape[1] :]], dim=1)
        values = block(values, attn_mask=mask)
    values = network.ln_final(values)[torch.arange(len(ends), device=ends.device), ends]
    return normalize(values @ network.text_projection, dim=-1)
