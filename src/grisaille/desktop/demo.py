"""The demonstration: a shipped PET/CT through MVG, in a window.

``python -m grisaille.desktop.demo`` opens it; with ``--screenshot FILE`` the window is
photographed when the result is there, and closed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SAMPLE = "petct_lesions_1"
_SIZE = (1500, 950)
_SETTLE_MS = 600


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the viewer on the sample and run MVG."""
    parser = argparse.ArgumentParser(prog="grisaille demo", description=__doc__, add_help=True)
    parser.add_argument("--screenshot", type=Path, help="write a picture of the window here, and close it")
    parser.add_argument("--sample", default=SAMPLE, help="which of the shipped studies to show")
    chosen = parser.parse_args(arguments)
    started = time.monotonic()

    import napari

    from grisaille.desktop import layers
    from grisaille.desktop.contributions import MVG
    from grisaille.flows import samples

    viewer = napari.Viewer(title="grisaille")
    viewer.window.resize(*_SIZE)
    layers.add_study(viewer, samples.study(chosen.sample))
    panel = MVG(viewer)
    viewer.window.add_dock_widget(panel, name="MVG", area="right")
    panel.run()
    if chosen.screenshot is None:
        napari.run()
        return 0
    return _photograph(viewer, panel, chosen.screenshot, started)


def _photograph(viewer: Any, panel: Any, path: Path, started: float) -> int:
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    app = QApplication.instance()
    while panel.is_running and app is not None:
        app.processEvents()
        time.sleep(0.01)
    QTest.qWait(_SETTLE_MS)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    sys.stdout.write(f"{path.resolve()}  {time.monotonic() - started:.1f} s\n{panel.face.status.line.text()}\n")
    found = panel.has_result
    viewer.close()
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
