"""Where organs come from: nowhere, thresholds, or a labels layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtWidgets import QComboBox, QWidget

from grisaille.core.labels import Labels
from grisaille.core.organ import THRESHOLDS
from grisaille.core.volume import Volume
from grisaille.desktop.organ_layers import organ_labels_from

_NONE, _BY_THRESHOLDS = "none", "body, lung, bone, air by thresholds"


class OrganChooser(QComboBox):
    """Nothing until somebody asks for organs; follows the labels layers that come, go and are renamed."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(14)
        self.setAccessibleName("Organs")
        self.setToolTip(
            "Rank organs by how unlike healthy they are, each in the units of its own scores: by thresholds on the CT, "
            "or the organs of a labels layer, such as one that TotalSegmentator made"
        )
        self._events = (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.renamed)
        for event in self._events:
            event.connect(self.refresh)
        self.refresh()

    @property
    def is_asked(self) -> bool:
        """Whether organs are asked for."""
        return self.currentData() is not None

    def choose(self, source: Any) -> None:
        """Take a labels layer, ``THRESHOLDS``, or None."""
        held = [self.itemData(index) for index in range(self.count())]
        self.setCurrentIndex(next((index for index, one in enumerate(held) if one == source), 0))

    def labels(self, volumes: Sequence[Volume]) -> Labels | None:
        """The organs of the chosen layer, as they are painted now; None where it is not a layer that was chosen.

        Raises
        ------
        InputError
            If the layer lies on none of ``volumes`` and says not where it lies.
        """
        chosen = self.currentData()
        return None if chosen is None or chosen == THRESHOLDS else organ_labels_from(chosen, volumes)

    def refresh(self, event: Any = None) -> None:
        """List the layers as they are now; what was chosen stays chosen while it is there."""
        from napari.layers import Labels as LabelsLayer

        chosen = self.currentData()
        self.blockSignals(True)
        self.clear()
        self.addItem(_NONE, None)
        self.addItem(_BY_THRESHOLDS, THRESHOLDS)
        for layer in self._viewer.layers:
            if isinstance(layer, LabelsLayer):
                self.addItem(layer.name, layer)
        held = [self.itemData(index) for index in range(self.count())]
        self.setCurrentIndex(next((index for index, one in enumerate(held) if one == chosen), 0))
        self.blockSignals(False)

    def release(self) -> None:
        """Stop following the viewer."""
        for event in self._events:
            event.disconnect(self.refresh)
