"""A region painted over again: new inside it and its margin, the same bits outside."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.errors import Cancelled, InputError, ShapeError
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.run import Progress, Run
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.imaging.findings import find_findings
from grisaille.methods.autopaint.again import LastFrame
from grisaille.methods.autopaint.candidates import dilated
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.method import AutoPaint
from grisaille.methods.autopaint.norms import SHARES, Norms
from grisaille.methods.base import Repaintable

pytestmark = pytest.mark.ai
pytest.importorskip("torch")

from plain_painter import PlainInpainter  # noqa: E402 - needs torch

RUN = Run(device="cpu", threads=1)
CONFIG = AutoPaintConfig(spacing_mm=6.0, slab=32, width=4, cells_mm=(48.0,), rounds=1)
GRID = Grid.from_spacing((64, 40, 40), (6.0, 5.0, 5.0))
WARM = (slice(40, 44), slice(16, 21), slice(12, 17))
"""Warmer than its surroundings, but not by enough to be a candidate."""


@cache
def method() -> AutoPaint:
    """Its norms and promise are given, so that what it finds can be told beforehand."""
    norms = Norms(np.array([0.3]), 3.0, 2.0, np.linspace(6.0, 1.0, SHARES.size))
    cuts, findings = np.array([2.0, 4.0, 50.0]), np.array([[5.0, 0.0, 0.0]])
    promise = Calibration(CalibrationSource.SYNTHETIC, cuts, findings, findings / 100, body_voxels=50_000, patients=1)
    return AutoPaint(
        CONFIG,
        PlainInpainter(0.0),  # type: ignore[arg-type]
        trained_on=("pet", "ct"),
        norms={"ct+pet": norms},
        calibrations={"ct+pet": promise},
        patients=3,
    )


@cache
def study() -> Study:
    """A cylinder of SUV 1 and 40 HU with a hot ball, and a warm box far from it."""
    z, y, x = np.indices(GRID.shape)
    body = ((y - 20) / 17) ** 2 + ((x - 20) / 17) ** 2 < 1
    ball = (z - 12) ** 2 + (y - 20) ** 2 + (x - 26) ** 2 < 12
    suv = np.where(body, 1.0, 0.0) + 30.0 * ball
    suv[WARM] += 2.0
    suv += np.random.default_rng(0).normal(0, 0.02, GRID.shape) * body
    pet = Volume(suv.astype(np.float32), GRID, Modality.PET, Unit.SUVBW)
    fine = Grid.from_spacing((128, 80, 80), (3.0, 2.5, 2.5))
    near = np.repeat(np.repeat(np.repeat(body, 2, 0), 2, 1), 2, 2)
    ct = Volume(np.where(near, 40, -1000).astype(np.int16), fine, Modality.CT, Unit.HU)
    return Study.of(pet, ct)


@cache
def result() -> AnomalyMap:
    return method().score(study(), RUN)


def region() -> np.ndarray:
    there = np.zeros(GRID.shape, bool)
    there[WARM] = True
    return there


@cache
def again() -> AnomalyMap:
    return method().repaint(study(), result(), region(), RUN)


def twin_pet(anomaly: AnomalyMap) -> np.ndarray:
    assert anomaly.healthy is not None
    assert anomaly.healthy.pet is not None
    return np.asarray(anomaly.healthy.pet.voxels)


def test_what_the_run_left_is_painted_over_in_the_twin_and_its_z() -> None:
    assert isinstance(method(), Repaintable)
    assert not result().extras["painted"].voxels[WARM].any(), "else this test shows nothing"
    assert twin_pet(result())[WARM].mean() > 2.8
    assert twin_pet(again())[WARM].mean() < 1.6
    assert again().extras["painted"].voxels[WARM].all()
    assert (again().extras["residual"].voxels[WARM] > 1.0).all()
    assert again().extras["z"].voxels[WARM].min() > 0


def test_outside_the_region_and_its_margin_every_bit_stays() -> None:
    margin = CONFIG.grow_mm + 2 * CONFIG.spacing_mm * np.sqrt(3)  # two voxels of the frame: rounding and interpolation
    far = ~dilated(region(), margin, GRID.spacing_mm)
    pairs = [(result().scores, again().scores)]
    pairs += [(one.voxels, again().extras[key].voxels) for key, one in result().extras.items()]
    pairs += [(twin_pet(result()), twin_pet(again()))]
    for before, after in pairs:
        assert before[far].tobytes() == after[far].tobytes()
    assert again().slice_scores.values[:30].tobytes() == result().slice_scores.values[:30].tobytes()
    assert result().healthy is not None
    assert again().healthy is not None
    ct, repainted = result().healthy.ct, again().healthy.ct  # type: ignore[union-attr]
    assert ct is not None
    assert repainted is not None
    assert ct.voxels[:64].tobytes() == repainted.voxels[:64].tobytes()
    assert repainted.voxels.dtype == np.int16
    assert again().measures is result().measures
    assert again().calibration is result().calibration


def test_the_same_region_gives_the_same_again_and_the_result_stays_as_it_was() -> None:
    before = {key: one.voxels.copy() for key, one in result().extras.items()}
    second = method().repaint(study(), result(), region(), RUN)
    np.testing.assert_array_equal(second.scores, again().scores)
    np.testing.assert_array_equal(twin_pet(second), twin_pet(again()))
    for key, voxels in before.items():
        np.testing.assert_array_equal(result().extras[key].voxels, voxels)


def test_the_frame_of_the_study_scored_last_is_made_once() -> None:
    last, made = LastFrame(), partial(Frame.of, config=CONFIG)
    frame = last.of(study(), made)
    assert last.of(Study(study().volumes, "the same volumes"), made) is frame
    alone = Study({"pet": study().volumes["pet"]})
    assert set(last.of(alone, made).images) == {"pet"}
    assert last.of(study(), made) is not frame


def test_only_slabs_that_meet_the_region_are_painted() -> None:
    painter = replace(method(), network=PlainInpainter(0.0))
    painter.repaint(study(), result(), region(), RUN)
    few = sum(shape[0] for shape in painter.network.seen)  # type: ignore[union-attr]
    everywhere = np.ones(GRID.shape, bool)
    painter.repaint(study(), result(), everywhere, RUN)
    all_of_them = sum(shape[0] for shape in painter.network.seen) - few  # type: ignore[union-attr]
    assert 0 < few < all_of_them


def test_the_hot_ball_is_hidden_while_its_neighbour_is_painted() -> None:
    """Else a network that fills holes from what it is shown would fill one lesion from another."""
    hottest: list[float] = []

    class Watching(PlainInpainter):
        def forward(self, images, hole, body, below):  # type: ignore[no-untyped-def]
            hottest.append(float((images[:, :1] * ~hole[:, :1].bool()).max()))
            return super().forward(images, hole, body)

    beside = np.zeros(GRID.shape, bool)
    beside[12:16, 18:22, 8:12] = True
    replace(method(), network=Watching(0.0)).repaint(study(), result(), beside, RUN)
    assert max(hottest) < np.log1p(5.0)


def test_findings_tell_peak_z_tail_and_confidence_and_follow_the_repaint() -> None:
    labels = method().label(result(), 1.0, Per.SCAN)
    painted = np.where(region(), np.uint16(9), labels.voxels)
    before, after = (
        {one.label: one for one in find_findings(Labels(painted, GRID), study(), anomaly)}
        for anomaly in (result(), again())
    )
    assert set(before[1].extra) == {"peak_z", "healthy_tail", "confidence"}
    assert before[1].extra == after[1].extra
    assert before[1].extra["peak_z"] == pytest.approx(result().extras["z"].voxels[labels.voxels == 1].max())
    norms, scans = method().norms["ct+pet"], method().calibrations["ct+pet"]
    assert before[1].extra["healthy_tail"] == pytest.approx(1 / (scans.body_voxels + 1)), "rarer than measured"
    (tail,) = [one for one in result().measures if one.name == "healthy_tail"]
    assert tail.write(before[1].extra["healthy_tail"]).startswith("< ")
    assert tail.curve is not None
    assert tail.curve(float(norms.tail[40])) == pytest.approx(SHARES[40])
    assert 0 < before[1].extra["confidence"] <= 1
    assert before[9].extra["peak_z"] != after[9].extra["peak_z"]


def test_regions_that_cannot_be_painted_are_refused_with_a_sentence() -> None:
    air = np.zeros(GRID.shape, bool)
    air[:, 0, 0] = True
    for nothing in (air, np.zeros(GRID.shape, bool)):
        with pytest.raises(InputError, match="nothing of the body"):
            method().repaint(study(), result(), nothing, RUN)
    with pytest.raises(ShapeError, match="region"):
        method().repaint(study(), result(), region()[1:], RUN)
    with pytest.raises(InputError, match="only a result of AutoPaint"):
        method().repaint(study(), replace(result(), extras={}, measures=()), region(), RUN)


def test_it_tells_its_progress_and_can_be_cancelled() -> None:
    told: list[Progress] = []
    run = Run(device="cpu", threads=1, on_progress=told.append)
    method().repaint(study(), result(), region(), run)
    assert {one.what for one in told} == {"painting over the region again"}
    with pytest.raises(Cancelled):
        method().repaint(study(), result(), region(), replace(run, is_cancelled=lambda: True))
