"""A training that is killed, stopped or short of memory ends where it would have ended."""

import csv
import errno
import multiprocessing
import os
import signal
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from grisaille.core.errors import Cancelled, ConfigError, OutOfMemory, OutputError, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.training import BOARD, CHECKPOINT, CURVE, train

pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("lightning")
pytestmark = pytest.mark.ai

TINY = AutoPaintConfig(width=4, slab=16, lesson=16, steps=7, batch=2, learning_rate=3e-3)
RUN = Run(device="cpu", threads=1)

forks = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="processes are forked, to spare them the imports"
)


@pytest.fixture(scope="module")
def frames():
    shape = (16, 16, 32)
    z, y, x = np.indices(shape)
    body = ((y - 7.5) / 5) ** 2 + ((x - 15.5) / 10) ** 2 < 1
    return [
        SimpleNamespace(
            grid=Grid.from_spacing(shape, 4.0),
            images={
                "pet": (body * (1 + 0.1 * number + z / 32))[None].astype(np.float16),
                "ct": np.stack([body * 0.7, body * 0.5]).astype(np.float16),
            },
            body=body,
            covered={key: np.ones(shape, dtype=bool) for key in ("pet", "ct")},
        )
        for number in range(2)
    ]


class Stopper:
    """A user who stops after so many steps."""

    def __init__(self, steps):
        self.left = steps

    def __call__(self):
        self.left -= 1
        return self.left < 0


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def losses(curve):
    return [(point.step, point.loss, point.learning_rate) for point in curve]


def stopped_after(steps, frames, folder, **options):
    with pytest.raises(Cancelled):
        train(frames, TINY, replace(RUN, is_cancelled=Stopper(steps)), folder=folder, **options)


@pytest.fixture(scope="module")
def whole(frames, tmp_path_factory):
    return train(frames, TINY, RUN, folder=tmp_path_factory.mktemp("whole"), stretch=2)


@pytest.mark.parametrize("steps", [1, 2, 3, 6])
def test_a_training_that_was_broken_off_ends_with_the_same_curve_and_weights(steps, frames, whole, tmp_path):
    stopped_after(steps, frames, tmp_path, stretch=2)
    weights, curve = train(frames, TINY, RUN, folder=tmp_path, stretch=2)
    assert losses(curve) == losses(whole[1])
    assert [point.step for point in curve] == [2, 4, 6, 7]
    assert same(weights, whole[0])


def test_breaking_off_twice_is_no_different(frames, whole, tmp_path):
    stopped_after(3, frames, tmp_path, stretch=2)
    stopped_after(3, frames, tmp_path, stretch=2)
    weights, curve = train(frames, TINY, RUN, folder=tmp_path, stretch=2)
    assert losses(curve) == losses(whole[1])
    assert same(weights, whole[0])


def test_a_complete_training_is_given_back_without_another_step(frames, tmp_path):
    first = train(frames, TINY, RUN, folder=tmp_path)
    steps = []
    again = train(frames, TINY, replace(RUN, on_progress=steps.append), folder=tmp_path)
    assert not steps
    assert same(first[0], again[0])
    assert first[1] == again[1]


@pytest.mark.parametrize("damage", ["other settings", "cut short"])
def test_a_checkpoint_that_does_not_fit_is_said_and_not_gone_on_with(damage, frames, whole, tmp_path):
    stopped_after(5, frames, tmp_path, stretch=2)
    config = TINY
    if damage == "cut short":
        (tmp_path / CHECKPOINT).write_bytes((tmp_path / CHECKPOINT).read_bytes()[:2000])
    else:
        config = replace(TINY, suv_jitter=0.1)
    notes = []
    weights, curve = train(frames, config, replace(RUN, on_note=notes.append), folder=tmp_path, stretch=2)
    assert len(notes) == 1
    assert "starting anew" in notes[0]
    assert same(weights, whole[0]) == (damage == "cut short")
    assert [point.step for point in curve] == [2, 4, 6, 7]


