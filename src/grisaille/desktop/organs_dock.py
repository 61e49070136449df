"""The organs of a result to look through: a dock that is there only where organs were asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from grisaille.core.errors import GrisailleError
from grisaille.core.labels import Labels
from grisaille.core.organ import Organ
from grisaille.core.organ_reference import Ranking
from grisaille.core.result import Result
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.desktop.docked import Docked
from grisaille.desktop.job import Job, Outcome
from grisaille.desktop.organ_layers import show_organs
from grisaille.desktop.organ_options import OrganOptions
from grisaille.desktop.organs_table import OrgansTable
from grisaille.desktop.repaint_bar import Step
from grisaille.desktop.world import go_to

DOCK = "Organs"
"""The name of the dock."""


class OrgansDock(Docked):
    """Shows the organs of one result at a time, and ranks them again when its scores change."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._study: Study | None = None
        self._organs: Labels | None = None
        self._scored: Result | None = None
        self._result: Result | None = None
        self._job: Job | None = None
        self.table = OrgansTable()
        self.options = OrganOptions()
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy the selected rows, or all, as a table (Ctrl+C)")
        self.save = QPushButton("Save CSV…")
        self.save.setToolTip("Write the organs to a file")
        heading = QHBoxLayout()
        heading.addWidget(self.title, 1)
        for button in (self.copy, self.save):
            heading.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addLayout(heading)
        layout.addWidget(self.options)
        layout.addWidget(self.table, 1)
        self.table.picked.connect(self._on_picked)
        self.copy.clicked.connect(self.table.copy)
        self.save.clicked.connect(self._on_save)
        self.options.changed.connect(self._rank)
        self.options.reference_picked.connect(self.compare_with)
        self.options.addition_picked.connect(self.add_to)

    def show_result(self, result: Result, study: Study, organs: Labels) -> None:
        """Show the organs of a new result; ``organs`` as they were given, for when its scores change."""
        self.release()
        self._study, self._organs, self._scored = study, organs, result
        self._show(result)
        if result.organs:
            self._on_picked(result.organs[0])
        refusal = self.options.ranking.refusal(result.provenance.scoring)
        if refusal:
            self.options.forget()
            self._say(refusal)

    def clear(self) -> None:
        """The newest result has no organs: those of an older one would mislead."""
        self.release()
        self._study = self._organs = self._scored = self._result = None
        self.table.set_organs((), {})
        self._say("No organs were asked for in the last run.")

    def rank_again(self, step: Step) -> None:
        """The scores changed: rank the organs anew, beside the GUI thread."""
        if self._study is not None and self._study.reference == step.result.anomaly.grid:
            self._scored = step.result
            self._rank()

    def compare_with(self, path: Path) -> None:
        """Compare with the healthy studies of a file, from now on; a sentence says why not."""
        from grisaille.io.organs import read_organ_reference

        try:
            reference = read_organ_reference(path)
            if self._result is not None:
                reference.require_fits(self._result.provenance.scoring, reference.edge_mm)
        except GrisailleError as error:
            self._say(str(error))
        else:
            self.options.compare_with(reference)

    def add_to(self, path: Path) -> None:
        """Add the study shown to the healthy ones of a file, or begin one."""
        from grisaille.flows.organs import add_to_reference

        if self._result is None:
            self._say("No organs are shown that could be added.")
            return
        try:
            reference = add_to_reference(self._result, path)
        except GrisailleError as error:
            self._say(str(error))
        else:
            count = reference.studies
            self._say(f"Added to {path.name}, which holds {count} healthy stud{'y' if count == 1 else 'ies'} now")

    def _rank(self) -> None:
        result, study, organs, ranking = self._scored, self._study, self._organs, self.options.ranking
        if result is None or study is None or organs is None:
            return

        def rank(run: Run) -> Result:
            from grisaille.flows.organs import with_organs

            return with_organs(
                result, study, organs, reference=ranking.reference, edge_mm=ranking.edge_mm, run=run
            )  # fmt: skip

        self.release()
        self._job = Job(Run(), "grisaille: ranking organs again")
        self._job.finished.connect(self._on_ranked)
        self._job.start(rank)

    def save_csv(self, path: Path) -> None:
        """Write the organs shown to ``path``."""
        from grisaille.io.organs import write_organs_csv

        try:
            write_organs_csv(self.table.organs, path)
        except GrisailleError as error:
            self._say(str(error))
        else:
            self._say(f"Saved {len(self.table.organs)} organs to {path.name}")

    def release(self) -> None:
        """Drop what runs."""
        if self._job is not None:
            self._job.finished.disconnect(self._on_ranked)
            self._job.cancel()
            self._job = None

    def _show(self, result: Result) -> None:
        assert self._study is not None
        self._result = result
        layer = show_organs(self._viewer, result, self._study)
        colours = {} if layer is None else {one.id: _colour(layer, one.id) for one in result.organs}
        self.table.set_organs(result.organs, colours)
        made_of = "" if result.organ_map is None else f" of {result.organ_map.made_of}"
        self._say(f"{len(result.organs)} organs{made_of}; the most anomalous: {result.organs[0].name}")

    def _say(self, sentence: str) -> None:
        self.title.setText(sentence)
        self.title.setToolTip(sentence)

    def _on_ranked(self, outcome: Outcome) -> None:
        self._job = None
        if outcome.value is not None:
            self._show(outcome.value)
        elif outcome.error is not None:
            self._say(outcome.sentence)

    def _on_picked(self, organ: Organ) -> None:
        go_to(self._viewer, (organ.centroid_s_mm, organ.centroid_p_mm, organ.centroid_l_mm))

    def _on_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save organs", "organs.csv", "Table (*.csv)")
        if path:
            self.save_csv(Path(path))


def docked_organs(viewer: Any) -> OrgansDock | None:
    """The organs docked in this viewer, if they are."""
    docked = viewer.window.dock_widgets.get(DOCK)
    return docked if isinstance(docked, OrgansDock) else None


def organs_of(viewer: Any) -> OrgansDock:
    """The organs docked in this viewer; a new dock, a tab beside the findings, if there is none."""
    from grisaille.desktop.review import review_of

    docked = docked_organs(viewer)
    if docked is None:
        docked = OrgansDock(viewer)
        review = review_of(viewer)
        viewer.window.add_dock_widget(docked, area="bottom", name=DOCK, tabify=True)
        review.repainting.changed.connect(docked.rank_again)
    return docked


def ranking_in(viewer: Any) -> Ranking:
    """How organs are to be ranked in this viewer."""
    docked = docked_organs(viewer)
    return Ranking() if docked is None else docked.options.ranking


def show_organs_of(viewer: Any, result: Result, study: Study, organs: Labels | None) -> None:
    """Show the organs of a new result, in a dock that comes with the first that has some."""
    docked = docked_organs(viewer) if organs is None else organs_of(viewer)
    if docked is not None and organs is None:
        docked.clear()
    elif docked is not None and organs is not None:
        docked.show_result(result, study, organs)


def _colour(layer: Any, label: int) -> QColor:
    return QColor.fromRgbF(*(float(part) for part in layer.get_color(label)[:3]))
