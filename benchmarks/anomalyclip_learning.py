"""What learning prompts costs with the features of each slice kept, and as published.

python benchmarks/anomalyclip_learning.py

1. A whole learning on a small CLIP with random weights and made-up slices: passes of the image
   encoder, CPU-seconds and the last epoch's loss. The published loop looks at every slice in each
   epoch; it is given our encoder, which is faster than its own, and the same beginning and order.
2. One step of eight slices in the shape of ViT-L/14 at 518 (1369 patches, 768 features, text
   encoder of 12 blocks), on random features and weights: CPU-seconds and the largest relative
   difference of the gradients.
3. One look of ViT-L/14 at a slice of 518, and from that what a learning on ``--hospital`` slices
   would take, computed, not run.

Weights are random: nothing here is about how well prompts find anything.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers import plain_prompt_learning as plain
from reporting.tables import markdown, write
from torch import Tensor
from torch.nn.functional import normalize

from grisaille.core.run import Run
from grisaille.methods.anomalyclip.clip import Clip, create_clip
from grisaille.methods.anomalyclip.config import AnomalyClipConfig, ClipName
from grisaille.methods.anomalyclip.learning import learn
from grisaille.methods.anomalyclip.prompts import WORDS
from grisaille.methods.anomalyclip.pupil import Pupil
from grisaille.methods.anomalyclip.token_cache import Marked, MarkedTokens, TokenCache
from grisaille.methods.anomalyclip.vision import Look, see

RUN = Run(device="cpu", threads=1)
CPU = torch.device("cpu")
CONFIG = AnomalyClipConfig()
SMALL: dict[str, Any] = {
    "embed_dim": 96,
    "vision_cfg": {"image_size": 112, "layers": 12, "width": 256, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 12},
    "quick_gelu": True,
}
LARGE: dict[str, Any] = {
    "embed_dim": 768,
    "vision_cfg": {"image_size": 336, "layers": 24, "width": 1024, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 768, "heads": 12, "layers": 12},
    "quick_gelu": True,
}
TOKENS, SIDE = 37, 518


# --- a whole learning -------------------------------------------------------------------------


class Squares:
    """Noise, with a bright square on every second slice."""

    def __init__(self, count: int, side: int) -> None:
        self.masks = np.zeros((count, side, side), dtype=bool)
        self.masks[1::2, side // 4 : side // 2, side // 3 : 2 * side // 3] = True

    def __len__(self) -> int:
        return len(self.masks)

    def images(self, slices: np.ndarray) -> np.ndarray:
        side = self.masks.shape[1]
        noise = np.stack([np.random.default_rng(int(number)).random((3, side, side)) for number in slices])
        return np.where(self.masks[slices][:, None], 1.0, noise).astype(np.float32)


class Looks:
    """Counts slices that pass an encoder."""

    def __init__(self, clip: Clip, look: Look) -> None:
        self.clip, self.look, self.count = clip, look, 0
        clip.network.get_submodule("visual.conv1").register_forward_hook(self._seen)

    def _seen(self, _module: object, arguments: tuple[Tensor], _result: Tensor) -> None:
        self.count += len(arguments[0])

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        seen = see(self.clip, images, self.look)
        return seen.image, seen.patches


def whole_learning(slices: int, side: int) -> list[dict[str, Any]]:
    clip, squares, look = Clip.of(create_clip(SMALL, 0), ClipName.DEMO), Squares(slices, side), Look((12,), 7)
    looks = Looks(clip, look)
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        cache = TokenCache(Path(folder), clip, look)
        kept = cache.keeping([Marked("one", "squares", "squares", lambda: (squares, squares.masks))], RUN)
        between = time.process_time()
        _, course = learn(clip, kept, None, CONFIG, RUN)
        megabytes = sum(file.stat().st_size for file in Path(folder).glob("*/*")) / 1e6
    ours = {
        "way": "kept features",
        "encoder passes": looks.count,
        "CPU-s": time.process_time() - started,
        "of it encoder": between - started,
        "last loss": course[-1].loss,
        "MB on disk": megabytes,
    }
    looks.count = 0
    started = time.process_time()
    losses = published(clip, squares, looks)
    theirs = {
        "way": "as published",
        "encoder passes": looks.count,
        "CPU-s": time.process_time() - started,
        "last loss": losses[-1],
    }
    return [ours, theirs]


def published(clip: Clip, squares: Squares, looks: Looks) -> list[float]:
    begun = Pupil(clip, CONFIG, RUN.seed, CPU).learned  # the same beginning
    pictures = clip.standardised(torch.from_numpy(squares.images(np.arange(len(squares)))))
    orders = []
    for epoch in range(CONFIG.epochs):
        order = np.random.default_rng([RUN.seed, epoch]).permutation(len(squares)).tolist()
        orders.append([order[begin : begin + CONFIG.lesson] for begin in range(0, len(order), CONFIG.lesson)])
    adam = torch.optim.Adam([begun.context, begun.deep], lr=CONFIG.learning_rate, betas=(0.5, 0.999))

    def prompts() -> Tensor:
        return plain.text(clip.network, _ids(clip), begun.context, begun.deep)

    return list(plain.epochs(looks, prompts, pictures, torch.tensor(squares.masks).float(), orders, adam))


def _ids(clip: Clip) -> Tensor:
    return clip.tokens([f"{'X ' * CONFIG.context}{one}" for one in WORDS])


# --- a step in the shape of ViT-L/14 ----------------------------------------------------------


def large_step(repeats: int) -> list[dict[str, Any]]:
    clip = large_texts()
    slices = made_up_slices(CONFIG.lesson)
    pupil = Pupil(clip, CONFIG, 0, CPU)
    context, deep = (one.detach().clone().requires_grad_() for one in (pupil.learned.context, pupil.learned.deep))
    images, patches = (torch.tensor(np.stack([getattr(one, part) for one in slices])) for part in ("image", "patches"))
    images, patches = images.float(), patches.float().transpose(0, 1).contiguous()
    masks = torch.tensor(np.stack([one.mask for one in slices])).float()

    def theirs() -> None:
        context.grad = deep.grad = None
        plain.loss(images, patches, masks, plain.text(clip.network, _ids(clip), context, deep)).backward()

    def ours() -> None:
        pupil.step(slices, RUN)

    theirs()
    ours()  # its gradients stay until the next
    apart = [
        float((mine.grad - wanted.grad).abs().max() / wanted.grad.abs().max())
        for mine, wanted in ((pupil.learned.context, context), (pupil.learned.deep, deep))
    ]
    kept, published = seconds(ours, repeats), seconds(theirs, repeats)
    return [
        {"way": "kept features", "CPU-s a step": kept, "gradient of context": apart[0], "of deep prompts": apart[1]},
        {"way": "as published", "CPU-s a step": published},
    ]


def large_texts() -> Clip:
    """Its image encoder is a stub: features are made up."""
    stub = {**LARGE, "vision_cfg": {"image_size": 28, "layers": 1, "width": 64, "patch_size": 14}}
    return Clip.of(create_clip(stub, 0), ClipName.DEMO)


def made_up_slices(count: int) -> list[MarkedTokens]:
    random = torch.Generator().manual_seed(0)
    slices = []
    for number in range(count):
        parts = [torch.randn(shape, generator=random) for shape in ((768,), (1, TOKENS, TOKENS, 768))]
        mask = np.zeros((SIDE, SIDE), dtype=bool)
        mask[100 : 100 + 30 * number, 200:300] = True
        slices.append(MarkedTokens(*(normalize(one, dim=-1).half().numpy() for one in parts), mask))
    return slices


def seconds(step: Callable[[], None], repeats: int) -> float:
    """The median CPU-seconds."""
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        step()
        taken.append(time.process_time() - started)
    return float(np.median(taken))


# --- one look of ViT-L/14 ---------------------------------------------------------------------


def large_look(repeats: int) -> float:
    """CPU-seconds a slice of 518."""
    clip, images = Clip.of(create_clip(LARGE, 0), ClipName.VIT_L14_336), torch.rand(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        return seconds(lambda: see(clip, images, Look((24,), 19)), repeats)


def projected(look: float, steps: list[dict[str, Any]], slices: int) -> list[dict[str, Any]]:
    """CPU-minutes of a whole learning, computed from a look and a step."""
    rows = []
    for step, passes in zip(steps, (1, CONFIG.epochs), strict=True):
        each = CONFIG.epochs * -(-slices // CONFIG.lesson) * step["CPU-s a step"]
        rows.append(
            {
                "way": step["way"],
                "slices": slices,
                "encoder passes": passes * slices,
                "CPU-min, computed": (passes * slices * look + each) / 60,
                "of it prompts": each / 60,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=24, help="of the whole learning")
    parser.add_argument("--side", type=int, default=224, help="of its slices, in pixels")
    parser.add_argument("--repeats", type=int, default=7, help="of each step; the median counts")
    parser.add_argument("--hospital", type=int, default=200, help="slices that the computed learning has")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    whole = whole_learning(asked.slices, asked.side)
    print(f"a whole learning, small CLIP, {asked.slices} slices of {asked.side} px\n\n{markdown(whole)}\n", flush=True)
    steps = large_step(asked.repeats)
    print(f"a step, ViT-L/14 at {SIDE}, {CONFIG.lesson} slices\n\n{markdown(steps)}\n", flush=True)
    look = large_look(3)
    course = projected(look, steps, asked.hospital)
    print(f"a look of ViT-L/14 at {SIDE}: {look:.2f} CPU-s\n\n{markdown(course)}\n")
    content = {"whole learning": whole, "step": steps, "CPU-s a look": look, "computed": course}
    print(write("anomalyclip_learning", content).name)


if __name__ == "__main__":
    main()
