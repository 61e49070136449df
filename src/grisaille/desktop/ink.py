"""The colours of our own widgets, taken from napari's theme."""

from __future__ import annotations

from dataclasses import dataclass

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor


@dataclass(frozen=True)
class Ink:
    """Colours to paint with; ``warm`` marks what lies above a threshold."""

    paper: QColor
    line: QColor
    text: QColor
    faint: QColor
    warm: QColor
    cursor: QColor
    warning: QColor
    error: QColor


def ink(theme: str) -> Ink:
    """The colours that go with napari's theme of this name."""
    given = get_theme(theme)
    dark = given.type == "dark"
    return Ink(
        paper=_colour(given.background),
        line=QColor("#7fa3b8") if dark else QColor("#41647a"),
        text=_colour(given.text),
        faint=_colour(given.secondary if dark else given.primary),
        warm=QColor("#f2a65a") if dark else QColor("#b3580b"),
        cursor=_colour(given.text),
        warning=QColor("#f2c879") if dark else QColor("#8a5a00"),
        error=QColor("#ff8f80") if dark else QColor("#a31515"),
    )


def _colour(colour: object) -> QColor:
    return QColor(colour.as_hex())  # type: ignore[attr-defined]
