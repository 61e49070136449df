"""What every benchmark leaves behind: a Markdown table on the screen and a JSON file."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
PACKAGES = ("numpy", "scipy", "scikit-learn", "timm", "torch")


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table with the keys of the first row as its head."""
    head = list(rows[0])
    cells = [[_cell(row.get(key)) for key in head] for row in rows]
    widths = [max(len(line[column]) for line in [head, *cells]) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *cells]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def write(name: str, content: Mapping[str, Any]) -> Path:
    """``content`` as ``results/NAME.json``, with the command and the versions it was made with."""
    RESULTS.mkdir(exist_ok=True)
    script = Path(sys.argv[0]).resolve()
    inside = script.relative_to(RESULTS.parent) if script.is_relative_to(RESULTS.parent) else script.name
    made_with = {
        "command": " ".join(["python", f"benchmarks/{inside}", *sys.argv[1:]]),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"made_with": made_with, **content}, indent=1) + "\n")
    return path


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1e}" if value and abs(value) < 1e-3 else f"{value:.4g}"
    return "" if value is None else str(value)
