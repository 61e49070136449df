"""The view bar: planes, 3D and MIP as buttons, CT windows and PET ranges as drop-downs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from grisaille.core.volume import Modality, Unit
from grisaille.desktop.cursor import CURSOR_OVERLAY, attach_cursor
from grisaille.desktop.edges import attach_letters
from grisaille.desktop.follow import follow
from grisaille.desktop.views import View, attach_views, current_view, has_pet, show_view
from grisaille.desktop.windows import WindowChoice, attach_windows, suv_range, width_level
from grisaille.imaging.intensity import CT_WINDOWS, PET_RANGES

if TYPE_CHECKING:
    import napari.viewer

_TIPS = {
    View.AXIAL: "Slices across the body, seen from the feet: the patient's left is on the right",
    View.CORONAL: "Slices seen from the front, head up: the patient's left is on the right",
    View.SAGITTAL: "Slices seen from the patient's left, head up: the front of the body is on the left",
    View.SPACE: "The body in 3D from the front, head up; drag to turn it",
    View.MIP: "The highest PET value along each line of sight, black on white",
}
_KEYS = {View.AXIAL: "A", View.CORONAL: "C", View.SAGITTAL: "S", View.SPACE: "D", View.MIP: "M"}


def attach(viewer: Any) -> None:
    """Orientation letters, values under the cursor, tidy views and their keys, for the life of the viewer."""
    if CURSOR_OVERLAY in viewer.canvas.overlays:
        return
    attach_views(viewer)
    attach_letters(viewer)
    attach_cursor(viewer)
    attach_windows(viewer)
    for view, key in _KEYS.items():
        viewer.bind_key(f"Control-Alt-{key}", _key(view), overwrite=True)


def _key(view: View) -> Callable[[Any], None]:
    """What napari calls for a key: it asks for the function's name at every key, so no ``partial``."""

    def show(viewer: Any) -> None:
        if view is not View.MIP or has_pet(viewer):
            show_view(viewer, view)

    return show


class ViewBar(QWidget):
    """Turns the viewer to the views a radiologist reads, and sets windows in HU and SUV.

    Put it at the top of a panel or into a dock of its own; several bars on one viewer agree.
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._buttons = {view: self._button(view) for view in View}
        self._group = QButtonGroup(self)
        buttons = QHBoxLayout()
        buttons.setSpacing(3)
        for button in self._buttons.values():
            self._group.addButton(button)
            buttons.addWidget(button, stretch=1)
        windows = QHBoxLayout()
        windows.setSpacing(6)
        for caption, choice in (
            ("CT", WindowChoice(viewer, Modality.CT, Unit.HU, CT_WINDOWS, width_level)),
            ("PET", WindowChoice(viewer, Modality.PET, Unit.SUVBW, PET_RANGES, suv_range)),
        ):
            windows.addWidget(QLabel(caption))
            windows.addWidget(choice, stretch=1)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(4, 4, 4, 4)
        rows.setSpacing(6)
        rows.addLayout(buttons)
        rows.addLayout(windows)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        attach(viewer)
        follow(
            self,
            self._refresh,
            viewer.dims.events.order,
            viewer.dims.events.ndisplay,
            viewer.canvas.events.background_color_override,  # white is the MIP
            viewer.layers.events.inserted,
            viewer.layers.events.removed,
        )
        self._refresh()

    def _button(self, view: View) -> QPushButton:
        button = QPushButton(view.value, self)
        button.setCheckable(True)
        button.setToolTip(f"{_TIPS[view]} (Ctrl+Alt+{_KEYS[view]})")
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda: self._show(view))
        return button

    def _show(self, view: View) -> None:
        show_view(self._viewer, view)
        self._refresh()

    def _refresh(self, event: object = None) -> None:
        shown = current_view(self._viewer)
        anything = len(self._viewer.layers) > 0
        self._group.setExclusive(False)
        for view, button in self._buttons.items():
            button.setEnabled(has_pet(self._viewer) if view is View.MIP else anything)
            button.setChecked(anything and view is shown)
        self._group.setExclusive(True)
