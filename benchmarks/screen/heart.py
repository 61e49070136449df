"""How long the screen stands still, and waiting as a viewer waits."""

from __future__ import annotations

import time
from collections.abc import Callable

TICK_MS = 2


class Heart:
    """Beats with the event loop; the longest pause between two beats is how long the screen stood still."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.longest_s = 0.0
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def restart(self) -> None:
        self.longest_s, self._last = 0.0, time.perf_counter()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.longest_s, self._last = max(self.longest_s, now - self._last), now


def turn(seconds: float) -> None:
    """Let the event loop turn for so long."""
    end = time.perf_counter() + seconds
    wait(lambda: time.perf_counter() >= end)


def wait(condition: Callable[[], bool], timeout_s: float = 900) -> None:
    """Run Qt's own event loop, as a viewer does, until ``condition`` holds."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop, poll, end = QEventLoop(), QTimer(), time.perf_counter() + timeout_s
    poll.setInterval(TICK_MS)
    poll.timeout.connect(lambda: loop.quit() if condition() or time.perf_counter() > end else None)
    poll.start()
    loop.exec()
    if not condition():
        raise SystemExit("waited in vain")
