"""The SUV of muscle follows the scanner's scale and nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from grisaille.core.errors import ConfigError, UnsuitableVolume
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.methods.autopaint.cohort import usual_muscle
from grisaille.methods.autopaint.config import AutoPaintConfig, SuvReference
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.reference import factor, muscle_suv
from phantoms import small_phantom

CONFIG = AutoPaintConfig(spacing_mm=6.0, slab=32, width=4, cells_mm=(96.0,), rounds=1)
RUN = Run(device="cpu", threads=1)


def hotter(study: Study, by: float) -> Study:
    pet = study.pet.with_voxels(np.asarray(study.pet.voxels, dtype=np.float32) * np.float32(by))
    return Study({**study.volumes, "pet": pet}, study.patient)


@cache
def measured(seed: int, by: float = 1.0, lesions: int = 2, keys: tuple[str, ...] = ("pet", "ct")) -> float | None:
    study = hotter(small_phantom(seed, lesions).study, by)
    return muscle_suv(Frame.of(Study({key: study.volumes[key] for key in keys}), CONFIG), CONFIG.windows)


@pytest.mark.parametrize("by", [0.6, 1.3])
@pytest.mark.parametrize("keys", [("pet", "ct"), ("pet",)])
def test_it_grows_as_suv_grow(by, keys) -> None:
    for seed in range(2):
        assert measured(seed, by, 2, keys) == pytest.approx(by * measured(seed, 1.0, 2, keys), rel=0.03)


def test_lesions_do_not_move_it() -> None:
    assert measured(0, 1.0, 3) == pytest.approx(measured(0, 1.0, 0), rel=0.05)


def test_nothing_is_measured_where_there_is_nothing() -> None:
    assert measured(0, 1.0, 2, ("ct",)) is None
    frame = Frame.of(small_phantom(0).study, CONFIG)
    assert muscle_suv(replace(frame, body=np.zeros_like(frame.body)), CONFIG.windows) is None


def test_a_scale_no_scanner_has_is_refused() -> None:
    assert factor(0.5, 0.75) == pytest.approx(1.5)
    with pytest.raises(UnsuitableVolume, match="weight, dose and unit"):
        factor(800.0, 0.75)
    with pytest.raises(UnsuitableVolume, match="too little muscle"):
        factor(None, 0.75)


def test_the_cohort_is_known_with_and_without_ct() -> None:
    frames = [Frame.of(small_phantom(seed).study, CONFIG) for seed in range(2)]
    usual = usual_muscle(frames, CONFIG.windows)
    assert usual["ct+pet"] == pytest.approx(np.median([measured(seed) for seed in range(2)]))
    assert usual["pet"] == pytest.approx(np.median([muscle_suv(one.only("pet"), CONFIG.windows) for one in frames]))
    assert usual_muscle([one.only("ct") for one in frames], CONFIG.windows) == {}


@pytest.mark.ai
class TestScoring:
    """With a painter that needs no training, as ``test_method`` does."""

    @pytest.fixture
    def method(self):
        pytest.importorskip("torch")
        from grisaille.methods.autopaint.method import AutoPaint
        from plain_painter import PlainInpainter

        config = replace(CONFIG, suv_reference=SuvReference.MUSCLE)
        return AutoPaint(config, PlainInpainter(), trained_on=("pet", "ct"), muscle={"ct+pet": 0.7, "pet": 0.7})

    def test_another_scale_gives_the_same_scores_and_a_twin_in_its_own_suv(self, method) -> None:
        study = small_phantom(5).study
        plain, scaled = method.score(study, RUN), method.score(hotter(study, 1.3), RUN)
        off = np.abs(scaled.scores - plain.scores)[plain.body]
        untreated = replace(method, config=CONFIG)
        raw = np.abs(untreated.score(hotter(study, 1.3), RUN).scores - untreated.score(study, RUN).scores)[plain.body]
        # The body in the PET is another at another scale, and with it the frame's corner, with and without scaling.
        assert np.median(off) < 0.5 * np.median(raw)
        there = np.abs(plain.extras["residual"].voxels) > 0.5
        ratio = scaled.extras["residual"].voxels[there] / plain.extras["residual"].voxels[there]
        assert np.median(ratio) == pytest.approx(1.3, rel=0.05)
        painted = (plain.extras["painted"].voxels > 0) & (scaled.extras["painted"].voxels > 0)
        twins = [one.healthy.pet.voxels[painted].mean() for one in (plain, scaled)]
        assert twins[1] == pytest.approx(1.3 * twins[0], rel=0.05)
        outside = ~(scaled.extras["painted"].voxels > 0)
        np.testing.assert_array_equal(scaled.healthy.pet.voxels[outside], hotter(study, 1.3).pet.voxels[outside])

    def test_ct_alone_is_scored_as_ever(self, method) -> None:
        ct = Study.of(small_phantom(5).study.ct)
        untreated = replace(method, config=CONFIG)
        np.testing.assert_array_equal(method.score(ct, RUN).scores, untreated.score(ct, RUN).scores)

    def test_a_model_that_does_not_know_its_patients_muscle_says_so(self, method) -> None:
        with pytest.raises(ConfigError, match="suv_reference to none"):
            replace(method, muscle={}).score(small_phantom(5).study, RUN)

    def test_a_promise_measured_otherwise_is_spoken_of(self, method) -> None:
        notes: list[str] = []
        calibrated = replace(method, measured_with={})
        calibrated.score(small_phantom(5).study, replace(RUN, on_note=notes.append))
        assert any("SUV reference" in note for note in notes)
