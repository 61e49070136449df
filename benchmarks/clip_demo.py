"""The demo CLIP on lesions in organs that it never saw with one, beside plain rules.

    python benchmarks/clip_demo.py

Torsos of synthetic patients, CT and PET, a slice each 32 mm. Prompts are learned on lesions of marrow, muscle and
fat, in patients that the backbone never saw; measured are lesions of lung, liver and nodes in others, with these
prompts, with the untuned words "object." and "damaged object.", by SUV alone and by a local z-score of SUV (less the
mean within 32 mm in the plane, over the standard deviation there). Average precision (AP) over the pixels of the
body, 2.5 mm wide; AUROC over slices, each scoring the mean of its highest 400 mm2; the mean of windows, then of
modalities, as in use.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from grisaille import phantom
from grisaille.core.grid import Axis
from grisaille.imaging.body import body_mask
from grisaille.imaging.slice_scores import SLICE_AREA_MM2
from grisaille.imaging.slices import Canvas, letterbox_grid
from grisaille.methods.anomalyclip.clip import Clip, load_clip
from grisaille.methods.anomalyclip.config import AnomalyClipConfig, ClipName
from grisaille.methods.anomalyclip.demo import pictures
from grisaille.methods.anomalyclip.demo.captions import HOSTS
from grisaille.methods.anomalyclip.demo.pictures import PATCH, SAMPLES, STEP_MM, TOKEN_MM, WINDOWS
from grisaille.methods.anomalyclip.demo.teaching import ALONE
from grisaille.methods.anomalyclip.prompts import WORDS, Prompts
from grisaille.methods.anomalyclip.text import Learned, text_features
from grisaille.methods.anomalyclip.tokens import smooth_maps, token_scores
from grisaille.methods.anomalyclip.vision import Look, see
from grisaille.weights.store import find

if TYPE_CHECKING:
    from torch import Tensor

UNSEEN = tuple(host for host in phantom.Host if host not in HOSTS)
SIGMA = AnomalyClipConfig().sigma_px * SAMPLES / PATCH
PIXEL_MM = TOKEN_MM / SAMPLES
THINNED = 2
Maps = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Patient:
    """Features (windows, n, rows, columns, e), damage (2, n, rows, columns); truth, body and SUV (n, y, x), fine."""

    features: Tensor
    damage: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.bool_]
    body: npt.NDArray[np.bool_]
    suv: npt.NDArray[np.float32]


def patients(clip: Clip, count: int, seed: int, hosts: Sequence[phantom.Host]) -> Iterator[Patient]:
    """Different torsos with 1 to 6 lesions in these hosts."""
    for number in range(count):
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        scan = phantom.Scan()
        made = phantom.patient(own, hosts=hosts, scan=scan)
        pages = thinned(pictures.pages(made, scan.person(own).frame.scale[0]))
        ct, pet = made.study.volumes["ct"], made.study.volumes["pet"]
        grid = letterbox_grid(ct.grid, body_mask(ct), Axis.AXIAL, Canvas(TOKEN_MM / PATCH, STEP_MM, PATCH))
        fine = pictures.plane_grids(grid, PATCH // SAMPLES)[::THINNED]
        body = np.repeat(np.repeat(pages.tissues != 0, SAMPLES, 1), SAMPLES, 2)
        truth = pictures.labels_on(made.lesions, fine) > 0
        yield Patient(seen(clip, pages), pages.damage, truth, body, pictures.values_on(pet, fine))


def thinned(pages: pictures.Pages) -> pictures.Pages:
    """Every other of them."""
    kept = slice(None, None, THINNED)
    return pictures.Pages(
        pages.ct[kept], pages.pet[kept], pages.tissues[kept], pages.damage[:, kept], pages.regions[kept]
    )


def seen(clip: Clip, pages: pictures.Pages) -> Tensor:
    """(windows, n, rows, columns, e) of whole slices."""
    import torch

    rows, columns = (slice(0, size) for size in pages.tissues.shape[1:])
    look = Look((clip.blocks,), ALONE)
    every = []
    for window in range(len(WINDOWS)):
        for number in range(len(pages.ct)):
            picture = torch.from_numpy(pages.picture(number, window, rows, columns))
            with torch.inference_mode():
                every.append(see(clip, clip.standardised(picture.expand(1, 3, -1, -1)), look).patches[0, 0])
    return torch.stack(every).unflatten(0, (len(WINDOWS), -1)).clone()


def learned(clip: Clip, shown: Sequence[Patient], steps: int, seed: int = 0) -> Tensor:
    """(2, e) of prompts after so many steps of focal and Dice loss over tokens, lesions in half of the slices."""
    import torch

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    own = Learned(
        (0.02 * torch.randn(2, 12, clip.text_width)).requires_grad_(),
        (0.02 * torch.randn(clip.text_blocks - 1, 4, clip.text_width)).requires_grad_(),
    )
    optimiser = torch.optim.Adam([own.context, own.deep], lr=2e-3, betas=(0.5, 0.999))
    slices = [
        (one, window, number) for one in shown for window in range(len(WINDOWS)) for number in range(len(one.truth))
    ]
    states = [damage_of(*place) for place in slices]
    kinds = [
        [i for i, state in enumerate(states) if (state == 1).any()],
        [i for i, state in enumerate(states) if not state.any()],
    ]
    for _ in range(steps):
        text = text_features(clip, own, WORDS)
        scores, truth = [], []
        for which in (int(rng.choice(kind)) for kind in kinds for _ in range(12)):
            one, window, number = slices[which]
            sure = torch.from_numpy(states[which] < 2)
            scores.append(token_scores(one.features[window, number], text)[sure])
            truth.append(torch.from_numpy(states[which].astype(np.float32))[sure])
        loss = segmentation_loss(torch.cat(scores).clamp(1e-6, 1 - 1e-6), torch.cat(truth))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        return text_features(clip, own, WORDS)


def damage_of(one: Patient, window: int, number: int) -> npt.NDArray[np.uint8]:
    """(rows, columns) as far as the modality of the window shows it."""
    return one.damage[int(window == len(WINDOWS) - 1), number]


def segmentation_loss(scores: Tensor, truth: Tensor) -> Tensor:
    """As AnomalyCLIP's: focal, and Dice both ways."""
    import torch

    right = torch.where(truth == 1, scores, 1 - scores)
    loss = (-((1 - right) ** 2) * right.log()).mean()
    for a, b in ((scores, truth), (1 - scores, 1 - truth)):
        loss = loss + 1 - 2 * (a * b).sum() / ((a * a).sum() + b.sum() + 1)
    return loss


