"""The widgets of a method's panel and how they stand; what they do is the panel's."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from grisaille.core.result import RESEARCH_USE
from grisaille.core.volume import Modality
from grisaille.desktop.chooser import VolumeChooser
from grisaille.desktop.follow import follow
from grisaille.desktop.form import LABEL_WIDTH, ConfigForm
from grisaille.desktop.ink import ink
from grisaille.desktop.keys import Key
from grisaille.desktop.maker import Maker
from grisaille.desktop.model_box import ModelBox
from grisaille.desktop.organ_chooser import OrganChooser
from grisaille.desktop.recovery import RecoveryBox
from grisaille.desktop.status import StatusBox
from grisaille.desktop.view import ViewBar

_DEVICES = ("auto", "cpu", "cuda", "mps")


_ON_HEALTHY = {
    False: ("Fit", "Learn what healthy looks like on your own scanner"),
    True: ("Calibrate", "Measure on your own scanner how often healthy tissue is marked"),
}
"""What is done with healthy studies: by whether only the promise comes of them."""


class PanelFace(QWidget):
    """Study, model, settings, run and cancel, status: from top to bottom as they are used."""

    def __init__(self, viewer: Any, maker: Maker, device: str) -> None:
        super().__init__()
        self.recovery = RecoveryBox()
        self.choosers = {one.key: VolumeChooser(viewer, one) for one in (Modality.CT, Modality.PET)}
        self.models = ModelBox(maker.models)
        self.organs = OrganChooser(viewer)
        self.device = QComboBox()
        self.device.addItems(list(dict.fromkeys((*_DEVICES, device))))
        self.device.setCurrentText(device)
        self.device.setToolTip("Where the network runs; auto takes a GPU where there is one")
        self.form = ConfigForm(maker.config_class, is_fitted=True)
        self.run = QPushButton(f"Run {maker.title}")
        self.run.setToolTip(f"Score the chosen study ({Key.RUN.shown})")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip(f"Stop what runs; nothing is changed ({Key.CANCEL.shown})")
        self.status = StatusBox(ink(viewer.theme))
        verb, told = _ON_HEALTHY[maker.calibrate is not None]
        self.fit = QPushButton(f"{verb} on my healthy studies…")
        self.fit.setToolTip(f"{told}, and save it as a model")
        research = QLabel(RESEARCH_USE)
        research.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 6, 0)
        layout.setSpacing(8)
        layout.addWidget(self.recovery)
        layout.addWidget(ViewBar(viewer))
        layout.addLayout(self._inputs())
        layout.addWidget(self.form)
        layout.addLayout(self._buttons())
        layout.addWidget(self.status)
        layout.addStretch(1)
        layout.addWidget(self.fit)
        layout.addWidget(research)
        self.set_running(False)
        self._viewer = viewer
        follow(self, self._on_theme, viewer.events.theme)

    def set_running(self, running: bool) -> None:
        """Only what makes sense now can be pressed."""
        self.run.setEnabled(not running)
        self.fit.setEnabled(not running)
        self.cancel.setEnabled(running)

    def release(self) -> None:
        """Stop following the viewer."""
        for chooser in self.choosers.values():
            chooser.release()
        self.organs.release()

    def _on_theme(self, event: Any = None) -> None:
        self.status.set_ink(ink(self._viewer.theme))

    def _inputs(self) -> QFormLayout:
        rows = QFormLayout()
        rows.setVerticalSpacing(4)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        named = {key.upper(): chooser for key, chooser in self.choosers.items()}
        for name, widget in {**named, "Organs": self.organs, "Model": self.models, "Device": self.device}.items():
            label = QLabel(name)
            label.setMinimumWidth(LABEL_WIDTH)
            rows.addRow(label, widget)
        return rows

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(self.run, 2)
        row.addWidget(self.cancel, 1)
        return row
