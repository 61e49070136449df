"""The loop with a painter that paints the mean of what it is shown: what it makes can be told beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.methods.autopaint.candidates import dilated
from grisaille.methods.autopaint.config import AutoPaintConfig, CtShown
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.loop import (
    FURTHEST,
    SMOOTH_MM,
    FirstLook,
    first_look,
    judged,
    one_sided,
    paint_over,
    repaint,
)
from grisaille.methods.autopaint.norms import Norms
from grisaille.methods.autopaint.painting import Painter

pytestmark = pytest.mark.ai
pytest.importorskip("torch")

from plain_painter import LOG_SCALE, PlainInpainter  # noqa: E402 - needs torch

RUN = Run(device="cpu", threads=1)
CONFIG = AutoPaintConfig(slab=32, cells_mm=(24.0, 64.0, 96.0), rounds=3)
SMALL_CUBES = AutoPaintConfig(slab=32, cells_mm=(24.0, 64.0))
SHAPE = (32, 32, 32)
LESION = (slice(12, 17), slice(12, 17), slice(9, 14))
NORMS = Norms(np.ones(3), 3.0, 2.0, np.linspace(5, 1, 64))


def frame(*keys: str, lesion: float = 2.0) -> Frame:
    """A flat patient of 0.5 with one lesion in every modality."""
    body = np.zeros(SHAPE, bool)
    body[2:30, 4:28, 4:28] = True
    images = {key: np.where(body, 0.5, 0.0).astype(np.float32)[None].repeat(1 + (key == "ct"), 0) for key in keys}
    for image in images.values():
        image[:, *LESION] += lesion
    return Frame(Grid.from_spacing(SHAPE, 4.0), images, body)


def painter(config: AutoPaintConfig = CONFIG) -> Painter:
    return Painter(PlainInpainter(), config)


@pytest.mark.parametrize("keys", [("pet",), ("ct",), ("pet", "ct")])
def test_a_lesion_stands_out_by_its_excess_in_predicted_scales(keys: tuple[str, ...]) -> None:
    patient = frame(*keys)
    look = first_look(painter(), patient, CONFIG, RUN)
    assert look.key == keys[0]
    z, mean = look.combined(NORMS.spreads)
    there = np.zeros(SHAPE, bool)
    there[LESION] = True
    body = np.asarray(patient.body)
    excess = ndimage.gaussian_filter(there * 2 / np.exp(LOG_SCALE), SMOOTH_MM / 4.0)
    np.testing.assert_allclose(z[body], excess[body], atol=0.05 * excess.max())
    np.testing.assert_allclose(mean[0][body], 0.5, atol=0.05)
    assert (z[~body] == 0).all()


def test_a_painting_that_differs_between_modes_is_doubted_where_it_differs() -> None:
    import torch

    class Misled(PlainInpainter):
        """Paints 0.3 more wherever it is shown the CT of a PET's hole, in the left half."""

        def forward(self, images, hole, body, below):  # type: ignore[no-untyped-def]
            mean, log_scale = super().forward(images, hole, body)
            shown = (hole[:, :1].bool() & ~hole[:, 1:].bool()).flatten(1).any(1)
            left = torch.arange(images.shape[-1]) < images.shape[-1] // 2
            return mean + 0.3 * shown[:, None, None, None, None] * left, log_scale

    for keys, differing in ((("pet", "ct"), True), (("pet",), False)):
        patient = frame(*keys, lesion=0.0)
        alike = np.asarray(patient.body).copy()
        alike[..., :16] &= not differing
        look = first_look(Painter(Misled(), SMALL_CUBES), patient, SMALL_CUBES, RUN)
        assert look.doubt is not None
        assert look.doubt[alike].max() < 0.1
        if differing:
            inside = np.asarray(patient.body) & ~alike
            # Half of 0.3, in predicted scales, where both modes count alike.
            assert np.median(look.doubt[inside]) == pytest.approx(0.15 / np.exp(LOG_SCALE), rel=0.3)
            assert look.doubt[inside].max() < 0.16 / np.exp(LOG_SCALE)


def test_each_voxel_is_painted_with_the_ct_shown_and_with_it_hidden() -> None:
    import torch

    seen: list[torch.Tensor] = []

    class Watching(PlainInpainter):
        def forward(self, images, hole, body, below):  # type: ignore[no-untyped-def]
            seen.append(hole)
            return super().forward(images, hole, body)

    config = AutoPaintConfig(slab=32, cells_mm=(64.0,), batch=1)
    first_look(Painter(Watching(), config), frame("pet", "ct"), config, RUN)
    holes = torch.cat(seen).bool()  # (passes, 2, z, y, x)
    alone = (holes[:, 0] & ~holes[:, 1]).any(0)
    together = (holes[:, 0] & holes[:, 1]).any(0)
    assert alone.all()
    assert together.all()


@pytest.mark.parametrize(("passes", "expected"), [(2, 2 + 2), (5, 5 + 4), (8, 8 + 4)])
def test_no_more_checkerboards_are_painted_than_asked_and_still_every_voxel_is(passes: int, expected: int) -> None:
    network = PlainInpainter()
    config = replace(CONFIG, cells_mm=(24.0, 64.0), passes=passes)
    patient = frame("pet")
    look = first_look(Painter(network, config), patient, config, RUN)
    assert sum(shape[0] for shape in network.seen) == expected
    assert (look.means[:, 0, patient.body] != 0).all()


