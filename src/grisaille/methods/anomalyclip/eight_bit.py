"""The image encoder in whole numbers, for the CPU."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from grisaille.core.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

PROJECTION = "in_proj_eight_bit"
"""Of an attention in eight bits: the layer that makes query, key and value."""


def eight_bit(network: nn.Module) -> nn.Module:
    """A copy whose image encoder's linear layers multiply 8-bit numbers: weights rounded once, values at each layer.

    Raises
    ------
    ConfigError
        If this PyTorch cannot do it.
    """
    import torch

    copied: Any = deepcopy(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch asks to move to torchao, which is one more package
        try:
            from torch.ao.quantization import quantize_dynamic

            quantize: Any = quantize_dynamic
            for block in copied.visual.transformer.resblocks:
                own = block.attn
                layer = torch.nn.Linear(own.embed_dim, 3 * own.embed_dim)
                layer.weight, layer.bias = own.in_proj_weight, own.in_proj_bias
                # In a Sequential: a layer on its own is not swapped, only what lies inside a module.
                setattr(own, PROJECTION, quantize(torch.nn.Sequential(layer), {torch.nn.Linear}))
                out = torch.nn.Linear(own.embed_dim, own.embed_dim)
                out.load_state_dict(own.out_proj.state_dict())
                own.out_proj = quantize(torch.nn.Sequential(out), {torch.nn.Linear})
                block.mlp = quantize(block.mlp, {torch.nn.Linear})
        except (ImportError, RuntimeError) as error:
            raise ConfigError(
                f"this PyTorch ({torch.__version__}) cannot compute in eight bits ({error}); leave eight_bit off"
            ) from error
    return copied  # type: ignore[no-any-return] # a network
