"""Slabs, and what is painted in them, whatever the memory allows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grisaille.core.errors import Cancelled
from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.lessons import Lesson, collated, lesson
from grisaille.methods.autopaint.painting import Hole, Painter, Sums, all_channels, slabs

pytestmark = pytest.mark.ai
torch = pytest.importorskip("torch")

from grisaille.methods.autopaint.inpainter import build  # noqa: E402 - needs torch
from plain_painter import PlainInpainter  # noqa: E402 - needs torch

RUN = Run(device="cpu", threads=1)
CONFIG = AutoPaintConfig(slab=16, batch=2)
SHAPE = (48, 32, 32)


def frame(*keys: str) -> Frame:
    rng = np.random.default_rng(0)
    body = np.zeros(SHAPE, bool)
    body[4:44, 8:24, 6:26] = True
    channels = {"pet": 1, "ct": 2}
    images = {key: rng.random((channels[key], *SHAPE), np.float32) for key in keys}
    return Frame(Grid.from_spacing(SHAPE, 4.0), images, body)


def hole(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE) < 0.5


@given(
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)),
    depth=st.sampled_from([16, 32, 48]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_slabs_hold_the_whole_body_and_are_centred_and_divisible(
    sizes: tuple[int, int, int], depth: int, seed: int
) -> None:
    shape = tuple(16 * size for size in sizes)
    rng = np.random.default_rng(seed)
    body = np.zeros(shape, bool)
    low = [int(rng.integers(0, size)) for size in shape]
    high = [int(rng.integers(start + 1, size + 1)) for start, size in zip(low, shape, strict=True)]
    body[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    weight = np.zeros(shape)
    for slab in slabs(body, depth, 4.0):
        z, _, x = slab.box
        assert body[z].any()
        assert x.start + x.stop == shape[2]  # mirrored by flipping
        assert all((side.stop - side.start) % 16 == 0 for side in slab.box)
        assert z.stop - z.start <= depth
        assert slab.share.min() > 0
        weight[slab.box] += slab.share
    assert (weight[body] > 0).all()


def test_what_is_painted_comes_back_to_its_place() -> None:
    patient = frame("pet", "ct")
    painter = Painter(PlainInpainter(), CONFIG)
    sums = Sums.empty(1, SHAPE)
    hidden = hole()
    for patch in painter.paint(patient, [Hole(hidden, hidden)], RUN, "painting"):
        sums.add(patch, slice(0, 1), np.ones(patch.mean.shape[1:], np.float32))
    mean, log_scale = sums.means()
    shown = patient.body & ~hidden
    expected = patient.images["pet"][0][shown].mean()
    np.testing.assert_allclose(mean[0][patient.body], expected, atol=0.03)  # slabs differ by their noise
    np.testing.assert_allclose(log_scale[0][patient.body], -1.5, rtol=1e-5)
    assert (mean[:, sums.weight == 0] == 0).all()


def test_what_a_hole_hides_changes_nothing() -> None:
    patient = frame("pet", "ct")
    hidden = hole()
    changed = {key: np.where(hidden, 77, image).astype(np.float32) for key, image in patient.images.items()}
    other = Frame(patient.grid, changed, patient.body)
    painter = Painter(PlainInpainter(), CONFIG)
    first, second = (
        [patch.mean for patch in painter.paint(one, [Hole(hidden, hidden)], RUN, "")] for one in (patient, other)
    )
    np.testing.assert_array_equal(first, second)


def test_a_missing_modality_is_a_hole_everywhere() -> None:
    seen: list[torch.Tensor] = []

    class Watching(PlainInpainter):
        def forward(self, images, hole, body, below):  # type: ignore[no-untyped-def]
            seen.append(hole)
            return super().forward(images, hole, body)

    nothing = np.zeros(SHAPE, bool)
    list(Painter(Watching(), CONFIG).paint(frame("pet"), [Hole(hole(), nothing)], RUN, ""))
    assert all((holes[:, 1] == 1).all() for holes in seen)
    assert not all((holes[:, 0] == 1).all() for holes in seen)


def test_what_lies_beyond_a_scan_is_a_hole() -> None:
    patient = frame("pet", "ct")
    covered = np.ones(SHAPE, bool)
    covered[24:] = False
    cut = Frame(patient.grid, patient.images, patient.body, {"pet": covered})
    changed = {"ct": patient.images["ct"], "pet": np.where(covered, patient.images["pet"], np.float32(99))}
    other = Frame(patient.grid, changed, patient.body, {"pet": covered})
    nothing = np.zeros(SHAPE, bool)
    painter = Painter(PlainInpainter(), CONFIG)
    first, second = (
        [patch.mean for patch in painter.paint(one, [Hole(hole(), nothing)], RUN, "")] for one in (cut, other)
    )
    np.testing.assert_array_equal(first, second)


def test_slabs_that_a_hole_does_not_meet_are_skipped() -> None:
    network = PlainInpainter()
    small = np.zeros(SHAPE, bool)
    small[6, 12, 12] = True
    everything = np.ones(SHAPE, bool)
    patient = frame("pet")
    whole = list(Painter(network, CONFIG).paint(patient, [Hole(everything, everything)], RUN, ""))
    one = list(Painter(network, CONFIG).paint(patient, [Hole(small, small)], RUN, ""))
    assert 0 < len(one) < len(whole)
    nowhere = Hole(np.zeros(SHAPE, bool), np.zeros(SHAPE, bool))
    assert not list(Painter(network, CONFIG).paint(patient, [nowhere], RUN, ""))


def test_cancelling_comes_through_before_the_next_batch() -> None:
    network = PlainInpainter()
    run = Run(device="cpu", threads=1, is_cancelled=lambda: len(network.seen) >= 2)
    everything = np.ones(SHAPE, bool)
    with pytest.raises(Cancelled):
        list(Painter(network, CONFIG).paint(frame("pet"), [Hole(everything, everything)] * 4, run, ""))
    assert len(network.seen) == 2


def test_a_lack_of_memory_halves_the_batch_and_gives_the_same() -> None:
    class Scarce(PlainInpainter):
        def forward(self, images, hole, body, below):  # type: ignore[no-untyped-def]
            if len(images) > 1:
                raise torch.OutOfMemoryError("out of memory")
            return super().forward(images, hole, body)

    notes: list[str] = []
    run = Run(device="cpu", threads=1, on_note=notes.append)
    holes = [Hole(hole(seed), hole(seed)) for seed in range(3)]
    patient = frame("pet", "ct")
    scarce = list(Painter(Scarce(), CONFIG).paint(patient, holes, run, ""))
    plain = list(Painter(PlainInpainter(), CONFIG).paint(patient, holes, RUN, ""))
    assert [patch.hole for patch in scarce] == [patch.hole for patch in plain]
    for one, other in zip(scarce, plain, strict=True):
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-5)
    assert len(notes) == 1


def test_channels_of_a_missing_modality_are_empty() -> None:
    patient = frame("ct")
    channels = all_channels(patient)
    assert not channels[0].any()
    np.testing.assert_array_equal(channels[1:], patient.images["ct"])


def scan_of(one: Lesson, patient: Frame, start: int) -> tuple[Frame, Hole]:
    """The patient as a scanner saw it that reached as far as the lesson tells, and the lesson's hole there."""
    reached, hidden = np.ones(SHAPE[0], bool), np.zeros((2, *SHAPE), bool)
    seen = one.present[0].any(axis=(1, 2))
    if not seen[-1]:
        reached[start + int(seen.sum()) :] = False
    if not seen[0]:
        reached[: start + int((~seen).sum())] = False
    hidden[:, start : start + len(seen)] = one.hole
    covered = np.broadcast_to(reached[:, None, None], SHAPE)
    images = {key: image * covered for key, image in patient.images.items()}
    return Frame(patient.grid, images, patient.body & covered, dict.fromkeys(images, covered)), Hole(*hidden)


