"""The pictures of the README, made anew: ``make shots``.

A real window, a shipped sample, the shipped model. Needs a display, or Xvfb.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import napari
import numpy as np
from PIL import Image
from qtpy.QtCore import QPoint, QRect
from qtpy.QtGui import QPainter, QPalette, QPen
from qtpy.QtTest import QTest

from grisaille.core.finding import Finding
from grisaille.core.result import Result
from grisaille.core.volume import Modality
from grisaille.desktop import layers
from grisaille.desktop.compare import Sight
from grisaille.desktop.contributions import MVG, AutoPaint
from grisaille.desktop.export_dialog import ExportDialog
from grisaille.desktop.review import Review, review_of
from grisaille.desktop.view import attach
from grisaille.desktop.views import View, show_view
from grisaille.flows import samples
from grisaille.imaging.findings import find_findings
from grisaille.io.export.formats import Format

IMAGES = Path(__file__).parent / "images"
WINDOW = (1500, 950)
COLOURS = 256
"""As many as the smaller kind of PNG holds."""
MARGIN = 40
DICOM = "dicom_station"
LEFT_SIDED = "petct_lesions_1"
LARGEST_WAIT_S = 900
CLOSE_UP = 3.0
"""Times that a lesion is brought closer, to see it wiped away."""
FAINT = 0.35
"""Opacity of the outline around it."""


def main() -> int:
    """Write every picture, and say where."""
    IMAGES.mkdir(exist_ok=True)
    shoot_anatomy()
    shoot_panel(MVG, "mvg")
    shoot_panel(AutoPaint, "autopaint")
    shoot_export()
    return 0


def shoot_anatomy() -> None:
    """The true lesions of a sample, all on the patient's left, in three views."""
    study, truth = samples.study(LEFT_SIDED), samples.truth(LEFT_SIDED)
    viewer = napari.Viewer(title="grisaille")
    viewer.window.resize(*WINDOW)
    layers.add_study(viewer, study)
    findings = find_findings(truth, study)
    layers.add_labels(viewer, truth, findings, name="true lesions")
    attach(viewer)
    largest = max(findings, key=lambda finding: finding.volume_ml)
    layers.go_to(viewer, (largest.centroid_s_mm, largest.centroid_p_mm, largest.centroid_l_mm))
    for view, name in ((View.AXIAL, "axial"), (View.CORONAL, "coronal"), (View.SPACE, "3d")):
        show_view(viewer, view)
        settle()
        save(viewer, f"left_lesion_{name}", canvas_only=True)
    viewer.close()


def shoot_panel(widget: type[AutoPaint | MVG], name: str) -> None:
    """Panel, score curve, labels and table after a run."""
    viewer = napari.Viewer(title="grisaille")
    viewer.window.resize(*WINDOW)
    layers.add_study(viewer, samples.study(LEFT_SIDED))
    run(viewer, widget)
    save(viewer, f"{name}_panel")
    show_view(viewer, View.CORONAL)
    settle()
    save(viewer, f"{name}_coronal")
    if widget is AutoPaint:
        shoot_wipe(viewer)
        shoot_z(viewer)
    viewer.close()


def shoot_export() -> None:
    """The export dialog over the findings of the sample that is DICOM."""
    viewer = napari.Viewer(title="grisaille")
    viewer.window.resize(*WINDOW)
    layers.add_study(viewer, samples.study(DICOM))
    run(viewer, MVG)
    review = review_of(viewer)
    review.export.click()
    (dialog,) = review.findChildren(ExportDialog)
    dialog.formats[Format.RTSTRUCT].setChecked(True)
    dialog.folder.setText("exported")  # no folder of whose screen it is
    settle()
    window = review.window()
    picture, shown = window.grab(), dialog.grab()
    place = QPoint(window.width() - dialog.width() - MARGIN, MARGIN)  # on the panel, not on the patient
    painter = QPainter(picture)
    painter.drawPixmap(place, shown)
    painter.setPen(QPen(dialog.palette().color(QPalette.ColorRole.Light), 1))
    painter.drawRect(QRect(place, dialog.size()))
    painter.end()
    path = IMAGES / "export_dialog.png"
    picture.save(str(path))
    with Image.open(path) as drawn:
        few = drawn.convert("RGB").quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(path.relative_to(IMAGES.parent.parent))
    dialog.reject()
    viewer.close()


