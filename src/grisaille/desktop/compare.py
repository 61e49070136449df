"""Patient and healthy twin: by turns, faded into each other, or side by side along a line wiped across."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QButtonGroup, QComboBox, QHBoxLayout, QPushButton, QSlider, QWidget

from grisaille.desktop.follow import follow
from grisaille.desktop.keys import Key
from grisaille.desktop.layers import SCORES_OF, SHOWN, WIPE_OF
from grisaille.desktop.twin import Pair, pairs_in
from grisaille.desktop.views import is_visible, set_visible
from grisaille.desktop.wipe import Mixed, Wiped

SIGHT_OVERLAY = "grisaille_sight"
"""Name among the canvas overlays of the text that says when not all in sight is the patient."""

_STEPS = 1000
_LINE_PIXELS = 2.0


class Sight(StrEnum):
    """What is in sight of a volume that has a healthy twin."""

    PATIENT = "Patient"
    TWIN = "Healthy twin"
    FADE = "Fade"
    WIPE = "Wipe"


_JOINED = {Sight.FADE: Mixed, Sight.WIPE: Wiped}
"""In what the twin's layers draw patient and twin together."""

_TIPS = {
    Sight.PATIENT: "As measured",
    Sight.TWIN: f"Painted healthy; {Key.TWIN.shown} goes to and fro",
    Sight.FADE: "Healthy twin over the patient; the slider is its opacity",
    Sight.WIPE: f"Patient left of a line, healthy twin right of it; drag the slider ({Key.WIPE.shown})",
}
_SAID = {
    Sight.PATIENT: "",
    Sight.TWIN: "HEALTHY TWIN\npainted for the candidates\nof the run, not measured",
    Sight.FADE: "HEALTHY TWIN at {share:.0f} %\nover the patient\npainted, not measured",
    Sight.WIPE: "left: patient\nright: HEALTHY TWIN\npainted, not measured",
}


