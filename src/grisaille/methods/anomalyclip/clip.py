"""A CLIP of open_clip's, frozen, and the guards that keep another network from passing for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from grisaille.core.errors import DamagedWeights, WeightsMismatch
from grisaille.methods.anomalyclip.config import ARCHITECTURES, ClipName
from grisaille.nn.backbone import ResolvedFile, fingerprint, read_tensors
from grisaille.nn.copies import Copies
from grisaille.nn.engine import load_engine
from grisaille.weights.bundle import read_bundle

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    from torch import Tensor, nn

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)

TOKENS = "token_embedding.weight"
ROWS, IDS = "token_rows", "token_ids"
"""In a file that holds only the rows of ``TOKENS`` that are used: those, and their numbers."""


@dataclass(frozen=True, eq=False)
class Clip:
    """Both encoders of a CLIP in inference mode.

    Parameters
    ----------
    network
        An open_clip ``CLIP``; it stays where it is, other devices get a copy.
    fingerprint
        sha256 over its tensors, sorted by name.
    known
        Token ids whose embedding was trained; None if all were.
    """

    name: ClipName
    network: nn.Module
    fingerprint: str
    known: frozenset[int] | None = None
    _copies: Copies[nn.Module] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_copies", Copies(self.network))

    @classmethod
    def of(cls, network: nn.Module, name: ClipName, known: frozenset[int] | None = None) -> Self:
        """Take up a network of open_clip's, after a look at what weights do not tell.

        Raises
        ------
        WeightsMismatch
            If it is no CLIP with a plain ViT, causal text and QuickGELU.
        """
        _require_plain(network, name)
        network.eval().requires_grad_(False)
        return cls(name, network, fingerprint(network.state_dict()), known)

    def on(self, device: torch.device) -> Any:
        """The network on ``device``."""
        return self._copies.on(device)

    @cached_property
    def in_eight_bits(self) -> Self:
        """A copy, made once, whose image encoder multiplies whole numbers: faster on a CPU, and a little off.

        Weights are rounded once, values at each layer; texts stay as they are. For the CPU only.

        Raises
        ------
        ConfigError
            If this PyTorch cannot do it.
        """
        from grisaille.methods.anomalyclip.eight_bit import eight_bit

        return replace(self, network=eight_bit(self.network))

    @property
    def patch(self) -> int:
        """Side of a token in pixels."""
        side: int = self.network.get_submodule("visual").patch_size[0]  # type: ignore[index,assignment] # open_clip's
        return side

    @property
    def blocks(self) -> int:
        """Of the image encoder."""
        return len(self.network.get_submodule("visual.transformer.resblocks"))  # type: ignore[arg-type] # a list

    @property
    def side(self) -> int:
        """Tokens along one side of the images it was trained on."""
        rows: int = self.network.get_submodule("visual").grid_size[0]  # type: ignore[index,assignment] # open_clip's
        return rows

    @property
    def text_width(self) -> int:
        """Of its token embeddings."""
        return int(self.network.get_parameter(TOKENS).shape[1])

    @property
    def text_blocks(self) -> int:
        """Of the text encoder."""
        return len(self.network.get_submodule("transformer.resblocks"))  # type: ignore[arg-type] # a list

    def token(self, number: int) -> npt.NDArray[np.float32]:
        """(text_width,) the embedding of a token."""
        row: npt.NDArray[np.float32] = self.network.get_parameter(TOKENS)[number].detach().cpu().float().numpy()
        return row

    @property
    def features(self) -> int:
        """Dimensions that images and texts share."""
        return int(self.network.get_parameter("text_projection").shape[1])

    def standardised(self, images: Tensor) -> Tensor:
        """(n, 3, y, x) of 0 to 1 as CLIP was trained on them."""
        return (images - images.new_tensor(_MEAN).view(3, 1, 1)) / images.new_tensor(_STD).view(3, 1, 1)

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """(n, 77) token ids.

        Raises
        ------
        WeightsMismatch
            If a text has a word that this network never saw.
        """
        import open_clip

        ids: Tensor = open_clip.tokenizer.tokenize(list(texts))
        unknown = set(ids.flatten().tolist()) - self.known if self.known is not None else set()
        if unknown:
            from open_clip.tokenizer import SimpleTokenizer

            words = ", ".join(sorted(SimpleTokenizer().decode([one]).strip() for one in unknown))
            raise WeightsMismatch(
                f"{self.name} never saw the words {words}; it is a small network for demonstration: "
                "use words it knows, or a CLIP of OpenAI's"
            )
        return ids


def load_clip(name: ClipName, file: ResolvedFile) -> Clip:
    """The CLIP ``name`` with the weights of ``file``: open_clip's names, or a bundle of ours that says what it is.

    Raises
    ------
    DamagedWeights
        If the file cannot be read, or holds values that are not finite.
    WeightsMismatch
        If it holds another network.
    """
    load_engine("torch", "open_clip", "safetensors")
    if name not in ARCHITECTURES:
        return _load_bundle(name, file)
    import open_clip

    settings = open_clip.get_model_config(ARCHITECTURES[name])
    return Clip.of(_filled(settings, read_tensors(file.path), f"{file.path.name} as {name}"), name)


def create_clip(settings: Mapping[str, Any], seed: int) -> nn.Module:
    """An untrained network of these settings of open_clip's."""
    load_engine("torch", "open_clip")
    import torch
    from open_clip.model import CLIP

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = CLIP(**settings)
    return network


