"""What a reader asks, once, when a file does not say it: what is measured, which series to open, what SUV lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from grisaille.core.errors import ConfigError
from grisaille.core.volume import Modality, Unit
from grisaille.imaging.suv_overrides import ENTRIES, SuvOverrides, entered
from grisaille.io.export.whose import Identity
from grisaille.io.volumes import is_mask_name, modality_by_name, words_of

if TYPE_CHECKING:
    from qtpy.QtWidgets import QDialogButtonBox

    from grisaille.io.dicom.scan import SeriesInfo


_PET_WORDS = {"pet", "pt", "suv"}


class Kind(Enum):
    """What an image may be, as a person would say it."""

    CT = ("CT, in Hounsfield units", Modality.CT, Unit.HU)
    PET_SUV = ("PET, in SUV by body weight", Modality.PET, Unit.SUVBW)
    PET_SUL = ("PET, in SUV by lean body mass", Modality.PET, Unit.SUL)
    PET_ACTIVITY = ("PET, activity in Bq/ml", Modality.PET, Unit.BQML)
    MR = ("MR", Modality.MR, Unit.NONE)
    OTHER = ("another image", Modality.OTHER, Unit.NONE)
    LABELS = ("labels: lesions, organs or a mask", None, None)

    def __init__(self, words: str, modality: Modality | None, unit: Unit | None) -> None:
        self.words = words
        self.modality = modality
        self.unit = unit


def likely_kind(path: Path) -> Kind:
    """The answer that the file's name suggests, to begin with: of ``sub-01_pet`` too, as a person decides."""
    if is_mask_name(path):
        return Kind.LABELS
    is_pet = modality_by_name(path) is Modality.PET or not _PET_WORDS.isdisjoint(words_of(path))
    return Kind.PET_SUV if is_pet else Kind.CT


def ask_kind(path: Path) -> Kind | None:
    """Ask what the numbers of a file mean; None if the question was dismissed."""
    kinds = tuple(Kind)
    asked = {path.name: [kind.words for kind in kinds]}
    answer = _ask(
        "What does this image measure?",
        "The file does not say it. A wrong answer makes every number wrong.",
        asked,
        kinds.index(likely_kind(path)),
    )
    return None if answer is None else kinds[answer[0]]


def ask_series(found: Mapping[Modality, Sequence[SeriesInfo]]) -> dict[Modality, str] | None:
    """Ask which series of each modality to open, by its pseudonym; None if the question was dismissed."""
    asked = {kind.key.upper(): [f"{one.label}: {one.contents}" for one in found[kind]] for kind in found}
    answer = _ask("Which series?", "The folder holds several. One of each kind is opened.", asked)
    if answer is None:
        return None
    return {kind: found[kind][chosen].uid for kind, chosen in zip(found, answer, strict=True)}


def ask_frame(frames: Sequence[str]) -> int | None:
    """Ask which of several images at each place to open; None if the question was dismissed."""
    answer = _ask("Which frame?", "The series has several images at each place.", {"Open": frames})
    return None if answer is None else answer[0]


def ask_regrid(reason: str) -> bool:
    """Ask whether to interpolate a series whose slices are missing or uneven; False if it is rather not opened."""
    from napari.qt import get_current_stylesheet
    from qtpy.QtGui import QIcon
    from qtpy.QtWidgets import QApplication, QMessageBox

    box = QMessageBox(QApplication.activeWindow())
    box.setStyleSheet(get_current_stylesheet())
    box.setWindowTitle("Interpolate between the slices?")
    box.setText("The slices of this series are not evenly spaced.")
    found = reason.partition("; ")[0]  # what to do stands on the buttons
    box.setInformativeText(f"{found}.\n\nIf files are missing, adding them is better than interpolating.")
    box.addButton("Interpolate", QMessageBox.ButtonRole.AcceptRole)
    cancel = box.addButton(QMessageBox.StandardButton.Cancel)
    cancel.setIcon(QIcon())
    box.setDefaultButton(cancel)
    box.exec()
    return bool(box.buttonRole(box.clickedButton()) == QMessageBox.ButtonRole.AcceptRole)


