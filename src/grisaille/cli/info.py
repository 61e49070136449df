"""``grisaille info``: what files and folders hold."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from grisaille.cli.console import Console


def add_info(parser: argparse.ArgumentParser) -> None:
    """Flags of ``grisaille info``."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(command=_info)


def _info(given: argparse.Namespace, _: Console) -> int:
    from grisaille.io.info import describe

    content = describe(given.paths)
    print(json.dumps(content, indent=2) if given.json else _as_text(content))
    return 0


def _as_text(content: dict[str, Any]) -> str:
    parts = [_series(one) for one in content["series"]]
    parts += [f"not read: {one['file']}: {one['reason']}" for one in content["skipped"]]
    return "\n".join(parts)


def _series(one: dict[str, Any]) -> str:
    sizes = " x ".join(str(size) for size in one["shape_zyx"] or ())
    steps = " x ".join(f"{step:.3f}" for step in one["spacing_zyx_mm"] or ())
    lines = [f"{one['modality']} {one['uid']}"]
    lines.append(f"  grid      {sizes} voxels of {steps} mm (z, y, x), source {one['orientation']}, {one['geometry']}")
    lines.append(f"  unit      {one['unit'] or 'none'}")
    if suv := one.get("suv"):
        lines += _suv(suv)
    lines += [f"  warning   {warning}" for warning in one["warnings"]]
    return "\n".join(lines)


def _suv(suv: dict[str, Any]) -> list[str]:
    factors = suv["factor_range"]
    lines = [f"  SUV       {suv['path']}"]
    if factors:
        low, high = factors
        lines.append(f"  factor    {low:.6g}" + ("" if low == high else f" to {high:.6g}"))
    inputs = ", ".join(f"{name} {value}" for name, value in suv.get("inputs", {}).items())
    return [*lines, f"  from      {inputs}"] if inputs else lines