@pytest.mark.parametrize(("ct_shown", "share"), [(CtShown.ALWAYS, 1.0), (CtShown.BOTH, 0.5), (CtShown.NEVER, 0.0)])
def test_pet_is_judged_by_paintings_that_saw_the_ct_or_did_not_and_ct_only_by_those_that_did_not(
    ct_shown: CtShown, share: float
) -> None:
    class Telling(PlainInpainter):
        """Paints 1 where a hole of the PET is not one of the CT, else 0."""

        def forward(self, images, hole, body, below):  # type: ignore[no-untyped-def]
            hole = hole.bool()
            told = (hole[:, :1] & ~hole[:, 1:]).to(images.dtype)
            return told.expand_as(images), self.log_scale.expand_as(images)

    config = replace(SMALL_CUBES, ct_shown=ct_shown)
    one, patient = Painter(Telling(), config), frame("pet", "ct")
    first = first_look(one, patient, config, RUN).means[:, 0, patient.body]
    assert first.mean() == pytest.approx(share, abs=0.1)  # deep voxels count more
    over = paint_over(one, patient, np.asarray(patient.body), RUN, "")
    np.testing.assert_allclose(over["pet"].means()[0][:, patient.body], share)
    np.testing.assert_allclose(over["ct"].means()[0][:, patient.body], 0.0)
    alone = first_look(one, patient.only("pet"), config, RUN)  # there is no CT to show
    assert not alone.means.any()


def test_all_sizes_count_alike_each_in_its_own_spreads() -> None:
    distances = np.array([1.0, -4.0, 6.0, 2.0], np.float32).reshape(4, 1, 1, 1)
    means = np.array([10, 20, 30, 40], np.float32).reshape(4, 1, 1, 1, 1)
    z, mean = FirstLook("pet", distances, means).combined(np.array([1.0, 1.0, 2.0, 1.0]))
    assert z.item() == pytest.approx((1 - 4 + 3 + 2) / 4)
    assert mean.item() == 25.0


@pytest.mark.parametrize("key", ["pet", "ct"])
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_of_two_looks_the_one_nearer_to_healthy_counts(key: str, factor: float) -> None:
    patient = frame(key)
    look = first_look(painter(), patient, CONFIG, RUN)
    other = FirstLook(key, factor * look.distances, look.means)  # as if it had seen more, or less
    z, seen = other.combined(NORMS.spreads)[0], look.combined(NORMS.spreads)[0]
    painting = repaint(painter(), patient, other, NORMS, CONFIG, RUN)
    assert painting.hole.any()
    there = np.abs(seen) > NORMS.high
    assert there.any()
    assert (np.abs(painting.z[there]) <= np.abs(z[there])).all()
    least = np.minimum(np.abs(seen), np.abs(z))[there & painting.hole]
    np.testing.assert_allclose(np.abs(painting.z[there & painting.hole]), least, rtol=0.05)


def test_what_stood_out_is_painted_over_with_its_margin_and_nothing_else() -> None:
    patient = frame("pet", "ct")
    look = first_look(painter(), patient, CONFIG, RUN)
    painting = repaint(painter(), patient, look, NORMS, CONFIG, RUN)
    there = np.zeros(SHAPE, bool)
    there[LESION] = True
    margin = dilated(there, CONFIG.grow_mm, (4.0,) * 3) & patient.body
    assert painting.hole[margin].all()
    assert not painting.hole[~dilated(margin, SMOOTH_MM, (4.0,) * 3)].any()
    for key, healthy in painting.healthy.items():
        np.testing.assert_allclose(healthy[:, painting.hole], 0.5, atol=0.02)
        np.testing.assert_array_equal(healthy[:, ~painting.hole], patient.images[key][:, ~painting.hole])
    assert painting.z[there].min() > NORMS.low
    assert painting.z[~margin].max() < NORMS.high


def test_without_rounds_the_twin_is_painted_and_the_scores_stay() -> None:
    config = AutoPaintConfig(slab=32, cells_mm=(24.0, 64.0, 96.0), rounds=0)
    patient = frame("pet")
    look = first_look(painter(), patient, config, RUN)
    painting = repaint(painter(), patient, look, NORMS, config, RUN)
    np.testing.assert_array_equal(painting.z, look.combined(NORMS.spreads)[0])
    assert painting.hole.any()
    np.testing.assert_allclose(painting.healthy["pet"][:, painting.hole], 0.5, atol=0.02)


def test_a_patient_in_whom_nothing_stands_out_is_left_alone() -> None:
    patient = frame("pet", "ct", lesion=0.0)
    painting = repaint(painter(), patient, first_look(painter(), patient, CONFIG, RUN), NORMS, CONFIG, RUN)
    assert not painting.hole.any()
    for key, healthy in painting.healthy.items():
        np.testing.assert_array_equal(healthy, patient.images[key])


def test_cold_spots_count_in_ct_only_and_distances_end_somewhere() -> None:
    z = np.array([-4.0, 3.0], np.float32)
    np.testing.assert_array_equal(one_sided("pet", z), z)
    np.testing.assert_array_equal(one_sided("ct", z), [4.0, 3.0])
    far = first_look(painter(), frame("pet", lesion=500.0), CONFIG, RUN)
    assert np.abs(far.distances).max() == FURTHEST


def test_only_what_the_deciding_scan_covers_is_judged() -> None:
    patient = frame("pet", "ct")
    covered = np.ones(SHAPE, bool)
    covered[20:] = False
    key, body = judged(Frame(patient.grid, patient.images, patient.body, {"pet": covered}))
    assert key == "pet"
    np.testing.assert_array_equal(body, patient.body & covered)
    assert judged(frame("ct"))[0] == "ct"
