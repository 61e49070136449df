"""What the network practises on is a slab as it will be given, with nothing told that a scanner did not see."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from grisaille.core.grid import Grid
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.lessons import Lessons, collated, lesson

STILL = AutoPaintConfig(
    slab=32, lesson=16, misalignment_mm=0.0, suv_jitter=0.0, hidden_share=0.0, cut_share=0.0, organ_share=0.0
)


def frame(shape=(48, 32, 48), keys=("pet", "ct"), seed=0):
    """A body that gets narrower upwards; PET and CT are smooth and brightest on the left."""
    z, y, x = np.indices(shape)
    middle = (np.asarray(shape) - 1) / 2
    body = ((y - middle[1]) / 9) ** 2 + ((x - middle[2]) / (20 - z / 4)) ** 2 < 1
    rng = np.random.default_rng(seed)
    pet = (body * (0.5 + x / shape[2] + 0.2 * rng.random()))[None].astype(np.float16)
    ct = np.stack([body * 0.7, body * 0.4 + 0.2 * (x > middle[2]) * body]).astype(np.float16)
    images = {key: image for key, image in (("pet", pet), ("ct", ct)) if key in keys}
    return SimpleNamespace(
        grid=Grid.from_spacing(shape, 4.0),
        images=images,
        body=body,
        covered={key: np.ones(shape, dtype=bool) for key in images},
    )


def drawn(one, config=STILL, count=40):
    return [lesson(one, config, np.random.default_rng(number)) for number in range(count)]


def test_a_lesson_is_made_of_its_number_and_the_seed_alone():
    frames = [frame(seed=0), frame(seed=1)]
    one, other = Lessons(frames, STILL, seed=3)[17], Lessons(frames, STILL, seed=3)[17]
    assert all(np.array_equal(getattr(one, part), getattr(other, part)) for part in ("images", "hole", "present"))
    assert not np.array_equal(one.images, Lessons(frames, STILL, seed=4)[17].images)


def test_slabs_are_cut_for_the_network_around_the_middle_of_the_patient():
    for one in drawn(frame()):
        assert one.images.dtype == np.float32
        depth, height, width = one.body.shape[1:]
        assert depth == 16
        assert height % 16 == width % 16 == 0
        assert one.body.any()
        assert np.array_equal(one.body, one.body[..., ::-1])


def test_both_ends_of_the_body_are_practised_on():
    widths = [int(one.body[0].any(axis=(0, 1)).sum()) for one in drawn(frame())]
    assert max(widths) == 40
    assert min(widths) < 34


def test_pet_is_hidden_alone_or_with_the_ct():
    lessons = drawn(frame(), count=60)
    assert all(one.present.all() for one in lessons)
    alone = np.mean([not one.hole[1].any() for one in lessons])
    assert alone == pytest.approx(0.6, abs=0.15)
    assert all(np.array_equal(*one.hole) for one in lessons if one.hole[1].any())


@pytest.mark.parametrize(("key", "number", "channels"), [("pet", 0, slice(0, 1)), ("ct", 1, slice(1, 3))])
def test_what_a_study_lacks_is_hidden_everywhere_and_never_asked_for(key, number, channels):
    for one in drawn(frame(keys=(key,))):
        assert one.present[number].all()
        assert not one.present[1 - number].any()
        assert one.hole[1 - number].all()
        missing = np.delete(one.images, np.arange(3)[channels], axis=0)
        assert not missing.any()
    assert any(0 < one.hole[number].mean() < 1 for one in drawn(frame(keys=(key,))))


def test_a_modality_is_taken_away_now_and_then():
    lessons = drawn(frame(), replace(STILL, hidden_share=0.5), count=80)
    lacking = np.array([[not part.any() for part in one.present] for one in lessons])
    assert lacking.any(axis=1).mean() == pytest.approx(0.5, abs=0.15)
    assert lacking.any(axis=0).all()
    assert not lacking.all(axis=1).any()


def test_what_no_scanner_saw_is_a_hole_and_not_asked_for():
    one = frame()
    one.covered["pet"][:, :, :24] = False
    for seen in drawn(one):
        middle = seen.body.shape[-1] // 2
        assert seen.hole[0, ..., :middle].all()
        assert not seen.present[0, ..., :middle].any()
        assert seen.present[0, ..., middle:].all()


def test_pet_moves_against_ct_and_body_and_never_further_than_asked():
    moved = drawn(frame(), replace(STILL, misalignment_mm=8.0), count=60)
    shares = []
    for one in moved:
        shown = one.images[0] > 0.2
        overlap = (shown & one.body[0]).sum() / one.body.sum()
        shares.append(overlap)
        assert one.images[1][one.body[0]].min() > 0.5  # CT stays with its body
        grown = np.zeros_like(one.body[0])
        for by in np.ndindex(5, 5, 5):
            grown |= np.roll(one.body[0], np.subtract(by, 2), (0, 1, 2))
        assert not (shown & ~grown)[2:-2].any()
    assert min(shares) < 0.9
    assert np.mean(np.array(shares) > 0.999) > 0.3


def test_suv_is_scaled_as_suv_and_not_as_its_logarithm():
    still = frame()
    quiet = [np.random.default_rng(number) for number in range(10)]
    factors = []
    for rng in quiet:
        one = lesson(still, replace(STILL, suv_jitter=0.3), rng)
        inside = one.body[0]
        original = np.expm1(np.float32(still.images["pet"][0][16]).max())
        factors.append(np.expm1(np.quantile(one.images[0][inside], 0.999)) / original)
    assert 0.65 < min(factors) < 0.95
    assert 1.05 < max(factors) < 1.5


def test_smaller_slabs_get_air_around_them_and_keep_their_middle():
    lessons = [lesson(frame((48, 32, 48)), STILL, np.random.default_rng(0))]
    lessons.append(lesson(frame((16, 48, 32)), STILL, np.random.default_rng(1)))
    images, hole, body, present, _ = collated(lessons)
    assert images.shape[0] == hole.shape[0] == 2
    assert images.shape[2:] == hole.shape[2:] == body.shape[2:] == present.shape[2:]
    assert all(size % 16 == 0 for size in body.shape[2:])
    assert np.array_equal(body, body[..., ::-1])
    assert [int(part.sum()) for part in body] == [int(one.body.sum()) for one in lessons]


def test_a_collated_lesson_still_knows_where_the_scan_ends():
    config = replace(STILL, lesson=48)  # whole scans, their body up to the last slice
    lessons = [lesson(frame((height, 32, 48)), config, np.random.default_rng(0)) for height in (16, 48)]
    body, below = collated(lessons)[2], collated(lessons)[4]
    assert [int(np.flatnonzero(one.any(axis=(0, 2, 3)))[-1]) for one in body] == below.tolist()


def test_beyond_the_end_of_a_scan_there_is_nothing_and_nothing_is_asked():
    lessons = drawn(frame(), AutoPaintConfig(slab=32, lesson=16, hidden_share=0.0, misalignment_mm=0.0, cut_share=0.5))
    ends = []
    for one in lessons:
        gone = ~one.present[0].any(axis=(1, 2))
        assert not one.images[:, gone].any()
        assert not one.present[:, gone].any()
        assert one.hole[:, gone].all()
        assert not one.body[:, gone].any()
        assert one.present[:, ~gone].all()
        assert one.body[:, ~gone].any()
        assert np.diff(gone).sum() == gone.any()  # one end
        assert (~gone).sum() >= 8
        if gone[-1]:
            assert one.below == np.flatnonzero(~gone)[-1]
        ends.append((gone[0], gone[-1]))
    assert np.any(ends, axis=1).mean() == pytest.approx(0.5, abs=0.2)
    assert np.any(ends, axis=0).all()


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.25), (0.5, 0.575), (1.0, 1 - 0.75**8)])
def test_slabs_are_laid_around_the_hottest_of_eight_voxels(share, expected):
    height = (np.arange(48, dtype=np.float32)[:, None, None] / 48) * np.ones((48, 16, 16), np.float32)
    warmer_upwards = SimpleNamespace(
        grid=Grid.from_spacing(height.shape, 4.0),
        images={"pet": height[None]},
        body=np.ones(height.shape, dtype=bool),
        covered={"pet": np.ones(height.shape, dtype=bool)},
    )
    config = replace(STILL, lesson=16, organ_share=share)
    lessons = [lesson(warmer_upwards, config, np.random.default_rng(seed), noise=0.0) for seed in range(100)]
    upper = [one.images[0, 8].mean() >= 0.75 for one in lessons]
    assert np.mean(upper) == pytest.approx(expected, abs=0.1)
    assert all(one.below == 47 - round(48 * float(one.images[0, 0].mean())) for one in lessons)


def test_holes_lie_where_uptake_is_high_if_the_slab_does():
    def meeting(share):
        config = replace(STILL, organ_share=share)
        lessons = [lesson(frame(keys=("pet",)), config, np.random.default_rng(seed), noise=0.0) for seed in range(90)]
        small = [one for one in lessons if 0 < one.hole[0].mean() < 0.05]
        assert len(small) > 4
        hot = [one.body[0] & (one.images[0] > np.quantile(one.images[0][one.body[0]], 0.89)) for one in small]
        return np.mean([(one.hole[0] & part).any() for one, part in zip(small, hot, strict=True)])

    assert meeting(1.0) == 1
    assert meeting(0.0) < 0.9
