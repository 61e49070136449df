"""The panel of a method: reads a form, starts a job, hands the result to the review."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea, QVBoxLayout

from grisaille.core.calibration import Per
from grisaille.core.counted import counted
from grisaille.core.errors import GrisailleError, InputError, MissingWeights
from grisaille.core.labels import Labels
from grisaille.core.packages import require
from grisaille.core.result import Asked, Result
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.desktop import layers
from grisaille.desktop.autosave import Leftover
from grisaille.desktop.docked import Docked
from grisaille.desktop.fit_dialog import FitDialog, FitOrder
from grisaille.desktop.job import Job, Outcome
from grisaille.desktop.keys import Key, bind, unbind
from grisaille.desktop.maker import Maker, Model
from grisaille.desktop.organs_dock import ranking_in, show_organs_of
from grisaille.desktop.panel_face import PanelFace
from grisaille.desktop.repaint_bar import Source
from grisaille.desktop.review import docked_review, review_of
from grisaille.desktop.settings import preferences
from grisaille.imaging.overlap import require_overlap


class MethodPanel(Docked):
    """The one widget behind every method of the manifest; ``maker`` says which."""

    def __init__(self, viewer: Any, maker: Maker) -> None:
        super().__init__()
        self._viewer = viewer
        self._maker = maker
        self._job: Job | None = None
        self._used: tuple[Any, ...] = ()
        self._has_result = False
        self._is_model_known = False
        self._previewed = ""
        self.face = PanelFace(viewer, maker, preferences().device)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self.face)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 0, 4)
        layout.addWidget(scroll)
        self.setMinimumWidth(320)
        self._wire()
        self._greet()
        self._on_model()

    def _wire(self) -> None:
        self.face.run.clicked.connect(self.run)
        self.face.cancel.clicked.connect(self.cancel)
        self.face.fit.clicked.connect(self.ask_for_fit)
        self.face.models.choice.currentIndexChanged.connect(self._on_model)
        self.face.recovery.wanted.connect(self._on_recover)
        bind(
            self._viewer,
            {
                Key.RUN: self.run,
                Key.CANCEL: self.cancel,
                Key.NEXT_FINDING: lambda: review_of(self._viewer).table.step(1),
                Key.PREVIOUS_FINDING: lambda: review_of(self._viewer).table.step(-1),
                Key.TWIN: lambda: review_of(self._viewer).compare.toggle(),
                Key.WIPE: lambda: review_of(self._viewer).compare.toggle_wipe(),
                Key.REPAINT: lambda: review_of(self._viewer).repaint(),
                Key.UNDO_REPAINT: lambda: review_of(self._viewer).repainting.undo(),
            },
        )

    def _greet(self) -> None:
        try:
            self._require_model()
        except GrisailleError as error:
            self.face.status.fail(str(error))
        else:
            self.face.status.say("Choose a CT, a PET or both, and run.")

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
        if self._refuses() or not self._knows_model():
            return
        try:
            study, config, model = self._study(), self.face.form.config(), self._require_model()
            given = self.face.organs.labels(tuple(study.volumes.values()))
        except GrisailleError as error:
            self.face.status.fail(str(error))
            return
        wants_organs, ranking = self.face.organs.is_asked, ranking_in(self._viewer)
        asked = self._asked(wants_organs)
        title = f"{self._maker.title} on {_what(study)}"
        job = self._new_job(title)
        settings = self._settings

        def detect(run: Run) -> tuple[Result, Source, Labels | None]:
            from grisaille.flows.detect import detect

            method = self._maker.load(model.ref, config)
            run.check_cancelled()
            job.said.emit(f"{title} ({model.title}), on {_where(self._maker, run)}")
            source = Source(study, method, settings)
            organs = _organs(study, given) if wants_organs else None
            result = detect(
                study, method, false_positives=asked.amount, per=asked.per,
                top=asked.amount if asked.per.is_share else None, organs=organs, run=run,
                on_preview=lambda preview: job.previewed.emit((preview, source)),
            )  # fmt: skip
            if organs is not None:
                from grisaille.flows.organs import with_organs

                fitting = ranking.fitting(result.provenance.scoring)
                result = with_organs(
                    result, study, organs, reference=fitting.reference, edge_mm=fitting.edge_mm, run=run
                )  # fmt: skip
            return result, source, organs

        self._start(job, detect, self._on_run)

    def cancel(self) -> None:
        """Ask what runs to stop, a repaint too."""
        if self._job is not None:
            self.face.status.say("Stopping…")
            self._job.cancel()
        elif (review := docked_review(self._viewer)) is not None:
            review.repainting.cancel()

    def ask_for_fit(self) -> None:
        """Ask for healthy studies, then fit, or calibrate the chosen model, on them."""
        model, config = "", None
        if self._maker.calibrate is not None:
            if not self._knows_model():
                return
            try:
                model, config = self._require_model().ref, self.face.form.config()
            except GrisailleError as error:
                self.face.status.fail(str(error))
                return
        dialog = FitDialog(self._maker, self, model, config)
        if dialog.exec():
            self.fit(dialog.order)

    def fit(self, order: FitOrder) -> None:
        """Fit or calibrate on healthy studies on a worker thread, and save the model."""
        if self._refuses():
            return
        try:
            require(*self._maker.engine)
        except GrisailleError as error:
            self.face.status.fail(str(error))
            return

        verb = "Calibrating" if order.model else "Fitting"
        title = f"{verb} {self._maker.title} on {len(order.folders)} studies"
        job = self._new_job(title)

        def fit(run: Run) -> Path:
            job.said.emit(f"{title}, on {_where(self._maker, run)}")
            if order.model and self._maker.calibrate is not None:
                self._maker.calibrate(order.model, order.config, order.folders, order.out, run)
            else:
                self._maker.fit(order.config, order.folders, order.out, run)
            return order.out

        self._start(job, fit, self._on_fit)

    def _refuses(self) -> bool:
        """Say so if something runs already, in this panel or in another one of the viewer."""
        panels = [one for one in self._viewer.window.dock_widgets.values() if isinstance(one, MethodPanel)]
        busy = next((one for one in {self, *panels} if one.is_running), None)
        if busy is not None:
            self.face.status.say(f"{busy._maker.title} is running: wait until it is done, or cancel it first.")
            return True
        review = docked_review(self._viewer)
        if review is not None and review.repainting.is_running:
            self.face.status.say("A region is being painted over again: wait until it is done, or cancel it first.")
            return True
        return False

    def _require_model(self) -> Model:
        """The chosen model, and the packages that it computes with."""
        require(*self._maker.engine)
        if self.face.models.model is None:
            raise MissingWeights(
                f"no model of {self._maker.title} is chosen: press File… to open one that you were given "
                "(.safetensors), or fit one on your own healthy studies with the button below"
            )
        return self.face.models.model

    def _study(self) -> Study:
        chosen = [one.layer for one in self.face.choosers.values() if one.layer is not None]
        if not chosen:
            raise InputError(
                "no CT or PET is chosen; open one (File > Open Files, with napari-grisaille) or File > Open Sample"
            )
        self._used = tuple(chosen)
        study = Study.of(*(layers.volume_from(layer) for layer in chosen))
        require_overlap(study)
        return study

    def _asked(self, has_organs: bool) -> Asked:
        review = docked_review(self._viewer)
        if review is None or review.result is None:
            return Asked(1.0, Per.SCAN)
        asked = review.threshold.value
        return Asked(asked.amount, Per.SHARE) if asked.per is Per.ORGAN and not has_organs else asked

    def _new_job(self, title: str) -> Job:
        chosen = preferences()
        run = Run(device=self.face.device.currentText(), threads=chosen.threads, cache=chosen.features_folder)
        self._settings = run
        return Job(run, title, self._maker.engine)

    def _start(self, job: Job, work: Callable[[Run], Any], then: Callable[[Outcome], None]) -> None:
        self._job, self._then = job, then
        self._has_result = False
        self._previewed = ""
        # Bound methods of widgets only: Qt drops such a connection when the window is closed.
        job.progressed.connect(self.face.status.show_progress)
        job.said.connect(self.face.status.say)
        job.noted.connect(self.face.status.warn)
        job.previewed.connect(self._on_preview)
        job.finished.connect(self._on_finished)
        self.face.set_running(True)
        self.face.status.begin("Starting…")
        job.start(work)

    # Outcomes -----------------------------------------------------------------------------------

    def _on_finished(self, outcome: Outcome) -> None:
        self._job = None
        self.face.set_running(False)
        self.face.status.end()
        if outcome.cancelled:
            left = f"the map stays as it is, {self._previewed}" if self._previewed else "nothing was changed"
            self.face.status.say(f"Cancelled after {outcome.seconds:.1f} s; {left}.")
        elif outcome.error is not None:
            self.face.status.fail(outcome.sentence)
        else:
            self._then(outcome)

    def _on_preview(self, preview: tuple[Result, Source]) -> None:
        result, source = preview
        self._show(result, source)
        self._previewed = f"incomplete ({result.anomaly.incomplete})"
        self.face.status.set_warnings(result.provenance.warnings)

    def _show(self, result: Result, source: Source) -> Result:
        """Shown at the threshold that was asked for meanwhile, if a coarser result was there to ask it on."""
        review, is_refined = review_of(self._viewer), bool(self._previewed)
        asked = review.threshold.value
        if is_refined and asked != result.provenance.asked:
            from grisaille.flows.detect import relabel

            result = relabel(result, source.study, source.method, asked.amount, asked.per)
        review.show_result(result, source, is_refined=is_refined)
        return result

    def _on_run(self, outcome: Outcome) -> None:
        result, source, organs = outcome.value
        result = self._show(result, source)
        show_organs_of(self._viewer, result, source.study, organs)
        self._has_result = True
        done = f"{self._maker.title} on {_what(source.study)}, {result.provenance.device}, {outcome.seconds:.1f} s"
        self.face.status.say(f"{counted(len(result.findings), 'finding')}. {done}.")
        self.face.status.set_warnings(result.provenance.warnings)
        for layer in self._used:
            if layer not in self._viewer.layers:
                self.face.status.warn(
                    f"layer {layer.name!r} was deleted during the run; the result is of it all the same"
                )

    def _on_fit(self, outcome: Outcome) -> None:
        path: Path = outcome.value
        self.face.models.add_file(path)
        self.face.status.say(f"Done in {outcome.seconds:.0f} s and saved to {path}. It is chosen above.")

    def _on_model(self, _: int = 0) -> None:
        """Show the settings of the chosen model, or none where they cannot be read: the usual ones would mislead."""
        model = self.face.models.model
        self._is_model_known = False
        try:
            if model is not None:
                config = self._maker.fitted_config(model.ref)
                self.face.form.show_config(config)
                self._is_model_known = True
                self._maker.require_weights(config)
        except GrisailleError as error:
            self.face.status.fail(str(error))
        else:
            if self.face.status.has_failed:
                self._greet()
        self.face.form.setVisible(self._is_model_known)

    def _knows_model(self) -> bool:
        """Whether the chosen model could be read, now at the latest; if not, the status says why."""
        if not self._is_model_known and self.face.models.model is not None:
            self._on_model()
        return self._is_model_known or self.face.models.model is None

    def _on_recover(self, leftover: Leftover) -> None:
        is_open = any(one.layer is not None for one in self.face.choosers.values())
        try:
            review_of(self._viewer).adopt(leftover, self._study() if is_open else None)
        except GrisailleError as error:
            self.face.status.fail(str(error))
        else:
            self.face.status.say(f"Recovered {leftover.name!r}.")

    def release(self) -> None:
        """Stop what runs and stop following the viewer."""
        if self._job is not None:
            self._job.cancel()
        self.face.release()
        unbind(self._viewer)


def _organs(study: Study, given: Labels | None) -> Labels:
    """Those given, else those by thresholds."""
    from grisaille.imaging.threshold_organs import threshold_organs

    return threshold_organs(study) if given is None else given


def _what(study: Study) -> str:
    return " and ".join(volume.name or key.upper() for key, volume in study.volumes.items())


def _where(maker: Maker, run: Run) -> str:
    """The device in words, once the engine is there."""
    if "torch" not in maker.engine:
        return "CPU"
    from grisaille.nn.device import describe, resolve_device
    from grisaille.nn.threads import thread_count

    device = resolve_device(run)
    if device.type != "cpu":
        return describe(device)
    return f"{describe(device)}, {counted(thread_count(run), 'thread')}"
