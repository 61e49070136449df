"""Drop-downs of CT windows and PET ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from grisaille.core.volume import Modality, Unit, Volume
from grisaille.desktop.follow import follow
from grisaille.desktop.layers import THING
from grisaille.imaging.intensity import Window

_CUSTOM = "custom"


def width_level(window: Window) -> str:
    """A CT window as radiologists write it: ``Lung 1400 / -500``."""
    return f"{window.name.capitalize()} {window.high - window.low:.0f} / {(window.high + window.low) / 2:.0f}"


def suv_range(window: Window) -> str:
    """A PET range: ``SUV 0 to 7``."""
    return f"SUV {window.low:g} to {window.high:g}"


def layers_in(viewer: Any, modality: Modality, unit: Unit) -> list[Any]:
    """The layers of volumes of this modality in this unit, from bottom to top."""
    layers = []
    for layer in viewer.layers:
        thing = layer.metadata.get(THING)
        if isinstance(thing, Volume) and thing.modality is modality and thing.unit is unit:
            layers.append(layer)
    return layers


def apply_window(viewer: Any, window: Window, modality: Modality, unit: Unit) -> None:
    """Show all volumes of this modality and unit from ``window.low`` to ``window.high``."""
    for layer in layers_in(viewer, modality, unit):
        layer.contrast_limits = window.limits


def attach_windows(viewer: Any) -> None:
    """Let the contrast slider of each volume reach all its values, for the life of the viewer."""

    def widen(layer: Any) -> None:
        thing = layer.metadata.get(THING)
        if isinstance(thing, Volume) and hasattr(layer, "contrast_limits_range"):
            low, high = layer.contrast_limits
            layer.contrast_limits_range = (min(low, thing.voxels.min()), max(high, thing.voxels.max()))

    viewer.layers.events.inserted.connect(lambda event: widen(event.value))
    for layer in viewer.layers:
        widen(layer)


class WindowChoice(QComboBox):
    """Named windows for the volumes of one modality; says ``custom`` where the contrast was set by hand."""

    def __init__(
        self,
        viewer: Any,
        modality: Modality,
        unit: Unit,
        windows: tuple[Window, ...],
        caption: Callable[[Window], str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._modality, self._unit, self._windows = viewer, modality, unit, windows
        self.addItems([caption(window) for window in windows])
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.activated.connect(self._apply)
        follow(self, self._adopt, viewer.layers.events.inserted)
        follow(self, self._refresh, viewer.layers.events.removed)
        for layer in layers_in(viewer, modality, unit):
            follow(self, self._refresh, layer.events.contrast_limits)
        self._refresh()

    def _adopt(self, event: Any) -> None:
        if event.value in layers_in(self._viewer, self._modality, self._unit):
            follow(self, self._refresh, event.value.events.contrast_limits)
        self._refresh()

    def _apply(self, chosen: int) -> None:
        if chosen < len(self._windows):
            apply_window(self._viewer, self._windows[chosen], self._modality, self._unit)
        self._refresh()

    def _refresh(self, event: object = None) -> None:
        layers = layers_in(self._viewer, self._modality, self._unit)
        self.setEnabled(bool(layers))
        self.setToolTip("" if layers else f"no {self._modality.key.upper()} in {self._unit.value} is open")
        if not layers:
            return
        limits = layers[-1].contrast_limits
        names = [np.allclose(limits, window.limits) for window in self._windows]
        if True in names:
            self.removeItem(self.findText(_CUSTOM))
            self.setCurrentIndex(names.index(True))
        else:
            if self.findText(_CUSTOM) < 0:
                self.addItem(_CUSTOM)
            self.setCurrentText(_CUSTOM)
