"""Learning prompts: what it promises of a course, broken off or not."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from grisaille.core.errors import Cancelled, ConfigError, InputError, OutOfMemory, OutputError, UnsuitableVolume
from grisaille.core.run import Run
from grisaille.methods.anomalyclip.config import AnomalyClipConfig
from grisaille.methods.anomalyclip.held_out import Counted
from grisaille.methods.anomalyclip.learning import CHECKPOINT, CURVE, Epoch, learn
from grisaille.methods.anomalyclip.losses import picture_loss
from grisaille.methods.anomalyclip.prompts import Prompts
from grisaille.methods.anomalyclip.pupil import Pupil
from grisaille.methods.anomalyclip.text import Learned, text_features
from methods.anomalyclip.planted_tokens import Planted
from methods.anomalyclip.small_clip import small_clip

RUN = Run(device="cpu", threads=1)
CONFIG = AnomalyClipConfig(epochs=3, lesson=2, sigma_px=2.0)
LESSONS = Planted([f"learned-{number}" for number in range(5)])
HELD_OUT = Planted([f"left-out-{number}" for number in range(2)], seed=1)

Course = tuple[Prompts, tuple[Epoch, ...]]


def learnt(folder: Path | None = None, run: Run = RUN, config: AnomalyClipConfig = CONFIG) -> Course:
    return learn(small_clip(), LESSONS, HELD_OUT, config, run, folder=folder)


def same(one: Prompts, other: Prompts) -> bool:
    return all(np.array_equal(one.arrays()[name], other.arrays()[name]) for name in one.arrays())


def timeless(course: tuple[Epoch, ...]) -> list[Epoch]:
    return [replace(one, seconds=0.0) for one in course]


class Stopper:
    """A user who stops when asked for the n-th time."""

    def __init__(self, asked: int) -> None:
        self.left = asked

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return learnt(tmp_path_factory.mktemp("whole"))


def test_without_a_folder_it_is_the_same(whole: Course) -> None:
    prompts, course = learnt()
    assert same(prompts, whole[0])
    assert timeless(course) == timeless(whole[1])


@pytest.mark.parametrize("asked", [1, 9, 12, 13, 20, 30])
def test_a_learning_that_was_broken_off_ends_with_the_same_prompts(asked: int, whole: Course, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        learnt(tmp_path, replace(RUN, is_cancelled=Stopper(asked)))
    assert {one.name for one in tmp_path.iterdir()} <= {CHECKPOINT, CURVE}
    prompts, course = learnt(tmp_path)
    assert same(prompts, whole[0])
    assert timeless(course) == timeless(whole[1])


def test_a_complete_learning_is_given_back_and_more_epochs_go_further(whole: Course, tmp_path: Path) -> None:
    short = learnt(tmp_path, config=replace(CONFIG, epochs=2))
    told: list[object] = []
    again = learnt(tmp_path, replace(RUN, on_progress=told.append), replace(CONFIG, epochs=2))
    assert not told
    assert same(short[0], again[0])
    assert short[1] == again[1]
    prompts, course = learnt(tmp_path)
    assert same(prompts, whole[0])
    assert timeless(course) == timeless(whole[1])


@pytest.mark.parametrize("change", ["cut short", "other settings", "other seed", "fewer epochs"])
def test_a_checkpoint_that_does_not_fit_is_said_and_not_gone_on_with(
    change: str, whole: Course, tmp_path: Path
) -> None:
    learnt(tmp_path)
    notes: list[str] = []
    run, config = replace(RUN, on_note=notes.append), CONFIG
    if change == "cut short":
        (tmp_path / CHECKPOINT).write_bytes((tmp_path / CHECKPOINT).read_bytes()[:1000])
    elif change == "other settings":
        config = replace(CONFIG, learning_rate=1e-2)
    elif change == "other seed":
        run = replace(run, seed=4)
    else:
        config = replace(CONFIG, epochs=1)
    prompts, course = learnt(tmp_path, run, config)
    assert len(notes) == 1
    assert "starting anew" in notes[0]
    assert len(course) == config.epochs
    assert same(prompts, whole[0]) == (change == "cut short")


def test_the_course_is_on_disk(tmp_path: Path) -> None:
    _, course = learnt(tmp_path)
    with (tmp_path / CURVE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    for name in ("seconds", "loss", "pixel_ap", "slice_auroc"):
        assert [float(row[name]) for row in rows] == [getattr(one, name) for one in course]


def test_planted_tokens_are_told_apart_and_the_loss_falls() -> None:
    config = replace(CONFIG, epochs=12, lesson=4, learning_rate=5e-3)
    prompts, course = learn(small_clip(), Planted(["a"] * 12), Planted(["b"] * 4, seed=1), config, RUN)
    assert course[-1].loss < 0.5 * course[0].loss
    assert max(one.pixel_ap or 0 for one in course) > 0.9
    text = text_features(small_clip(), Learned.of(prompts, torch.device("cpu")), prompts.words)
    for one in (Planted(["c"] * 4, seed=2)[number] for number in range(4)):
        cosines = torch.tensor(one.patches[0]).float() @ (text[1] - text[0])
        abnormal = torch.tensor(one.mask[4::8, 4::8])
        assert torch.equal(cosines > 0, abnormal)
        assert (float(torch.tensor(one.image).float() @ (text[1] - text[0])) > 0) == bool(one.mask.any())


def test_the_best_epoch_by_the_patients_left_out_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from grisaille.methods.anomalyclip import held_out

    figures = iter([0.2, 0.5, 0.5, 0.3])
    monkeypatch.setattr(held_out, "_average_precision", lambda _: next(figures))
    prompts, course = learnt(config=replace(CONFIG, epochs=4))
    assert [one.pixel_ap for one in course] == [0.2, 0.5, 0.5, 0.3]
    second, _ = learn(small_clip(), LESSONS, None, replace(CONFIG, epochs=2), RUN)
    assert same(prompts, second)


def test_without_marks_among_those_left_out_the_last_epoch_is_kept_and_said() -> None:
    notes: list[str] = []
    config = replace(CONFIG, epochs=2)
    healthy = Planted(["healthy"])
    prompts, course = learn(small_clip(), LESSONS, healthy, config, replace(RUN, on_note=notes.append))
    assert "the last is kept" in notes[0]
    assert [one.pixel_ap for one in course] == [None, None]
    assert same(prompts, learn(small_clip(), LESSONS, None, config, RUN)[0])


def test_a_step_is_adams_on_the_mean_of_the_losses() -> None:
    pupil = Pupil(small_clip(), CONFIG, 3, torch.device("cpu"))
    slices = [LESSONS[number] for number in range(3)]
    context, deep = (one.detach().clone().requires_grad_() for one in (pupil.learned.context, pupil.learned.deep))
    for _ in range(2):
        pupil.step(slices, RUN)
    adam = torch.optim.Adam([context, deep], lr=CONFIG.learning_rate, betas=(0.5, 0.999))
    for _ in range(2):
        text = text_features(small_clip(), Learned(context, deep), pupil.prompts().words)
        losses = [
            picture_loss(
                torch.tensor(one.image).float(), torch.tensor(one.patches).float(), torch.tensor(one.mask), text
            )
            for one in slices
        ]
        adam.zero_grad()
        torch.stack(losses).mean().backward()
        adam.step()
    torch.testing.assert_close(pupil.learned.context, context, rtol=0, atol=1e-5)
    assert (pupil.learned.deep - deep).abs().median() < 1e-5  # tiny gradients, rounded to half, may turn their sign


def test_there_are_no_more_deep_prompts_than_text_blocks_after_the_first() -> None:
    prompts, _ = learnt(config=replace(CONFIG, epochs=1, deep=40, deep_tokens=2, context=5))
    assert prompts.deep.shape == (11, 2, 128)
    assert prompts.context.shape == (2, 5, 128)
    prompts.require_fits(small_clip())
    assert not learnt(config=replace(CONFIG, epochs=1, deep=0))[0].deep.size


def test_more_deep_tokens_than_context_are_refused() -> None:
    with pytest.raises(ConfigError, match="deep_tokens is 4"):
        AnomalyClipConfig(context=3)


def test_what_cannot_be_learned_from_is_said() -> None:
    with pytest.raises(UnsuitableVolume, match="none of the 1 slices"):
        learn(small_clip(), Planted(["a"]), None, CONFIG, RUN)
    with pytest.raises(InputError, match="1 patients are both"):
        learn(small_clip(), LESSONS, Planted(LESSONS.patients[:1]), CONFIG, RUN)


def test_a_learning_that_diverges_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from grisaille.methods.anomalyclip import pupil

    monkeypatch.setattr(pupil, "picture_loss", lambda _image, _patches, _mask, text: text.sum() * float("nan"))
    with pytest.raises(ConfigError, match="choose a learning_rate below"):
        learnt()


def test_no_memory_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from grisaille.methods.anomalyclip import pupil

    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pupil, "picture_loss", full)
    with pytest.raises(OutOfMemory, match="smaller backbone"):
        learnt()


def test_a_full_disk_is_said_and_the_checkpoint_before_stays(tiny_disk: Path) -> None:
    with pytest.raises(OutputError, match="full"):
        learnt(tiny_disk)
    assert not list(tiny_disk.iterdir())


def test_figures_of_slices_left_out_are_scikit_learns() -> None:
    random = np.random.default_rng(5)
    counted = Counted()
    maps = np.round(random.random((4, 9, 7)) * 40) / 40  # with ties
    masks = random.random((4, 9, 7)) > 0.7
    masks[::2] = False
    scores = [0.25, 0.5, 0.5, 0.75]
    for map_, score, mask in zip(maps, scores, masks, strict=True):
        counted.count(torch.tensor(map_), score, mask)
    found = counted.figures()
    assert found.pixel_ap == pytest.approx(average_precision_score(masks.ravel(), maps.ravel()))
    assert found.slice_auroc == pytest.approx(roc_auc_score(masks.any(axis=(1, 2)), scores))
    assert Counted().figures().pixel_ap is None
