"""Prompts while they are learned; ``learning`` opens this module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from grisaille.core.errors import ConfigError
from grisaille.core.run import Run
from grisaille.methods.anomalyclip.clip import Clip
from grisaille.methods.anomalyclip.config import AnomalyClipConfig, Preset
from grisaille.methods.anomalyclip.held_out import Counted
from grisaille.methods.anomalyclip.losses import picture_loss
from grisaille.methods.anomalyclip.prompts import START, WORDS, Prompts
from grisaille.methods.anomalyclip.text import Learned, text_features
from grisaille.methods.anomalyclip.token_cache import MarkedTokens
from grisaille.methods.anomalyclip.tokens import image_scores, smooth_maps, token_scores
from grisaille.methods.anomalyclip.vision import Seen

_SPREAD = 0.02
_BETAS = (0.5, 0.999)

State = dict[str, Any]


class Pupil:
    """Contexts and deep prompts, and their optimizer.

    Of deep prompts there are no more than the text encoder has blocks after its first.

    Parameters
    ----------
    seed
        Of the normal distribution that the prompts begin with.
    """

    def __init__(self, clip: Clip, config: AnomalyClipConfig, seed: int, device: torch.device) -> None:
        self.clip, self.config, self.device = clip, config, device
        random = torch.Generator().manual_seed(seed)
        width, depth = clip.text_width, min(config.deep, clip.text_blocks - 1)
        context, deep = (
            (_SPREAD * torch.randn(shape, generator=random)).to(device).requires_grad_()
            for shape in ((2, config.context, width), (depth, config.deep_tokens, width))
        )
        self.learned = Learned(context, deep)
        self.optimizer = torch.optim.Adam([context, deep], lr=config.learning_rate, betas=_BETAS)

    def step(self, slices: Sequence[MarkedTokens], run: Run) -> list[float]:
        """Learn from these slices; the loss of each before.

        Slices need not be of one shape. Each goes alone as far back as to the prompts' features, so
        that memory is that of one slice.

        Raises
        ------
        ConfigError
            If the learning diverged.
        """
        text = self._text()
        found = text.detach().requires_grad_()
        losses = []
        for one in slices:
            run.check_cancelled()
            image, patches, mask = self._tensors(one)
            loss = picture_loss(image, patches, mask, found)
            (loss / len(slices)).backward()  # type: ignore[no-untyped-call] # torch's
            losses.append(loss.detach())
        self.optimizer.zero_grad()
        text.backward(found.grad)  # type: ignore[no-untyped-call] # torch's
        self.optimizer.step()
        told: list[float] = torch.stack(losses).tolist()
        if not all(torch.isfinite(torch.tensor(told))):
            raise ConfigError(
                f"the learning diverged: its loss is no number any more; choose a learning_rate below "
                f"{self.config.learning_rate:g}"
            )
        return told

    @torch.inference_mode()
    def watch(self, one: MarkedTokens, text: Tensor, counted: Counted) -> None:
        """Score a slice as a study's would be, and count it."""
        image, patches, mask = self._tensors(one)
        rows, columns = mask.shape
        scores = token_scores(patches, text).mean(dim=0, keepdim=True)
        map_ = smooth_maps(scores, (rows, columns), self.config.sigma_px)[0]
        pooled = self.config.preset is Preset.CRANE
        score = image_scores(Seen(image[None], patches[:, None]), text, pooled=pooled)
        counted.count(map_, float(score), one.mask)

    @torch.inference_mode()
    def text(self) -> Tensor:
        """(2, e) of the prompts as they are."""
        return self._text()

    def prompts(self) -> Prompts:
        """As they are."""
        context, deep = (one.detach().cpu().numpy() for one in (self.learned.context, self.learned.deep))
        return Prompts(context, deep, self.clip.token(START), WORDS)

    def state(self) -> State:
        """Copies of all that the next step depends on."""
        tensors = {"context": self.learned.context, "deep": self.learned.deep}
        return {
            **{name: one.detach().cpu().clone() for name, one in tensors.items()},
            "optimizer": _copied(self.optimizer.state_dict()),
        }

    def take_up(self, state: State) -> None:
        """The inverse of ``state``, on this one's device."""
        with torch.no_grad():
            self.learned.context.copy_(state["context"])
            self.learned.deep.copy_(state["deep"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _text(self) -> Tensor:
        return text_features(self.clip, self.learned, WORDS)

    def _tensors(self, one: MarkedTokens) -> tuple[Tensor, Tensor, Tensor]:
        image, patches = (torch.as_tensor(part).to(self.device).float() for part in (one.image, one.patches))
        return image, patches, torch.as_tensor(one.mask).to(self.device)


def _copied(part: Any) -> Any:
    """Tensors on the CPU, which the next step leaves alone."""
    if isinstance(part, Tensor):
        return part.detach().cpu().clone()
    return {key: _copied(value) for key, value in part.items()} if isinstance(part, dict) else part
