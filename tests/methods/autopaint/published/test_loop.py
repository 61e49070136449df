"""The published loop with a painter that paints the mean of what it is shown."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.errors import Cancelled, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame, ct_channels, log_suv
from grisaille.methods.autopaint.painting import Painter
from grisaille.methods.autopaint.published.discs import RADIUS_MM
from grisaille.methods.autopaint.published.loop import published_score

pytestmark = pytest.mark.ai
pytest.importorskip("torch")

from plain_painter import PlainInpainter  # noqa: E402 - needs torch

RUN = Run(device="cpu", threads=1)
CONFIG = AutoPaintConfig(slab=32, spacing_mm=6.0)
SHAPE = (48, 32, 32)
LESION = (slice(20, 27), slice(14, 19), slice(10, 15))
BACKGROUND = 1.0


def frame(*keys: str, lesion_suv: float = 14.0) -> Frame:
    """A patient of SUV 1 and 0 HU with one lesion, and a hole of air in it."""
    body = np.zeros(SHAPE, bool)
    body[8:40, 4:28, 4:28] = True
    pet, ct = np.where(body, BACKGROUND, 0.0), np.where(body, 0.0, -1000.0)
    pet[LESION] = lesion_suv
    ct[22:26, 17:20, 15:18] = -1000
    images = {"pet": log_suv(pet)[None], "ct": ct_channels(ct, CONFIG.windows)}
    return Frame(Grid.from_spacing(SHAPE, 6.0), {key: images[key] for key in keys}, body)


def painter() -> tuple[Painter, PlainInpainter]:
    network = PlainInpainter()
    return Painter(network, CONFIG), network


@pytest.mark.parametrize("gates", [True, False])
def test_a_hot_lesion_is_painted_over_and_what_it_has_more_is_the_residual(gates: bool) -> None:
    patient = frame("pet", "ct")
    look = published_score(painter()[0], patient, CONFIG, RUN, gates=gates)
    there = np.zeros(SHAPE, bool)
    there[LESION] = True
    assert look.hole[there].all()
    np.testing.assert_allclose(look.residual[there], 14 - BACKGROUND, atol=0.6)
    assert np.abs(look.residual[look.hole & ~there]).max() < 0.6
    assert (look.residual[~look.hole] == 0).all()
    assert not look.hole[~patient.body].any()
    assert not look.hole[22:26, 17:20, 15:18].any()  # air
    for key, image in patient.images.items():
        np.testing.assert_array_equal(look.healthy[key][:, ~look.hole], image[:, ~look.hole])
        assert (look.healthy[key][:, look.hole] != image[:, look.hole]).any()


@pytest.mark.parametrize("lesion_suv", [5.0, 9.0])
def test_lesions_below_the_gates_are_out_of_reach_with_them_only(lesion_suv: float) -> None:
    patient = frame("pet", lesion_suv=lesion_suv)
    gated, network = painter()
    look = published_score(gated, patient, CONFIG, RUN, gates=True)
    assert not look.hole.any()
    assert look.evaluations == 0
    assert not network.seen
    assert published_score(painter()[0], patient, CONFIG, RUN, gates=False).residual[LESION].min() > lesion_suv - 2


def test_evaluations_are_the_slabs_that_went_through_the_network() -> None:
    for gates in (True, False):
        counted, network = painter()
        look = published_score(counted, frame("pet"), CONFIG, RUN, gates=gates)
        assert look.evaluations == sum(shape[0] for shape in network.seen) > 0


def test_a_disc_is_a_cylinder_as_high_as_wide_through_pet_and_ct() -> None:
    import torch

    seen: list[torch.Tensor] = []

    class Watching(PlainInpainter):
        def forward(self, images, hole, body, below):  # type: ignore[no-untyped-def]
            seen.append(hole.bool())
            return super().forward(images, hole, body)

    published_score(Painter(Watching(), CONFIG), frame("pet", "ct"), CONFIG, RUN, gates=True)
    holes = torch.cat(seen)  # (passes, 2, z, y, x)
    assert torch.equal(holes[:, 0], holes[:, 1])
    one = holes[0, 0].numpy()
    height, depth = (np.ptp(np.flatnonzero(one.any(axis=axes))) + 1 for axes in ((1, 2), (0, 2)))
    assert height * 6 == pytest.approx(2 * RADIUS_MM, abs=12)
    assert depth * 6 == pytest.approx(2 * RADIUS_MM, abs=12)
    assert (one[one.any(axis=(1, 2))] == one.any(axis=0)).all()


def test_it_is_the_same_again_and_leaves_the_patient_as_it_was() -> None:
    patient = frame("pet", "ct")
    before = {key: image.copy() for key, image in patient.images.items()}
    first, second = (published_score(painter()[0], patient, CONFIG, RUN, gates=True) for _ in range(2))
    np.testing.assert_array_equal(first.residual, second.residual)
    for key, image in before.items():
        np.testing.assert_array_equal(patient.images[key], image)


def test_no_pet_no_discs() -> None:
    with pytest.raises(UnsuitableVolume, match="no PET"):
        published_score(painter()[0], frame("ct"), CONFIG, RUN, gates=True)


def test_cancelling_comes_through() -> None:
    cancelled, network = painter()
    run = Run(device="cpu", threads=1, is_cancelled=lambda: len(network.seen) >= 2)
    with pytest.raises(Cancelled):
        published_score(cancelled, frame("pet"), CONFIG, run, gates=False)
    assert len(network.seen) == 2


def test_a_slab_is_painted_with_the_top_of_the_whole_scan_in_mind() -> None:
    told: list[tuple[float, float]] = []

    class Watching(PlainInpainter):
        def forward(self, images, hole, body, below):  # type: ignore[no-untyped-def]
            told.extend(zip(images[:, 1, 0, 0, 0].tolist(), below.tolist(), strict=True))
            return super().forward(images, hole, body)

    patient = frame("pet", "ct")
    ct = patient.images["ct"].copy()
    ct[0, :, 0, 0] = np.arange(SHAPE[0])  # in the air, the number of the slice
    numbered = Frame(patient.grid, {**patient.images, "ct": ct}, patient.body)
    published_score(Painter(Watching(), CONFIG), numbered, CONFIG, RUN, gates=True)  # type: ignore[arg-type]
    assert {first + below for first, below in told} == {39.0}
    assert len({first for first, _ in told}) > 1
