"""The threshold as a slider in false positives, and labels that follow it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtCore import QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QHBoxLayout, QLabel, QSlider, QWidget

from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.errors import GrisailleError
from grisaille.core.result import SYNTHETIC_CAVEAT, Asked, Result
from grisaille.core.run import Run
from grisaille.desktop.ink import Ink
from grisaille.desktop.job import Job, Outcome

_STEPS = 400
_MOST = {Per.SCAN: 20.0, Per.VOXEL: 0.1, Per.SHARE: 0.2, Per.ORGAN: 0.2}
_LEAST = {Per.SCAN: 0.01, Per.VOXEL: 1e-7, Per.SHARE: 1e-6, Per.ORGAN: 1e-4}
_START = {Per.SCAN: 1.0, Per.VOXEL: 1e-3, Per.SHARE: 2e-3, Per.ORGAN: 0.01}
_WORDS = {
    Per.SCAN: "false findings on a healthy scan",
    Per.VOXEL: "of healthy tissue marked",
    Per.SHARE: "of this body, the most anomalous",
    Per.ORGAN: "of each organ, the most anomalous",
}

TWIN_STAYS = "Labels follow; the healthy twin stays as it was painted, for the candidates of the run."
"""Said once the threshold is another than the run's."""

ON_SCREEN_VOXELS = 6_000_000
"""Volumes up to this size are tried on the GUI thread first, where labels follow the mouse without a lag."""

ON_SCREEN_S = 0.06
"""What took longer is done beside the GUI thread the next time."""


class ThresholdControl(QWidget):
    """Asks for a threshold in the currency that the calibration allows; ``asked`` tells it."""

    asked = Signal(object)

    def __init__(self, ink: Ink, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ink = ink
        self._calibration = Calibration.none()
        self._asked = 1.0
        self._run: Asked | None = None
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, _STEPS)
        self._slider.setToolTip("Fewer findings to the left, more to the right; labels follow, nothing runs again")
        self._slider.setAccessibleName("Threshold in false positives")
        self._amount = QDoubleSpinBox()
        self._amount.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self._amount.setKeyboardTracking(False)
        self._amount.setMinimumWidth(92)
        self._per = QComboBox()
        self._per.setToolTip("What the threshold is asked in")
        self._promise = QLabel()
        self._promise.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(QLabel("At most"))
        row.addWidget(self._amount)
        row.addWidget(self._per, 1)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(2)
        layout.addLayout(row, 0, 0)
        layout.addWidget(self._slider, 1, 0)
        layout.addWidget(self._promise, 2, 0)
        self._slider.valueChanged.connect(self._on_slider)
        self._amount.valueChanged.connect(self._on_amount)
        self._per.currentIndexChanged.connect(self._on_per)
        self.set_calibration(self._calibration)

    def set_calibration(
        self,
        calibration: Calibration,
        asked: Asked | None = None,
        *,
        is_painted: bool = False,
        has_organs: bool = False,
    ) -> None:
        """Offer what this calibration can promise, standing at ``asked``; tells nothing.

        Where the map ``has_organs``, a share of each is offered. Where a twin ``is_painted``, it is said that the twin
        does not follow once the threshold is another.
        """
        self._calibration = calibration
        is_none = calibration.source is CalibrationSource.NONE
        promised = () if is_none else (Per.SCAN, Per.VOXEL)
        pers = (*promised, Per.SHARE, *((Per.ORGAN,) if has_organs else ()))
        if asked is None or asked.per not in pers:
            asked = Asked(_START[pers[0]], pers[0])
        self._per.blockSignals(True)
        self._per.clear()
        for per in pers:
            self._per.addItem(_WORDS[per], per)
        self._per.setCurrentIndex(pers.index(asked.per))
        self._per.blockSignals(False)
        self._set_range(asked.per)
        self._show(asked.amount)
        self._run = self.value if is_painted else None
        self._show_promise()

    @property
    def value(self) -> Asked:
        """The threshold as it stands."""
        return Asked(self._asked, self._per.currentData())

    def set_ink(self, ink: Ink) -> None:
        """Write in these colours."""
        self._ink = ink
        self._show_promise()

    def _show_promise(self) -> None:
        is_kept = self._calibration.source is CalibrationSource.PATIENTS and not self._per.currentData().is_share
        sentence = promise(self._calibration, self._per.currentData())
        if self._run is not None and self.value != self._run:
            sentence = f"{sentence} {TWIN_STAYS}"
        self._promise.setText(sentence)
        self._promise.setStyleSheet(f"color: {(self._ink.faint if is_kept else self._ink.warning).name()};")

    def _limits(self, per: Per) -> tuple[float, float]:
        least = max(_LEAST[per], self._calibration.smallest(per))
        return least, max(_MOST[per], 2 * least)

    def _set_range(self, per: Per) -> None:
        low, high = self._limits(per)
        shown = _shown_as(per)
        self._amount.blockSignals(True)
        self._amount.setSuffix(shown.suffix)
        self._amount.setDecimals(shown.decimals)
        self._amount.setRange(low * shown.factor, high * shown.factor)
        self._amount.blockSignals(False)

    def _show(self, amount: float) -> None:
        """Stand at ``amount``, kept whole: the number shown is rounded, and may not slip below the promise."""
        per = self._per.currentData()
        low, high = self._limits(per)
        self._asked = min(max(amount, low), high)
        for widget in (self._amount, self._slider):
            widget.blockSignals(True)
        self._amount.setValue(self._asked * _shown_as(per).factor)
        self._slider.setValue(round(_STEPS * math.log(self._asked / low) / math.log(high / low)))
        for widget in (self._amount, self._slider):
            widget.blockSignals(False)

    def _on_slider(self, step: int) -> None:
        low, high = self._limits(self._per.currentData())
        self._show(low * (high / low) ** (step / _STEPS))
        self._show_promise()
        self.asked.emit(self.value)

    def _on_amount(self, shown: float) -> None:
        self._show(shown / _shown_as(self._per.currentData()).factor)
        self._show_promise()
        self.asked.emit(self.value)

    def _on_per(self) -> None:
        per = self._per.currentData()
        self._set_range(per)
        self._show(_START[per])
        self._show_promise()
        self.asked.emit(self.value)


