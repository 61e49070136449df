"""The report as a page: the same blocks in Markdown and in HTML."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from grisaille.core.report import Report, ScanRow
from grisaille.core.result import RESEARCH_USE
from grisaille.flows.evaluation.tables import Block, blocks, false_positives, number

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .6rem 0 1.4rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right; vertical-align: top; }
th { border-bottom: 2px solid #888; } td:first-child, th:first-child { text-align: left; }
tr.oracle td { color: #888; font-style: italic; }
figure { margin: 1.2rem 0; } img { max-width: 100%; } .notice { color: #a00; }
"""


@dataclass(frozen=True)
class _Shown:
    """A scan that is worth a look."""

    why: str
    scan: ScanRow


def as_markdown(report: Report) -> str:
    """The tables; pictures are in the HTML alone."""
    return markdown(_title(report), blocks(report))


def as_html(report: Report, pictures: Mapping[str, Path]) -> str:
    """One file that needs no other; ``pictures`` are PNG files by the pseudonym of a scan."""
    return html(_title(report), blocks(report), tuple(_figures(report, pictures)))


def markdown(title: str, parts: Iterable[Block]) -> str:
    """The parts of a page; those that stand for pictures are left out."""
    lines = [f"# {title}", "", f"*{RESEARCH_USE}*", ""]
    for block in parts:
        if block.has_pictures:
            continue
        lines += [f"## {block.title}", "", *(line for text in block.texts for line in (text, ""))]
        if block.rows:
            cells = [[_cell(cell) for cell in row] for row in block.rows]
            lines += [_md_row(block.header), _md_row(["---"] + ["---:"] * (len(block.header) - 1))]
            lines += [*map(_md_row, cells), ""]
    return "\n".join(lines)


def html(title: str, parts: Iterable[Block], figures: Sequence[str] = ()) -> str:
    """One file that needs no other, with ``figures``, HTML already, where pictures belong."""
    title = escape(title)
    lines = [f"<h1>{title}</h1>", f'<p class="notice">{escape(RESEARCH_USE)}</p>']
    for block in parts:
        lines += _html_block(block)
        if block.has_pictures:
            lines += figures
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = "\n".join(lines)
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'
    )


def _title(report: Report) -> str:
    return f"{report.method} on {report.layout}"


def _html_block(block: Block) -> Iterator[str]:
    yield f"<h2>{escape(block.title)}</h2>"
    yield from (f"<p>{escape(text)}</p>" for text in block.texts)
    if block.rows:
        yield "<table><tr>" + "".join(f"<th>{escape(name)}</th>" for name in block.header) + "</tr>"
        for row in block.rows:
            kind = ' class="oracle"' if row[0].startswith("ORACLE") else ""
            yield f"<tr{kind}>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        yield "</table>"


def _figures(report: Report, pictures: Mapping[str, Path]) -> Iterator[str]:
    for shown in _worth_a_look(report.scans):
        path = pictures.get(shown.scan.scan)
        if path is None or not path.is_file():
            continue
        png = base64.b64encode(path.read_bytes()).decode()
        scan = shown.scan
        told = f"{shown.why}: scan {scan.scan}, {false_positives(scan.false_positives)}"
        if scan.lesions:
            told += f", {scan.hit} of {scan.lesions} lesions hit, Dice {number(scan.dice)}"
        image = f'<img alt="{escape(told)}" src="data:image/png;base64,{png}">'
        yield f"<figure>{image}<figcaption>{escape(told)}</figcaption></figure>"


def _worth_a_look(scans: Sequence[ScanRow]) -> Iterator[_Shown]:
    """The best, the middle and the worst scan with lesions; the healthy one with most false positives."""
    ill = sorted((one for one in scans if one.dice is not None), key=lambda one: -(one.dice or 0.0))
    chosen = {"best Dice": 0, "middle Dice": len(ill) // 2, "worst Dice": len(ill) - 1}
    seen: set[str] = set()
    for why, at in chosen.items() if ill else ():
        if ill[at].scan not in seen:
            seen.add(ill[at].scan)
            yield _Shown(why, ill[at])
    healthy = [one for one in scans if one.is_healthy and not one.error]
    if healthy:
        yield _Shown("no lesion, most false positives", max(healthy, key=lambda one: one.false_positives))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _md_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
