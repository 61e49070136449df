"""The pictures of the README, made anew: ``make shots``.

A real window, a shipped sample, the shipped model. Needs a display, or Xvfb.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import napari
from qtpy.QtTest import QTest

from grisaille.desktop import layers
from grisaille.desktop.contributions import MVG, AutoPaint
from grisaille.desktop.view import attach
from grisaille.desktop.views import View, show_view
from grisaille.flows import samples
from grisaille.imaging.findings import find_findings

IMAGES = Path(__file__).parent / "images"
WINDOW = (1500, 950)
LEFT_SIDED = "petct_lesions_1"
LARGEST_WAIT_S = 900


def main() -> int:
    """Write every picture, and say where."""
    IMAGES.mkdir(exist_ok=True)
    shoot_anatomy()
    shoot_panel(MVG, "mvg")
    shoot_panel(AutoPaint, "autopaint")
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
    panel = widget(viewer)
    viewer.window.add_dock_widget(panel, name=widget.__name__, area="right")
    panel.run()
    deadline = time.monotonic() + LARGEST_WAIT_S
    while panel.is_running and time.monotonic() < deadline:
        QTest.qWait(50)
    if not panel.has_result:
        sys.exit(f"{name} gave no result: {panel.face.status.line.text()}")
    settle()
    save(viewer, f"{name}_panel")
    show_view(viewer, View.CORONAL)
    settle()
    save(viewer, f"{name}_coronal")
    viewer.close()


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