@dataclass(frozen=True)
class _ShownAs:
    factor: float
    suffix: str
    decimals: int


def _shown_as(per: Per) -> _ShownAs:
    return _ShownAs(1.0, "", 2) if per is Per.SCAN else _ShownAs(100.0, " %", 4)


def promise(calibration: Calibration, per: Per) -> str:
    """What stands behind a threshold, in a sentence."""
    if calibration.source is CalibrationSource.NONE:
        of = "each organ, nothing outside them" if per is Per.ORGAN else "this body"
        return f"Never calibrated on healthy scans: the cut is a share of {of}, which is no rate of errors."
    if per is Per.ORGAN:
        return "A share of each organ promises nothing about errors; what lies in no organ is not marked."
    if per is Per.SHARE:
        return "A share of this body promises nothing about errors."
    people = f"{calibration.scans} healthy scans of {calibration.patients} people"
    if calibration.source is CalibrationSource.SYNTHETIC:
        return f"{SYNTHETIC_CAVEAT[0].upper()}{SYNTHETIC_CAVEAT[1:]}."
    smallest = f"{calibration.smallest(per) * _shown_as(per).factor:.3g}{_shown_as(per).suffix}"
    return f"Measured on {people} left out of the fit; the smallest that they can promise is {smallest}."


def cut_of(result: Result) -> float | None:
    """The score that the threshold of a result stands for; None where nothing was marked, or each organ has its own."""
    asked, calibration = result.provenance.asked, result.anomaly.calibration
    if asked.per is Per.ORGAN:
        return None
    if asked.per is not Per.SHARE and calibration.source is not CalibrationSource.NONE:
        return calibration.cut(asked.amount, asked.per)
    marked = result.anomaly.scores[result.labels.voxels > 0]
    return float(marked.min()) if marked.size else None


Relabel = Callable[[Asked], Result]


class Relabeller(QObject):
    """Labels again for each threshold asked; of several asked at once the last one wins.

    What is quick is done on the GUI thread, what is not beside it.
    """

    relabelled = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._relabel: Relabel | None = None
        self._is_quick = True
        self._wanted: Asked | None = None
        self._job: Job | None = None
        # A mouse tells its moves faster than labels are made: only the newest is worth the work.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._begin)

    def set_source(self, relabel: Relabel, voxels: int) -> None:
        """Label with ``relabel`` from now on, a map of this many ``voxels``."""
        self.stop()
        self._relabel = relabel
        self._is_quick = voxels <= ON_SCREEN_VOXELS

    def ask(self, asked: Asked) -> None:
        """Label with this threshold soon."""
        self._wanted = asked
        self._soon.start()

    def stop(self) -> None:
        """Drop what is asked and under way."""
        self._wanted = None
        self._soon.stop()
        if self._job is not None:
            self._job.finished.disconnect(self._on_finished)
            self._job.cancel()
            self._job = None

    def _begin(self) -> None:
        if self._wanted is None or self._relabel is None or self._job is not None:
            return
        asked, self._wanted = self._wanted, None
        relabel = self._relabel
        if self._is_quick:
            started = time.perf_counter()
            try:
                result = relabel(asked)
            except GrisailleError as error:
                self.failed.emit(str(error))
            else:
                self._is_quick = time.perf_counter() - started <= ON_SCREEN_S
                self.relabelled.emit(result)
            return
        self._job = Job(Run(), "grisaille: labels for another threshold")
        self._job.finished.connect(self._on_finished)
        self._job.start(lambda run: relabel(asked))

    def _on_finished(self, outcome: Outcome) -> None:
        self._job = None
        if self._wanted is None and outcome.value is not None:
            self._is_quick = outcome.seconds <= ON_SCREEN_S / 2
            self.relabelled.emit(outcome.value)
        elif outcome.error is not None:
            self.failed.emit(outcome.sentence)
        self._begin()
