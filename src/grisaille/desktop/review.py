"""A result to look through: threshold, score of every slice, findings, and edits by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from grisaille.core.counted import counted
from grisaille.core.errors import GrisailleError
from grisaille.core.finding import Finding
from grisaille.core.labels import Labels
from grisaille.core.result import Result
from grisaille.core.study import Study
from grisaille.desktop.autosave import Leftover
from grisaille.desktop.compare import CompareBar, Sight
from grisaille.desktop.docked import Docked
from grisaille.desktop.editing import LabelWatch
from grisaille.desktop.export_dialog import ExportDialog
from grisaille.desktop.findings_table import FindingsTable
from grisaille.desktop.ink import ink
from grisaille.desktop.label_book import LabelBook
from grisaille.desktop.layers import PROVENANCE
from grisaille.desktop.repaint_bar import RepaintBar, Source, Step
from grisaille.desktop.slice_strip import Curve, SliceStrip, Span
from grisaille.desktop.slices import SliceWalk, slice_peaks
from grisaille.desktop.threshold import Relabeller, ThresholdControl, cut_of
from grisaille.desktop.twin import show_twin
from grisaille.desktop.world import go_to
from grisaille.imaging.burden import burden_of

DOCK = "Findings"
"""The name of the dock that a review stands in."""

_BURDEN_HELP = (
    "All findings together: total volume, total lesion glycolysis, SUVmax of the hottest, largest distance between two "
    "centres, and the neighbours by which voxels are one finding"
)


class Review(Docked):
    """Shows one result at a time and keeps its label layers, edited ones among them."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._result: Result | None = None
        self._source: Source | None = None
        self._walk: SliceWalk | None = None
        self._peaks: npt.NDArray[np.float32] | None = None
        self._book = LabelBook(viewer)
        self._relabeller = Relabeller(self)
        self.threshold = ThresholdControl(ink(viewer.theme))
        self.strip = SliceStrip(ink(viewer.theme))
        self.table = FindingsTable()
        self.compare = CompareBar(viewer)
        self.repainting = RepaintBar()
        self._lay_out()
        self._wire()
        self._show_findings()

    def _lay_out(self) -> None:
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.burden = QLabel()
        self.burden.setTextFormat(Qt.TextFormat.PlainText)
        self.burden.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.measure = QPushButton("Measure again")
        self.measure.setToolTip("Large label images are measured on request after painting")
        self.measure.hide()
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy the selected rows, or all, as a table (Ctrl+C)")
        self.save = QPushButton("Save CSV…")
        self.save.setToolTip("Write the findings to a file")
        self.export = QPushButton("Export…")
        self.export.setToolTip("Write the findings as DICOM SEG and SR, NIfTI and other formats")
        heading = QHBoxLayout()
        heading.addWidget(self.title, 1)
        for button in (self.measure, self.copy, self.save, self.export):
            heading.addWidget(button)
        left, right = QWidget(), QWidget()
        scores = QVBoxLayout(left)
        scores.setContentsMargins(6, 4, 6, 2)
        scores.addWidget(self.threshold)
        self.threshold.hide()  # labels that no run made have none
        scores.addWidget(self.strip, 1)
        rows = QVBoxLayout(right)
        rows.setContentsMargins(6, 4, 6, 4)
        rows.addLayout(heading)
        rows.addWidget(self.table, 1)
        rows.addWidget(self.burden)
        rows.addWidget(self.repainting)
        rows.addWidget(self.compare)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(left)
        splitter.addWidget(right)
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 3)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(splitter)

    def _wire(self) -> None:
        self._viewer_events = (
            (self._viewer.dims.events.point, self._on_moved),
            (self._viewer.events.theme, self._on_theme),
        )
        for event, slot in self._viewer_events:
            event.connect(slot)
        # A dragged mouse tells its moves faster than slices are drawn: only the newest counts.
        self._wanted_slice = 0
        self._go_soon = QTimer(self, singleShot=True, interval=0)
        self._go_soon.timeout.connect(self._go)
        self.strip.slice_picked.connect(self._on_slice_picked)
        self.table.picked.connect(self._on_finding_picked)
        self.threshold.asked.connect(self._relabeller.ask)
        self._relabeller.relabelled.connect(self._on_relabelled)
        self._relabeller.failed.connect(self._say)
        self._book.changed.connect(self._show_findings)
        self._book.outdated.connect(self.measure.show)
        self._book.said.connect(self._say)
        self.copy.clicked.connect(self.table.copy)
        self.save.clicked.connect(self._on_save)
        self.export.clicked.connect(self._on_export)
        self.measure.clicked.connect(self._on_measure)
        self.repainting.wanted.connect(self.repaint)
        self.repainting.changed.connect(self._on_repainted)

    # What others ask ----------------------------------------------------------------------------

    @property
    def result(self) -> Result | None:
        """The result as its threshold stands; its findings are empty until they are measured."""
        return self._result

    @property
    def source(self) -> Source | None:
        """What the result came of."""
        return self._source

    @property
    def labels_layer(self) -> Any:
        """The labels layer whose findings the table shows, or None."""
        return self._book.current.layer if self._book.current is not None else None

    def show_result(self, result: Result, source: Source, *, is_refined: bool = False) -> None:
        """Show a new result; the layers of the last one on this study go, unless they were painted on.

        ``is_refined`` if it is the one shown already, made finer: the place looked at stays.
        """
        self._result, self._source = result, source
        self._walk = SliceWalk.along(result.anomaly.grid, result.anomaly.slice_scores.axis)
        self._peaks = slice_peaks(result.anomaly)
        is_painted = result.anomaly.healthy is not None
        self.threshold.show()
        self.threshold.set_calibration(
            result.anomaly.calibration,
            result.provenance.asked,
            is_painted=is_painted,
            has_organs=result.anomaly.organs is not None,
        )
        self.compare.show_sight(Sight.PATIENT)
        show_twin(self._viewer, result, source.study)
        self._book.open(result, source.study)
        self._relabeller.set_source(source.relabelling(result), result.anomaly.scores.size)
        self.repainting.open(result, source)
        if result.findings and not is_refined:
            self._on_finding_picked(result.findings[0])

    def adopt(self, leftover: Leftover, study: Study | None) -> None:
        """Show labels that a crash left behind; raises if they cannot be read."""
        self._book.adopt(leftover, study)

    def follow(self, layer: Any, labels: Labels, study: Study) -> None:
        """Show the findings of a layer of the user's, now and whenever it is painted on."""
        self._book.follow(layer, labels, study)

    def repaint(self) -> None:
        """Paint over again what was painted on the labels, or else the chosen finding."""
        docked = self._viewer.window.dock_widgets.values()
        if any(getattr(one, "is_running", False) for one in docked):
            self.repainting.say("A run is under way: wait until it is done, or cancel it first.")
        else:
            self.repainting.repaint(self._book.current, self.table.current)

    def make_room(self) -> None:
        """The canvas has shrunk by this dock: bring the whole patient back into sight."""
        self._viewer.fit_to_view()

    def release(self) -> None:
        """Stop following the viewer; its layers stay."""
        for event, slot in self._viewer_events:
            event.disconnect(slot)
        self._relabeller.stop()
        self.repainting.release()
        self.compare.release()
        self._book.release()

    # Showing ------------------------------------------------------------------------------------

    def _show_findings(self) -> None:
        watch = self._book.current
        self.measure.hide()
        findings = () if watch is None else watch.findings
        if watch is not None and self._result is not None and watch.labels is self._result.labels:
            self._keep_findings(findings)
        colours = {} if watch is None else {one.label: _colour(watch.layer, one.label) for one in findings}
        if watch is None:
            self.table.set_findings((), {})
        else:
            self.table.set_findings(findings, colours, watch.measures, watch.labels.names)
        burden = burden_of(findings, None)  # without the distance between voxels: these are all looked at for it
        self.burden.setText(f"{burden}, {burden.delineation.value}" if findings else "")
        self.burden.setToolTip(_BURDEN_HELP)
        self.burden.setVisible(bool(findings))
        for button in (self.copy, self.save, self.export):
            button.setEnabled(bool(findings))
        self._say(_told(watch))
        self._show_curve(findings, colours)

    def _keep_findings(self, findings: tuple[Finding, ...]) -> None:
        if self._result is not None and findings is not self._result.findings:
            self._result = replace(self._result, findings=findings, burden=burden_of(findings, None))

    def _show_curve(self, findings: tuple[Finding, ...], colours: dict[int, QColor]) -> None:
        if self._result is None or self._walk is None or self._peaks is None:
            self.strip.set_curve(None)
            return
        spans = [Span(one.slice_first, one.slice_last, colours[one.label]) for one in findings]
        scores, cut = self._result.anomaly.slice_scores, cut_of(self._result)
        watch, grid = self._book.current, self._result.anomaly.grid
        if scores.axis.dimension != 0 or watch is None or not watch.labels.grid.is_close(grid):
            spans = []
        self.strip.set_curve(Curve(scores.axis, scores.values, self._peaks, cut, spans, self._walk.runs_backwards))
        self._on_moved()

    def _say(self, sentence: str) -> None:
        self.title.setText(sentence)
        self.title.setToolTip(sentence)

    def _on_relabelled(self, result: Result) -> None:
        self._result = result
        self.repainting.keep(result)
        self._book.write(result)
        self.strip.set_cut(cut_of(result))

    def _on_repainted(self, step: Step) -> None:
        if self._source is None:
            return
        self._result = step.result
        self._peaks = slice_peaks(step.result.anomaly)
        sight = self.compare.sight
        self.compare.show_sight(Sight.PATIENT)
        show_twin(self._viewer, step.result, self._source.study)
        self.compare.show_sight(sight)
        self._relabeller.set_source(self._source.relabelling(step.result), step.result.anomaly.scores.size)
        self._book.rejudge(step)

    def _on_measure(self) -> None:
        self.measure.hide()
        self._book.measure()

    def _on_moved(self, event: Any = None) -> None:
        if self._walk is not None:
            self.strip.set_current(self._walk.current(self._viewer))

    def _on_slice_picked(self, index: int) -> None:
        self._wanted_slice = index
        self.strip.set_current(index)
        self._go_soon.start()

    def _go(self) -> None:
        if self._walk is not None:
            self._walk.go_to(self._viewer, self._wanted_slice)

    def _on_finding_picked(self, finding: Finding) -> None:
        go_to(self._viewer, (finding.centroid_s_mm, finding.centroid_p_mm, finding.centroid_l_mm))
        layer = self.labels_layer
        if layer is not None and str(layer.mode) == "pan_zoom":
            layer.selected_label = finding.label

    def _on_theme(self, event: Any) -> None:
        for widget in (self.strip, self.threshold):
            widget.set_ink(ink(self._viewer.theme))

    def _on_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save findings", "findings.csv", "Table (*.csv)")
        if path:
            self.save_csv(Path(path))

    def _on_export(self) -> None:
        if self._book.current is not None:
            ExportDialog(self._book.current, self.table.current, self).open()

    def save_csv(self, path: Path) -> None:
        """Write the findings shown to ``path``."""
        from grisaille.io.results import write_findings_csv

        layer = self.labels_layer
        try:
            write_findings_csv(self.table.findings, path, None if layer is None else layer.metadata.get(PROVENANCE))
        except GrisailleError as error:
            self._say(str(error))
        else:
            self._say(f"Saved {counted(len(self.table.findings), 'finding')} to {path.name}")


