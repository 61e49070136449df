"""Where nobody said that patients are healthy, what stands out most is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grisaille.core.errors import UnreadableFile
from grisaille.core.run import Run
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame_cache import FrameCache
from phantoms import small_cohort

pytest.importorskip("torch")
pytestmark = pytest.mark.ai

from grisaille.methods.autopaint import trimming  # noqa: E402 - needs torch
from grisaille.methods.autopaint.painting import Painter  # noqa: E402 - needs torch
from plain_painter import PlainInpainter  # noqa: E402 - needs torch

RUN = Run(device="cpu", threads=1)
CONFIG = AutoPaintConfig(spacing_mm=6.0, slab=32, width=4, cells_mm=(48.0, 96.0), trim=0.01, smallest_ml=0.5)


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return FrameCache(tmp_path_factory.mktemp("frames"), CONFIG).keeping(small_cohort(2, 5, lesions=2), RUN)


def hidden(plain, trimmed):
    return [before.covered["pet"] & ~after.covered["pet"] for before, after in zip(plain, trimmed, strict=True)]


def test_the_share_asked_for_is_hidden_with_its_margin_in_both_modalities(frames, tmp_path) -> None:
    painter = Painter(PlainInpainter(0.0), CONFIG)
    kept = trimming.trim(painter, frames, tmp_path, CONFIG, RUN)
    every, out = [], []
    for number, gone in enumerate(hidden(frames, kept)):
        _, scores = trimming.standing_out(painter, frames[number], CONFIG, RUN)
        every.append(scores[np.isfinite(scores)])
        out.append((gone, scores))
        assert not kept[number].covered["ct"][gone].any()
    cut = np.quantile(np.concatenate(every), 1 - CONFIG.trim)
    high = sum(np.count_nonzero(scores >= cut) for _, scores in out)
    caught = sum(np.count_nonzero(gone & (scores >= cut)) for gone, scores in out)
    assert caught > 0.6 * high  # the rest are specks below the smallest finding
    share = sum(gone.sum() for gone, _ in out) / sum(map(len, every))
    assert CONFIG.trim < share < 0.2


def test_it_is_done_once_and_again_only_for_other_settings(frames, tmp_path) -> None:
    assert trimming.trimmed(frames, tmp_path, CONFIG, RUN) is None
    made = trimming.trim(Painter(PlainInpainter(0.0), CONFIG), frames, tmp_path, CONFIG, RUN)
    again = trimming.trimmed(frames, tmp_path, CONFIG, RUN)
    for first, second in zip(hidden(frames, made), hidden(frames, again), strict=True):
        np.testing.assert_array_equal(first, second)
    assert trimming.trimmed(frames, tmp_path, replace(CONFIG, trim=0.02), RUN) is None
    assert trimming.trimmed(frames[:1], tmp_path, CONFIG, RUN) is None
    assert trimming.trimmed(frames, tmp_path, CONFIG, replace(RUN, seed=1)) is None
    next(tmp_path.glob("*.npy")).write_bytes(b"cut")
    with pytest.raises(UnreadableFile, match="remove that folder"):
        hidden(frames, again)


def test_a_fit_that_trims_goes_on_from_its_half(frames, tmp_path) -> None:
    pytest.importorskip("lightning")
    config = replace(CONFIG, steps=100, batch=1)
    taught: list[tuple[int, int, int]] = []
    run = replace(RUN, on_progress=lambda step: taught.append(step.done) if step.what == "training" else None)
    few = replace(config, steps=4)
    weights = trimming.learn(frames, (), few, run, folder=tmp_path)
    assert (tmp_path / "trimmed" / "trimmed.json").exists()
    assert taught == [1, 2, 3, 4]
    again = trimming.learn(frames, (), few, run, folder=tmp_path)
    assert taught == [1, 2, 3, 4]
    assert all(np.array_equal(weights[name], again[name]) for name in weights)
