"""Offering the edited labels that a crash left behind."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from grisaille.desktop.autosave import Leftover, leftovers


class RecoveryBox(QWidget):
    """One line a layer, with buttons; hidden where nothing was left behind."""

    wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        found = leftovers()
        for one in found:
            layout.addWidget(self._row(one))
        self.setVisible(bool(found))

    def _row(self, leftover: Leftover) -> QWidget:
        row = QWidget()
        said = QLabel(f"Not saved when napari ended: {leftover.name}, {leftover.saved_at:%d %b %H:%M}")
        said.setWordWrap(True)
        restore, discard = QPushButton("Restore"), QPushButton("Discard")
        restore.clicked.connect(lambda: self._on_restore(row, leftover))
        discard.clicked.connect(lambda: self._on_discard(row, leftover))
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(said, 1)
        layout.addWidget(restore)
        layout.addWidget(discard)
        return row

    def _on_restore(self, row: QWidget, leftover: Leftover) -> None:
        self.wanted.emit(leftover)
        self._drop(row)

    def _on_discard(self, row: QWidget, leftover: Leftover) -> None:
        leftover.discard()
        self._drop(row)

    def _drop(self, row: QWidget) -> None:
        row.setParent(None)
        row.deleteLater()
        rows = self.layout()
        self.setVisible(rows is not None and rows.count() > 0)
