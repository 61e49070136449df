"""Widgets that follow napari's events for as long as they live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget


def follow(widget: QWidget, callback: Callable[..., Any], *emitters: Any) -> None:
    """Call ``callback``, a method of ``widget``, at each event until Qt destroys the widget.

    napari would go on calling it on a widget whose Qt half is gone.
    """

    def stop() -> None:
        for emitter in emitters:
            emitter.disconnect(callback)

    for emitter in emitters:
        emitter.connect(callback)
    widget.destroyed.connect(stop)