def run(viewer: Any, widget: type[AutoPaint | MVG]) -> None:
    """Dock the panel of a method and let it find what it finds."""
    panel = widget(viewer)
    viewer.window.add_dock_widget(panel, name=widget.__name__, area="right")
    panel.run()
    deadline = time.monotonic() + LARGEST_WAIT_S
    while panel.is_running and time.monotonic() < deadline:
        QTest.qWait(50)
    if not panel.has_result:
        sys.exit(f"{widget.__name__} gave no result: {panel.face.status.line.text()}")
    settle()


def shoot_wipe(viewer: Any) -> None:
    """A true lesion, coronal and close up, half wiped away by the healthy twin."""
    review = review_of(viewer)
    lesion = found_lesion(review.result)
    show_view(viewer, View.CORONAL)
    layers.go_to(viewer, place(lesion))
    viewer.scene.camera.center = (0.0, *layers.world_from_lps(place(lesion))[list(viewer.dims.displayed)])
    viewer.scene.camera.zoom *= CLOSE_UP
    outline = review.labels_layer
    outline.contour, outline.opacity = 1, FAINT  # or it would cover the lesion's hot rim
    review.compare.show_sight(Sight.WIPE)
    wipe_at(viewer, review, lesion.centroid_l_mm)
    settle()
    save(viewer, "autopaint_wipe")
    review.compare.show_sight(Sight.PATIENT)


def shoot_z(viewer: Any) -> None:
    """The signed z over the CT alone: warm colours are hotter than healthy."""
    review = review_of(viewer)
    lesion = found_lesion(review.result)
    for layer in viewer.layers:
        is_pet = getattr(layer.metadata.get(layers.THING), "modality", None) is Modality.PET
        if layer is review.labels_layer or (is_pet and layers.SCORES_OF not in layer.metadata):
            layer.visible = False
    show_view(viewer, View.CORONAL)
    layers.go_to(viewer, place(lesion))
    settle()
    save(viewer, "autopaint_z", canvas_only=True)


def found_lesion(result: Result) -> Finding:
    """The finding that holds most of a true lesion."""
    truth = samples.truth(LEFT_SIDED).voxels > 0
    held = np.bincount(result.labels.voxels[truth], minlength=int(result.labels.voxels.max()) + 1)
    if not result.findings or not held[1:].any():
        sys.exit("no finding lies on a true lesion")
    return max(result.findings, key=lambda finding: held[finding.label])


def place(finding: Finding) -> tuple[float, float, float]:
    """LPS millimetres (z, y, x) of its middle."""
    return finding.centroid_s_mm, finding.centroid_p_mm, finding.centroid_l_mm


def wipe_at(viewer: Any, review: Review, left_mm: float) -> None:
    """Drag the line of the wipe to so far left of the middle."""
    images = [layer for layer in viewer.layers if layers.WIPE_OF in layer.metadata]
    ends = np.stack([layer.extent.world[:, -1] for layer in images])
    slider = review.compare.slider
    slider.setValue(round(slider.maximum() * (left_mm - ends.min()) / (ends.max() - ends.min())))


def settle() -> None:
    """Let the window draw itself."""
    QTest.qWait(600)


def save(viewer: Any, name: str, *, canvas_only: bool = False) -> None:
    """One picture of the window, or of the canvas alone."""
    path = IMAGES / f"{name}.png"
    viewer.screenshot(str(path), canvas_only=canvas_only, flash=False)
    print(path.relative_to(IMAGES.parent.parent))


if __name__ == "__main__":
    sys.exit(main())
