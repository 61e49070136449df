"""A job ends with an outcome, whatever happens in it."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from napari.utils.notifications import notification_manager

from grisaille.core.errors import InputError, OutOfMemory
from grisaille.core.run import Run
from grisaille.desktop.job import Job, Outcome

pytestmark = pytest.mark.screen


def outcome_of(work: Any, qtbot: Any, job: Job | None = None) -> Outcome:
    job = job or Job(Run(), "MVG on PET")
    with qtbot.waitSignal(job.finished, timeout=5000) as told:
        job.start(work)
    outcome = told.args[0]
    assert isinstance(outcome, Outcome)
    return outcome


def test_work_runs_beside_the_gui_thread_and_its_value_arrives(qtbot: Any) -> None:
    outcome = outcome_of(lambda run: threading.get_ident(), qtbot)
    assert outcome.value != threading.get_ident()
    assert outcome.sentence == ""


def test_an_error_of_ours_arrives_as_its_sentence(qtbot: Any) -> None:
    def work(run: Run) -> None:
        raise InputError("layer 'PET' is empty; open another")

    assert outcome_of(work, qtbot).sentence == "layer 'PET' is empty; open another"


def test_an_error_of_nobody_is_said_and_shown_by_napari_without_ending_it(qtbot: Any) -> None:
    outcome = outcome_of(lambda run: 1 / 0, qtbot)
    assert "please report it: ZeroDivisionError" in outcome.sentence
    assert notification_manager.records[-1].message == "division by zero"


def test_no_memory_is_a_sentence_that_names_the_work(qtbot: Any) -> None:
    def work(run: Run) -> None:
        raise MemoryError

    outcome = outcome_of(work, qtbot)
    assert isinstance(outcome.error, OutOfMemory)
    assert "MVG on PET" in outcome.sentence


def test_cancel_ends_the_work_at_its_next_step(qtbot: Any) -> None:
    steps: list[int] = []

    def work(run: Run) -> None:
        for step in run.track(range(1000), "stepping"):
            steps.append(step)
            time.sleep(0.01)

    job = Job(Run(), "title")
    job.start(work)
    qtbot.waitUntil(lambda: len(steps) > 3)
    with qtbot.waitSignal(job.finished) as told:
        job.cancel()
    assert told.args[0].cancelled
    assert len(steps) < 100


def test_work_that_is_done_before_cancel_reaches_it_still_counts_as_cancelled(qtbot: Any) -> None:
    gate = threading.Event()
    job = Job(Run(), "title")
    job.start(lambda run: gate.wait())
    job.cancel()
    with qtbot.waitSignal(job.finished) as told:
        gate.set()
    assert told.args[0] == Outcome(cancelled=True, seconds=told.args[0].seconds)


def test_progress_arrives_from_first_to_last_and_is_not_a_flood(qtbot: Any) -> None:
    job = Job(Run(), "title")
    told: list[int] = []
    job.progressed.connect(lambda progress: told.append(progress.done))
    outcome_of(lambda run: [None for _ in run.track(range(20_000), "stepping")], qtbot, job)
    assert told[0] == 0
    assert told[-1] == 20_000
    assert told == sorted(told)
    assert len(told) < 200
