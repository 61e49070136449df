"""A report as JSON for programs, Markdown and HTML for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Any

from grisaille.core.picture_report import PictureReport
from grisaille.core.report import Report
from grisaille.core.result import RESEARCH_USE
from grisaille.core.safe_write import replacing_folder
from grisaille.flows.evaluation.page import as_html, as_markdown, html, markdown
from grisaille.flows.evaluation.picture_tables import picture_blocks

REPORT_FILES = ("report.json", "report.md", "report.html")


def write_report(report: Report, out: Path, pictures: Mapping[str, Path]) -> None:
    """Write report.json, report.md and report.html into ``out``, each whole, or none.

    Parameters
    ----------
    pictures
        PNG files by the pseudonym of a scan; a few of them become part of the HTML.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    _write(report_record(report), as_markdown(report), as_html(report, pictures), out)


def write_picture_report(report: PictureReport, out: Path) -> None:
    """As ``write_report``, of an evaluation on plain pictures; none of them is shown."""
    title = f"{report.method} on {report.data or 'pictures'}"
    parts = tuple(picture_blocks(report))
    _write(report_record(report), markdown(title, parts), html(title, parts), out)


def _write(record: Mapping[str, Any], as_text: str, as_page: str, out: Path) -> None:
    as_json = json.dumps(record, indent=1, allow_nan=False) + "\n"
    with replacing_folder(out, overwrite=True, owned=REPORT_FILES) as folder:
        for name, text in zip(REPORT_FILES, (as_json, as_text, as_page), strict=True):
            (folder / name).write_text(text, encoding="utf-8")


def report_record(report: Report | PictureReport) -> dict[str, Any]:
    """The report as plain values that JSON can hold."""
    record: dict[str, Any] = _plain({"notice": RESEARCH_USE, **asdict(report)})
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
