"""What is known to be sick is never shown, never learned and never counted."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from grisaille.core.errors import UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.imaging.resample import resample
from grisaille.methods.autopaint.cohort import split, tell_of_lesions
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame, ct_channels, log_suv
from grisaille.methods.autopaint.frame_cache import FrameCache
from grisaille.methods.autopaint.lessons import Lessons, collated
from grisaille.methods.autopaint.measuring import without_touching
from grisaille.methods.autopaint.withheld import MARGIN_MM, frame_without_lesions, near_lesions
from phantoms import small_cohort, small_phantom

CONFIG = AutoPaintConfig(spacing_mm=6.0, slab=32, width=4)


def turned(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], seed: int) -> Grid:
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag(spacing_mm)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spacing_mm", [(4.0, 4.0, 4.0), (0.8, 1.0, 0.7), (6.0, 2.5, 2.5)])
def test_all_within_the_margin_of_a_lesion_is_near_it_and_little_beyond(seed, spacing_mm) -> None:
    shape = tuple(int(60 / step) for step in spacing_mm)
    voxels = np.zeros(shape, np.uint8)
    rng = np.random.default_rng(seed)
    for number in range(1, 3):
        voxels[tuple(int(rng.integers(size)) for size in shape)] = number
    grid, frame = turned(shape, spacing_mm, seed), turned((20, 20, 20), (4.0, 4.0, 4.0), seed + 50)
    near = near_lesions(Labels(voxels, grid), frame)
    lesions, points = grid.to_mm(np.argwhere(voxels)), frame.to_mm(np.argwhere(np.ones(frame.shape)))
    distance = np.linalg.norm(points[:, None] - lesions, axis=-1).min(axis=1).reshape(frame.shape)
    assert near[distance <= MARGIN_MM + min(spacing_mm) / 2].all()
    blocks = np.array([max(1, int(2.0 / step)) * step for step in spacing_mm])  # as fine as masks are looked at
    assert not near[distance > MARGIN_MM + 2 * np.linalg.norm(blocks)].any()


def test_no_lesion_is_near_nothing() -> None:
    grid = Grid.from_spacing((4, 5, 6), 4.0)
    assert not near_lesions(Labels(np.zeros(grid.shape, np.uint8), grid), grid).any()


def sick() -> Case:
    return small_cohort(1, 5, lesions=2)[0]


def disfigured(case: Case) -> Study:
    """The same study with other values in each lesion."""
    study = case.load()
    changed = {}
    for key, volume in study.volumes.items():
        voxels = np.array(volume.voxels, dtype=np.float32)
        voxels[resample(case.truth, volume.grid).voxels > 0] = 9.0 if key == "pet" else 700.0
        changed[key] = volume.with_voxels(voxels)
    return Study(changed, study.patient)


@cache
def two_alike_but_for_the_lesions() -> tuple[Frame, Frame]:
    case = sick()
    frame = frame_without_lesions(Frame.of(case.load(), CONFIG), case)
    return replace(frame, images=images_on(case.load(), frame)), replace(
        frame, images=images_on(disfigured(case), frame)
    )


def images_on(study: Study, like: Frame) -> dict[str, np.ndarray]:
    return {
        "pet": log_suv(resample(study.pet, like.grid).voxels)[None],
        "ct": ct_channels(resample(study.ct, like.grid).voxels, CONFIG.windows),
    }


def test_a_known_lesion_is_never_shown_nor_learned() -> None:
    told_apart = False
    for number in range(24):
        first, second = (Lessons([frame], CONFIG, 3)[number] for frame in two_alike_but_for_the_lesions())
        np.testing.assert_array_equal(first.hole, second.hole)
        np.testing.assert_array_equal(first.present, second.present)
        hole, learned = first.hole[[0, 1, 1]], first.present[[0, 1, 1]]
        np.testing.assert_array_equal(np.where(hole, 0, first.images), np.where(hole, 0, second.images))
        np.testing.assert_array_equal(np.where(learned, first.images, 0), np.where(learned, second.images, 0))
        told_apart |= not np.array_equal(first.images, second.images)
    assert told_apart


@pytest.mark.ai
def test_not_even_the_mirror_shows_the_network_a_known_lesion() -> None:
    torch = pytest.importorskip("torch")
    from grisaille.methods.autopaint.inpainter import build, laplace_loss

    net = build(CONFIG)
    assert net.mirrored
    for number in range(2):
        results = []
        for frame in two_alike_but_for_the_lesions():
            images, hole, body, present, _ = map(torch.from_numpy, collated([Lessons([frame], CONFIG, 3)[number]]))
            mean, scale = net(images, hole, body)
            results.append((mean, laplace_loss(mean, scale, images, hole, body, present)))
        assert torch.equal(results[0][0], results[1][0])
        assert torch.equal(results[0][1], results[1][1])


def test_a_mask_of_elsewhere_is_refused() -> None:
    case = sick()
    affine = np.array(case.truth.grid.affine)
    affine[:3, 3] += 2000.0
    elsewhere = replace(case, truth=Labels(case.truth.voxels, Grid(case.truth.grid.shape, affine)))
    with pytest.raises(UnsuitableVolume, match="outside the body"):
        frame_without_lesions(Frame.of(case.load(), CONFIG), elsewhere)


def test_kept_frames_hide_the_lesions_too(tmp_path) -> None:
    case = sick()
    kept = FrameCache(tmp_path, CONFIG).keeping([case, replace(case, truth=None)], Run())
    hidden = near_lesions(case.truth, kept[0].grid)
    assert hidden.any()
    for key in ("pet", "ct"):
        assert not kept[0].covered[key][hidden].any()
        np.testing.assert_array_equal(kept[0].covered[key] | hidden, kept[1].covered[key] | hidden)


def test_the_promise_is_measured_on_healthy_patients_first() -> None:
    grid = Grid.from_spacing((2, 2, 2), 4.0)
    lesion = Labels(np.ones(grid.shape, np.uint8), grid)
    cases = [Case(small_phantom, name, lesion if name in "abcdefg" else None) for name in "abcdefghij"]
    for share, held in ((0.1, 1), (0.3, 3), (0.5, 5)):
        taught, kept = split(cases, share, seed=2)
        assert len(kept) == held
        assert sum(case.truth is None for case in kept) == min(held, 3)
        assert len(taught) == 10 - held
    notes: list[str] = []
    tell_of_lesions(split(cases, 0.3, 2)[1], Run(on_note=notes.append))
    assert not notes
    tell_of_lesions(split(cases, 0.5, 2)[1], Run(on_note=notes.append))
    assert "2 of the 5 patients" in notes[0]


def test_findings_that_reach_a_lesion_are_not_counted() -> None:
    labels = np.array([[[1, 1, 0, 2, 0, 3, 3]]], np.uint16)
    sick = np.zeros(labels.shape, bool)
    np.testing.assert_array_equal(without_touching(labels, sick), labels)
    sick[0, 0, 3] = True
    np.testing.assert_array_equal(without_touching(labels, sick), [[[1, 1, 0, 0, 0, 2, 2]]])
    sick[:] = True
    assert not without_touching(labels, sick).any()
