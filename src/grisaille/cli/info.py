"""``grisaille info``: what files and folders hold."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from grisaille.cli import options
from grisaille.cli.console import Console
from grisaille.core.run import Run


def add_info(parser: argparse.ArgumentParser) -> None:
    """Flags of ``grisaille info``."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--pet-unit", choices=options.PET_UNITS, help="wanted of DICOM PET, instead of SUVbw")
    options.add_suv_flags(parser)
    parser.set_defaults(command=_info)


def _info(given: argparse.Namespace, console: Console) -> int:
    from grisaille.io.info import describe

    suv = options.suv_of(given, len(given.paths))
    content = describe(given.paths, pet_unit=given.pet_unit, suv=suv, run=console.listen(Run()))
    print(json.dumps(content, indent=2) if given.json else _as_text(content))
    return 0


def _as_text(content: dict[str, Any]) -> str:
    parts = [_series(one) for one in content["series"]]
    parts += [f"not read: {one['file']}: {one['reason']}" for one in content["skipped"]]
    return "\n".join(parts)


def _series(one: dict[str, Any]) -> str:
    modality, name = one["modality"], one["name"]
    lines = [name if name.startswith(modality) else f"{modality} {name}"]
    if one["shape_zyx"]:
        sizes = " x ".join(str(size) for size in one["shape_zyx"])
        steps = " x ".join(f"{step:.3f}" for step in one["spacing_zyx_mm"])
        lines.append(f"  grid      {sizes} voxels of {steps} mm (z, y, x), source {one['orientation']}")
        lines.append(f"  geometry  {one['geometry']}")
        lines.append(f"  unit      {one['unit'] or 'unknown'}")
    if one["suv"]:
        lines += _suv(one["suv"])
    word = "warning " if one["shape_zyx"] else "not read"
    lines += [f"  {word}  {warning}" for warning in one["warnings"]]
    return "\n".join(lines)


def _suv(suv: dict[str, Any]) -> list[str]:
    factors = suv["factor_range"]
    lines = [f"  SUV       {suv['path'] or 'refused'}"]
    if factors:
        low, high = factors
        lines.append(f"  factor    {low:.6g}" + ("" if low == high else f" to {high:.6g}"))
    inputs = ", ".join(f"{name} {value}" for name, value in suv["inputs"].items())
    entered = ", ".join(f"{name} {value}" for name, value in suv["overrides"].items())
    lines += [f"  from      {inputs}"] if inputs else []
    return [*lines, f"  entered   {entered}"] if entered else lines
