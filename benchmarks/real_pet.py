"""A shipped model on a real whole-body PET: where the tumour ranks, and pictures of the window.

    xvfb-run -a python benchmarks/real_pet.py [--model mvg | autopaint | anomalyclip] [--adapt-steps N] [--out FOLDER]

The model never saw a real patient. Printed beside its findings: how much of the tumour (GTV_Mass,
drawn by hand) they cover, and the average precision of its scores and of plain SUV over the body.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import napari
import numpy as np
from gtv_suv import region
from PIL import Image
from qtpy.QtTest import QTest
from reporting.tables import markdown
from scipy.ndimage import binary_erosion
from sklearn.metrics import average_precision_score, precision_recall_curve

import grisaille as gr
from grisaille.core.result import Result
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.desktop import layers
from grisaille.desktop.view import attach
from grisaille.desktop.views import View, show_view
from grisaille.flows.load import load_method


def main() -> None:
    """Print the tables and write one picture a view."""
    data = Path(os.environ.get("GRISAILLE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patient", type=Path, nargs="?", default=data / "sarcoma" / "STS_001")
    parser.add_argument("--model", default="mvg")
    parser.add_argument("--adapt-steps", type=int, help="of AutoPaint: training steps on this PET before it is scored")
    parser.add_argument("--false-positives", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    study = gr.read_study(given.patient / "wholebody_pet_dicom")
    tumour = region(given.patient / "wholebody_rtstruct.dcm", "GTV_Mass", study.reference)
    settings = {} if given.adapt_steps is None else {"adapt_steps": given.adapt_steps}
    method = load_method(given.model, settings=settings)
    result = gr.detect(study, method, false_positives=given.false_positives, run=Run(device="cpu"))
    print(markdown(overlaps(result, tumour)), markdown(precision(result, study, tumour)), sep="\n\n")
    print("seconds:", result.provenance.seconds)
    photograph(result, study, tumour, given.out)
    if result.anomaly.healthy is not None:
        print(side_by_side(result, study, tumour, given.out))


def overlaps(result: Result, tumour: np.ndarray) -> list[dict[str, object]]:
    """Every finding, and how many millilitres of it lie in the tumour."""
    voxel_ml = result.labels.grid.voxel_ml
    return [
        {
            "id": finding.id,
            "score": finding.score,
            "volume ml": finding.volume_ml,
            "SUVmax": finding.suv_max,
            "in the tumour ml": float((tumour & (result.labels.voxels == finding.label)).sum()) * voxel_ml,
        }
        for finding in sorted(result.findings, key=lambda finding: -(finding.score or 0.0))
    ]


def precision(result: Result, study: Study, tumour: np.ndarray) -> list[dict[str, object]]:
    """Over the voxels of the body and the tumour."""
    judged = result.anomaly.body | tumour
    marked = result.labels.voxels > 0
    scores = {"model": result.anomaly.scores, "SUV": study.main.voxels}
    dice = 2.0 * float((marked & tumour).sum()) / float(marked.sum() + tumour.sum())
    return [
        {
            "scores": name,
            "voxel AP": float(average_precision_score(tumour[judged], values[judged])),
            "prevalence": float(tumour[judged].mean()),
            "best Dice (oracle)": best_dice(tumour[judged], values[judged]),
            "Dice of the labels": dice if name == "model" else None,
            "marked ml": float(marked.sum()) * result.labels.grid.voxel_ml if name == "model" else None,
        }
        for name, values in scores.items()
    ]


def best_dice(truth: np.ndarray, values: np.ndarray) -> float:
    """At the threshold that suits this very tumour best, which nobody knows beforehand."""
    precise, recalled, _ = precision_recall_curve(truth, values)
    return float((2 * precise * recalled / np.maximum(precise + recalled, 1e-12)).max())


def photograph(result: Result, study: Study, tumour: np.ndarray, out: Path) -> None:
    """The study with scores and labels, through the middle of the tumour."""
    viewer = napari.Viewer(title="grisaille")
    viewer.window.resize(1500, 950)
    layers.add_study(viewer, study)
    layers.show(viewer, result, study)
    attach(viewer)
    layers.go_to(viewer, tuple(study.reference.to_mm(np.argwhere(tumour).mean(axis=0))))
    for view, name in ((View.AXIAL, "axial"), (View.CORONAL, "coronal")):
        show_view(viewer, view)
        QTest.qWait(600)
        path = out / f"real_pet_{name}.png"
        viewer.screenshot(str(path), canvas_only=False, flash=False)
        print(path)
    viewer.close()


def side_by_side(result: Result, study: Study, tumour: np.ndarray, out: Path) -> Path:
    """Coronal, through the middle of the tumour: patient, healthy twin, z, and the labels over the tumour's outline."""
    row = round(float(np.argwhere(tumour)[:, 1].mean()))
    twin, z = result.anomaly.healthy, result.anomaly.extras["z"]
    assert twin is not None
    before, after = (_grey(one.main.voxels[::-1, row], 10.0) for one in (study, twin))
    signed = z.voxels[::-1, row] / 12.0
    red, blue = np.clip(signed, 0, 1)[..., None], np.clip(-signed, 0, 1)[..., None]
    deviation = 255 * (1 - red * (0, 1, 1) - blue * (1, 1, 0))
    marked, outline = result.labels.voxels[::-1, row] > 0, _outline(tumour[::-1, row])
    labels = before.copy()
    labels[marked] = 0.5 * labels[marked] + 0.5 * np.array((230, 60, 40))
    labels[outline] = (30, 90, 230)
    gap = np.full((len(before), 4, 3), 255.0)
    panels = np.hstack([before, gap, after, gap, deviation, gap, labels]).clip(0, 255).astype(np.uint8)
    tall = round(3 * study.reference.spacing_mm[0] / study.reference.spacing_mm[2] * panels.shape[0])
    path = out / "real_pet_side_by_side.png"
    Image.fromarray(panels).resize((3 * panels.shape[1], tall), Image.Resampling.BICUBIC).save(path)
    return path


def _grey(values: np.ndarray, top: float) -> np.ndarray:
    """(z, x, 3) with 0 white and ``top`` black, as PET is read."""
    return np.repeat(255 * (1 - np.clip(values / top, 0, 1))[..., None], 3, axis=-1)


def _outline(mask: np.ndarray) -> np.ndarray:
    return np.asarray(mask & ~binary_erosion(mask))


if __name__ == "__main__":
    main()
