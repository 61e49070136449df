"""Widgets that notice when their dock is closed."""

from __future__ import annotations

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget


class Docked(QWidget):
    """napari takes the widget of a closed dock out of the window without telling it; this tells it."""

    _is_docked = False

    def release(self) -> None:
        """The dock was closed: stop what runs and stop following the viewer."""

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._is_docked = True
            elif self._is_docked:
                self._is_docked = False
                self.release()
        return bool(super().event(event))