def test_the_curve_is_on_disk_and_the_rate_rises_and_falls(frames, tmp_path):
    _, curve = train(frames, TINY, RUN, folder=tmp_path, stretch=1)
    with (tmp_path / CURVE).open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert [float(row["loss"]) for row in rows] == [point.loss for point in curve]
    rates = [point.learning_rate for point in curve]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert {file.name for file in tmp_path.iterdir()} - {BOARD} == {CHECKPOINT, CURVE}


def test_each_step_is_told(frames, tmp_path):
    told, devices = [], []
    run = replace(RUN, on_progress=told.append, on_device=devices.append)
    train(frames, TINY, run, folder=tmp_path)
    assert [(one.done, one.total) for one in told] == [(step, 7) for step in range(1, 8)]
    assert devices == ["cpu"]


def test_minutes_end_a_training_that_has_steps_left_with_the_rate_at_its_end(frames, tmp_path):
    config = replace(TINY, steps=100_000)
    told = []
    run = replace(RUN, on_progress=told.append)
    _, curve = train(frames, config, run, folder=tmp_path, minutes=0.05, stretch=5)
    assert 3 <= curve[-1].seconds < 15
    assert 1 < curve[-1].step < 100_000
    assert curve[-1].learning_rate < 0.3 * config.learning_rate
    assert told[-1].done == 100_000
    again = train(frames, config, RUN, folder=tmp_path, minutes=0.05, stretch=5)
    assert again[1] == curve


def test_learning_lowers_the_loss(frames, tmp_path):
    _, curve = train(frames, replace(TINY, steps=60, learning_rate=1e-2), RUN, folder=tmp_path, stretch=10)
    assert curve[-1].loss < 0.75 * curve[0].loss


def test_a_short_memory_halves_the_batch_and_learns_the_same(frames, whole, tmp_path, monkeypatch):
    import torch

    from grisaille.methods.autopaint.inpainter import Inpainter

    forward = Inpainter.forward

    def narrow(self, images, *rest):
        if len(images) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return forward(self, images, *rest)

    monkeypatch.setattr(Inpainter, "forward", narrow)
    notes = []
    _, curve = train(frames, TINY, replace(RUN, on_note=notes.append), folder=tmp_path, stretch=2)
    assert "1 slabs at a time" in notes[0]
    assert [point.step for point in curve] == [2, 4, 6, 7]
    # The first steps agree; later ones only nearly, for Adam makes much of the last digits of small gradients.
    assert curve[0].loss == pytest.approx(whole[1][0].loss, rel=1e-3)
    assert [point.loss for point in curve] == pytest.approx([point.loss for point in whole[1]], rel=0.1)


def test_no_memory_at_all_is_said(frames, tmp_path, monkeypatch):
    from grisaille.methods.autopaint.inpainter import Inpainter

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(Inpainter, "forward", full)
    with pytest.raises(OutOfMemory, match="smaller width"):
        train(frames, TINY, RUN, folder=tmp_path)


def test_a_training_that_diverges_says_what_to_do(frames, tmp_path, monkeypatch):
    from grisaille.methods.autopaint import pupil

    monkeypatch.setattr(pupil, "laplace_loss", lambda mean, *_: mean.mean() * float("nan"))
    with pytest.raises(ConfigError, match="learning_rate below"):
        train(frames, TINY, RUN, folder=tmp_path)


def test_nothing_to_train_on_is_refused(tmp_path):
    with pytest.raises(UnsuitableVolume, match="no study to train on"):
        train([], TINY, RUN, folder=tmp_path)


def test_the_random_numbers_of_others_are_left_alone(frames, tmp_path):
    import torch

    torch.manual_seed(5)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    train(frames, TINY, RUN, folder=tmp_path)
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])  # noqa: NPY002


def _slow_training(frames, folder):
    slow = replace(RUN, on_progress=lambda _: time.sleep(0.3))
    train(frames, TINY, slow, folder=folder, watched=frames[:1], stretch=2)


