"""How many threads the networks take, and that nothing else is changed by it."""

from __future__ import annotations

import os

import psutil
import pytest

from grisaille.core.run import Run
from grisaille.nn.threads import physical_cores, thread_count, threads

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.ai


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (2, 1), (8, 7)])
def test_one_physical_core_is_left_to_the_screen(monkeypatch: pytest.MonkeyPatch, cores: int, expected: int) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 2 * cores if logical else cores)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(2 * cores)), raising=False)
    assert thread_count(Run()) == expected
    assert thread_count(Run(threads=5)) == 5


def test_cores_that_the_process_may_not_use_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert physical_cores() == 3


def test_an_unknown_computer_has_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: None)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert physical_cores() == 1


def test_threads_and_environment_are_afterwards_as_before() -> None:
    before, environment = torch.get_num_threads(), dict(os.environ)
    with threads(Run(threads=before + 2)) as count:
        assert count == torch.get_num_threads() == before + 2
    with pytest.raises(ZeroDivisionError), threads(Run(threads=before + 1)):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before
    assert dict(os.environ) == environment
