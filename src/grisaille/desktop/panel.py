"""The panel of a method: reads a form, starts a job, hands the result to the review."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from grisaille.core.calibration import Per
from grisaille.core.errors import GrisailleError, InputError
from grisaille.core.packages import require
from grisaille.core.result import RESEARCH_USE, Asked, Result
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Modality
from grisaille.desktop import layers
from grisaille.desktop.autosave import Leftover
from grisaille.desktop.chooser import VolumeChooser
from grisaille.desktop.fit_dialog import FitDialog, FitOrder
from grisaille.desktop.form import LABEL_WIDTH, ConfigForm
from grisaille.desktop.ink import ink
from grisaille.desktop.job import Job, Outcome
from grisaille.desktop.maker import Maker
from grisaille.desktop.model_box import ModelBox
from grisaille.desktop.recovery import RecoveryBox
from grisaille.desktop.review import DOCK, Review, review_of
from grisaille.desktop.settings import preferences
from grisaille.desktop.status import StatusBox
from grisaille.desktop.view import ViewBar
from grisaille.methods.base import Method

_DEVICES = ("auto", "cpu", "cuda", "mps")
_KEYS = {"run": "R", "cancel": "X", "next": "N", "previous": "P"}


class MethodPanel(QWidget):
    """The one widget behind every method of the manifest; ``maker`` says which."""

    def __init__(self, viewer: Any, maker: Maker) -> None:
        super().__init__()
        self._viewer = viewer
        self._maker = maker
        self._job: Job | None = None
        self._used: tuple[Any, ...] = ()
        self._is_docked = False
        self._has_result = False
        self._lay_out()
        self._wire()
        self._on_model()
        self._greet()

    # Building -----------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        paint = ink(self._viewer.theme)
        self.choosers = {one.key: VolumeChooser(self._viewer, one) for one in (Modality.CT, Modality.PET)}
        self.models = ModelBox(self._maker.models)
        self.device = QComboBox()
        self.device.addItems(_DEVICES)
        self.device.setToolTip("Where the network runs; auto takes a GPU where there is one")
        self.form = ConfigForm(self._maker.config_class, is_fitted=True)
        self.run_button = QPushButton(f"Run {self._maker.title}")
        self.run_button.setToolTip(f"Score the chosen study (Ctrl+Alt+{_KEYS['run']})")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip(f"Stop what runs; nothing is changed (Ctrl+Alt+{_KEYS['cancel']})")
        self.fit_button = QPushButton("Fit on my healthy studies…")
        self.fit_button.setToolTip("Learn what healthy looks like on your own scanner, and save it as a model")
        self.status = StatusBox(paint)
        self.recovery = RecoveryBox()
        research = QLabel(RESEARCH_USE)
        research.setWordWrap(True)
        research.setStyleSheet("font-size: 9pt; opacity: 0.8;")
        rows = QFormLayout()
        rows.setVerticalSpacing(4)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        named = {key.upper(): chooser for key, chooser in self.choosers.items()}
        for name, widget in {**named, "Model": self.models, "Device": self.device}.items():
            label = QLabel(name)
            label.setMinimumWidth(LABEL_WIDTH)
            rows.addRow(label, widget)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        for part in (self.recovery, ViewBar(self._viewer), rows, self.form, buttons, self.status):
            layout.addLayout(part) if isinstance(part, (QFormLayout, QHBoxLayout)) else layout.addWidget(part)
        layout.addStretch(1)
        layout.addWidget(self.fit_button)
        layout.addWidget(research)
        self.setMinimumWidth(300)

    def _wire(self) -> None:
        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(self.cancel)
        self.fit_button.clicked.connect(self.ask_for_fit)
        self.models.choice.currentIndexChanged.connect(self._on_model)
        self.recovery.wanted.connect(self._on_recover)
        self._actions = {
            "run": self.run,
            "cancel": self.cancel,
            "next": lambda: review_of(self._viewer).table.step(1),
            "previous": lambda: review_of(self._viewer).table.step(-1),
        }
        for name, key in _KEYS.items():
            self._viewer.bind_key(f"Control-Alt-{key}", _key(self._actions[name]), overwrite=True)
        self._set_running(False)

    def _greet(self) -> None:
        chosen = preferences().device
        if self.device.findText(chosen) < 0:
            self.device.addItem(chosen)
        self.device.setCurrentText(chosen)
        try:
            require(*self._maker.engine)
        except GrisailleError as error:
            self.status.fail(str(error))
        else:
            self.status.say("Choose a CT, a PET or both, and run.")

    # Running ------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether a run or a fit is going on in this panel."""
        return self._job is not None

    @property
    def has_result(self) -> bool:
        """Whether the last run ended well."""
        return self._has_result

    def run(self) -> None:
        """Score the chosen study on a worker thread."""
        if self._refuses():
            return
        try:
            study, config, model = self._study(), self.form.config(), self.models.model
            require(*self._maker.engine)
            if model is None:
                raise InputError("no model is chosen: choose a file, or fit one on your healthy studies")
        except GrisailleError as error:
            self.status.fail(str(error))
            return
        asked = self._asked()
        title = f"{self._maker.title} on {_what(study)}"
        job = self._new_job(title)

        def detect(run: Run) -> tuple[Result, Study, Method]:
            from grisaille.flows.detect import detect

            method = self._maker.load(model.ref, config)
            job.said.emit(f"{title} ({model.title}), on {_where(self._maker, run)}")
            result = detect(study, method, false_positives=asked.amount, per=asked.per, run=run)
            return result, study, method

        self._start(job, detect, self._on_run)

    def cancel(self) -> None:
        """Ask what runs to stop."""
        if self._job is not None:
            self.status.say("Stopping…")
            self._job.cancel()

    def ask_for_fit(self) -> None:
        """Ask for healthy studies, then fit on them."""
        dialog = FitDialog(self._maker, self)
        if dialog.exec():
            self.fit(dialog.order)

    def fit(self, order: FitOrder) -> None:
        """Fit on healthy studies on a worker thread, and save the model."""
        if self._refuses():
            return
        try:
            require(*self._maker.engine)
        except GrisailleError as error:
            self.status.fail(str(error))
            return

        title = f"Fitting {self._maker.title} on {len(order.folders)} studies"
        job = self._new_job(title)

        def fit(run: Run) -> Path:
            job.said.emit(f"{title}, on {_where(self._maker, run)}")
            self._maker.fit(order.config, order.folders, order.out, run)
            return order.out

        self._start(job, fit, self._on_fit)

    def _refuses(self) -> bool:
        """Say so if something runs already, in this panel or in another one of the viewer."""
        panels = [one for one in self._viewer.window.dock_widgets.values() if isinstance(one, MethodPanel)]
        busy = next((one for one in {self, *panels} if one.is_running), None)
        if busy is not None:
            self.status.say(f"{busy._maker.title} is running: wait until it is done, or cancel it first.")
        return busy is not None

    def _study(self) -> Study:
        chosen = [one.layer for one in self.choosers.values() if one.layer is not None]
        if not chosen:
            raise InputError(
                "no CT or PET is chosen; open one (File > Open Files, with napari-grisaille) or File > Open Sample"
            )
        self._used = tuple(chosen)
        return Study.of(*(layers.volume_from(layer) for layer in chosen))

    def _asked(self) -> Asked:
        review = self._viewer.window.dock_widgets.get(DOCK)
        is_shown = isinstance(review, Review) and review.result is not None
        return review.threshold.value if is_shown else Asked(1.0, Per.SCAN)

    def _new_job(self, title: str) -> Job:
        run = Run(device=self.device.currentText(), threads=preferences().threads)
        return Job(run, title, self._maker.engine)

    def _start(self, job: Job, work: Callable[[Run], Any], then: Callable[[Outcome], None]) -> None:
        self._job, self._then = job, then
        self._has_result = False
        # Bound methods of widgets only: Qt drops such a connection when the window is closed.
        job.progressed.connect(self.status.show_progress)
        job.said.connect(self.status.say)
        job.noted.connect(self.status.warn)
        job.finished.connect(self._on_finished)
        self._set_running(True)
        self.status.begin("Starting…")
        job.start(work)

    def _set_running(self, running: bool) -> None:
        self.run_button.setEnabled(not running)
        self.fit_button.setEnabled(not running)
        self.cancel_button.setEnabled(running)

    # Outcomes -----------------------------------------------------------------------------------

    def _on_finished(self, outcome: Outcome) -> None:
        self._job = None
        self._set_running(False)
        self.status.end()
        if outcome.cancelled:
            self.status.say(f"Cancelled after {outcome.seconds:.1f} s; nothing was changed.")
        elif outcome.error is not None:
            self.status.fail(outcome.sentence)
        else:
            self._then(outcome)

    def _on_run(self, outcome: Outcome) -> None:
        result, study, method = outcome.value
        review_of(self._viewer).show_result(result, study, method)
        self._has_result = True
        count = len(result.findings)
        found = f"{count} finding{'' if count == 1 else 's'}"
        done = f"{self._maker.title} on {_what(study)}, {result.provenance.device}, {outcome.seconds:.1f} s"
        self.status.say(f"{found}. {done}.")
        self.status.set_warnings(result.provenance.warnings)
        for layer in self._used:
            if layer not in self._viewer.layers:
                self.status.warn(f"layer {layer.name!r} was deleted during the run; the result is of it all the same")

    def _on_fit(self, outcome: Outcome) -> None:
        path: Path = outcome.value
        self.models.add_file(path)
        self.status.say(f"Fitted in {outcome.seconds:.0f} s and saved to {path}. It is chosen above.")

    def _on_model(self, _: int = 0) -> None:
        model = self.models.model
        if model is None:
            return
        try:
            self.form.show_config(self._maker.fitted_config(model.ref))
        except GrisailleError as error:
            self.status.fail(str(error))

    def _on_recover(self, leftover: Leftover) -> None:
        is_open = any(one.layer is not None for one in self.choosers.values())
        try:
            review_of(self._viewer).adopt(leftover, self._study() if is_open else None)
        except GrisailleError as error:
            self.status.fail(str(error))
        else:
            self.status.say(f"Recovered {leftover.name!r}.")

    # Ending -------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """napari takes a closed dock's widget out of the window without telling it."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._is_docked = True
            elif self._is_docked:
                self.release()
        return bool(super().event(event))

    def release(self) -> None:
        """Stop what runs and stop following the viewer."""
        self._is_docked = False
        if self._job is not None:
            self._job.cancel()
        for key in _KEYS.values():
            self._viewer.bind_key(f"Control-Alt-{key}", None, overwrite=True)


def _key(action: Callable[[], None]) -> Callable[[Any], None]:
    """What napari calls for a key; it needs a function with a name, so no ``partial``."""

    def press(viewer: Any) -> None:
        action()

    return press


def _what(study: Study) -> str:
    return " and ".join(volume.name or key.upper() for key, volume in study.volumes.items())


def _where(maker: Maker, run: Run) -> str:
    """The device in words, once the engine is there."""
    if "torch" not in maker.engine:
        return "CPU"
    from grisaille.nn.device import describe, resolve_device
    from grisaille.nn.threads import thread_count

    device = resolve_device(run)
    return f"{describe(device)}, {thread_count(run)} threads" if device.type == "cpu" else describe(device)