@forks
def test_a_training_that_was_killed_goes_on_to_the_same_curve_and_weights(frames, tmp_path, watched_training):
    process = multiprocessing.get_context("fork").Process(target=_slow_training, args=(frames, tmp_path))
    process.start()
    until = time.monotonic() + 60
    while not (tmp_path / CURVE).exists() and process.is_alive() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.4)  # into the next stretch
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    told = []
    run = replace(RUN, on_progress=told.append)
    weights, curve = train(frames, TINY, run, folder=tmp_path, watched=frames[:1], stretch=2)
    assert told[0].done in (3, 5)  # not from the start
    assert losses(curve) == losses(watched_training[1])
    assert [one.validation_loss for one in curve] == [one.validation_loss for one in watched_training[1]]
    assert same(weights, watched_training[0])


@pytest.fixture(scope="module")
def watched_training(frames, tmp_path_factory):
    return train(frames, TINY, RUN, folder=tmp_path_factory.mktemp("watched"), watched=frames[:1], stretch=2)


def test_watching_patients_kept_out_changes_nothing_of_what_is_learned(frames, whole, watched_training):
    weights, curve = watched_training
    assert losses(curve) == losses(whole[1])
    assert same(weights, whole[0])
    assert [one.validation_loss is None for one in curve] == [True, True, True, False]


def test_the_loss_of_patients_kept_out_is_that_of_the_averaged_weights_on_the_same_lessons(frames, watched_training):
    import torch

    from grisaille.methods.autopaint.inpainter import laplace_loss, load
    from grisaille.methods.autopaint.lessons import Lessons, collated
    from grisaille.methods.autopaint.teaching import WATCHED

    weights, curve = watched_training
    net = load(TINY, weights)
    calm = Lessons(frames[:1], replace(TINY, misalignment_mm=0.0, suv_jitter=0.0, hidden_share=0.0), 0, noise=0.0)
    found = []
    for first in range(0, WATCHED, TINY.batch):
        lessons = [calm[number] for number in range(first, first + TINY.batch)]
        images, hole, body, present, _ = map(torch.from_numpy, collated(lessons))
        for lesson in lessons:  # nothing was disturbed
            assert np.isin(np.unique(lesson.images[1]), np.unique(frames[0].images["ct"][0].astype(np.float32))).all()
        found.append(laplace_loss(*net(images, hole, body), images, hole, body, present).item())
    assert curve[-1].validation_loss == pytest.approx(np.mean(found), rel=1e-5)


