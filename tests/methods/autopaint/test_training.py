"""A training that is killed, stopped or short of memory ends where it would have ended."""

import csv
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from grisaille.core.errors import Cancelled, ConfigError, OutOfMemory, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.training import CHECKPOINT, CURVE, train

pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("lightning")
pytestmark = pytest.mark.ai

TINY = AutoPaintConfig(width=4, slab=16, lesson=16, steps=7, batch=2, learning_rate=3e-3)
RUN = Run(device="cpu", threads=1)


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
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([CHECKPOINT, CURVE])


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
