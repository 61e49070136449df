"""Choosing a volume among the layers, by what it is."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

from grisaille.core.volume import Modality, Volume
from grisaille.desktop.layers import THING, TWIN_OF

_NOTHING = "–"


class VolumeChooser(QComboBox):
    """The patient's image layers of one modality, healthy twins left out; ``changed`` when another one is taken.

    It follows layers that are added, removed or renamed, keeps the choice as long as its layer
    is there, and takes the newest layer where nothing was chosen.
    """

    changed = Signal()

    def __init__(self, viewer: Any, modality: Modality, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._modality = modality
        self._refused: Any = None
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(14)
        self.setAccessibleName(f"{modality.key.upper()} layer")
        self._events = (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.renamed)
        for event in self._events:
            event.connect(self.refresh)
        self.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.activated.connect(self._on_picked)
        self.refresh()

    @property
    def layer(self) -> Any:
        """The chosen layer, or None."""
        return self.currentData()

    def choose(self, layer: Any) -> None:
        """Take this layer, or none."""
        held = [self.itemData(index) for index in range(self.count())]
        self.setCurrentIndex(next((index for index, one in enumerate(held) if one is layer), 0))

    def refresh(self, event: Any = None) -> None:
        """List the layers as they are now."""
        chosen = self.layer
        fitting = [one for one in self._viewer.layers if self._fits(one)]
        self.blockSignals(True)
        self.clear()
        self.addItem(_NOTHING if fitting else f"no {self._modality.key.upper()} open", None)
        for one in fitting:
            self.addItem(one.name, one)
        if chosen not in fitting:
            chosen = fitting[-1] if fitting and fitting[-1] is not self._refused else None
        self.choose(chosen)
        self.setEnabled(bool(fitting))
        self.blockSignals(False)
        self.changed.emit()

    def release(self) -> None:
        """Stop following the viewer."""
        for event in self._events:
            event.disconnect(self.refresh)

    def _fits(self, layer: Any) -> bool:
        thing = layer.metadata.get(THING)
        is_patient = TWIN_OF not in layer.metadata
        return isinstance(thing, Volume) and thing.modality is self._modality and is_patient

    def _on_picked(self, index: int) -> None:
        """Who chooses nothing does not get the newest layer put back at the next change."""
        self._refused = self.itemData(self.count() - 1) if index == 0 else None
