"""The preset: the published loop behind the same method, its promise kept apart from ours."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.errors import UnsuitableVolume
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.flows.detect import detect
from grisaille.methods.autopaint.config import AutoPaintConfig, Preset
from grisaille.methods.autopaint.method import AutoPaint
from grisaille.methods.autopaint.published.promise import marked, promises, scored
from phantoms import small_cohort, small_phantom

pytestmark = pytest.mark.ai
pytest.importorskip("torch")

from plain_painter import PlainInpainter  # noqa: E402 - needs torch

RUN = Run(device="cpu", threads=1)
CONFIG = AutoPaintConfig(spacing_mm=6.0, slab=32, width=4, cells_mm=(96.0,), rounds=1, preset=Preset.PUBLISHED)
OURS = replace(CONFIG, preset=Preset.GRISAILLE)


def hot(study: Study) -> Study:
    """Four times the SUV, or nothing in a coarse PET would pass the gates."""
    pet = study.volumes["pet"]
    return Study({**study.volumes, "pet": pet.with_voxels(4 * pet.voxels)}, study.patient)


def cohort() -> list[Case]:
    return [replace(case, load=partial(lambda one: hot(one.load()), case)) for case in small_cohort(1, 11)]


STUDY = hot(small_phantom(5).study)


@cache
def published() -> AutoPaint:
    """Calibrated on one chest."""
    method = AutoPaint(CONFIG, PlainInpainter(0.0), trained_on=("pet", "ct"), patients=3)  # type: ignore[arg-type]
    return method.calibrate(cohort(), RUN)


def test_the_promise_is_what_label_itself_makes_of_the_healthy() -> None:
    method = published()
    assert set(method.calibrations) == {"pet", "ct+pet"}
    assert any(promise.findings.any() for promise in method.calibrations.values())
    for number, case in enumerate(cohort()):
        anomaly = method.score(case.load(), RUN)
        promise = anomaly.calibration
        for asked in sorted(set(promise.expected(Per.SCAN)))[:3]:
            place = int(np.flatnonzero(promise.cuts == promise.cut(float(asked), Per.SCAN))[0])
            assert method.label(anomaly, float(asked), Per.SCAN).voxels.max() == promise.findings[number, place]


def test_only_what_was_painted_over_is_marked_even_for_a_share_of_the_body() -> None:
    method = replace(published(), config=replace(CONFIG, smallest_ml=0.0))
    anomaly = method.score(STUDY, RUN)
    assert "z" not in anomaly.extras  # which would be called healthy spreads
    painted = anomaly.extras["painted"].voxels.astype(bool) & anomaly.body
    assert 0 < painted.sum() < 0.5 * anomaly.body.sum()
    marked = method.label(anomaly, 0.001, Per.SHARE).voxels > 0
    assert marked.sum() == pytest.approx(0.001 * anomaly.body.sum(), abs=2)
    everything = method.label(anomaly, 1.0, Per.SHARE).voxels > 0
    np.testing.assert_array_equal(everything, painted)


@pytest.mark.parametrize("asked", [OURS, CONFIG])
def test_a_promise_of_the_other_preset_is_not_given(asked: AutoPaintConfig) -> None:
    measured_with = published().measured_with
    if asked is CONFIG:
        measured_with = {"rounds": 1.0, "delineation": 0.41, "grow_mm": 8.0, "smallest_ml": 0.3}
    notes: list[str] = []
    method = replace(published(), config=asked, measured_with=measured_with)
    anomaly = method.score(STUDY, Run(device="cpu", threads=1, on_note=notes.append))
    assert anomaly.calibration.source is CalibrationSource.NONE
    assert any("another preset" in note for note in notes)


def test_it_needs_pet() -> None:
    with pytest.raises(UnsuitableVolume, match="no PET"):
        published().score(Study({"ct": STUDY.volumes["ct"]}, "one"), RUN)


def test_a_study_that_the_gates_keep_out_is_spoken_of() -> None:
    notes: list[str] = []
    faint = small_phantom(5).study  # in a coarse PET nothing reaches SUV 9.6
    anomaly = published().score(faint, Run(device="cpu", threads=1, on_note=notes.append))
    assert not anomaly.extras["painted"].voxels.any()
    assert not published().label(anomaly, 0.01, Per.SHARE).voxels.any()
    assert any("gates" in note for note in notes)


def test_it_is_chosen_among_the_settings_and_survives_the_file() -> None:
    bundle = replace(published(), network=None).state()
    assert bundle.header["config"]["preset"] == "published"
    again = AutoPaint.from_state(bundle, {})
    assert again.config.preset is Preset.PUBLISHED
    assert set(again.calibrations) == {"pet", "ct+pet"}


def test_detect_marks_with_it() -> None:
    result = detect(STUDY, published(), false_positives=100.0, run=RUN)
    assert result.provenance.config["preset"] == "published"
    assert result.labels.voxels.any()


def test_a_promise_without_gates_is_of_scores_without_gates() -> None:
    painter, case = published().painter(), small_cohort(1, 11)[0]  # too faint for the gates
    study = Study({"pet": case.load().volumes["pet"]}, case.patient)
    shut, free = (
        scored(painter, study, CONFIG, Calibration.none(), RUN, gates=gates, step_mm=150.0) for gates in (True, False)
    )
    assert not shut.extras["painted"].voxels.any()
    assert free.extras["painted"].voxels.any()
    promise = promises(painter, CONFIG, [replace(case, load=lambda: study)], RUN, gates=False, step_mm=150.0)["pet"]
    found = [marked(free, float(cut), CONFIG.smallest_ml).max(initial=0) for cut in promise.cuts]
    np.testing.assert_array_equal(promise.findings[0], found)
    assert any(found)
