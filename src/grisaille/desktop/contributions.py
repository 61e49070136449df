"""The widgets of the manifest."""

from __future__ import annotations

import napari.viewer

from grisaille.desktop.maker import maker
from grisaille.desktop.panel import MethodPanel


class MVG(MethodPanel):
    """Multivariate Gaussians of healthy slices."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, maker("mvg", "MVG"))
