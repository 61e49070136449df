"""A form made from a method's settings: the few knobs in front, the rest folded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from grisaille.core.config import Config, Knob, knobs

_WIDEST = 2**31 - 1
LABEL_WIDTH = 92
"""So that the rows of a panel stand in one column, whichever form they belong to."""

_AUTOMATIC = "automatic"
_FIXED = "The model was fitted with it; to change it, fit a model of your own."


class _Calm:
    """A wheel that scrolls the panel does not turn the knob under the pointer."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class _Choice(_Calm, QComboBox): ...


class _Whole(_Calm, QSpinBox): ...


class _Real(_Calm, QDoubleSpinBox):
    def textFromValue(self, value: float) -> str:
        return f"{value:.6g}"


@dataclass(frozen=True)
class _Editor:
    """A widget for one knob, and how its value is read and shown."""

    widget: QWidget
    read: Callable[[], Any]
    show: Callable[[Any], None]
    changed: Any


class ConfigForm(QWidget):
    """Every knob of a config class as a row.

    Parameters
    ----------
    is_fitted
        Whether the settings are those of a fitted model: what its fit rests on is shown and
        cannot be changed.
    """

    changed = Signal()

    def __init__(self, config_class: type[Config], *, is_fitted: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._config_class = config_class
        self._editors: dict[str, _Editor] = {}
        front, folded = _rows(), _rows()
        for knob in knobs(config_class):
            editor = _editor(knob)
            editor.show(knob.default)
            editor.changed.connect(lambda *_: self.changed.emit())
            self._editors[knob.name] = editor
            label = QLabel(_title(knob))
            label.setMinimumWidth(LABEL_WIDTH)
            is_fixed = is_fitted and not knob.after_fit
            for widget in (label, editor.widget):
                widget.setEnabled(not is_fixed)
                widget.setToolTip(f"{knob.help}. {_FIXED}" if is_fixed else knob.help)
            (folded if knob.advanced else front).addRow(label, editor.widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(front)
        if folded.rowCount():
            self.fold = _folded(folded)
            layout.addWidget(self.fold)

    def config(self) -> Config:
        """The settings as they stand.

        Raises
        ------
        ConfigError
            If one is of the wrong kind or out of its bounds.
        """
        return self._config_class.from_mapping({name: one.read() for name, one in self._editors.items()})

    def show_config(self, config: Config) -> None:
        """Put ``config`` into the rows."""
        for name, value in ((name, getattr(config, name)) for name in self._editors):
            self._editors[name].show(value)

    def editor(self, name: str) -> QWidget:
        """The widget of the knob called ``name``."""
        return self._editors[name].widget


def _rows() -> QFormLayout:
    rows = QFormLayout()
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setVerticalSpacing(4)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return rows


def _folded(rows: QFormLayout) -> QCollapsible:
    fold = QCollapsible("More settings")
    fold.setDuration(0)
    fold.layout().setContentsMargins(0, 0, 0, 0)
    content = QWidget()
    content.setLayout(rows)
    fold.setContent(content)
    fold.collapse(animate=False)
    return fold


def _title(knob: Knob) -> str:
    name = knob.name
    for suffix in (f"_{knob.unit}", f"_{knob.unit.lower()}"):
        if knob.unit:
            name = name.removesuffix(suffix)
    words = name.replace("_", " ")
    return f"{words[0].upper()}{words[1:]}" + (f" ({knob.unit})" if knob.unit else "")


def _editor(knob: Knob) -> _Editor:
    if knob.kind is tuple or knob.optional:
        return _line(knob)
    if knob.kind is bool:
        box = QCheckBox()
        return _Editor(box, box.isChecked, lambda value: box.setChecked(bool(value)), box.toggled)
    if issubclass(knob.kind, StrEnum):
        return _choice(knob)
    if knob.kind is int:
        return _spin(_Whole(), knob)
    if knob.kind is float:
        real = _Real()
        real.setDecimals(6)
        real.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        return _spin(real, knob)
    return _line(knob)


def _spin(spin: Any, knob: Knob) -> _Editor:
    low = -_WIDEST if knob.low is None else knob.low
    high = _WIDEST if knob.high is None else knob.high
    spin.setRange(knob.kind(low), knob.kind(high))
    spin.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return _Editor(spin, spin.value, spin.setValue, spin.valueChanged)


def _choice(knob: Knob) -> _Editor:
    combo = _Choice()
    for option in knob.kind:  # type: ignore[attr-defined]
        combo.addItem(str(option.value), option)
    combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return _Editor(
        combo, combo.currentData, lambda value: combo.setCurrentIndex(combo.findData(value)), combo.currentIndexChanged
    )


def _line(knob: Knob) -> _Editor:
    """A line of text for lists (separated by commas), optional values and words."""
    line = QLineEdit()
    if knob.optional:
        line.setPlaceholderText(_AUTOMATIC)

    def read() -> Any:
        text = line.text().strip()
        if not text and knob.optional:
            return None
        if knob.kind is tuple:
            return tuple(_parsed(part.strip(), knob.element) for part in text.split(",") if part.strip())
        return _parsed(text, knob.kind)

    def show(value: Any) -> None:
        if value is None:
            line.clear()
        elif isinstance(value, tuple):
            line.setText(", ".join(_written(item) for item in value))
        else:
            line.setText(_written(value))

    return _Editor(line, read, show, line.textEdited)


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parsed(text: str, kind: type | None) -> Any:
    """A number where one is wanted and written; else the text, which ``Config`` then refuses by name."""
    if kind is bool:
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    if kind in (int, float):
        try:
            return float(text)
        except ValueError:
            return text
    return text
