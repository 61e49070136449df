"""Exporting the findings shown: which formats, whose they say they are, and where they go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from grisaille.core.errors import GrisailleError
from grisaille.core.finding import Finding
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.desktop.editing import LabelWatch
from grisaille.desktop.ink import ink
from grisaille.desktop.job import Job, Outcome
from grisaille.desktop.status import StatusBox
from grisaille.io.export.formats import Format
from grisaille.io.export.whose import Identity

_CHOICES = {
    Identity.IDENTIFIED: "identified, as in the source",
    Identity.DEIDENTIFIED: "de-identified",
}
_FIRST = {True: (Format.SEG, Format.SR), False: (Format.NIFTI, Format.CSV)}
"""What is ticked to begin with, where the images are DICOM and where they are not."""


class ExportDialog(QDialog):
    """Writes what a labels layer shows, beside the GUI thread, and says how that went.

    Parameters
    ----------
    watch
        Of the layer.
    chosen
        The finding chosen in the table, which may be exported alone.
    """

    def __init__(self, watch: LabelWatch, chosen: Finding | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._watch = watch
        self._chosen = chosen
        self._job: Job | None = None
        self.setWindowTitle(f"Export {watch.layer.name}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(560)
        self._make()
        self._lay_out()
        self._wire()
        self._preview()

    def _make(self) -> None:
        is_dicom = _is_dicom(self._watch)
        self.formats = {one: QCheckBox(one.words) for one in Format}
        for kind, box in self.formats.items():
            box.setChecked(kind in _FIRST[is_dicom])
            if kind is Format.MAP and not self._watch.has_scores:
                box.setEnabled(False)
                box.setToolTip("These labels were not made of scores")
            elif kind.is_dicom and not is_dicom:
                box.setEnabled(False)
                box.setToolTip("The images were not read from DICOM, so there is nothing to refer to")
        self.labelmap = QCheckBox("as LABELMAP, smaller for many findings; fewer programs read it")
        self.labelmap.setEnabled(is_dicom)
        self.which = QComboBox()
        count = len(self._watch.findings)
        self.which.addItem(f"all {count}" if count > 1 else "all", None)
        if self._chosen is not None:
            self.which.addItem(f"only finding {self._chosen.id}", self._chosen.id)
        self.identity = QComboBox()
        for one, words in _CHOICES.items():
            self.identity.addItem(words, one)
        self.folder = QLineEdit(str(Path.home() / "export"))
        self.browse = QPushButton("…")
        self.replaces = QCheckBox("Replace files that are there")
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setTextFormat(Qt.TextFormat.PlainText)
        viewer = _viewer_of(self.parent())
        self.status = StatusBox(ink(viewer.theme if viewer is not None else "dark"))
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Ok | standard.Close)
        self.go = self.buttons.button(standard.Ok)
        self.go.setText("Export")
        for button in self.buttons.buttons():
            button.setIcon(QIcon())  # the style's own pictures look like no other button of napari

    def _lay_out(self) -> None:
        kinds = QVBoxLayout()
        kinds.setSpacing(3)
        for box in self.formats.values():
            kinds.addWidget(box)
            if box is self.formats[Format.SEG]:
                row = QHBoxLayout()
                row.addSpacing(22)
                row.addWidget(self.labelmap)
                kinds.addLayout(row)
        place = QHBoxLayout()
        place.addWidget(self.folder, 1)
        place.addWidget(self.browse)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Formats", kinds)
        form.addRow("Findings", self.which)
        form.addRow("Patient", self.identity)
        form.addRow("Folder", place)
        form.addRow("", self.replaces)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addLayout(form)
        layout.addWidget(self.told)
        layout.addWidget(self.status)
        layout.addWidget(self.buttons)

    def _wire(self) -> None:
        for box in (*self.formats.values(), self.labelmap, self.replaces):
            box.toggled.connect(self._preview)
        for choice in (self.which, self.identity):
            choice.currentIndexChanged.connect(self._preview)
        self.folder.textChanged.connect(self._preview)
        self.browse.clicked.connect(self._on_browse)
        self.buttons.accepted.connect(self.export)
        self.buttons.rejected.connect(self.reject)

    def event(self, event: QEvent) -> bool:
        """Grow with what is told: else the rows above are squeezed until their words are cut."""
        handled = bool(super().event(event))
        if event.type() == QEvent.Type.LayoutRequest:
            needed = self.layout().totalHeightForWidth(self.width())
            if self.height() < needed:
                self.resize(self.width(), needed)
        return handled

    # What is asked for --------------------------------------------------------------------------

    @property
    def chosen_formats(self) -> tuple[Format, ...]:
        """The formats that are ticked."""
        return tuple(kind for kind, box in self.formats.items() if box.isEnabled() and box.isChecked())

    @property
    def out(self) -> Path:
        """The folder."""
        return Path(self.folder.text()).expanduser()

    def _preview(self, *_: Any) -> None:
        from grisaille.flows.export import told

        formats = self.chosen_formats
        lines = [f"• {sentence[:1].upper()}{sentence[1:]}." for sentence in told(formats, self.identity.currentData())]
        there = [one.file_name for one in formats if (self.out / one.file_name).exists()]
        lines.insert(0, f"Will be written: {', '.join(one.file_name for one in formats) or 'nothing'}.")
        if there and not self.replaces.isChecked():
            lines.append(f"• In that folder already: {', '.join(there)}. Tick above to replace.")
        self.told.setText("\n".join(lines))
        is_free = not there or self.replaces.isChecked()
        self.go.setEnabled(bool(formats) and bool(self.folder.text().strip()) and is_free and self._job is None)
        self.labelmap.setEnabled(Format.SEG in formats)

    # Writing ------------------------------------------------------------------------------------

    def export(self) -> None:
        """Write, on a worker thread."""
        study, formats, out = self._watch.study, self.chosen_formats, self.out
        if self._job is not None:
            return
        if study is None:
            self.status.fail(
                "these labels belong to no study that is open; open it, and Layers > Measure > "
                "Measure the selected labels"
            )
            return
        try:
            thing = self._watch.as_result()
        except GrisailleError as error:
            self.status.fail(str(error))
            return
        options = self._options()

        def export(run: Run) -> tuple[Path, ...]:
            from grisaille.flows.export import gather, write
            from grisaille.io.export.formats import places

            out.mkdir(parents=True, exist_ok=True)
            named = places(formats, out, options.overwrite)
            return write(gather(thing(), study), named, options, run)

        self._job = Job(Run(), "grisaille: export")
        self._job.progressed.connect(self.status.show_progress)
        self._job.finished.connect(self._on_finished)
        self._preview()
        self.status.begin("Writing…")
        self._job.start(export)

    def _options(self) -> Any:
        from grisaille.flows.export import ExportOptions
        from grisaille.io.export.segments import Choice

        only = self.which.currentData()
        return ExportOptions(
            identity=self.identity.currentData(),
            choice=Choice(() if only is None else (only,)),
            labelmap=self.labelmap.isChecked() and self.labelmap.isEnabled(),
            overwrite=self.replaces.isChecked(),
        )

    def _on_finished(self, outcome: Outcome) -> None:
        self._job = None
        self.status.end()
        if outcome.cancelled:
            self.status.say("Cancelled; files that were written whole stay.")
        elif outcome.error is not None:
            self.status.fail(outcome.sentence)
        else:
            written = ", ".join(path.name for path in outcome.value)
            self.status.say(
                f"Wrote {written} to {self.out.name}, each with its provenance, in {outcome.seconds:.1f} s."
            )
        self._preview()

    def _on_browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export to", self.folder.text())
        if folder:
            self.folder.setText(folder)

    def done(self, code: int) -> None:
        """Close, and stop what is being written."""
        if self._job is not None:
            self._job.finished.disconnect(self._on_finished)
            self._job.progressed.disconnect(self.status.show_progress)
            self._job.cancel()
        super().done(code)


def _is_dicom(watch: LabelWatch) -> bool:
    """Whether the volume that the labels lie on came from DICOM files."""
    study: Study | None = watch.study
    volumes = () if study is None else study.volumes.values()
    return any(volume.source.files and volume.grid.is_close(watch.labels.grid) for volume in volumes)


def _viewer_of(parent: Any) -> Any:
    return getattr(parent, "_viewer", None)