def test_the_curve_stands_in_tensorboard_too(frames, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    stopped_after(3, frames, tmp_path, watched=frames[:1], stretch=2)
    _, curve = train(frames, TINY, RUN, folder=tmp_path, watched=frames[:1], stretch=2)
    shown = EventAccumulator(str(tmp_path / BOARD)).Reload()
    assert [event.step for event in shown.Scalars("loss")] == [2, 4, 6, 7]
    assert [event.value for event in shown.Scalars("loss")] == pytest.approx([point.loss for point in curve])
    assert [event.step for event in shown.Scalars("validation_loss")] == [7]


def test_without_tensorboard_it_trains_as_well(frames, whole, tmp_path, monkeypatch):
    from grisaille.methods.autopaint import keeper

    monkeypatch.setattr(keeper, "find_spec", lambda _: None)
    assert same(train(frames, TINY, RUN, folder=tmp_path, stretch=2)[0], whole[0])
    assert not (tmp_path / BOARD).exists()


def test_a_training_stopped_at_its_half_goes_on_as_if_it_had_not(frames, whole, tmp_path):
    _, curve = train(frames, TINY, RUN, folder=tmp_path, stretch=2, until=0.5)
    assert curve[-1].step == 4
    weights, curve = train(frames, TINY, RUN, folder=tmp_path, stretch=2)
    assert losses(curve) == losses(whole[1])
    assert same(weights, whole[0])


def test_weights_to_start_from_are_where_it_starts(frames, whole, tmp_path):
    gentle = replace(TINY, steps=1, learning_rate=1e-6)
    weights, _ = train(frames, gentle, RUN, folder=tmp_path, start=whole[0])
    for name, array in whole[0].items():
        np.testing.assert_allclose(weights[name], array, atol=1e-5)
    other = {name: array + 1 for name, array in whole[0].items()}
    notes = []
    train(frames, gentle, replace(RUN, on_note=notes.append), folder=tmp_path, start=other)
    assert "starting anew" in notes[0]


def test_minutes_of_the_settings_count_and_are_no_other_training(frames, whole, tmp_path):
    stopped_after(3, frames, tmp_path, stretch=2)
    notes = []
    run = replace(RUN, on_note=notes.append)
    weights, _ = train(frames, replace(TINY, minutes=60.0), run, folder=tmp_path, stretch=2)
    assert not notes
    assert same(weights, whole[0])
    _, curve = train(frames, replace(TINY, steps=100_000, minutes=0.02), RUN, folder=tmp_path, stretch=2)
    assert curve[-1].step < 100_000


def test_a_full_disk_is_said_and_the_checkpoint_before_stays(frames, whole, tmp_path, monkeypatch):
    stopped_after(3, frames, tmp_path, stretch=2)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with monkeypatch.context() as full:

        def refuse(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        full.setattr("grisaille.core.safe_write.os.replace", refuse)
        with pytest.raises(OutputError, match="disk is full"):
            train(frames, TINY, RUN, folder=tmp_path, stretch=2)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} - {BOARD} == {CHECKPOINT, CURVE}
    assert same(train(frames, TINY, RUN, folder=tmp_path, stretch=2)[0], whole[0])


@pytest.fixture
def two_processes(monkeypatch):
    import torch

    from grisaille.methods.autopaint import teaching, training

    monkeypatch.setattr(teaching, "TOGETHER", "ddp_fork")
    monkeypatch.setattr(training, "_devices", lambda run, batch: (torch.device("cpu"), torch.device("cpu")))


@forks
def test_two_processes_learn_what_one_learns(frames, watched_training, tmp_path, two_processes):
    told, port = [], os.environ.get("MASTER_PORT")
    run = replace(RUN, on_progress=told.append)
    _, curve = train(frames, TINY, run, folder=tmp_path, watched=frames[:1], stretch=2)
    assert [one.done for one in told] == [1, 2, 3, 4, 5, 6, 7]
    assert [point.step for point in curve] == [2, 4, 6, 7]
    assert curve[0].loss == pytest.approx(watched_training[1][0].loss, rel=2e-3)  # as of one process: up to rounding
    assert curve[-1].validation_loss == pytest.approx(watched_training[1][-1].validation_loss, rel=0.2)
    with (tmp_path / CURVE).open() as file:
        assert [float(row["loss"]) for row in csv.DictReader(file)] == [point.loss for point in curve]
    assert os.environ.get("MASTER_PORT") == port


@forks
def test_what_happens_in_other_processes_comes_home(frames, tmp_path, two_processes, monkeypatch):
    from grisaille.methods.autopaint import pupil

    told = []
    run = replace(RUN, on_progress=told.append, is_cancelled=lambda: bool(told))
    with pytest.raises(Cancelled):
        train(frames, replace(TINY, steps=10_000), run, folder=tmp_path / "stopped", stretch=2)
    monkeypatch.setattr(pupil, "laplace_loss", lambda mean, *_: mean.mean() * float("nan"))
    with pytest.raises(ConfigError, match="learning_rate below"):
        train(frames, TINY, RUN, folder=tmp_path / "diverged")


def test_as_many_gpus_are_used_as_share_a_step_evenly(monkeypatch):
    import torch

    from grisaille.methods.autopaint import training

    monkeypatch.setattr(training, "resolve_device", lambda run: torch.device(run.device, 0))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    notes = []
    run = Run(device="cuda", on_note=notes.append)
    assert [one.index for one in training._devices(run, 8)] == [0, 1, 2, 3]
    assert not notes
    assert len(training._devices(run, 6)) == 3
    assert "3 of 4 GPUs" in notes[0]
    assert len(training._devices(Run(device="cpu"), 8)) == 1


def test_the_cpu_trains_in_full_precision_and_says_so(frames, whole, tmp_path):
    notes = []
    run = replace(RUN, on_note=notes.append)
    weights, _ = train(frames, replace(TINY, precision="bfloat16"), run, folder=tmp_path, stretch=2)
    assert notes == ["on the CPU it trains in float32; bfloat16 is for GPUs"]
    assert same(weights, whole[0])
