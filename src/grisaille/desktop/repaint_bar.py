"""Painting a region over again: the button, how far it is, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.finding import Finding
from grisaille.core.result import Asked, Result
from grisaille.core.run import Progress, Run
from grisaille.core.study import Study
from grisaille.desktop.editing import LabelWatch
from grisaille.desktop.job import Job, Outcome
from grisaille.desktop.keys import Key
from grisaille.desktop.status import words
from grisaille.methods.base import Method, Repaintable

if TYPE_CHECKING:
    from grisaille.core.former import Former
    from grisaille.core.labels import Labels
    from grisaille.flows.repaint import Repainted


@dataclass(frozen=True, eq=False)
class Source:
    """What a result came of, and how it was run: what is painted again is run likewise."""

    study: Study
    method: Method
    run: Run = field(default_factory=Run)

    def relabelling(self, result: Result) -> Callable[[Asked], Result]:
        """What marks the scores of ``result`` at another threshold, not measured yet."""
        from grisaille.flows.detect import relabel

        return lambda asked: relabel(result, self.study, self.method, asked.amount, asked.per, measured=False)


@dataclass(frozen=True, eq=False)
class Step:
    """A result in place of another one: a region was painted again, or that was undone."""

    before: AnomalyMap
    result: Result


@dataclass(frozen=True, eq=False)
class _Undone:
    """How to go back: what was there, what was told of it, and since when strokes counted."""

    former: Former
    told: str
    watch: LabelWatch
    since: Labels


class RepaintBar(QWidget):
    """Repaints what was painted on; hidden where the method cannot.

    Signals
    -------
    wanted
        The button was pressed: answer with ``repaint``.
    changed
        A ``Step``.
    """

    wanted = Signal()
    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._source: Source | None = None
        self._result: Result | None = None
        self._undone: list[_Undone] = []
        self._notes: list[str] = []
        self._job: Job | None = None
        self.button = QPushButton("Repaint here")
        self.button.setToolTip(
            "Paint with the brush on the labels, then press: the network paints that region, the label it touches and "
            "a margin healthy once more; with nothing painted, the chosen finding. Your labels stay as they are "
            f"({Key.REPAINT.shown})"
        )
        self.undo_button = QPushButton("Undo repaint")
        self.undo_button.setToolTip(f"Bring twin, z and scores back as they were ({Key.UNDO_REPAINT.shown})")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip(f"Stop; nothing is changed ({Key.CANCEL.shown})")
        self.line = QLabel()
        self.line.setTextFormat(Qt.TextFormat.PlainText)
        self.line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        row.addWidget(self.button)
        row.addWidget(self.cancel_button)
        row.addWidget(self.undo_button)
        row.addWidget(self.line, 1)
        self.button.clicked.connect(self.wanted)
        self.undo_button.clicked.connect(self.undo)
        self.cancel_button.clicked.connect(self.cancel)
        self._refresh()

    @property
    def is_running(self) -> bool:
        """Whether something is being painted."""
        return self._job is not None

    def open(self, result: Result, source: Source) -> None:
        """A new result: what was painted on the last one can be undone no more."""
        self.release()
        self._result, self._source = result, source
        self._undone.clear()
        self.say("")
        self._refresh()

    def keep(self, result: Result) -> None:
        """The same scores under other labels."""
        self._result = result

    def repaint(self, watch: LabelWatch | None, chosen: Finding | None) -> None:
        """Paint over what was painted on ``watch`` since the last time, or else the label of ``chosen``."""
        if self._source is None or self._result is None or self._job is not None:
            return
        study, method = self._source.study, self._source.method
        if not isinstance(method, Repaintable):
            return
        if watch is None or not watch.judges(self._result.anomaly):
            self.say("Choose the labels of this result first.")
            return
        anomaly = self._result.anomaly
        labels, since = watch.strokes()
        number = None if chosen is None else chosen.label

        def paint(run: Run) -> Repainted:
            from grisaille.flows.repaint import asked_region, repaint

            return repaint(study, anomaly, method, asked_region(labels, since, number), run)

        self._asked = (watch, labels, since)
        self._start(self._source.run, "grisaille: painting a region over again", paint, self._on_painted)
        self.say("Preparing the study…")

    def undo(self) -> None:
        """Bring back what was there before the last repaint."""
        if not self._undone or self._result is None or self._job is not None:
            return
        former, anomaly = self._undone[-1].former, self._result.anomaly
        self._start(Run(), "grisaille: undoing a repaint", lambda run: former.restored(anomaly), self._on_restored)

    def cancel(self) -> None:
        """Ask what is painted to stop."""
        if self._job is not None:
            self.say("Stopping…")
            self._job.cancel()

    def say(self, sentence: str) -> None:
        """Put ``sentence`` beside the buttons."""
        self.line.setText(f"{sentence[:1].upper()}{sentence[1:]}")
        self.line.setToolTip(sentence)

    def release(self) -> None:
        """Drop what runs."""
        if self._job is not None:
            self._job.finished.disconnect(self._on_finished)
            self._job.progressed.disconnect(self._on_progress)
            self._job.cancel()
            self._job = None

    # Inside -------------------------------------------------------------------------------------

    def _start(self, run: Run, title: str, work: Callable[[Run], Any], then: Callable[[Outcome], None]) -> None:
        self._job, self._then, self._notes = Job(run, title), then, []
        # Bound methods of widgets only: Qt drops such a connection when the window is closed.
        self._job.progressed.connect(self._on_progress)
        self._job.noted.connect(self._notes.append)
        self._job.finished.connect(self._on_finished)
        self._job.start(work)
        self._refresh()

    def _on_progress(self, progress: Progress) -> None:
        self.say(words(progress))

    def _on_finished(self, outcome: Outcome) -> None:
        self._job = None
        if outcome.cancelled:
            self.say("Cancelled; nothing was changed.")
        elif outcome.error is not None:
            self.say(outcome.sentence)
        else:
            self._then(outcome)
        self._refresh()

    def _on_painted(self, outcome: Outcome) -> None:
        done: Repainted = outcome.value
        watch, labels, since = self._asked
        told = f"{done.region_ml:.1f} ml were painted over again on request"
        self._undone.append(_Undone(done.former, told, watch, since))
        watch.rebase(labels)
        self._change(done.anomaly, lambda warnings: (*warnings, told))
        self.say(" ".join([f"{done.region_ml:.1f} ml painted again in {outcome.seconds:.1f} s.", *self._notes]))

    def _on_restored(self, outcome: Outcome) -> None:
        last = self._undone.pop()
        last.watch.rebase(last.since)
        self._change(outcome.value, lambda warnings: tuple(one for one in warnings if one != last.told))
        self.say("Twin, z and scores are as they were.")

    def _change(self, anomaly: AnomalyMap, retold: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        assert self._result is not None
        before, made = self._result.anomaly, self._result.provenance
        provenance = replace(made, warnings=retold(made.warnings))
        # The organs were those of other scores; who shows them ranks them again.
        self._result = replace(self._result, anomaly=anomaly, provenance=provenance, organs=(), organ_map=None)
        self.changed.emit(Step(before, self._result))

    def _refresh(self) -> None:
        can = self._source is not None and isinstance(self._source.method, Repaintable)
        self.setVisible(can)
        self.button.setEnabled(not self.is_running)
        self.cancel_button.setVisible(self.is_running)
        self.undo_button.setVisible(bool(self._undone) and not self.is_running)
