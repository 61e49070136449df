"""How organs are ranked: how deep their edges are left out, and which healthy studies they are compared with."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QFileDialog, QHBoxLayout, QLabel, QPushButton, QWidget

from grisaille.core.organ_reference import OrganReference, Ranking

_FILES = "Organ references (*.json)"
_DEEPEST_MM = 50.0


class OrganOptions(QWidget):
    """Edge, reference, and adding to one.

    Signals
    -------
    changed
        The organs are to be ranked in another way.
    reference_picked, addition_picked
        The path of a reference: to compare with, and to add the study shown to.
    """

    changed = Signal()
    reference_picked = Signal(object)
    addition_picked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reference: OrganReference | None = None
        self.edge = QDoubleSpinBox()
        self.edge.setRange(0.0, _DEEPEST_MM)
        self.edge.setDecimals(1)
        self.edge.setSuffix(" mm")
        self.edge.setKeyboardTracking(False)
        self.edge.setAccessibleName("Edge of organs left out")
        self.compared = QLabel()
        self.pick = QPushButton("Compare with…")
        self.pick.setToolTip("A file of healthy studies that the same model scored: gives a percentile to each organ")
        self.drop = QPushButton("Without")
        self.drop.setToolTip("Compare with no healthy studies")
        self.add = QPushButton("Add to healthy…")
        self.add.setToolTip(
            "If this study is healthy: add its organs to a file of healthy studies, or begin one. Nothing in it is lost"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (QLabel("Leave out edges of"), self.edge, self.pick, self.compared, self.drop, self.add):
            row.addWidget(widget)
        row.addStretch(1)
        self.edge.valueChanged.connect(lambda _: self.changed.emit())
        self.drop.clicked.connect(lambda: self.compare_with(None))
        self.pick.clicked.connect(self._on_pick)
        self.add.clicked.connect(self._on_add)
        self._refresh()

    @property
    def ranking(self) -> Ranking:
        """What is asked for."""
        return Ranking(self.edge.value() if self._reference is None else self._reference.edge_mm, self._reference)

    def compare_with(self, reference: OrganReference | None) -> None:
        """Take a reference, whose edge is then the only one that compares, or none."""
        self._reference = reference
        if reference is not None:
            self.edge.blockSignals(True)
            self.edge.setValue(reference.edge_mm)
            self.edge.blockSignals(False)
        self._refresh()
        self.changed.emit()

    def forget(self) -> None:
        """Take no reference, and tell nobody: the organs were ranked without it."""
        self._reference = None
        self._refresh()

    def _refresh(self) -> None:
        reference = self._reference
        self.compared.setText("" if reference is None else f"{reference.name}, {reference.studies} studies")
        self.compared.setVisible(reference is not None)
        self.drop.setVisible(reference is not None)
        self.edge.setEnabled(reference is None)
        self.edge.setToolTip(
            "Borders of organs draw scores that say little of either: so deep an edge of each counts in no statistic"
            if reference is None
            else f"As in {reference.name}: others cannot be compared with it"
        )

    def _on_pick(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Healthy studies to compare with", "", _FILES)
        if path:
            self.reference_picked.emit(Path(path))

    def _on_add(self) -> None:
        # A file that is there gains a study and loses none, so that nobody need be asked.
        keeps = QFileDialog.Option.DontConfirmOverwrite
        path, _ = QFileDialog.getSaveFileName(self, "Add to healthy studies", "healthy.json", _FILES, options=keeps)
        if path:
            self.addition_picked.emit(Path(path))
