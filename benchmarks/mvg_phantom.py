"""MVG on held-out phantoms: what it finds, beside plain rules, and what its promise is worth.

    python benchmarks/mvg_phantom.py --modality ct
    python benchmarks/mvg_phantom.py --modality pet

Torsos of synthetic patients: healthy ones train, others with lesions are measured, and the healthy
twins of those are where false positives are counted. Average precision (AP) and AUROC over the
voxels of the body and over slices; a slice of every method scores the mean of its highest 400 mm2.

The local z-score is |intensity - healthy mean| / healthy std at the same place of the body, on a 4 mm
grid, by the alignment that MVG learned: of the raw intensities, and, as a fairer peer, of intensities
clipped to the window that MVG looks through and smoothed. The position of the body, which the
alignment rests on, is the same for all.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from reporting.tables import markdown, write
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from grisaille import phantom
from grisaille.core.calibration import Per
from grisaille.core.grid import Axis, Grid
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Volume
from grisaille.flows.load import find_weights
from grisaille.imaging.body import body_mask
from grisaille.imaging.slice_scores import slice_scores
from grisaille.methods.mvg.config import MvgConfig, Preset
from grisaille.methods.mvg.frame import NOMINAL_MM, BodyFrame, describe_planes
from grisaille.methods.mvg.method import MVG

RUN = Run(device="cpu", threads=1)
ASKED = (0.5, 1.0, 2.0)
STEP_MM = 4.0
SMALLEST_STD = {"ct": 3.0, "pet": 0.05}
SMOOTH_MM = 4.5

Scores = npt.NDArray[np.float32]
Scorer = Callable[[Study], Scores]


@dataclass
class Tally:
    """Scores and truth of the voxels of all bodies, and of all slices."""

    scores: list[npt.NDArray[Any]] = field(default_factory=list)
    truth: list[npt.NDArray[Any]] = field(default_factory=list)
    slices: list[npt.NDArray[Any]] = field(default_factory=list)
    slice_truth: list[npt.NDArray[Any]] = field(default_factory=list)

    def add(self, scores: Scores, truth: npt.NDArray[np.bool_], body: npt.NDArray[np.bool_], grid: Grid) -> None:
        """One patient."""
        judged = body | truth
        self.scores.append(scores[judged])
        self.truth.append(truth[judged])
        self.slices.append(slice_scores(scores, grid, Axis.AXIAL))
        self.slice_truth.append(truth.any(axis=(1, 2)))

    def row(self, name: str) -> dict[str, Any]:
        """The figures of all patients together."""
        scores, truth, slices, ill = (
            np.concatenate(part) for part in (self.scores, self.truth, self.slices, self.slice_truth)
        )
        return {
            "scores": name,
            "voxel AP": float(average_precision_score(truth, scores)),
            "voxel AUROC": float(roc_auc_score(truth, scores)),
            "slice AP": float(average_precision_score(ill, slices)),
            "slice AUROC": float(roc_auc_score(ill, slices)),
            "voxel prevalence": float(truth.mean()),
            "slice prevalence": float(ill.mean()),
        }


class LocalZ:
    """The plain peer: a mean and a standard deviation at each place of the aligned training cohort."""

    def __init__(self, method: MVG, key: str, window: tuple[float, float] | None) -> None:
        self.method, self.key, self.window = method, key, window

    def fit(self, studies: Iterable[Study]) -> LocalZ:
        """Two sums at each place, over the patients that reach it."""
        low, high = self.method.models[self.key].position.extent_mm  # type: ignore[union-attr]
        half = np.array([0.0, *(1.15 * size for size in NOMINAL_MM)])
        self.low = np.array([low, -half[1], -half[2]])
        self.shape = np.ceil((np.array([high, half[1], half[2]]) - self.low) / STEP_MM).astype(int) + 1
        count, first, second = (np.zeros(self.shape) for _ in range(3))
        for study in studies:
            values, reached = self._in_nominal_body(study.main)
            count[reached] += 1
            first[reached] += values[reached]
            second[reached] += values[reached] ** 2
        self.mean = first / np.maximum(count, 1)
        variance = second / np.maximum(count, 1) - self.mean**2
        self.std = np.sqrt(np.maximum(variance, SMALLEST_STD[self.key] ** 2))
        return self

    def __call__(self, study: Study) -> Scores:
        volume = study.main
        body = body_mask(volume)
        places = self._frame(volume).coordinates(volume.grid.to_mm(np.argwhere(body)))
        at = ((places - self.low) / STEP_MM).T
        mean, std = (ndimage.map_coordinates(part, at, order=1, mode="nearest") for part in (self.mean, self.std))
        scores = np.zeros(volume.grid.shape, np.float32)
        scores[body] = np.abs(self._values(volume)[body] - mean) / std
        return scores

    def _values(self, volume: Volume) -> npt.NDArray[np.float32]:
        values = np.asarray(volume.voxels, dtype=np.float32)
        if self.window is None:
            return values
        sigma = SMOOTH_MM / np.asarray(volume.grid.spacing_mm)
        return np.asarray(ndimage.gaussian_filter(np.clip(values, *self.window), sigma))

    def _frame(self, volume: Volume) -> BodyFrame:
        frame, pictures = describe_planes(self.method.recipe.stack(volume, body_mask(volume)))
        return self.method.models[self.key].position.place(frame, pictures)  # type: ignore[union-attr]

    def _in_nominal_body(self, volume: Volume) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Values on the nominal grid, and which of its planes the volume reaches."""
        frame = self._frame(volume)
        z, y, x = (low + np.arange(size) * STEP_MM for low, size in zip(self.low, self.shape, strict=True))
        z_mm = z - frame.offset_mm
        centre, half = (
            np.stack([np.interp(z_mm, frame.z_mm, part[:, axis]) for axis in range(2)])
            for part in (frame.centre_mm, frame.half_mm)
        )
        points = np.empty((*self.shape, 3))
        points[..., 0] = z_mm[:, None, None]
        points[..., 1] = (centre[0][:, None] + half[0][:, None] * y / NOMINAL_MM[0])[:, :, None]
        points[..., 2] = (centre[1][:, None] + half[1][:, None] * x / NOMINAL_MM[1])[:, None, :]
        at = np.moveaxis(volume.grid.to_index(points), -1, 0)
        values = ndimage.map_coordinates(self._values(volume), at, order=1, mode="nearest")
        return values, (z_mm > frame.z_mm[0] - STEP_MM) & (z_mm < frame.z_mm[-1] + STEP_MM)