def bundle_parts(network: nn.Module, ids: Sequence[int]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file of ours, in half precision; of the token embeddings only the rows ``ids``."""
    import numpy as np

    arrays = {name: tensor.detach().cpu().half().numpy() for name, tensor in network.state_dict().items()}
    rows = np.asarray(sorted(ids), dtype=np.int32)
    return {**{name: array for name, array in arrays.items() if name != TOKENS}, ROWS: arrays[TOKENS][rows], IDS: rows}


def _load_bundle(name: ClipName, file: ResolvedFile) -> Clip:
    import torch

    bundle = read_bundle(file.path)
    if "clip" not in bundle.header or not {ROWS, IDS} <= set(bundle.arrays):
        raise WeightsMismatch(f"{file.path.name} holds no CLIP; give the file of {name}")
    tensors = {key: torch.from_numpy(array.copy()) for key, array in bundle.arrays.items()}
    rows, ids = tensors.pop(ROWS), tensors.pop(IDS).long()
    settings = bundle.header["clip"]
    whole = torch.zeros(settings["text_cfg"]["vocab_size"], rows.shape[1])
    whole[ids] = rows.float()
    network = _filled(settings, {**tensors, TOKENS: whole}, f"{file.path.name} as {name}")
    return Clip.of(network, name, frozenset(ids.tolist()) | {0})  # 0 pads a text


def _filled(settings: Mapping[str, Any], found: Mapping[str, Tensor], what: str) -> nn.Module:
    """A network of these settings with the tensors ``found``."""
    import torch

    network = outline(settings)
    require_tensors(found, network.state_dict(), what)
    side = settings["text_cfg"]["context_length"]
    # On the meta device the causal mask holds nothing, and no file has it.
    network.register_buffer("attn_mask", torch.full((side, side), float("-inf")).triu_(1), persistent=False)
    network.load_state_dict({name: tensor.float() for name, tensor in found.items()}, assign=True)
    return network


def outline(settings: Mapping[str, Any]) -> nn.Module:
    """A network of these settings of open_clip's without any values."""
    import torch
    from open_clip.model import CLIP

    with torch.device("meta"):
        network: nn.Module = CLIP(**settings)
    return network


def require_tensors(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str) -> None:
    """Raise unless ``found`` has the names and shapes of ``wanted``, and finite values."""
    lacking, strange = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if lacking or strange:
        raise WeightsMismatch(
            f"{what}: the file lacks {', '.join(lacking[:3]) or 'nothing'} and also holds "
            f"{', '.join(strange[:3]) or 'nothing else'}; give the weights of this network, in open_clip's layout"
        )
    for name, tensor in wanted.items():
        if found[name].shape != tensor.shape:
            raise WeightsMismatch(
                f"{what}: tensor {name} is {tuple(found[name].shape)}, expected {tuple(tensor.shape)}; "
                "give the weights of this network"
            )
        if not found[name].isfinite().all():
            raise DamagedWeights(f"{what}: tensor {name} holds values that are not finite; fetch the file again")


def _require_plain(network: nn.Module, name: ClipName) -> None:
    from open_clip.model import CLIP
    from open_clip.transformer import QuickGELU, VisionTransformer

    visual = getattr(network, "visual", None)
    if not isinstance(network, CLIP) or not isinstance(visual, VisionTransformer):
        raise WeightsMismatch(f"{name} is a {type(network).__name__}, expected open_clip's CLIP with a ViT")
    if visual.attn_pool is not None or visual.pool_type != "tok" or visual.proj is None:
        raise WeightsMismatch(f"{name} pools its tokens another way than by a class token; its maps are not defined")
    kinds = {type(block.mlp.gelu) for tower in (visual, network) for block in tower.transformer.resblocks}
    if kinds != {QuickGELU}:
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise WeightsMismatch(
            f"{name} has the activation {found}, but its weights were trained with QuickGELU: maps would be wrong "
            "without a word; take the architecture whose name ends in -quickgelu"
        )
