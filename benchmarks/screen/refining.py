"""Runs whose coarse map is on the screen before the whole one: when each comes, and what stands still meanwhile."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from screen.heart import Heart, turn, wait

DRAWN_WITHIN_S = 0.3
"""What stands still so soon after a map came is counted as its drawing."""


LONGEST_RUN_S = 3600


@dataclass
class Told:
    """Of one run: seconds until each map was there, and pauses of the event loop between and while they are drawn."""

    came_s: list[float] = field(default_factory=list)
    working_s: list[float] = field(default_factory=list)
    drawing_s: list[float] = field(default_factory=list)


def keep_features_in(folder: Path) -> None:
    """What networks see is kept there by the panels, and not where the user keeps it."""
    from grisaille.desktop import panel, settings

    panel.preferences = lambda: replace(settings.preferences(), cache_folder=folder)


def forget_features(folder: Path) -> None:
    """The next run looks at every slice again."""
    shutil.rmtree(folder / "features", ignore_errors=True)


def a_run(panel: Any, heart: Heart) -> Told:
    """From Run to the whole map on the screen."""
    from qtpy.QtCore import QTimer

    told, started, drawn = Told(), time.perf_counter(), QTimer(singleShot=True, interval=round(1000 * DRAWN_WITHIN_S))

    def comes(_: object) -> None:
        if not drawn.isActive():
            told.working_s.append(heart.longest_s)
        told.came_s.append(time.perf_counter() - started)
        heart.restart()

    def stands() -> None:
        told.drawing_s.append(heart.longest_s)
        heart.restart()

    drawn.timeout.connect(stands)
    heart.restart()
    panel.run()
    if not panel.is_running:
        raise SystemExit(f"nothing runs: {panel.face.status.line.text()}")
    for signal, shown in ((panel._job.previewed, panel._on_preview), (panel._job.finished, panel._on_finished)):
        signal.disconnect(shown)
        signal.connect(comes)
        signal.connect(shown)
        signal.connect(lambda _: drawn.start())
    wait(lambda: not panel.is_running, LONGEST_RUN_S)
    turn(2 * DRAWN_WITHIN_S)
    if not panel.has_result:
        raise SystemExit(f"the run failed: {panel.face.status.line.text()}")
    return told


def cancelled(panel: Any, whole_s: float, shares: tuple[float, ...], forget: Path) -> list[float]:
    """Seconds from Cancel to the end, asked for after each of these shares of a whole run."""
    seconds = []
    for share in shares:
        forget_features(forget)
        panel.run()
        end = time.perf_counter() + share * whole_s
        wait(lambda end=end: time.perf_counter() >= end or not panel.is_running, LONGEST_RUN_S)
        if not panel.is_running:
            continue
        started = time.perf_counter()
        panel.cancel()
        wait(lambda: not panel.is_running)
        seconds.append(time.perf_counter() - started)
    return seconds


def cancelled_after_preview(viewer: Any, panel: Any, forget: Path) -> tuple[str, str]:
    """What the map on the screen and the panel say once a run was cancelled after its first map."""
    from grisaille.desktop.review import review_of

    forget_features(forget)
    panel.run()
    wait(lambda: bool(panel._previewed) or not panel.is_running, LONGEST_RUN_S)
    panel.cancel()
    wait(lambda: not panel.is_running)
    turn(DRAWN_WITHIN_S)
    return review_of(viewer).result.anomaly.incomplete, panel.face.status.line.text()


def peak_mb() -> float | None:
    """The most memory that this process ever had, in 10^6 bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else 1024 * peak / 1e6
