"""The model that ships with the small CLIP, on lesions in organs that it never saw with one, beside plain rules.

    python benchmarks/clip_demo.py [--model anomalyclip/demo] [--patients 10] [--seed 777001]

Torsos of synthetic patients with 1 to 6 lesions of lung, liver and nodes; the CLIP and its prompts saw lesions of
marrow, muscle and fat, and spots painted into all but lung and liver. Measured beside it: the same CLIP with the words
"object." and "damaged object." untuned, SUV alone, and a local z-score of SUV (less the mean within 64 mm in the
plane, over the standard deviation there). Area under the ROC curve and average precision (AP) over voxels of the body
of CT's grid, every other in the plane; and over its axial slices, each of which scores the mean of its highest 400 mm2,
as in use.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from reporting.tables import markdown, write
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from grisaille import phantom
from grisaille.core.grid import Axis
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.flows.load import load_method
from grisaille.imaging.body import body_mask
from grisaille.imaging.resample import resample_array
from grisaille.imaging.slice_scores import slice_scores
from grisaille.methods.anomalyclip.demo.captions import HOSTS
from grisaille.methods.anomalyclip.method import AnomalyCLIP
from grisaille.methods.anomalyclip.prompts import Prompts

UNSEEN = tuple(host for host in phantom.Host if host not in HOSTS)
SEED, AROUND_MM, THINNED = 777001, 64.0, 2
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Scored:
    """Of one patient and one rule: scores and truth of some voxels, and of the slices."""

    voxels: Floats
    marked: npt.NDArray[np.bool_]
    slices: npt.NDArray[np.floating]
    sick: npt.NDArray[np.bool_]


def scores_of(study: Study, method: AnomalyCLIP, run: Run) -> Iterator[tuple[str, Floats]]:
    """Of each rule, on the study's reference grid."""
    untuned = replace(method, known=replace(method.known, prompts=Prompts.untuned(method.clip.text_width)))
    yield "learned prompts", method.score(study, run).scores
    yield "untuned words", untuned.score(study, run).scores
    pet = study.volumes["pet"]
    suv = resample_array(pet.voxels.astype(np.float32), pet.grid, study.reference)
    size = [1, *(round(AROUND_MM / spacing) | 1 for spacing in study.reference.spacing_mm[1:])]
    mean, square = (ndimage.uniform_filter(values, size) for values in (suv, suv**2))
    yield "SUV", suv
    yield "local z-score of SUV", (suv - mean) / np.sqrt(np.maximum(square - mean**2, 1e-4))


def judged(scores: Floats, study: Study, truth: npt.NDArray[np.bool_], body: npt.NDArray[np.bool_]) -> Scored:
    """What the figures are made of."""
    inside = np.where(body, scores, np.float32(-10))  # below what any rule gives
    there = body.any(axis=(1, 2))
    thin = (slice(None), slice(None, None, THINNED), slice(None, None, THINNED))
    of_slices = slice_scores(inside, study.reference, Axis.AXIAL)
    return Scored(scores[thin][body[thin]], truth[thin][body[thin]], of_slices[there], truth.any(axis=(1, 2))[there])


def figures(name: str, every: list[Scored]) -> dict[str, Any]:
    """A row of the table; scores of one patient and another are compared as they are."""
    voxels, marked, slices, sick = (
        np.concatenate([getattr(one, part) for one in every]) for part in ("voxels", "marked", "slices", "sick")
    )
    return {
        "": name,
        "slice AUROC": roc_auc_score(sick, slices),
        "slice AP": average_precision_score(sick, slices),
        "voxel AUROC": roc_auc_score(marked, voxels),
        "voxel AP": average_precision_score(marked, voxels),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="anomalyclip/demo")
    parser.add_argument("--patients", type=int, default=10)
    parser.add_argument("--seed", type=int, default=SEED, help="of the patients; only the usual one's figures are kept")
    given = parser.parse_args()
    method = load_method(given.model)
    assert isinstance(method, AnomalyCLIP)
    every: dict[str, list[Scored]] = {}
    started = time.process_time()
    for number in range(given.patients):
        made = phantom.patient(int(np.random.SeedSequence([given.seed, number]).generate_state(1)[0]), hosts=UNSEEN)
        truth = made.lesions.voxels > 0
        body = body_mask(made.study.main)
        with TemporaryDirectory() as folder:
            for name, scores in scores_of(made.study, method, Run(device="cpu", threads=1, cache=Path(folder))):
                every.setdefault(name, []).append(judged(scores, made.study, truth, body))
    rows = [figures(name, of) for name, of in every.items()]
    sick = np.concatenate([one.sick for one in every["SUV"]])
    marked = np.concatenate([one.marked for one in every["SUV"]])
    told = f"{given.patients} patients, {len(sick)} slices, {sick.sum()} with a lesion, {marked.mean():.2%} of the body"
    print(told, f"{time.process_time() - started:.0f} CPU-s", sep="; ")
    print(markdown(rows))
    if given.seed == SEED:
        print(write("clip_demo", {"model": given.model, "told": told, "rows": rows}))


if __name__ == "__main__":
    main()