def maps(one: Patient, text: Tensor) -> Maps:
    """(n, y, x) by what is looked at."""
    fine = np.stack(
        [smooth_maps(token_scores(window, text), one.truth.shape[1:], SIGMA).numpy() for window in one.features]
    )
    ct, pet = fine[:-1].mean(axis=0), fine[-1]
    return {"CT and PET": (ct + pet) / 2, "PET": pet, "CT": ct}


def plain(one: Patient) -> Maps:
    """SUV, and how far it is off what is around."""
    side = round(64 / PIXEL_MM) | 1
    mean, square = (ndimage.uniform_filter(values, (0, side, side)) for values in (one.suv, one.suv**2))
    return {"SUV": one.suv, "local z-score": (one.suv - mean) / np.sqrt(np.maximum(square - mean**2, 1e-4))}


def figures(tested: Sequence[Patient], scored: Sequence[Maps]) -> Iterator[tuple[str, float, float]]:
    """Of each map: its name, voxel AP and slice AUROC."""
    highest = round(SLICE_AREA_MM2 / PIXEL_MM**2)
    truth = np.concatenate([one.truth[one.body] for one in tested])
    slices = np.concatenate([one.truth.any(axis=(1, 2)) for one in tested])
    for name in scored[0]:
        pixels = np.concatenate([own[name][one.body] for one, own in zip(tested, scored, strict=True)])
        tops = []
        for one, own in zip(tested, scored, strict=True):
            inside = np.where(one.body, own[name], own[name].min()).reshape(len(one.truth), -1)
            tops.append(np.sort(inside, axis=1)[:, -highest:].mean(axis=1))
        yield name, average_precision_score(truth, pixels), roc_auc_score(slices, np.concatenate(tops))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="another file than the one that ships")
    parser.add_argument("--tested", type=int, default=10)
    parser.add_argument("--shown", type=int, default=6, help="patients that prompts are learned on")
    parser.add_argument("--steps", type=int, default=300)
    given = parser.parse_args()
    file: Any = SimpleNamespace(name="clip-demo", path=given.weights) if given.weights else find("clip-demo")
    clip = load_clip(ClipName.DEMO, file)
    tested = list(patients(clip, given.tested, 777001, UNSEEN))
    text = learned(clip, list(patients(clip, given.shown, 777002, HOSTS)), given.steps)
    untuned = text_features(clip, Learned.of(Prompts.untuned(clip.text_width), text.device), WORDS)
    share = np.concatenate([one.truth[one.body] for one in tested]).mean()
    print(
        f"{len(tested)} patients, {sum(len(one.truth) for one in tested)} slices, {share:.2%} of the body is lesion\n"
    )
    print("| | voxel AP | slice AUROC |\n|---|---|---|")
    rows = [
        ("learned prompts, ", [maps(one, text) for one in tested]),
        ("untuned words, ", [maps(one, untuned) for one in tested]),
    ]
    for prefix, scored in [*rows, ("", [plain(one) for one in tested])]:
        for name, ap, auroc in figures(tested, scored):
            print(f"| {prefix}{name} | {ap:.3f} | {auroc:.3f} |")


if __name__ == "__main__":
    main()
