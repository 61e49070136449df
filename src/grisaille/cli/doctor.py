"""``grisaille doctor``: what this computer has for grisaille."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.util import find_spec
from typing import Any

import grisaille
from grisaille.cli.console import Console
from grisaille.cli.desktop import probe_desktop
from grisaille.core.errors import GrisailleError, WeightsError

_GIB = 2**30


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Flags of ``grisaille doctor``."""
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(command=_doctor)


def _doctor(given: argparse.Namespace, _: Console) -> int:
    report = examine()
    print(json.dumps(report, indent=2) if given.json else _as_text(report))
    return 0


def examine() -> dict[str, Any]:
    """The whole report, of plain values; what fails is an ``error`` in its place."""
    import psutil

    from grisaille.flows.versions import installed_versions

    memory = psutil.virtual_memory()
    return {
        "grisaille": grisaille.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count(),
        "memory_gib": {"total": round(memory.total / _GIB, 1), "free": round(memory.available / _GIB, 1)},
        "packages": installed_versions(),
        "torch": _torch(),
        "weights": _weights(),
        "desktop": probe_desktop(),
    }


def _torch() -> dict[str, Any]:
    """Devices, and whether triton can be loaded beside a window."""
    from grisaille.nn.engine import load_engine

    try:
        (torch,) = load_engine("torch")
    except (GrisailleError, ImportError, OSError) as error:
        return {"error": str(error)}
    gpus = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    return {
        "version": torch.__version__,
        "cuda": [torch.cuda.get_device_name(number) for number in gpus],
        "cuda_built": torch.version.cuda,
        "mps": bool(torch.backends.mps.is_available()),
        "triton_guard": _triton_guard(),
    }


def _triton_guard() -> str:
    """What ``nn.engine`` did a moment ago, so that Mesa's LLVM and triton's do not meet."""
    if find_spec("triton") is None:
        return "triton is not installed"
    return "libtriton bound to itself" if sys.platform == "linux" else f"not needed on {sys.platform}"


def _weights() -> list[dict[str, Any]]:
    """Every card, and where its file lies on this machine."""
    from grisaille.weights.card import cards
    from grisaille.weights.store import find

    rows = []
    for card in cards().values():
        row: dict[str, Any] = {"name": card.name, "licence": card.licence, "path": None, "sha256": None}
        try:
            found = find(card.name)
            row |= {"path": str(found.path), "sha256": found.sha256}
        except WeightsError as error:
            row["error"] = str(error)
        rows.append(row)
    return rows


def _as_text(report: dict[str, Any]) -> str:
    memory = report["memory_gib"]
    lines = [
        f"grisaille   {report['grisaille']}, Python {report['python']}, {report['platform']}",
        f"computer    {report['cores']} cores, {memory['free']} of {memory['total']} GiB memory free",
        f"packages    {_pairs(report['packages'])}",
        f"torch       {_torch_text(report['torch'])}",
        f"desktop     {_pairs(report['desktop'])}",
    ]
    for one in report["weights"]:
        lines.append(f"weights     {one['name']} ({one['licence']}): {one['path'] or 'not on this machine'}")
    return "\n".join(lines)


def _torch_text(torch: dict[str, Any]) -> str:
    if "error" in torch:
        return str(torch["error"])
    gpus = ", ".join(torch["cuda"]) or ("Apple GPU (mps)" if torch["mps"] else "no GPU, runs on the CPU")
    return f"{torch['version']}; {gpus}; triton guard: {torch['triton_guard']}"


def _pairs(values: dict[str, Any]) -> str:
    """Names and values on a line, groups in brackets."""
    return ", ".join(
        f"{name} ({_pairs(value)})" if isinstance(value, dict) else f"{name} {value}" for name, value in values.items()
    )
