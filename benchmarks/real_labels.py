"""Labels of real images over the right organs: pictures of the window, and the figures that go with them.

    scripts/with_display python benchmarks/real_labels.py [--out FOLDER]

1. The whole-body PET of STS_001, opened as a folder, and its RTSTRUCT, opened as a file: GTV_Mass has 5,095
   voxels, SUVmean 2.56 and SUVmax 7.9.
2. The cropped CT and PET of STS_001 together, on their different grids, each with its own label of the tumour.
3. ``ct_series``, a chest CT in JPEG 2000, and the organs that TotalSegmentator found in it.

Everything goes through napari's File > Open, as a user's would. Printed for each label: where it lies in
the patient (LPS), so that the picture can be held against it, and mean CT number or SUV.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtTest import QTest
from reporting.tables import markdown

import grisaille as gr
from grisaille.core.errors import GrisailleError
from grisaille.desktop import layers
from grisaille.desktop.view import attach
from grisaille.desktop.views import View, show_view

PLUGIN = "napari-grisaille"
WINDOW = (1500, 950)
DATA = Path(os.environ.get("GRISAILLE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


def main() -> None:
    """Print the tables, write the pictures and say where."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "real_labels")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    patient = given.data / "sarcoma" / "STS_001"
    whole_body(patient, given.out)
    both_grids(patient, given.out)
    organs(given.data, given.out)


def whole_body(patient: Path, out: Path) -> None:
    """PET as a folder, its RTSTRUCT as a file."""
    viewer = window()
    viewer.open(str(patient / "wholebody_pet_dicom"), plugin=PLUGIN)
    (layer,) = viewer.open(str(patient / "wholebody_rtstruct.dcm"), plugin=PLUGIN)
    told = report(viewer, [layer])
    mass = next(row for row in told if row["label"] == "GTV_Mass")
    assert mass["voxels"] == 5095, mass
    shoot(viewer, middle(layer, 1), out, "sts001_wholebody", (View.AXIAL, View.CORONAL, View.SAGITTAL))


def both_grids(patient: Path, out: Path) -> None:
    """CT and PET on their own grids, each with its own label."""
    viewer = window()
    for name in ("CT", "PET"):
        layers.add_volume(viewer, gr.read_volume(patient / f"{name}.nii.gz", unit="suvbw" if name == "PET" else None))
    added = []
    for number, name in enumerate(("CT", "PET"), start=1):
        labels = gr.read_labels(patient / f"{name}_gtv.nii.gz")
        labels = replace(labels, voxels=labels.voxels * number)  # for a colour of its own
        added.append(layers.add_labels(viewer, labels, name=f"{name} gtv"))
    attach(viewer)
    report(viewer, added)
    shoot(viewer, middle(added[0], 1), out, "sts001_ct_pet", (View.AXIAL, View.CORONAL))


def organs(data: Path, out: Path) -> None:
    """A CT whose DICOM and whose labels were turned apart on the way to NIfTI."""
    viewer = window()
    viewer.open(str(data / "ct_series"), plugin=PLUGIN)
    (volume,) = layers.volumes_in(viewer)
    labels = gr.read_labels(data / "ct_series_labels.nii.gz", like=volume)
    layer = layers.add_labels(viewer, labels, name="organs")
    layer.contour, layer.opacity = 0, 0.5
    report(viewer, [layer])
    shoot(viewer, middle(layer, None), out, "ct_series", (View.AXIAL, View.CORONAL))


def window() -> Any:
    viewer = napari.Viewer(title="grisaille")
    viewer.window.resize(*WINDOW)
    return viewer


def report(viewer: Any, label_layers: list[Any]) -> list[dict[str, object]]:
    """Where each label lies, and what the volume on the same grid measures there."""
    rows = [row for layer in label_layers for row in _rows(viewer, layer)]
    print(markdown(rows), "\n")
    return rows


def _rows(viewer: Any, layer: Any) -> Iterator[dict[str, object]]:
    labels = layers.labels_from(layer)
    volume = next((one for one in layers.volumes_in(viewer) if one.grid.is_close(labels.grid, 0.1)), None)
    for number in labels.ids:
        mask = labels.voxels == number
        superior, posterior, left = labels.grid.to_mm(np.argwhere(mask).mean(axis=0))
        values = volume.voxels[mask] if volume is not None else np.array([np.nan])
        yield {
            "label": labels.names.get(number, f"{layer.name} {number}"),
            "voxels": int(mask.sum()),
            "ml": float(mask.sum()) * labels.grid.voxel_ml,
            "left mm": float(left),
            "posterior mm": float(posterior),
            "superior mm": float(superior),
            "mean": float(values.mean()),
            "max": float(values.max()),
            "of": "" if volume is None else f"{volume.modality.value} {volume.unit.value}",
        }


def middle(layer: Any, number: int | None) -> tuple[float, ...]:
    """LPS millimetres (z, y, x) of the middle of a label, or of all."""
    labels = layers.labels_from(layer)
    mask = labels.voxels > 0 if number is None else labels.voxels == number
    return tuple(labels.grid.to_mm(np.argwhere(mask).mean(axis=0)))


def shoot(viewer: Any, place: tuple[float, ...], out: Path, name: str, views: tuple[View, ...]) -> None:
    """One picture a view, through ``place``."""
    for view in views:
        show_view(viewer, view)
        layers.go_to(viewer, place)
        QTest.qWait(800)
        path = out / f"{name}_{view.value.lower()}.png"
        viewer.screenshot(str(path), canvas_only=False, flash=False)
        print(path)
    print()
    viewer.close()


if __name__ == "__main__":
    try:
        main()
    except GrisailleError as error:
        raise SystemExit(str(error)) from error
