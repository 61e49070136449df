"""The dialogs of a reader, as a person meets them: what they say, and what they wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QLabel, QLineEdit, QMessageBox, QPushButton

from grisaille.core.errors import UnevenSlices
from grisaille.desktop.ask import ask_regrid, ask_suv
from grisaille.imaging.suv_overrides import SuvOverrides
from grisaille.io.dicom.series import read_series, scan

pytestmark = pytest.mark.screen


def when_asked(answer: Callable[[Any], None]) -> None:
    """Answer the dialog that is shown next."""

    def look() -> None:
        dialog = QApplication.activeModalWidget()
        if dialog is None:
            QTimer.singleShot(20, look)
            return
        try:
            answer(dialog)
        finally:
            dialog.close()

    QTimer.singleShot(20, look)


def test_a_weight_that_cannot_be_is_told_before_it_is_taken(qtbot: Any) -> None:
    told: list[tuple[bool, str]] = []
    heights: list[int] = []

    def answer(dialog: Any) -> None:
        compute = next(one for one in dialog.findChildren(QPushButton) if one.text() == "Compute SUV")
        for text in ("", "700", "70"):
            dialog.findChild(QLineEdit, "weight_kg").setText(text)
            QApplication.processEvents()
            heights.append(next(one for one in dialog.findChildren(QLabel) if one.wordWrap()).height())
            shown = [one.text() for one in dialog.findChildren(QLabel) if one.isVisible()]
            told.append((compute.isEnabled(), "\n".join(shown)))
        compute.click()

    when_asked(answer)
    assert ask_suv("no SUVbw, because the weight is missing; add it", ("weight_kg",)) == SuvOverrides(weight_kg=70.0)
    assert [enabled for enabled, _ in told] == [False, False, True]
    assert ["expected 2 to 400 kg" in words for _, words in told] == [False, True, False]
    assert "add it" not in told[0][1]
    assert len(set(heights)) == 1  # the words above were not squeezed to make room


def test_the_question_on_missing_slices_speaks_of_slices_and_not_of_flags(qtbot: Any, tmp_path: Any) -> None:
    from dicom_builder import write_series

    write_series(tmp_path, "CT")[2].unlink()
    with pytest.raises(UnevenSlices) as refused:
        read_series(scan(tmp_path).series[0])
    seen: list[str] = []

    def answer(box: QMessageBox) -> None:
        seen.append(box.informativeText())
        next(one for one in box.buttons() if one.text() == "Interpolate").click()

    when_asked(answer)
    assert ask_regrid(str(refused.value))
    assert "1 slice missing: index 2" in seen[0]
    assert "on-irregular" not in seen[0]
    assert "on_irregular" not in seen[0]