class CompareBar(QWidget):
    """Compares the patient with the healthy twin; hidden as long as there is none.

    Only what is shown changes: which layers are visible, and, in a fade or a wipe, what the twin's draw.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._sight = Sight.PATIENT
        self._turned: tuple[Pair, ...] = ()
        self._uncovered: tuple[Any, ...] = ()
        self._joined: tuple[Pair, ...] = ()
        self._places = dict.fromkeys(_JOINED, _STEPS // 2)
        self._line: Any = None
        self.buttons = {sight: self._button(sight) for sight in Sight}
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setValue(_STEPS // 2)
        self.choice = QComboBox()
        self.choice.setToolTip("Which volumes are compared")
        group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        for button in self.buttons.values():
            group.addButton(button)
            row.addWidget(button)
        row.addWidget(self.slider, 1)
        row.addWidget(self.choice)
        # A dragged mouse tells its moves faster than slices are drawn: only the newest counts.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.aim)
        self.slider.valueChanged.connect(self._on_slider)
        self.choice.currentIndexChanged.connect(lambda _: self.show_sight(self._sight))
        follow(self, self._refresh, viewer.layers.events.inserted, viewer.layers.events.removed)
        follow(self, self._on_turned, viewer.dims.events.order, viewer.dims.events.ndisplay)
        self._refresh()

    @property
    def sight(self) -> Sight:
        """What is shown."""
        return self._sight

    def toggle(self) -> None:
        """Flicker: from the patient to the twin, and back."""
        self.show_sight(Sight.PATIENT if self._sight is Sight.TWIN else Sight.TWIN)

    def toggle_wipe(self) -> None:
        """Begin to wipe, or end it."""
        self.show_sight(Sight.PATIENT if self._sight is Sight.WIPE else Sight.WIPE)

    def show_sight(self, sight: Sight) -> None:
        """Show the chosen volumes this way, others as the patient's; fade and wipe are for slices only."""
        is_flat = self._viewer.dims.ndisplay == 2
        chosen = () if sight is Sight.PATIENT or (sight in _JOINED and not is_flat) else self._chosen()
        self._sight = sight if chosen else Sight.PATIENT
        self._join(chosen if sight in _JOINED else ())
        for pair in dict.fromkeys((*self._turned, *chosen)):
            set_visible(pair.twin, pair in chosen)
            set_visible(pair.patient, pair not in chosen)
        self._turned = chosen
        self._cover(self._sight is Sight.PATIENT)
        self.buttons[self._sight].setChecked(True)
        self._say()

    def aim(self) -> None:
        """Mix as the slider says, or cut where it stands, across the picture as it is turned."""
        if not self._joined:
            return
        if self._sight is Sight.FADE:
            for layer in (pair.twin for pair in self._joined):
                layer.data.share = self.slider.value() / _STEPS
                layer.refresh(extent=False, thumbnail=False, highlight=False)
            self._say()
            return
        axis = self._axes(-1)
        ends = np.stack([pair.patient.extent.world[:, axis] for pair in self._joined])
        low, high = float(ends.min()), float(ends.max())
        place = low + self.slider.value() / _STEPS * (high - low)
        for layer in (pair.twin for pair in self._joined):
            # Voxels belong to the side that their centres lie on.
            index = (place - layer.translate[axis]) / layer.scale[axis]
            is_reversed = bool(layer.scale[axis] < 0)
            layer.data.aim(axis, math.floor(index) + 1 if is_reversed else math.ceil(index), second_first=is_reversed)
            layer.refresh(extent=False, thumbnail=False, highlight=False)
        self._draw_line(axis, place)

    def release(self) -> None:
        """Show the patient, and nothing that was made for the comparison."""
        self.show_sight(Sight.PATIENT)
        if self._line is not None and self._line in self._viewer.layers:
            self._viewer.layers.remove(self._line)
        self._line = None

    # Inside -------------------------------------------------------------------------------------

    def _button(self, sight: Sight) -> QPushButton:
        button = QPushButton(sight.value)
        button.setCheckable(True)
        button.setChecked(sight is Sight.PATIENT)
        button.setToolTip(_TIPS[sight])
        button.clicked.connect(lambda: self.show_sight(sight))
        return button

    def _chosen(self) -> tuple[Pair, ...]:
        key = self.choice.currentData()
        return tuple(pair for pair in pairs_in(self._viewer) if key in (None, pair.volume.modality.key))

    def _join(self, pairs: tuple[Pair, ...]) -> None:
        """Let the layers of these twins draw the patient too, those of the others the twin alone."""
        for pair in self._joined:
            if pair not in pairs:
                pair.twin.metadata.pop(WIPE_OF)
                pair.twin.data = pair.twin.metadata[SHOWN].voxels
        for pair in pairs:
            if not isinstance(pair.twin.data, _JOINED[self._sight]):
                pair.twin.metadata[WIPE_OF] = (pair.patient, pair.twin)
                pair.twin.data = _JOINED[self._sight](pair.patient.data, pair.twin.metadata[SHOWN].voxels)
        self._joined = pairs
        if self._line is not None and self._line in self._viewer.layers:
            set_visible(self._line, bool(pairs) and self._sight is Sight.WIPE)
        self.slider.blockSignals(True)
        self.slider.setValue(self._places[self._sight if pairs else Sight.WIPE])
        self.slider.blockSignals(False)
        self.slider.setToolTip(_TIPS[self._sight if pairs else Sight.WIPE])
        self.slider.setAccessibleName("Opacity of the twin" if self._sight is Sight.FADE else "Place of the wipe")
        self.aim()

    def _draw_line(self, axis: int, place: float) -> None:
        """One line in every slice, drawn anew when the picture is turned; a move only shifts it.

        It has the spacing of the volume: napari gives its sliders the finest of all layers.
        """
        from napari.layers import Vectors

        volume = self._joined[-1].twin
        along, through = self._axes(-2), ({0, 1, 2} - {axis, self._axes(-2)}).pop()
        lines = np.zeros((volume.data.shape[through], 2, 3), np.float32)
        lines[:, 0, through] = np.arange(len(lines))
        lines[:, 1, along] = volume.data.shape[along] - 1
        if self._line is None or self._line not in self._viewer.layers:
            placed = {name: getattr(volume, name) for name in ("scale", "translate", "units", "axis_labels")}
            self._line = Vectors(lines, name="wipe", edge_color="cyan", vector_style="line", **placed)
            selected = self._viewer.layers.selection.active
            self._viewer.layers.append(self._line)
            self._viewer.layers.selection.active = selected
        elif not np.array_equal(self._line.data, lines):
            self._line.data = lines
        width = _LINE_PIXELS / self._viewer.scene.camera.zoom / abs(volume.scale[axis])
        if not math.isclose(width, self._line.edge_width):
            self._line.edge_width = width
        translate = np.array(volume.translate)
        translate[axis] = place
        self._line.translate = translate

    def _axes(self, displayed: int) -> int:
        """Which of z, y, x the picture's last axis (-1, to the right) or the one before (-2, down) is."""
        dims = self._viewer.dims
        return max(0, int(dims.displayed[displayed]) - (int(dims.ndim) - 3))

    def _cover(self, is_covered: bool) -> None:
        """Lay the scores over the picture again, or take them off: they would hide what is compared."""
        if is_covered:
            for layer in self._uncovered:
                set_visible(layer, True)
            self._uncovered = ()
        else:
            covers = [layer for layer in self._viewer.layers if SCORES_OF in layer.metadata and is_visible(layer)]
            for layer in covers:
                set_visible(layer, False)
            self._uncovered += tuple(covers)

    def _refresh(self, event: Any = None) -> None:
        pairs = pairs_in(self._viewer)
        keys = [pair.volume.modality.key for pair in pairs]
        if keys != [key for key in map(self.choice.itemData, range(self.choice.count())) if key is not None]:
            self.choice.blockSignals(True)
            self.choice.clear()
            if len(keys) > 1:
                self.choice.addItem(" and ".join(key.upper() for key in keys), None)
            for key in keys:
                self.choice.addItem(key.upper(), key)
            self.choice.blockSignals(False)
        self.choice.setVisible(len(keys) > 1)
        self.setVisible(bool(pairs))
        if not set(self._turned) <= set(pairs):
            self.show_sight(Sight.PATIENT)

    def _on_slider(self, value: int) -> None:
        sight = self._sight if self._sight in _JOINED else Sight.WIPE
        self._places[sight] = value
        if self._sight is not sight:
            self.show_sight(sight)
        self._soon.start()

    def _on_turned(self, event: Any = None) -> None:
        is_flat = self._viewer.dims.ndisplay == 2
        for widget in (self.slider, *(self.buttons[sight] for sight in _JOINED)):
            widget.setEnabled(is_flat)
        if self._sight in _JOINED and not is_flat:
            self.show_sight(Sight.PATIENT)
        self._soon.start()

    def _say(self) -> None:
        from napari.components.overlays import TextOverlay

        overlays = self._viewer.canvas.overlays
        if SIGHT_OVERLAY not in overlays:
            overlays[SIGHT_OVERLAY] = TextOverlay(position="bottom_right", font_size=11)
        share = 100 * self.slider.value() / _STEPS
        overlays[SIGHT_OVERLAY].text = _SAID[self._sight].format(share=share)
        overlays[SIGHT_OVERLAY].visible = self._sight is not Sight.PATIENT
