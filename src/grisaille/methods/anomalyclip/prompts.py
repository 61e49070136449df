"""Object-agnostic prompts: a few learned vectors before "object." and "damaged object."."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import frozen, require_shape
from grisaille.core.errors import DamagedWeights, ShapeError, WeightsMismatch
from grisaille.methods.anomalyclip.config import Preset

if TYPE_CHECKING:
    from torch import Tensor

    from grisaille.methods.anomalyclip.clip import Clip

WORDS = ("object.", "damaged object.")
"""What a normal and an abnormal prompt end with, whatever is looked at."""

START = 49406
"""The token that begins a text."""

_HALF = 2.0**-10
"""Relative error of half precision, with some room."""


@dataclass(frozen=True, eq=False)
class Prompts:
    """What was learned, and of which backbone.

    Parameters
    ----------
    context
        (2, n, width) float32 in place of n tokens before the words, normal and abnormal.
    deep
        (d, t, width) float32 in place of the first t of them before text block 1, 2, ...
    start
        (width,) the embedding of the start of a text in the backbone that they were learned with;
        empty for prompts that nothing was learned of.
    words
        What follows the context, normal and abnormal.
    """

    context: npt.NDArray[np.float32]
    deep: npt.NDArray[np.float32]
    start: npt.NDArray[np.float32]
    words: tuple[str, str] = WORDS

    def __post_init__(self) -> None:
        for name in ("context", "deep", "start"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float32))
        width = self.context.shape[-1]
        require_shape(self.context, (2, self.context.shape[1], width), "the context of prompts")
        require_shape(self.deep, (*self.deep.shape[:2], width), "deep prompts")
        if len(self.deep) and self.deep.shape[1] > self.context.shape[1]:
            raise WeightsMismatch(
                f"deep prompts of {self.deep.shape[1]} tokens do not fit a context of {self.context.shape[1]}"
            )

    @classmethod
    def untuned(cls, width: int, words: tuple[str, str] = WORDS) -> Self:
        """The words alone."""
        return cls(_empty(2, 0, width), _empty(0, 0, width), _empty(0), words)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """For a file."""
        return {"context": self.context, "deep": self.deep, "start": self.start}

    def require_fits(self, clip: Clip) -> None:
        """Raise ``WeightsMismatch`` if these were learned with another backbone than ``clip``."""
        width = self.context.shape[-1]
        if width != clip.text_width:
            raise WeightsMismatch(
                f"the prompts are {width} wide, but the texts of {clip.name} are {clip.text_width}; "
                "give the backbone that they were learned with"
            )
        if len(self.deep) >= clip.text_blocks:
            raise WeightsMismatch(
                f"the prompts go into {len(self.deep)} text blocks after the first, but {clip.name} has "
                f"{clip.text_blocks} in all; give the backbone that they were learned with"
            )
        if not self.start.size:
            return
        own = clip.token(START)
        apart = np.abs(self.start - own).max()
        if apart > _HALF * max(np.abs(own).max(), 1e-6):
            raise WeightsMismatch(
                f"the prompts were learned with other weights than those of {clip.name}: the beginning of a text "
                f"differs by {apart:.2g}; give the backbone that they were learned with"
            )


def read_published(path: Path) -> Prompts:
    """The prompts in a file of AnomalyCLIP or Crane; what they save and never use is left out.

    Raises
    ------
    DamagedWeights
        If the file cannot be opened without running code in it.
    WeightsMismatch
        If it holds something else.
    """
    from grisaille.nn.backbone import read_content
    from grisaille.nn.engine import load_engine

    load_engine("torch", "open_clip", "safetensors")
    return published(read_content(path), path.name)


def published(content: object, file: str) -> Prompts:
    """The prompts in the content of such a file, which its errors call ``file``."""
    if not is_published(content):
        raise WeightsMismatch(
            f"{file} holds no prompts of AnomalyCLIP or Crane (no prompt_learner with ctx_pos and ctx_neg); "
            "give one of their checkpoints"
        )
    try:
        prompts = _taken(_learner(content))
    except (LookupError, ValueError, RuntimeError, AttributeError, TypeError, ShapeError) as error:
        raise DamagedWeights(
            f"{file} is like the prompts of AnomalyCLIP or Crane, but parts are missing or of another size ({error}); "
            "fetch it again"
        ) from error
    if not all(prompts.words):
        raise WeightsMismatch(f"{file} has prompts without words; give another checkpoint")
    if not all(np.isfinite(array).all() for array in prompts.arrays().values()):
        raise DamagedWeights(f"{file} holds values that are not finite; fetch it again")
    return prompts


def is_published(content: object) -> bool:
    """Whether this is what a file of AnomalyCLIP or Crane holds."""
    return {"ctx_pos", "ctx_neg", "token_prefix_pos"} <= set(_learner(content))


def published_preset(content: object) -> Preset:
    """Whose prompts they are: AnomalyCLIP saves projections that nothing uses, Crane does not."""
    saved = any(name.startswith("compound_prompt_projections.") for name in _learner(content))
    return Preset.ANOMALYCLIP if saved else Preset.CRANE


def _learner(content: object) -> Mapping[str, Any]:
    learner = content.get("prompt_learner") if isinstance(content, Mapping) else None
    return learner if isinstance(learner, Mapping) else {}


def _taken(learner: Mapping[str, Any]) -> Prompts:
    width = learner["ctx_pos"].shape[-1]
    deep = [learner[f"compound_prompts_text.{number}"] for number in range(_count(learner))]
    return Prompts(
        np.stack([_rows(learner[name], width) for name in ("ctx_pos", "ctx_neg")]),
        np.stack([_rows(one, width) for one in deep]) if deep else _empty(0, 0, width),
        _rows(learner["token_prefix_pos"], width)[0],
        _words(learner),
    )


def _empty(*shape: int) -> npt.NDArray[np.float32]:
    return np.zeros(shape, np.float32)


def _count(learner: Mapping[str, Any]) -> int:
    return sum(name.startswith("compound_prompts_text.") for name in learner)


def _rows(tensor: Tensor, width: int) -> npt.NDArray[np.float32]:
    return tensor.detach().float().reshape(-1, width).numpy()


def _words(learner: Mapping[str, Any]) -> tuple[str, str]:
    """What the file's own token ids say after the placeholders."""
    texts = (decoded(learner[f"tokenized_prompts_{which}"].reshape(-1).tolist()) for which in ("pos", "neg"))
    normal, abnormal = (re.sub(r"^(x( |$))+", "", text) for text in texts)
    return normal, abnormal


def decoded(ids: list[int]) -> str:
    """The text of token ids, without its start, end and padding."""
    from open_clip.tokenizer import SimpleTokenizer

    text: str = SimpleTokenizer().decode([one for one in ids if 0 < one < START])
    return text.replace(" .", ".").strip()
