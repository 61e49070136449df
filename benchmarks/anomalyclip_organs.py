"""Which organ AnomalyCLIP calls sick: a phantom with one lesion, and a real CT with one painted into it.

    xvfb-run -a python benchmarks/anomalyclip_organs.py --model FILE [--out FOLDER]

Printed: the place of the lesion's organ in the table, how far the top of that organ lies from the lesion, beside the
width of a token, and how many voxels outside the body score above the 99th percentile of the body, on the real CTs too.
The window with the real CT's table is written as a picture.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtTest import QTest
from reporting.tables import markdown, write

import grisaille as gr
from grisaille import phantom
from grisaille.core.labels import Labels
from grisaille.core.result import Result
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.desktop import layers
from grisaille.desktop.organs_dock import show_organs_of
from grisaille.desktop.repaint_bar import Source
from grisaille.desktop.review import review_of
from grisaille.desktop.view import attach
from grisaille.flows.load import load_method
from grisaille.flows.organs import with_organs
from grisaille.imaging.body import body_mask
from grisaille.methods.base import Method

RUN = Run(device="cpu", threads=1)
REAL_DATA = Path(os.environ.get("GRISAILLE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
ORGAN, RADIUS_MM, LESION_HU = "liver", 18.0, -20.0


def main() -> None:
    """Print, keep, and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a model of AnomalyCLIP: a file, or the name of one")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    method = load_method(given.model)
    rows = [_phantom(method), _real(method, given.out)]
    print(markdown(rows))
    outside = [_outside(method, name) for name in ("chest_ct.nrrd", "torso_ct")]
    print(markdown(outside))
    print(write("anomalyclip_organs", {"model": given.model, "organs": rows, "outside the body": outside}))


def _phantom(method: Method) -> dict[str, Any]:
    """The first patient with one lesion, in the liver and seen on PET."""
    for seed in range(9000, 9400):
        made = phantom.patient(seed, lesions=1)
        if made.lesion_list and made.lesion_list[0].host.value == ORGAN and not made.lesion_list[0].is_ct_only:
            break
    centre = np.array(made.lesion_list[0].centre_mm)
    result = with_organs(gr.detect(made.study, method, run=RUN), made.study, made.organs, run=RUN)
    return {"study": f"phantom {seed}", **_row(result, method, centre, ORGAN)}


def _real(method: Method, out: Path) -> dict[str, Any]:
    """The torso CT with a dark ball painted into the liver."""
    study = gr.read_study(REAL_DATA / "torso_ct")
    organs = gr.read_labels(REAL_DATA / "torso_ct" / "labels.nii.gz", like=study.reference)
    number = next(one for one, name in organs.names.items() if name == ORGAN)
    centre = _deepest(organs, number)
    painted = _with_ball(study, centre)
    result = gr.detect(painted, method, top=0.01, run=RUN)
    result = with_organs(result, painted, organs, run=RUN)
    _photograph(result, painted, method, organs, out)
    return {"study": "torso_ct, painted", **_row(result, method, centre, ORGAN)}


def _row(result: Result, method: Method, centre: np.ndarray, organ: str) -> dict[str, Any]:
    names = [one.name for one in result.organs]
    there = next((one for one in result.organs if one.name == organ), None)
    row: dict[str, Any] = {"organ": organ, "place": names.index(organ) + 1 if there else None, "of": len(names)}
    if there is not None:
        top = np.array([there.centroid_s_mm, there.centroid_p_mm, there.centroid_l_mm])
        row |= {"z of its top": there.z_top, "top to lesion mm": float(np.linalg.norm(top - centre))}
    return row | {"token mm": method.config.to_mapping()["token_mm"], "first": names[0]}


def _deepest(organs: Labels, number: int) -> np.ndarray:
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(organs.voxels == number, sampling=organs.grid.spacing_mm)
    return organs.grid.to_mm(np.unravel_index(int(depth.argmax()), depth.shape))


def _with_ball(study: Study, centre: np.ndarray) -> Study:
    ct = study.ct
    assert ct is not None
    points = ct.grid.to_mm(np.moveaxis(np.indices(ct.grid.shape), 0, -1))
    ball = np.linalg.norm(points - centre, axis=-1) <= RADIUS_MM
    return Study({**study.volumes, "ct": ct.with_voxels(np.where(ball, LESION_HU, ct.voxels).astype(ct.voxels.dtype))})


def _outside(method: Method, name: str) -> dict[str, Any]:
    path = REAL_DATA / name
    study = gr.read_study(path) if path.is_dir() else Study.of(gr.read_volume(path, modality="CT", unit="HU"))
    anomaly = method.score(study, RUN)
    body = body_mask(study.main)
    high = float(np.quantile(anomaly.scores[body], 0.99))
    return {
        "study": name,
        "99th percentile": high,
        "voxels outside above it": int((anomaly.scores[~body] > high).sum()),
    }


def _photograph(result: Result, study: Study, method: Method, organs: Labels, out: Path) -> None:
    viewer = napari.Viewer(title="grisaille")
    viewer.window.resize(1500, 950)
    layers.add_study(viewer, study)
    attach(viewer)
    review_of(viewer).show_result(result, Source(study, method, RUN))
    show_organs_of(viewer, result, study, replace(organs))
    layers.go_to(
        viewer, (result.organs[0].centroid_s_mm, result.organs[0].centroid_p_mm, result.organs[0].centroid_l_mm)
    )
    QTest.qWait(1000)
    path = out / "anomalyclip_organs.png"
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    print(path)
    viewer.close()


if __name__ == "__main__":
    main()
