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
        faint=_mixed(_colour(given.text), _colour(given.background)),
        warm=QColor("#f2a65a") if dark else QColor("#b3580b"),
        cursor=_colour(given.text),
        warning=QColor("#f2c879") if dark else QColor("#8a5a00"),
        error=QColor("#ff8f80") if dark else QColor("#a31515"),
    )


def _mixed(one: QColor, other: QColor) -> QColor:
    """Half of each."""
    return QColor.fromRgbF(
        (one.redF() + other.redF()) / 2, (one.greenF() + other.greenF()) / 2, (one.blueF() + other.blueF()) / 2
    )


def _colour(colour: object) -> QColor:
    return QColor(colour.as_hex())  # type: ignore[attr-defined]
