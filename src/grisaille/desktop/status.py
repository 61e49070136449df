"""What a panel says: what runs on what, how far it is, and what to be careful about."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from grisaille.core.run import Progress
from grisaille.desktop.ink import Ink


class StatusBox(QWidget):
    """A status line, a progress bar while something runs, and warnings that stay."""

    def __init__(self, ink: Ink, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ink = ink
        self._warnings: list[str] = []
        self._has_failed = False
        self.line = _wrapped()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.hide()
        self.steps = _wrapped()
        self.steps.hide()
        self.warnings = _wrapped()
        self.warnings.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.line, self.bar, self.steps, self.warnings):
            layout.addWidget(widget)

    @property
    def has_failed(self) -> bool:
        """Whether the status line says what went wrong."""
        return self._has_failed

    def say(self, sentence: str) -> None:
        """Put ``sentence`` on the status line."""
        self._has_failed = False
        self._put(sentence)

    def fail(self, sentence: str) -> None:
        """Put what went wrong on the status line."""
        self._has_failed = True
        self._put(f"{sentence[:1].upper()}{sentence[1:]}")

    def _put(self, sentence: str) -> None:
        self.line.setText(sentence)
        self.set_ink(self._ink)
        self.line.setVisible(bool(sentence))

    def begin(self, sentence: str) -> None:
        """Something starts: a busy bar, and the warnings of the last run go."""
        self.say(sentence)
        self.set_warnings(())
        self.bar.setRange(0, 0)
        self.bar.show()
        self.steps.hide()

    def show_progress(self, progress: Progress) -> None:
        """How far it is, and how long it will take."""
        total = progress.total or 0
        self.bar.setRange(0, total)
        self.bar.setValue(progress.done)
        self.steps.setText(words(progress))
        self.steps.show()

    def end(self) -> None:
        """Nothing runs any more."""
        self.bar.hide()
        self.steps.hide()

    def set_warnings(self, sentences: tuple[str, ...]) -> None:
        """Show these warnings and no others."""
        self._warnings = []
        self.warnings.hide()
        for sentence in sentences:
            self.warn(sentence)

    def warn(self, sentence: str) -> None:
        """Show one warning more, once."""
        if sentence not in self._warnings:
            self._warnings.append(sentence)
        self.warnings.setText("\n".join(f"⚠ {one[:1].upper()}{one[1:]}" for one in self._warnings))
        self.set_ink(self._ink)
        self.warnings.show()

    def set_ink(self, ink: Ink) -> None:
        """Write in these colours."""
        self._ink = ink
        self.line.setStyleSheet(f"color: {ink.error.name()};" if self._has_failed else "")
        self.warnings.setStyleSheet(f"color: {ink.warning.name()};")


def words(progress: Progress) -> str:
    """A step as a sentence: ``scoring slices: 34 of 96, about 12 s left``."""
    what = f"{progress.what[:1].upper()}{progress.what[1:]}"
    if progress.total is None:
        return f"{what}: {progress.done}" if progress.done else f"{what}…"
    counted = f"{what}: {progress.done} of {progress.total}"
    if progress.seconds_left is None or progress.done == progress.total:
        return counted
    return f"{counted}, about {_duration(progress.seconds_left)} left"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _wrapped() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
