"""The console: one moving line on a terminal, one line a stage in a log."""

from __future__ import annotations

import io

import pytest

from grisaille.cli import console as consoles
from grisaille.cli.console import Console
from grisaille.core.run import Progress, Run


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def on(monkeypatch):
    def make(stream):
        monkeypatch.setattr(consoles.sys, "stderr", stream)
        monkeypatch.setenv("COLUMNS", "60")
        return Console(), stream

    return make


def test_a_terminal_shows_steps_and_time_left_on_one_line(on):
    console, stream = on(Terminal())
    console.progress(Progress("scoring slices", 3, 40, 75.4))
    console.progress(Progress("scoring slices", 40, 40, 0.0))
    first, second = stream.getvalue().split("\r")[1:]
    assert first == "scoring slices 3/40, 1 min 15 s left"
    assert second.rstrip() == "scoring slices 40/40, 0 s left"
    assert len(second) == len(first)


def test_a_sentence_wipes_the_moving_line_first(on):
    console, stream = on(Terminal())
    console.progress(Progress("reading", 3, None, None))
    console.say("took the CPU")
    assert stream.getvalue() == "\rreading 3\r         \rtook the CPU\n"


def test_a_line_never_breaks_the_terminal(on):
    console, stream = on(Terminal())
    console.progress(Progress("x" * 200, 1, 2, None))
    assert len(stream.getvalue()) == 60


def test_a_log_has_one_line_a_stage(on):
    console, stream = on(io.StringIO())
    run = console.listen(Run())
    assert list(run.track(range(3), "reading")) == [0, 1, 2]
    assert list(run.track(range(1), "sorting")) == [0]
    for _ in run.track(iter(range(2)), "scoring"):
        pass
    console.error("no such file")
    assert stream.getvalue() == "reading, 3 steps\nsorting, 1 step\nscoring\ngrisaille: no such file\n"
