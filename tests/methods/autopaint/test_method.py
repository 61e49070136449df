"""What AutoPaint promises beyond the laws of all methods; most of it with a painter that needs no training."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from grisaille.core.calibration import CalibrationSource, Per
from grisaille.core.errors import ConfigError, DamagedWeights, InputError, UnsuitableVolume, WeightsMismatch
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.flows.load import load_method, save_method
from grisaille.methods.autopaint.config import AutoPaintConfig, CtShown, Preset
from grisaille.methods.autopaint.measuring import drawing, measure, promise_of
from grisaille.methods.autopaint.method import AutoPaint, split
from grisaille.methods.mvg.config import MvgConfig
from grisaille.weights.bundle import Bundle
from phantoms import small_cohort, small_phantom

pytestmark = pytest.mark.ai
pytest.importorskip("torch")

from grisaille.methods.autopaint.inpainter import build  # noqa: E402 - needs torch
from plain_painter import PlainInpainter  # noqa: E402 - needs torch

RUN = Run(device="cpu", threads=1)
CONFIG = AutoPaintConfig(spacing_mm=6.0, slab=32, width=4, cells_mm=(48.0, 96.0), rounds=1)


@cache
def plain() -> AutoPaint:
    """Calibrated on two chests, with a painter that paints means."""
    method = AutoPaint(CONFIG, PlainInpainter(0.0), trained_on=("pet", "ct"), patients=3)  # type: ignore[arg-type]
    return method.calibrate(small_cohort(2, 11), RUN)


def test_the_promise_is_what_label_itself_makes_of_the_healthy() -> None:
    method, compared = plain(), 0
    for number, case in enumerate(small_cohort(2, 11)):
        anomaly = method.score(case.load(), RUN)
        promise = anomaly.calibration
        for place in (0, len(promise.cuts) // 2, len(promise.cuts) - 1):
            asked = float(promise.expected(Per.SCAN)[place])
            if promise.cut(asked, Per.SCAN) != promise.cuts[place]:
                continue  # a lower cut promises as much
            compared += 1
            voxels = method.label(anomaly, asked, Per.SCAN).voxels
            assert voxels.max() == promise.findings[number, place]
            assert (voxels > 0).sum() / anomaly.body.sum() == pytest.approx(promise.voxels[number, place], rel=1e-6)
    assert compared >= 4


def test_each_combination_of_modalities_is_promised_on_its_own() -> None:
    method = plain()
    assert set(method.calibrations) == {"ct", "pet", "ct+pet"} == set(method.norms)
    assert all(one.scans == 2 for one in method.calibrations.values())
    again = method.calibrated_on(CalibrationSource.SYNTHETIC)
    assert {one.source for one in again.calibrations.values()} == {CalibrationSource.SYNTHETIC}


def test_one_combination_can_be_measured_alone_and_gives_the_same() -> None:
    method = plain()
    found = measure(method.painter(), CONFIG, small_cohort(2, 11), RUN, only={"pet"})
    assert set(found.norms) == set(found.calibrations) == {"pet"}
    np.testing.assert_array_equal(found.norms["pet"].tail, method.norms["pet"].tail)
    np.testing.assert_array_equal(found.calibrations["pet"].findings, method.calibrations["pet"].findings)


@pytest.mark.parametrize("setting", [{"passes": 2}, {"ct_shown": CtShown.ALWAYS}, {"ct_shown": CtShown.NEVER}])
def test_a_promise_knows_of_settings_that_few_choose(setting: dict[str, Any]) -> None:
    usual, other = drawing(CONFIG), drawing(replace(CONFIG, **setting))
    assert set(usual) == {"loop", "rounds", "delineation", "grow_mm", "smallest_ml"}  # no setting that was not chosen
    assert usual.items() < other.items()
    assert drawing(replace(CONFIG, preset=Preset.PUBLISHED)) == drawing(
        replace(CONFIG, preset=Preset.PUBLISHED, **setting)
    )


def test_calibrating_again_leaves_the_scores_as_they_are() -> None:
    study = small_phantom(5).study
    again = plain().calibrate(small_cohort(1, 3), RUN)
    np.testing.assert_array_equal(again.score(study, RUN).scores, plain().score(study, RUN).scores)
    assert again.calibrations["pet"].scans == 1


def test_a_promise_measured_by_an_older_loop_is_spoken_of() -> None:
    older = {name: value for name, value in drawing(CONFIG).items() if name != "loop"}
    for measured_with, said in ((older, 1), (drawing(CONFIG), 0)):
        notes: list[str] = []
        promise_of("pet", {}, measured_with, CONFIG, Run(on_note=notes.append))
        assert ["older version" in note for note in notes] == [True] * said


def test_a_promise_measured_with_other_settings_is_spoken_of() -> None:
    notes: list[str] = []
    run = Run(device="cpu", threads=1, on_note=notes.append)
    study = small_phantom(5).study
    plain().score(study, run)
    assert not any("promise" in note for note in notes)
    replace(plain(), config=replace(CONFIG, smallest_ml=5.0)).score(study, run)
    assert any("promise" in note for note in notes)


def test_a_share_of_the_body_marks_that_share() -> None:
    method = replace(plain(), config=replace(CONFIG, smallest_ml=0.0))
    anomaly = method.score(small_phantom(5).study, RUN)
    marked = np.count_nonzero(method.label(anomaly, 0.02, Per.SHARE).voxels) / anomaly.body.sum()
    assert marked == pytest.approx(0.02, rel=0.05)
    with pytest.raises(ConfigError, match="share of the body"):
        method.label(anomaly, 1.5, Per.SHARE)


def test_patients_are_split_whole_and_alike_for_a_seed() -> None:
    cases = [Case(lambda: Study({}), name) for name in "aabbccddee"]
    for share, held in ((0.0, 1), (0.4, 2), (0.9, 4)):
        taught, kept = split(cases, share, seed=3)
        names = {case.patient for case in kept}
        assert len(names) == held
        assert names.isdisjoint(case.patient for case in taught)
        assert len(taught) + len(kept) == 10
        assert {case.patient for case in split(cases, share, seed=3)[1]} == names
    with pytest.raises(InputError, match="at least 2"):
        split(cases[:2], 0.5, seed=0)


def test_settings_of_another_method_are_refused() -> None:
    with pytest.raises(ConfigError, match="AutoPaintConfig"):
        AutoPaint.create(MvgConfig(), {})
    with pytest.raises(ConfigError, match="AutoPaintConfig"):
        AutoPaint.required_weights(MvgConfig())


def test_an_untrained_model_says_so_and_knows_both_modalities() -> None:
    method = AutoPaint.create(CONFIG, {})
    assert method.modalities == ("pet", "ct")
    assert AutoPaint.required_weights(CONFIG) == ()
    with pytest.raises(UnsuitableVolume, match="fit it"):
        method.score(small_phantom(5).study, RUN)


def small_model() -> AutoPaint:
    """A network that learned nothing, with norms and promise of the plain painter."""
    return replace(plain(), network=build(CONFIG).eval())


def test_a_model_survives_its_file(tmp_path) -> None:
    save_method(small_model(), tmp_path / "model.safetensors")
    again = load_method(tmp_path / "model.safetensors")
    assert isinstance(again, AutoPaint)
    assert [used.name for used in again.weights] == ["model.safetensors"]
    first, second = small_model().state(), again.state()
    assert dict(first.header) == dict(second.header)
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name])


def test_damaged_and_foreign_models_are_refused() -> None:
    state = small_model().state()
    with pytest.raises(DamagedWeights, match="lacks"):
        AutoPaint.from_state(Bundle(state.arrays, {**state.header, "norms": ["mr"]}), {})
    with pytest.raises(DamagedWeights, match="cannot be read"):
        AutoPaint.from_state(Bundle(state.arrays, {**state.header, "patients": "many"}), {})
    wider = {**state.header, "config": {**state.header["config"], "width": 8}}
    with pytest.raises(WeightsMismatch):
        AutoPaint.from_state(Bundle(state.arrays, wider), {})
