"""The widgets of the manifest."""

from __future__ import annotations

import napari.viewer

from grisaille.desktop.maker import maker
from grisaille.desktop.panel import MethodPanel


class AnomalyCLIP(MethodPanel):
    """Zero-shot maps of what CLIP calls damaged."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        engine = ("torch", "open_clip")
        super().__init__(viewer, maker("anomalyclip", "AnomalyCLIP", engine, learns_of_healthy=False))


class AutoPaint(MethodPanel):
    """Paints the patient healthy, and marks what had to be painted over."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, maker("autopaint", "AutoPaint", engine=("torch", "monai")))


class MVG(MethodPanel):
    """Multivariate Gaussians of healthy slices."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, maker("mvg", "MVG"))
