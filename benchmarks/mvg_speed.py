"""CPU-seconds per slice of MVG, and the share spent outside the network.

python benchmarks/mvg_speed.py

Healthy phantom CT slices are scored with lite0 and B4, untrained (time does not depend on the
weights), on one thread, by ``MVG.score`` in the preset rippel2020 and, in the same run and in
turns, by a plain implementation of the published pipeline (benchmarks/peers/rippel2020.py:
one image at a time, SciPy's distance in a loop) with the same network. Lite0 also in the
preset volume. Asked: less than 10 % outside the network for rippel2020 with B4.

Time is the process's CPU time, least of --rounds rounds. The network is what runs inside its
stem, its seven stages and its head; everything else is outside: body, windows, resizing,
normalising, pooling, distances, maps. The check of the network by a test picture, once a
network in memory, is in no score and listed by itself. A fit's time is of that many slices, with the
leaving out of patients that the plain pipeline does not do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from peers.rippel2020 import PlainRippel2020
from reporting.tables import markdown, write
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.core.volume import Volume
from grisaille.methods.mvg.canary import canary
from grisaille.methods.mvg.config import MvgConfig, Preset
from grisaille.methods.mvg.method import MVG
from grisaille.nn.backbone import BackboneName, random_backbone
from grisaille.phantom import Scan, cohort

RUN = Run(device="cpu", threads=1)
WINDOW = (-1000.0, 500.0)
BATCH = 4


@dataclass
class Stopwatch:
    """CPU-seconds in all, and of them within the network."""

    network: float = 0.0
    total: float = 0.0

    @contextmanager
    def watching(self, network: torch.nn.Module) -> Iterator[None]:
        started = [0.0]

        def enter(*_: object) -> None:
            started[0] = time.process_time()

        def leave(*_: object) -> None:
            self.network += time.process_time() - started[0]

        part = network.get_submodule
        stages = [part(f"blocks.{number}") for number in range(7)]
        first = [part("conv_stem"), *stages, part("conv_head")]
        last = [part("bn1"), *stages, part("bn2")]
        hooks = [module.register_forward_pre_hook(enter) for module in first]
        hooks += [module.register_forward_hook(leave) for module in last]
        begun = time.process_time()
        try:
            yield
        finally:
            self.total += time.process_time() - begun
            for hook in hooks:
                hook.remove()


@dataclass(frozen=True)
class Timed:
    """One piece of work on a number of slices."""

    what: str
    slices: int
    total: float
    network: float

    def row(self, backbone: BackboneName) -> dict[str, Any]:
        return {
            "network": backbone.value,
            "what": self.what,
            "slices": self.slices,
            "CPU-s per slice": round(self.total / self.slices, 4),
            "in the network": round(self.network / self.slices, 4),
            "share outside": f"{1 - self.network / self.total:.1%}",
        }


def timed(what: str, slices: int, network: torch.nn.Module, work: Callable[[], Any]) -> tuple[Timed, Any]:
    watch = Stopwatch()
    with watch.watching(network):
        result = work()
    return Timed(what, slices, watch.total, watch.network), result


def fastest(rounds: list[Timed]) -> Timed:
    return min(rounds, key=lambda one: one.total)


def phantom_volumes(count: int, slices: int, seed: int) -> list[Volume]:
    """Healthy CTs of ``slices`` axial slices, 3 mm, patients' centres."""
    volumes = []
    for case in cohort(count, seed, lesions=False, scan=Scan(modalities=("ct",))):
        volume = case.load().main
        first = (len(volume.voxels) - slices) // 2
        grid = replace(
            volume.grid,
            shape=(slices, *volume.grid.shape[1:]),
            affine=shifted(volume.grid.affine, volume.grid.to_mm((first, 0, 0))),
        )
        volumes.append(replace(volume, voxels=volume.voxels[first : first + slices], grid=grid))
    return volumes


