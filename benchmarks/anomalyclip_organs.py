"""Which organ AnomalyCLIP calls sick: phantoms with one lesion each, and a real CT with one painted into it.

    xvfb-run -a python benchmarks/anomalyclip_organs.py [--model anomalyclip/demo] [--pictures FOLDER]

Printed and kept: the place of the lesion's organ in the table, and what it is without the lesion; how far the top of
that organ lies from the lesion's middle, beside the width of a token; and how many voxels outside the body score above
the 99th percentile of the body. A model without a window for CT, as the one that ships, gets that of soft tissue for
the CTs. The real CT is run in the window, which is then written as a picture: it shows a
patient, and belongs beside the data.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import napari
import numpy as np
import numpy.typing as npt
from qtpy.QtTest import QTest
from reporting.tables import markdown, write
from scipy.ndimage import distance_transform_edt

import grisaille as gr
from grisaille import phantom
from grisaille.core.anomaly import AnomalyMap
from grisaille.core.labels import Labels
from grisaille.core.organ import Organ
from grisaille.core.organ_names import named
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.desktop import layers
from grisaille.desktop.contributions import AnomalyCLIP
from grisaille.desktop.maker import Model
from grisaille.desktop.organs_dock import docked_organs
from grisaille.desktop.view import attach
from grisaille.flows.load import load_method, save_method
from grisaille.imaging.body import body_mask
from grisaille.imaging.organs import find_organs
from grisaille.methods.base import Method

RUN = Run(device="cpu", threads=1)
REAL_DATA = Path(os.environ.get("GRISAILLE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
ORGAN, ORGANS = "liver", ("liver", "lung")
PATIENTS = 8
FIRST_SEED = 9000
LEAST_RADIUS_MM = 15.0
"""Of the phantom's lesion: what is smaller than a token or two drowns, as the method says itself."""
RADIUS_MM, RIM_MM, CONTRAST_HU = 18.0, 3.0, -80.0
"""Of the lesion painted: the noise under it stays."""
SOFT_TISSUE_HU = (-160.0, 240.0)
WINDOW = (1500, 950)
LARGEST_WAIT_S = 900


@dataclass(frozen=True)
class Lesion:
    """Where it lies, (z, y, x) in LPS mm, and its radius."""

    centre: npt.NDArray[np.float64]
    radius_mm: float


