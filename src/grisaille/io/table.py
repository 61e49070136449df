"""Tables for people: cells as text that a spreadsheet shows and does not run."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from grisaille.core.safe_write import replacing

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""With those of double width, which some spreadsheets take for the same."""

_DIGITS = 6


def cell(value: object) -> str:
    """The text of a cell: real numbers with six digits, nothing for what is None or not finite."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    text = str(value)
    # A spreadsheet would run such a text as a formula.
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def write_table(rows: Iterable[Sequence[str]], path: Path) -> None:
    """Write rows of cells as CSV in UTF-8.

    Raises
    ------
    OutputError
        If it cannot be written whole.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
