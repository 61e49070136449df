"""The one-pass Gaussian of MVG: exactness on real features, merge, removal, memory.

python benchmarks/mvg_gaussian.py

1. Distances against scikit-learn's float64 Ledoit-Wolf at all nine levels of real lite0
   features of phantom CT slices (asked: 1e-9), two sites merged against one pass over all,
   and one patient removed against never seen (asked: 1e-9). Beside them, for information,
   the float32 arithmetic of the published pipeline.
2. Peak memory of ``MVG.fit`` with 1,000 and 20,000 slices of synthetic features, each in a
   process of its own (asked: less than 100 MB more). Only the network is replaced, by one
   that makes up features of lite0's channels; slices, spool, sums, folds, calibration are
   those of the product. Rows "sums alone" feed the nine levels to the sums without a fit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt
import psutil
from reporting.tables import markdown, write
from sklearn.covariance import LedoitWolf

from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.imaging.body import body_mask
from grisaille.methods.mvg.config import MvgConfig, Preset
from grisaille.methods.mvg.gaussian import Gaussian, Moments, ledoit_wolf
from grisaille.methods.mvg.method import MVG
from grisaille.methods.mvg.recipe import Recipe
from grisaille.nn.backbone import Backbone, BackboneName, load_backbone, random_backbone
from grisaille.phantom import Scan, cohort
from grisaille.weights.store import find

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]
RUN = Run(device="cpu", threads=1)
CONFIG = MvgConfig(preset=Preset.RIPPEL2020)
CASE_SLICES = 100
SUMS_ALONE = "sums alone"


# --- exactness -------------------------------------------------------------------------------


def exactness(patients: int, probes: int, seed: int) -> list[dict[str, float | int]]:
    """One row a level: the largest relative differences of distances of the probe patients."""
    everyone = lite0_features(patients + probes, seed)
    train, probe = everyone[:patients], everyone[patients:]
    return [
        level_row(level, [rows[level] for rows in train], np.concatenate([rows[level] for rows in probe]))
        for level in range(len(train[0]))
    ]


def lite0_features(patients: int, seed: int) -> list[list[Rows]]:
    """Nine (slices, d) arrays for each healthy phantom, by the steps of the preset rippel2020."""
    backbone = load_backbone(BackboneName.LITE0, find(BackboneName.LITE0))
    recipe, features = Recipe(CONFIG), []
    for case in cohort(patients, seed, lesions=False, scan=Scan(ct_spacing_mm=5.0, modalities=("ct",))):
        volume = case.load().main
        stack = recipe.stack(volume, body_mask(volume))
        batches = list(recipe.features(stack, backbone, run=RUN, what="features"))
        features.append([np.concatenate([maps[level][:, 0, 0] for maps in batches]) for level in range(9)])
    return features


def level_row(level: int, train: Sequence[Rows], probe: Rows) -> dict[str, float | int]:
    everything = np.concatenate(train)
    total = moments(train)
    half, last = len(train) // 2, train[-1]
    sites = moments(train[:half]) + moments(train[half:])
    ours = distances(total, probe)
    return {
        "level": level,
        "d": everything.shape[1],
        "slices": len(everything),
        "against scikit-learn": largest_difference(ours, scikit_learns(everything.astype(np.float64), probe)),
        "two sites merged": largest_difference(distances(sites, probe), distances(Moments.of(everything), probe)),
        "patient removed": largest_difference(
            distances(total - Moments.of(last), probe),
            scikit_learns(np.concatenate(train[:-1]).astype(np.float64), probe),
        ),
        "published float32": largest_difference(published(everything, probe), ours),
    }


def moments(patients: Sequence[Rows]) -> Moments:
    """Of all rows, summed a patient and a batch at a time as a fit does."""
    batches = [rows[start : start + CONFIG.batch] for rows in patients for start in range(0, len(rows), CONFIG.batch)]
    return reduce(add, map(Moments.of, batches))


def distances(sums: Moments, probe: Rows) -> Array:
    return Gaussian.of(sums.mean, ledoit_wolf(sums)).distances(probe)


def scikit_learns(rows: Array, probe: Rows) -> Array:
    return np.sqrt(LedoitWolf().fit(rows).mahalanobis(probe.astype(np.float64)))


def published(rows: Rows, probe: Rows) -> Array:
    precision = LedoitWolf().fit(rows).precision_.astype(np.float32)
    offsets = probe - rows.mean(axis=0)
    return np.sqrt(np.maximum(np.einsum("im,mn,in->i", offsets, precision, offsets), 0)).astype(np.float64)


def largest_difference(found: Array, expected: Array) -> float:
    return float(np.max(np.abs(found - expected) / expected))


# --- memory ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class MadeUpFeatures(Backbone):
    """The real channels and strides of a backbone, and noise that follows the picture, fast."""

    seed: int = 0

    def features(self, images, levels=tuple(range(9))):
        import torch

        made, strides = [], (2, 2, 4, 8, 16, 16, 32, 32, 32)
        for level in levels:
            random = torch.Generator().manual_seed(self.seed + level)
            weights = torch.randn(self.channels[level], 3, 1, 1, generator=random)
            means = torch.nn.functional.avg_pool2d(images, strides[level])
            noise = torch.randn(len(means), self.channels[level], *means.shape[-2:])
            made.append(torch.nn.functional.conv2d(means, weights) + 0.3 * noise)
        return made


def made_up_backbone() -> Backbone:
    real = random_backbone(BackboneName.LITE0, 0)
    return MadeUpFeatures(**{one.name: getattr(real, one.name) for one in fields(real) if one.init})


def made_up_cases(slices: int) -> list[Case]:
    """Elliptic cylinders as wide as a torso, 100 slices each, made when they are loaded."""
    numbers = range(slices // CASE_SLICES)
    return [Case(lambda number=number: cylinder(number), f"cylinder-{number}") for number in numbers]


def cylinder(number: int) -> Study:
    random = np.random.default_rng(number)
    z, y, x = np.meshgrid(np.arange(CASE_SLICES), np.arange(24), np.arange(32), indexing="ij")
    taper = 1 + 0.2 * np.sin(z / 15)
    inside = ((y - 11.5) / 8) ** 2 + ((x - 15.5) / 11) ** 2 < taper
    soft = 40 + 60 * np.sin(z / 9 + x / 5) + random.normal(0, 20, inside.shape)
    voxels = np.where(inside, soft, -1000).astype(np.float32)
    grid = Grid.from_spacing(voxels.shape, (4.0, 14.0, 17.0))
    return Study.of(Volume(voxels, grid, Modality.CT, Unit.HU, "cylinder"), patient=f"cylinder-{number}")


def sums_alone(slices: int) -> None:
    channels, random = made_up_backbone().channels, np.random.default_rng(0)
    totals = [Moments.zero(count) for count in channels]
    for _ in range(slices // CASE_SLICES):
        rows = [random.standard_normal((CASE_SLICES, count)).astype(np.float32) for count in channels]
        totals = [total + Moments.of(part) for total, part in zip(totals, rows, strict=True)]
    for total in totals:
        Gaussian.of(total.mean, ledoit_wolf(total))


def whole_fit(preset: Preset) -> Callable[[int], None]:
    def fit(slices: int) -> None:
        config = replace(MvgConfig(preset=preset), input_size=32 if preset is Preset.RIPPEL2020 else 0)
        MVG(config, made_up_backbone()).fit(made_up_cases(slices), RUN)

    return fit


FITS: dict[str, Callable[[int], None]] = {
    SUMS_ALONE: sums_alone,
    Preset.RIPPEL2020.value: whole_fit(Preset.RIPPEL2020),
    Preset.VOLUME.value: whole_fit(Preset.VOLUME),
}


def memory(fit: str, sizes: Sequence[int]) -> dict[str, float | int | str]:
    """Peak memory of a fit of each size, each in a new process, and the growth."""
    peaks = []
    for slices in sizes:
        command = [sys.executable, __file__, "--peak-of", fit, "--slices", str(slices)]
        peaks.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["mb"])
    columns = {f"MB at {slices:,}": round(peak, 1) for slices, peak in zip(sizes, peaks, strict=True)}
    return {"fit": fit, **columns, "growth in MB": round(peaks[-1] - peaks[0], 1) + 0.0}


def peak_mb(work: Callable[[], None]) -> float:
    """Highest resident memory while ``work`` runs, above that before, looked at 200 times a second.

    The process's own high-water mark would not do: loading torch sets it higher than a small fit.
    """
    process, done = psutil.Process(), threading.Event()
    before = highest = process.memory_info().rss

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.005):
            highest = max(highest, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return (highest - before) / 1024**2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=8, help="healthy phantoms in the fit")
    parser.add_argument("--probes", type=int, default=2, help="healthy phantoms measured")
    parser.add_argument("--seed", type=int, default=41)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 20000], help="slices of the memory fits")
    parser.add_argument("--fits", nargs="*", choices=FITS, default=list(FITS), help="whose memory is measured")
    parser.add_argument("--peak-of", choices=FITS, help="run one fit here, print its peak memory and stop")
    parser.add_argument("--slices", type=int, default=1000, help="of --peak-of")
    asked = parser.parse_args()
    if asked.peak_of:
        made_up_backbone()  # loads torch and timm, which is not part of a fit
        print(json.dumps({"mb": peak_mb(lambda: FITS[asked.peak_of](asked.slices))}))
        return
    levels = exactness(asked.patients, asked.probes, asked.seed)
    print(f"largest relative difference of distances, seed {asked.seed}\n\n{markdown(levels)}\n", flush=True)
    growth = [memory(fit, asked.sizes) for fit in asked.fits]
    if growth:
        print(f"peak resident memory above that before the fit\n\n{markdown(growth)}\n")
    print(write("mvg_gaussian", {"seed": asked.seed, "levels": levels, "memory": growth}).name)


if __name__ == "__main__":
    main()