def main() -> None:
    """Print, keep, and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="anomalyclip/demo")
    parser.add_argument("--pictures", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    try:
        method = load_method(given.model)
    except gr.GrisailleError as error:
        sys.exit(f"{error}; name another model with --model")
    given.pictures.mkdir(parents=True, exist_ok=True)
    rows, outside = list(_phantoms(method)), []
    if REAL_DATA.is_dir():
        model = _with_window(given.model, given.pictures)
        method = load_method(model)
        torso = gr.read_study(REAL_DATA / "torso_ct")
        anomaly = method.score(torso, RUN)
        rows.append(_torso(model, method, torso, anomaly, given.pictures))
        outside.append({"study": "torso_ct", **_outside(torso, anomaly)})
        chest = Study.of(gr.read_volume(REAL_DATA / "chest_ct.nrrd", modality="CT", unit="HU"))
        outside.append({"study": "chest_ct", **_outside(chest, method.score(chest, RUN))})
    else:
        print(f"no real data in {REAL_DATA.name}: set GRISAILLE_REAL_DATA for the rest")
    for table in filter(None, (rows, outside)):
        print(f"\n{markdown(table)}")
    print(write("anomalyclip_organs", {"model": given.model, "organs": rows, "outside the body": outside}))


def _with_window(model: str, folder: Path) -> str:
    """The model, or where it has no window for CT a copy that has one: soft tissue."""
    if load_method(model).config.to_mapping()["ct_windows"]:
        return model
    copy = folder / "anomalyclip_with_ct.safetensors"
    save_method(load_method(model, settings={"ct_windows": SOFT_TISSUE_HU}), copy)
    return str(copy)


def _phantoms(method: Method) -> Iterator[dict[str, Any]]:
    """The first patients whose one lesion, in liver or lung by turns, is large and seen on PET."""
    found = 0
    for seed in count(FIRST_SEED):
        organ = ORGANS[seed % len(ORGANS)]
        made = phantom.patient(seed, lesions=1, hosts=(phantom.Host(organ),))
        lesion = next(iter(made.lesion_list), None)
        if lesion is None or lesion.radius_mm < LEAST_RADIUS_MM or lesion.is_ct_only:
            continue
        started = time.process_time()
        with_it, without = (
            find_organs(method.score(study, RUN), made.organs, study)[0] for study in (made.study, made.twin)
        )
        seconds = (time.process_time() - started) / 2
        place = Lesion(np.array(lesion.centre_mm), lesion.radius_mm)
        yield {"study": f"phantom {seed}", **_told(with_it, without, place, method, organ), "CPU-s": seconds}
        found += 1
        if found == PATIENTS:
            return


def _torso(model: str, method: Method, torso: Study, healthy: AnomalyMap, pictures: Path) -> dict[str, Any]:
    """The torso CT with a dark ball painted into the liver, run in the window."""
    path = REAL_DATA / "torso_ct" / "labels.nii.gz"
    organs, _ = named(gr.read_labels(path, like=torso.reference), path.name)
    lesion = Lesion(_deepest(organs, ORGAN), RADIUS_MM)
    started = time.process_time()
    found = _in_the_window(model, _with_ball(torso, lesion), organs, pictures / "anomalyclip_organs.png")
    seconds = time.process_time() - started
    told = _told(found, find_organs(healthy, organs, torso)[0], lesion, method)
    return {"study": "torso_ct, painted", **told, "CPU-s": seconds}


def _told(
    with_it: tuple[Organ, ...], without: tuple[Organ, ...], lesion: Lesion, method: Method, organ: str = ORGAN
) -> dict[str, Any]:
    """Of two lungs, the one that stands higher."""
    names = (organ, f"{organ} right", f"{organ} left")
    there, before = (next(one for one in organs if one.name in names) for organs in (with_it, without))
    top = np.array([there.centroid_s_mm, there.centroid_p_mm, there.centroid_l_mm])
    return {
        "organ": there.name,
        "lesion's radius mm": lesion.radius_mm,
        "place": with_it.index(there) + 1,
        "without it": without.index(before) + 1,
        "of": len(with_it),
        "z of its top": there.z_top,
        "z without it": before.z_top,
        "top to lesion mm": float(np.linalg.norm(top - lesion.centre)),
        "token mm": method.config.to_mapping()["token_mm"],
        "first": with_it[0].name,
    }


def _outside(study: Study, anomaly: AnomalyMap) -> dict[str, Any]:
    body = body_mask(study.main)
    high = float(np.quantile(anomaly.scores[body], 0.99))
    outside = int((anomaly.scores[~body] > high).sum())
    return {
        "99th percentile of the body": high,
        "voxels outside above it": outside,
        "voxels outside": int((~body).sum()),
    }


def _deepest(organs: Labels, name: str) -> npt.NDArray[np.float64]:
    """(z, y, x) in LPS mm of the point farthest from the edge of an organ."""
    number = next(one for one, called in organs.names.items() if called == name)
    depth = distance_transform_edt(organs.voxels == number, sampling=organs.grid.spacing_mm)
    return organs.grid.to_mm(np.unravel_index(int(depth.argmax()), depth.shape))


def _with_ball(study: Study, lesion: Lesion) -> Study:
    ct = study.main
    points = ct.grid.to_mm(np.moveaxis(np.indices(ct.grid.shape), 0, -1))
    inside = lesion.radius_mm - np.linalg.norm(points - lesion.centre, axis=-1)
    darker = CONTRAST_HU * np.clip(inside / RIM_MM + 0.5, 0, 1)
    return Study({**study.volumes, "ct": ct.with_voxels((ct.voxels + darker).astype(ct.voxels.dtype))})


def _in_the_window(model: str, study: Study, organs: Labels, picture: Path) -> tuple[Organ, ...]:
    """The rows of the organ table after a run in the panel; the window is written as a picture."""
    viewer = napari.Viewer(title="grisaille")
    viewer.window.resize(*WINDOW)
    layers.add_study(viewer, study)
    attach(viewer)
    panel = AnomalyCLIP(viewer)
    panel.face.models.add(Model(model, Path(model).name))
    panel.face.device.setCurrentText(RUN.device)
    viewer.window.add_dock_widget(panel, name="AnomalyCLIP", area="right")
    outlines = layers.add_labels(viewer, organs, name="organs")
    outlines.contour, outlines.opacity = 1, 0.5  # or they would cover the map
    panel.face.organs.choose(outlines)
    panel.run()
    deadline = time.monotonic() + LARGEST_WAIT_S
    while panel.is_running and time.monotonic() < deadline:
        QTest.qWait(50)
    docked = docked_organs(viewer)
    if not panel.has_result or docked is None:
        sys.exit(f"no result in the window: {panel.face.status.line.text()}")
    docked.table.selectRow(0)
    docked.parent().raise_()
    QTest.qWait(1000)
    viewer.screenshot(str(picture), canvas_only=False, flash=False)
    print(picture)
    found: tuple[Organ, ...] = docked.table.organs
    viewer.close()
    return found


if __name__ == "__main__":
    main()