@pytest.mark.parametrize("cut_share", [0.0, 1.0])
def test_an_axial_network_paints_a_lesson_as_it_paints_that_slab_of_the_scan(cut_share: float) -> None:
    config = AutoPaintConfig(
        width=4, slab=16, lesson=16, batch=1, axial=True, hidden_share=0.0, cut_share=cut_share, organ_share=0.0
    )
    patient, network, compared = frame("pet", "ct"), build(config, seed=1).eval(), 0
    still = replace(config, misalignment_mm=0.0, suv_jitter=0.0)
    starts = {slab.box[0].start for slab in slabs(patient.body, 16, 4.0)}
    for seed in range(30):
        one = lesson(patient, still, np.random.default_rng(seed), noise=0.0)
        middle = int(np.flatnonzero(one.present[0].any(axis=(1, 2)))[3])
        off = np.abs(patient.images["ct"] - one.images[1:, middle, None]).sum(axis=(0, 2, 3))
        start = int(off.argmin()) - middle
        if start not in starts or compared == 3:
            continue
        scan, hidden = scan_of(one, patient, start)
        with torch.inference_mode():
            images, holes, body, _, below = map(torch.from_numpy, collated([one]))
            expected = network(images, holes, body, below)
        for patch in Painter(network, config).paint(scan, [hidden], RUN, ""):
            if patch.slab.box[0].start == start:
                compared += 1
                np.testing.assert_allclose(patch.mean, expected[0][0], atol=1e-4)
                np.testing.assert_allclose(patch.log_scale, expected[1][0], atol=1e-4)
    assert compared == 3


def test_a_scan_without_a_body_is_left_alone() -> None:
    nobody = replace(frame("pet"), body=np.zeros(SHAPE, bool))
    everything = np.ones(SHAPE, bool)
    assert not list(Painter(PlainInpainter(), CONFIG).paint(nobody, [Hole(everything, everything)], RUN, ""))
