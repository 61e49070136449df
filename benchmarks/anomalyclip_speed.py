"""AnomalyCLIP at full size: same figures as the published pass, and in what time.

python benchmarks/anomalyclip_speed.py [--rounds N] [--volume]

The whole architecture of ViT-L/14@336 with weights by formula (tests/oracles/formula_weights.py), so scores mean
nothing and their differences and times do. One slice of 518 x 518 pixels goes through grisaille's pass, the same in
eight bits, and the plain one of tests/oracles/plain_anomalyclip.py, which does what is published: attention written
out, both ways in every block, nothing pruned, 77 tokens of text. CPU-seconds of one thread, least of --rounds.

The map stage alone, from token scores to 518 x 518 pixels, is the median of rounds of eight maps, each let go before
the next: to be given new memory for a map takes longer than to compute the map.

--volume also scores a synthetic CT of 300 slices with tokens as wide as 336 pixels over 400 mm make them, and tells
which share of slices and tokens the crop to the body spared.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reporting.tables import markdown, write
from threadpoolctl import threadpool_limits

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from grisaille import phantom
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.methods.anomalyclip.clip import Clip, create_clip
from grisaille.methods.anomalyclip.config import ARCHITECTURES, AnomalyClipConfig, ClipName
from grisaille.methods.anomalyclip.method import AnomalyCLIP
from grisaille.methods.anomalyclip.pictures import bodies, sheets
from grisaille.methods.anomalyclip.prompts import START, Prompts
from grisaille.methods.anomalyclip.state import State
from grisaille.methods.anomalyclip.text import Learned, text_features
from grisaille.methods.anomalyclip.tokens import image_scores, smooth_maps, token_scores
from grisaille.methods.anomalyclip.vision import Look, see
from oracles import plain_anomalyclip as plain
from oracles.formula_weights import uniform, weight

NAME, SIDE, SIGMA = ClipName.VIT_L14_336, 518, 4.0
LOOK = Look((24,), 19)
MAP_ROUNDS = 40
SLICES, SLICE_MM, FIELD_MM = 300, 2.0, 400.0


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--volume", action="store_true")
    given = parser.parse_args()
    with threadpool_limits(1), torch.inference_mode():
        torch.set_num_threads(1)
        clip, prompts = _network()
        rows = _slice(clip, prompts, given.rounds)
        content: dict[str, Any] = {"slice": rows, "map stage": _map_stage()}
        print(markdown(rows))
        print(markdown([content["map stage"]]))
        if given.volume:
            content["volume"] = _volume(clip, prompts)
            print(markdown([content["volume"]]))
    print(write("anomalyclip_speed", content))


def _network() -> tuple[Clip, Prompts]:
    import open_clip

    network = create_clip(open_clip.get_model_config(ARCHITECTURES[NAME]), 0)
    for name, parameter in network.state_dict().items():
        parameter.copy_(torch.from_numpy(weight("full/", name, tuple(parameter.shape))))
    clip = Clip.of(network, NAME)
    width = clip.text_width
    contexts = np.stack([0.6 * uniform(f"full/{one}", (12, width)) for one in ("ctx_pos", "ctx_neg")])
    deep = np.stack([0.6 * uniform(f"full/deep.{number}", (4, width)) for number in range(8)])
    return clip, Prompts(contexts.astype(np.float32), deep.astype(np.float32), clip.token(START))


def _slice(clip: Clip, prompts: Prompts, rounds: int) -> list[dict[str, Any]]:
    picture = torch.tensor(3.0 * uniform("full/image", (1, 3, SIDE, SIDE)), dtype=torch.float32)
    parameters = clip.network.state_dict()
    text = text_features(clip, Learned.of(prompts, torch.device("cpu")), prompts.words)
    ids = clip.tokens([f"{'X ' * 12}{words}" for words in prompts.words])
    deep = [torch.tensor(one) for one in prompts.deep]
    published_text = plain.text(parameters, ids, torch.tensor(prompts.context), deep, heads=12)

    def ours(which: Clip) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        seen = see(which, picture, LOOK)
        scores = token_scores(seen.patches, text).sum(dim=0)
        maps = smooth_maps(scores, (SIDE, SIDE), SIGMA)
        return seen.image[0], seen.patches[0, 0].flatten(0, 1), image_scores(seen, text, pooled=False), maps[0]

    def published() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        feature, patches = plain.image(parameters, picture[0], heads=16, taps=(24,), first=6)
        maps = plain.anomaly_map(patches, published_text, SIDE, SIGMA)
        return feature, patches[24][1:], torch.tensor([plain.score(feature, published_text)]), torch.from_numpy(maps)

    wanted, took = _timed(published, rounds)
    rows: list[dict[str, Any]] = [{"pass": "plain, as published", "CPU-s a slice": took, "of the plain": 1.0}]
    for title, which in (("grisaille", clip), ("grisaille, eight bits", clip.in_eight_bits)):
        found, seconds = _timed(lambda which=which: ours(which), rounds)
        apart = [float((one - other).abs().max()) for one, other in zip(found, wanted, strict=True)]
        names = ("class feature", "patches", "score", "map")
        rows.append({"pass": title, "CPU-s a slice": seconds, "of the plain": seconds / took,
                     **{f"{name} off by": one for name, one in zip(names, apart, strict=True)},
                     "map correlation": float(np.corrcoef(found[3].ravel(), wanted[3].ravel())[0, 1])})  # fmt: skip
    rows[0] |= dict.fromkeys(list(rows[1])[3:])
    rows[1]["text off by"] = float((text - published_text).abs().max())
    return rows


def _map_stage() -> dict[str, Any]:
    tokens = torch.from_numpy(uniform("full/tokens", (8, 37, 37)).astype(np.float32) + 0.5)
    chances = torch.stack([1 - tokens, tokens], dim=-1).flatten(1, 2)

    def published() -> list[Any]:
        return [plain.smoothed([one], SIDE, SIGMA) for one in chances]

    def ours() -> torch.Tensor:
        return smooth_maps(tokens, (SIDE, SIDE), SIGMA)

    apart = float(np.abs(ours().numpy() - np.stack(published())).max())
    published_s, ours_s = _median(published), _median(ours)
    return {"published CPU-s of 8 maps": published_s, "grisaille": ours_s, "times faster": published_s / ours_s,
            "off by": apart}  # fmt: skip


def _volume(clip: Clip, prompts: Prompts) -> dict[str, Any]:
    whole = phantom.patient(7, lesions=2, scan=phantom.Scan(phantom.Station.TORSO, ct_spacing_mm=SLICE_MM)).study.ct
    voxels = (
        whole.voxels[:SLICES]
        if len(whole.voxels) >= SLICES
        else np.resize(whole.voxels, (SLICES, *whole.grid.shape[1:]))
    )
    ct = Volume(voxels, whole.grid.cropped((0, 0, 0), voxels.shape), Modality.CT, Unit.HU, name="CT")
    config = AnomalyClipConfig(
        backbone=NAME, token_mm=FIELD_MM / 24, step_mm=SLICE_MM, ct_windows=(-160.0, 240.0), batch=1
    )
    method = AnomalyCLIP(clip, State(config, prompts, clip.fingerprint))
    (sheet,) = sheets(Study.of(ct), bodies(Study.of(ct)), config, clip.patch)
    started, cpu = time.monotonic(), time.process_time()
    anomaly = method.score(Study.of(ct), Run(device="cpu", threads=1))
    _, rows, columns = sheet.shape
    return {
        "slices": SLICES, "looked at": len(sheet.slices), "tokens of a slice": rows * columns,
        "of 24 x 24": rows * columns / 24**2, "CPU-s": time.process_time() - cpu, "s": time.monotonic() - started,
        "CPU-s a slice": (time.process_time() - cpu) / SLICES, "body, share of the grid": float(anomaly.body.mean()),
    }  # fmt: skip


def _timed(function: Callable[[], Any], rounds: int) -> tuple[Any, float]:
    """What it gives, and the least CPU-seconds of some rounds."""
    least, found = np.inf, None
    for _ in range(rounds):
        started = time.process_time()
        found = function()
        least = min(least, time.process_time() - started)
    return found, float(least)


def _median(function: Callable[[], Any]) -> float:
    """CPU-seconds of one of ``MAP_ROUNDS`` rounds, after as many that settle the memory."""
    took = []
    for _ in range(2 * MAP_ROUNDS):
        started = time.process_time()
        function()  # what it gives is let go at once
        took.append(time.process_time() - started)
    return float(np.median(took[MAP_ROUNDS:]))


if __name__ == "__main__":
    main()
