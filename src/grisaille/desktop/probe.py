"""What the screen of this computer is like: ``python -m grisaille.desktop.probe`` prints JSON.

It runs in a process of its own, because a broken OpenGL ends the process that asks.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("napari", "npe2", "vispy", "magicgui", "superqt", "qtpy", "PyQt6", "PySide6", "PyQt5")


def probe() -> dict[str, Any]:
    """Versions, the Qt platform and what OpenGL says of itself."""
    found: dict[str, Any] = {"python": sys.version.split()[0], "versions": _versions()}
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        # Without a display Qt does not refuse, it aborts.
        return {**found, "screen": "no display: set DISPLAY, or run under xvfb-run"}
    import qtpy
    from qtpy.QtCore import qVersion
    from qtpy.QtWidgets import QApplication

    app = QApplication.instance() or QApplication([])
    found |= {"qt": qVersion(), "qt_binding": qtpy.API_NAME, "qt_platform": app.platformName()}
    return {**found, "opengl": _opengl()}


def main() -> int:
    """Print the probe."""
    sys.stdout.write(json.dumps(probe(), indent=2) + "\n")
    return 0


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _opengl() -> dict[str, str]:
    """Asked of a context of its own, made and thrown away."""
    from qtpy.QtGui import QOffscreenSurface, QOpenGLContext

    context, surface = QOpenGLContext(), QOffscreenSurface()
    surface.create()
    if not context.create() or not context.makeCurrent(surface):
        return {"error": "no OpenGL context could be made: install the graphics driver (Debian: libgl1-mesa-dri)"}
    from vispy.gloo import gl

    names = {"vendor": gl.GL_VENDOR, "renderer": gl.GL_RENDERER, "version": gl.GL_VERSION}
    answers = {name: str(gl.glGetParameter(number)) for name, number in names.items()}
    context.doneCurrent()
    return answers


if __name__ == "__main__":
    sys.exit(main())