def shifted(affine: np.ndarray, origin: np.ndarray) -> np.ndarray:
    moved = np.array(affine)
    moved[:3, 3] = origin
    return moved


def compare(name: BackboneName, train: list[Volume], test: Volume, rounds: int) -> list[dict[str, Any]]:
    """Rows of the preset rippel2020 and of the plain pipeline."""
    backbone = random_backbone(name, 0)
    network, slices = backbone.network, len(test.voxels)
    config = MvgConfig(preset=Preset.RIPPEL2020, backbone=name, ct_windows=WINDOW, batch=BATCH, folds=len(train))
    cases = [Case(lambda n=n: Study.of(train[n], patient=str(n)), str(n)) for n in range(len(train))]
    images = [image for volume in train for image in volume.voxels]
    fit, method = timed("rippel2020 fit", len(images), network, lambda: MVG(config, backbone).fit(cases, RUN))
    plain = PlainRippel2020(network, backbone.size, backbone.mean, backbone.std, WINDOW)
    plain_fit, _ = timed("plain fit", len(images), network, lambda: plain.fit(images))
    ours, theirs = [], []
    for _ in range(rounds):
        one, anomaly = timed("rippel2020 score", slices, network, lambda: method.score(Study.of(test), RUN))
        other, distances = timed("plain score", slices, network, lambda: plain.distances(test.voxels))
        ours.append(one)
        theirs.append(other)
    check, _ = timed("check", 1, network, lambda: canary(method.recipe, replace(backbone), test.modality, RUN))
    score, other = fastest(ours), fastest(theirs)
    rows = [one.row(name) for one in (score, other, fit, plain_fit)]
    rows[0] |= {"of plain": round(score.total / score.slices / (other.total / other.slices), 3)}
    rows[2] |= {"of plain": round(fit.total / plain_fit.total, 3)}
    rows.append({"network": name.value, "what": "check, once a network", "CPU-s per slice": round(check.total, 3)})
    same = spearmanr(anomaly.slice_scores.values, distances.mean(axis=1)).statistic
    rows[0] |= {"rank correlation": round(float(same), 4)}
    return rows


def volume_preset(train: list[Volume], test: Volume, rounds: int) -> dict[str, Any]:
    """The default preset with lite0, slices counted as they lie in the CT."""
    backbone = random_backbone(BackboneName.LITE0, 0)
    cases = [Case(lambda n=n: Study.of(train[n], patient=str(n)), str(n)) for n in range(len(train))]
    method = MVG(MvgConfig(), backbone).fit(cases, RUN)
    slices, network = len(test.voxels), backbone.network
    scores = [
        timed("volume score", slices, network, lambda: method.score(Study.of(test), RUN))[0] for _ in range(rounds)
    ]
    return fastest(scores).row(BackboneName.LITE0)


@threadpool_limits.wrap(limits=1)
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=43, help="of the phantoms")
    parser.add_argument("--patients", type=int, default=3, help="healthy phantoms in the fit")
    parser.add_argument("--slices", type=int, default=40, help="of each phantom")
    parser.add_argument("--rounds", type=int, default=3, help="of scoring, the least time counts")
    parser.add_argument("--networks", nargs="+", default=["efficientnet-lite0", "efficientnet-b4"])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    *train, test = phantom_volumes(asked.patients + 1, asked.slices, asked.seed)
    rows = []
    for name in map(BackboneName, asked.networks):
        rows += compare(name, train, test, asked.rounds)
    rows.append(volume_preset(train, test, asked.rounds))
    columns = ["network", "what", "slices", "CPU-s per slice", "in the network", "share outside", "of plain"]
    head = dict.fromkeys([*columns, "rank correlation"])
    print(f"one thread, seed {asked.seed}\n\n{markdown([head | row for row in rows])}\n")
    print(write("mvg_speed", {"seed": asked.seed, "rows": rows}).name)


if __name__ == "__main__":
    main()