def docked_review(viewer: Any) -> Review | None:
    """The review docked in this viewer, if there is one."""
    docked = viewer.window.dock_widgets.get(DOCK)
    return docked if isinstance(docked, Review) else None


def review_of(viewer: Any) -> Review:
    """The review docked in this viewer; a new one below the canvas if there is none."""
    docked = docked_review(viewer)
    if docked is not None:
        return docked
    review = Review(viewer)
    viewer.window.add_dock_widget(review, area="bottom", name=DOCK)
    window = review.window()
    if isinstance(window, QMainWindow):  # the panel on the right keeps its height
        window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    QTimer.singleShot(0, review.make_room)
    return review


def _told(watch: LabelWatch | None) -> str:
    """Which labels are shown, what they were measured on if no run says it, and how many findings they have."""
    if watch is None:
        return "No label layer is shown."
    volumes = () if watch.has_scores or watch.study is None else watch.study.volumes.values()
    on = " and ".join(volume.name or volume.modality.key.upper() for volume in volumes)
    found = counted(len(watch.findings), "finding") if watch.findings else "no findings"
    return f"{watch.layer.name}{on and f' on {on}'}: {found if watch.is_measured else 'measuring…'}"


def _colour(layer: Any, label: int) -> QColor:
    return QColor.fromRgbF(*(float(part) for part in layer.get_color(label)[:3]))