def main() -> None:
    """Print the tables and write ``results/mvg_phantom_MODALITY.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modality", choices=("ct", "pet"), default="ct")
    parser.add_argument("--train", type=int, default=20, help="healthy patients")
    parser.add_argument("--test", type=int, default=30, help="patients with lesions, and as many healthy twins")
    parser.add_argument("--seed", type=int, default=7100, help="of the training; the test patients' follow")
    parser.add_argument("--presets", nargs="*", default=[preset.value for preset in Preset])
    given = parser.parse_args()
    key = given.modality
    scan = phantom.Scan(station=phantom.Station.TORSO, modalities=(key,))
    healthy = phantom.cohort(given.train, given.seed, lesions=False, scan=scan)
    patients = [phantom.patient(given.seed + 1000 + number, scan=scan) for number in range(given.test)]
    methods = {}
    for name in given.presets:
        config = MvgConfig(preset=name)
        methods[name] = MVG.create(config, find_weights(MVG.name, config)).fit(healthy, RUN)
        print(f"fitted {name}", flush=True)
    rows = [tally(name, method_scorer(method), patients) for name, method in methods.items()]
    rows += [tally(name, scorer, patients) for name, scorer in plain(methods, key, healthy)]
    promised = [row for name, method in methods.items() for row in promises(name, method, patients)]
    lesions = [{"patient": number, **described(patient)} for number, patient in enumerate(patients)]
    print(markdown(rows), markdown(promised), sep="\n\n")
    write(f"mvg_phantom_{key}", {"seed": given.seed, "scores": rows, "false positives": promised, "lesions": lesions})


def method_scorer(method: MVG) -> Scorer:
    """The scores of a fitted method."""
    return lambda study: method.score(study, RUN).scores


def plain(methods: dict[str, MVG], key: str, healthy: Sequence[Any]) -> list[tuple[str, Scorer]]:
    """The plain rules; those that need an alignment take that of the preset ``volume``."""
    rules: list[tuple[str, Scorer]] = []
    if key == Modality.PET.key:
        rules.append(("SUV", lambda study: np.asarray(study.main.voxels, np.float32)))
    if "volume" in methods:
        method = methods["volume"]
        windows = method.config.windows(Modality.CT if key == "ct" else Modality.PET)
        window = (min(low for low, _ in windows), max(high for _, high in windows))
        for name, seen in (("local z-score", None), ("local z-score, clipped and smoothed", window)):
            rules.append((name, LocalZ(method, key, seen).fit(case.load() for case in healthy)))
    return rules


def tally(name: str, scorer: Scorer, patients: Sequence[phantom.Phantom]) -> dict[str, Any]:
    """One row: a way of scoring over all patients with lesions."""
    counted = Tally()
    for patient in patients:
        study = patient.study
        counted.add(scorer(study), patient.lesions.voxels > 0, body_mask(study.main), study.reference)
    row = counted.row(name)
    print(row, flush=True)
    return row


def promises(name: str, method: MVG, patients: Sequence[phantom.Phantom]) -> list[dict[str, Any]]:
    """Findings asked for and made on each healthy twin."""
    maps = [method.score(patient.twin, RUN) for patient in patients]
    rows = []
    for asked in ASKED:
        made = [len(method.label(one, asked, Per.SCAN).ids) for one in maps]
        rows.append(
            {
                "preset": name,
                "asked per healthy scan": asked,
                "made": float(np.mean(made)),
                "made / asked": float(np.mean(made)) / asked,
                "smallest that can be promised": maps[0].calibration.smallest(Per.SCAN),
                "on each scan": made,
            }
        )
    return rows


def described(patient: phantom.Phantom) -> dict[str, Any]:
    """The lesions of a patient: millilitres of each."""
    counts = np.bincount(patient.lesions.voxels.ravel())[1:]
    return {"lesions_ml": [round(float(count) * patient.lesions.grid.voxel_ml, 2) for count in counts if count]}


if __name__ == "__main__":
    main()
