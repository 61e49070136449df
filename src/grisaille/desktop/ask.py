"""What a reader asks, once, when a file does not say it: what is measured, and which series to open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from grisaille.core.volume import Modality, Unit
from grisaille.io.volumes import is_mask_name, modality_by_name

if TYPE_CHECKING:
    from grisaille.io.dicom_scan import SeriesInfo


class Kind(Enum):
    """What an image may be, as a person would say it."""

    CT = ("CT, in Hounsfield units", Modality.CT, Unit.HU)
    PET_SUV = ("PET, in SUV by body weight", Modality.PET, Unit.SUVBW)
    PET_ACTIVITY = ("PET, activity in Bq/ml", Modality.PET, Unit.BQML)
    MR = ("MR", Modality.MR, Unit.NONE)
    OTHER = ("another image", Modality.OTHER, Unit.NONE)
    LABELS = ("labels: lesions, organs or a mask", None, None)

    def __init__(self, words: str, modality: Modality | None, unit: Unit | None) -> None:
        self.words = words
        self.modality = modality
        self.unit = unit


def likely_kind(path: Path) -> Kind:
    """The answer that the file's name suggests, to begin with."""
    if is_mask_name(path):
        return Kind.LABELS
    return Kind.PET_SUV if modality_by_name(path) is Modality.PET else Kind.CT


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
    from qtpy.QtWidgets import QApplication, QMessageBox

    box = QMessageBox(QApplication.activeWindow())
    box.setWindowTitle("Interpolate between the slices?")
    box.setText("The slices of this series are not evenly spaced.")
    box.setInformativeText(f"{reason}.")
    box.addButton("Interpolate", QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    box.exec()
    return bool(box.buttonRole(box.clickedButton()) == QMessageBox.ButtonRole.AcceptRole)


def _ask(title: str, hint: str, asked: Mapping[str, Sequence[str]], first: int = 0) -> list[int] | None:
    """A dialog with one drop-down a row; the positions chosen."""
    from napari.qt import get_current_stylesheet
    from qtpy.QtWidgets import QApplication, QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLabel

    dialog = QDialog(QApplication.activeWindow())
    dialog.setStyleSheet(get_current_stylesheet())
    dialog.setWindowTitle(title)
    form = QFormLayout(dialog)
    form.addRow(QLabel(hint))
    choices = []
    for caption, words in asked.items():
        choice = QComboBox()
        choice.addItems(list(words))
        choice.setCurrentIndex(first)
        form.addRow(caption, choice)
        choices.append(choice)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    form.addRow(buttons)
    if dialog.exec() != QDialog.DialogCode.Accepted:
        return None
    return [choice.currentIndex() for choice in choices]
