"""The two programs of the desktop, started as processes: this room never imports that one."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

from grisaille.cli.console import Console
from grisaille.core.errors import Cancelled, MissingDependency

PROBE_SECONDS = 60


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Flags of ``grisaille demo``."""
    parser.add_argument("--screenshot", metavar="FILE", help="save a picture of the window there and close it")
    parser.set_defaults(command=_demo)


def probe_desktop() -> dict[str, Any]:
    """What Qt and OpenGL say of themselves; a crash of theirs is an ``error`` here."""
    if find_spec("napari") is None:
        return {"error": 'napari is not installed; for the viewer: pip install "napari-grisaille[all]"'}
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "grisaille.desktop.probe"], capture_output=True, text=True, timeout=PROBE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return {"error": f"opening a window took more than {PROBE_SECONDS} s"}
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        return {"error": f"opening a window failed ({_ending(ended.returncode)}): {last[0]}"}
    try:
        return dict(json.loads(ended.stdout[ended.stdout.index("{") :]))  # Qt may talk first
    except ValueError:
        return {"error": f"the window's report cannot be read: {ended.stdout[:200]!r}"}


def _demo(given: argparse.Namespace, console: Console) -> int:
    if find_spec("napari") is None:
        raise MissingDependency('napari is not installed; for the viewer: pip install "napari-grisaille[all]"')
    picture = ["--screenshot", given.screenshot] if given.screenshot else []
    ended = subprocess.run([sys.executable, "-m", "grisaille.desktop.demo", *picture])
    if ended.returncode == -signal.SIGINT:
        raise Cancelled
    if ended.returncode < 0:
        console.error(f"the viewer {_ending(ended.returncode)}; grisaille doctor says what OpenGL does here")
        return 1
    return ended.returncode


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