def ask_suv(reason: str, missing: Sequence[str]) -> SuvOverrides | None:
    """Ask for the values without which a PET has no SUV; None if the question was dismissed.

    Parameters
    ----------
    reason
        The sentence that says why there is no SUV.
    missing
        Fields of ``SuvOverrides``. All have to be entered, each within its bounds.
    """
    from napari.qt import get_current_stylesheet
    from qtpy.QtWidgets import QApplication, QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit

    dialog = QDialog(QApplication.activeWindow())
    dialog.setStyleSheet(get_current_stylesheet())
    dialog.setWindowTitle("What SUV needs")
    form = QFormLayout(dialog)
    found = reason.partition("; ")[0]  # what to do stands in the dialog itself
    hint = QLabel(f"{found}.\n\nSUV needs what is asked for below. It is recorded with every result.")
    hint.setWordWrap(True)
    form.addRow(hint)
    lines = {name: QLineEdit() for name in missing}
    for name, line in lines.items():
        line.setObjectName(name)
        line.setPlaceholderText(ENTRIES[name].expected)
        form.addRow(ENTRIES[name].words.capitalize(), line)
    wrong = QLabel()
    form.addRow(wrong)
    wrong.ensurePolished()  # from the start there is room for all that it may say: else the words above are cut
    wrong.setMinimumHeight(wrong.fontMetrics().lineSpacing() * len(missing))
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
    compute = buttons.button(QDialogButtonBox.StandardButton.Ok)
    compute.setText("Compute SUV")
    buttons.button(QDialogButtonBox.StandardButton.Cancel).setText("Open without SUV")
    _without_icons(buttons)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    form.addRow(buttons)

    def written() -> SuvOverrides | None:
        try:
            return entered({name: line.text() for name, line in lines.items()})
        except ConfigError:
            return None

    def check() -> None:
        compute.setEnabled(written() is not None)
        wrong.setText("\n".join(_refusals({name: line.text() for name, line in lines.items()})))

    for line in lines.values():
        line.textChanged.connect(check)
    check()
    return written() if dialog.exec() == QDialog.DialogCode.Accepted else None


def ask_identity() -> Identity | None:
    """Ask whether a DICOM file is to say whose it is; None if the question was dismissed.

    Where no window is shown nobody can be asked: the file is then identified as its source is.
    """
    from qtpy.QtWidgets import QApplication

    kinds = tuple(Identity)
    if QApplication.activeWindow() is None:
        return Identity.IDENTIFIED
    hint = "\n\n".join(f"{one.sentence[:1].upper()}{one.sentence[1:]}." for one in kinds)
    answer = _ask("Whose is this file?", hint, {"Write it": [one.value for one in kinds]}, verb="Save")
    return None if answer is None else kinds[answer[0]]


def _refusals(written: Mapping[str, str]) -> list[str]:
    """What was expected instead of each value that cannot be; of what is still empty nothing is said."""
    refused = []
    for name, text in written.items():
        try:
            entered({name: text} if text.strip() else {})
        except ConfigError:
            entry = ENTRIES[name]
            refused.append(f"{entry.words.capitalize()}: expected {entry.expected}.")
    return refused


def _without_icons(buttons: QDialogButtonBox) -> None:
    """The style's own pictures look like no other button of napari."""
    from qtpy.QtGui import QIcon

    for button in buttons.buttons():
        button.setIcon(QIcon())


def _ask(
    title: str, hint: str, asked: Mapping[str, Sequence[str]], first: int = 0, verb: str = "Open"
) -> list[int] | None:
    """A dialog with one drop-down a row; the positions chosen."""
    from napari.qt import get_current_stylesheet
    from qtpy.QtWidgets import QApplication, QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLabel

    dialog = QDialog(QApplication.activeWindow())
    dialog.setStyleSheet(get_current_stylesheet())
    dialog.setWindowTitle(title)
    form = QFormLayout(dialog)
    words = QLabel(hint)
    words.setWordWrap(True)
    form.addRow(words)
    choices = []
    for caption, words in asked.items():
        choice = QComboBox()
        choice.addItems(list(words))
        choice.setCurrentIndex(first)
        form.addRow(caption, choice)
        choices.append(choice)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel)
    buttons.button(QDialogButtonBox.StandardButton.Open).setText(verb)
    _without_icons(buttons)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    form.addRow(buttons)
    if dialog.exec() != QDialog.DialogCode.Accepted:
        return None
    return [choice.currentIndex() for choice in choices]
