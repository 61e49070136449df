"""A shipped model on real crops: two sarcomas in PET and CT, and a chest CT with a nodule.

    python benchmarks/real_crops.py [--model autopaint/phantom] [--out FOLDER]

The model never saw a real patient. Of each: voxel AP of its scores and of plain SUV over the body, Dice of its
labels, and where the truth ranks among its ten largest candidates. Pictures go to a folder and are not kept.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from reporting.tables import markdown
from sklearn.metrics import average_precision_score

import grisaille as gr
from grisaille.core.calibration import Per
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Volume
from grisaille.flows.evaluation.pictures import picture
from grisaille.imaging.metrics import dice
from grisaille.methods.base import Method

CANDIDATES = 10
MOST = 10.0
"""False positives a healthy scan that the candidates are taken at: more than anyone would ask for."""


def main() -> None:
    """Print a row a study and write its picture."""
    data = Path(os.environ.get("GRISAILLE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--model", default="autopaint/phantom")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    method, rows = gr.load_method(given.model), []
    for name, study, truth in studies(given.data):
        row, png = measured(method, study, truth)
        rows.append({"study": name, **row})
        path = given.out / f"real_crop_{name}.png"
        path.write_bytes(png)
        print(path, flush=True)
    print(markdown(rows))


def studies(data: Path) -> list[tuple[str, Study, Volume]]:
    """Each with the mask of what is to be found."""
    found = []
    for patient in ("STS_001", "STS_002"):
        folder = data / "sarcoma" / patient
        pet = gr.read_volume(folder / "PET.nii.gz", modality="pet", unit="suvbw")
        ct = gr.read_volume(folder / "CT.nii.gz", modality="ct", unit="hu")
        found.append((patient, Study.of(ct, pet), gr.read_volume(folder / "PET_gtv.nii.gz", modality="other")))
    chest = Study.of(gr.read_volume(data / "chest_ct.nrrd", modality="ct", unit="hu"))
    found.append(("chest_ct", chest, gr.read_volume(data / "chest_ct_nodule.nrrd", modality="other")))
    return found


def measured(method: Method, study: Study, mask: Volume) -> tuple[dict[str, Any], bytes]:
    """A row of the table, and a picture of the truth beside what was marked at one false positive a scan."""
    truth = mask.voxels > 0
    anomaly = method.score(study, Run(device="cpu"))
    judged = anomaly.body | truth
    marked = method.label(anomaly, 1.0, Per.SCAN).voxels
    many = method.label(anomaly, MOST, Per.SCAN).voxels
    sizes = np.bincount(many.ravel())[1:]
    largest = np.argsort(-sizes)[:CANDIDATES] + 1
    ranks = [rank for rank, number in enumerate(largest, start=1) if truth[many == number].any()]
    suv = study.pet.voxels if study.pet is not None else None
    row = {
        "voxel AP": float(average_precision_score(truth[judged], anomaly.scores[judged])),
        "of SUV": None if suv is None else float(average_precision_score(truth[judged], suv[judged])),
        "prevalence": float(truth[judged].mean()),
        "findings": int(marked.max()),
        "Dice": dice(marked > 0, truth),
        "candidates": int(many.max()),
        "ranks by size of those that touch it": ", ".join(map(str, ranks)) or "none",
    }
    return row, picture(study, truth, marked > 0)


if __name__ == "__main__":
    main()
