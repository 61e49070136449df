"""Two sites' models made one and a patient taken out, beside fits from the images."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from grisaille.core.calibration import CalibrationSource, Per
from grisaille.core.errors import ConfigError, InputError, WeightsMismatch
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.flows.load import find_weights
from grisaille.methods.mvg.config import MvgConfig, Numerics, Preset
from grisaille.methods.mvg.levels import PooledModel, ReferenceModel
from grisaille.methods.mvg.method import MVG
from grisaille.nn.backbone import random_backbone
from grisaille.weights.bundle import Bundle
from phantoms import small_cohort, small_phantom

RUN = Run(device="cpu", threads=1)
CONFIG = MvgConfig(preset=Preset.RIPPEL2020, input_size=64, levels=(1, 4), keep_patients=True)


@cache
def site(number: int) -> tuple[Case, ...]:
    """Three patients with CT and PET, and at the second site as many with CT alone."""
    cases = small_cohort(3, 21 + number)
    return cases if number == 0 else tuple(replace(case, load=lambda case=case: ct_alone(case)) for case in cases)


def ct_alone(case: Case) -> Study:
    study = case.load()
    return Study({"ct": study.volumes["ct"]}, study.patient)


@cache
def fitted(*sites: int, config: MvgConfig = CONFIG) -> MVG:
    cases = [case for number in sites for case in site(number)]
    return MVG.create(config, find_weights("mvg", config)).fit(cases, RUN)


def assert_same_fit(one: MVG, other: MVG) -> None:
    assert one.patients == other.patients
    assert set(one.models) == set(other.models) == set(one.canaries)
    probe = np.random.default_rng(0)
    for key, model in one.models.items():
        twin = other.models[key]
        assert model.mean == pytest.approx(twin.mean, rel=1e-9)
        assert model.spread == pytest.approx(twin.spread, rel=1e-9)
        for level, expected in zip(model.levels, twin.levels, strict=True):
            assert isinstance(level, (PooledModel, ReferenceModel))
            rows = probe.standard_normal((20, level.degrees), dtype=np.float32)
            places = np.zeros((20, 3))
            np.testing.assert_allclose(level.distances(rows, places), expected.distances(rows, places), rtol=1e-9)
    study = small_phantom(5).study
    np.testing.assert_allclose(one.score(study, RUN).scores, other.score(study, RUN).scores, rtol=1e-6)


def test_two_sites_merged_are_the_fit_of_their_images_together() -> None:
    assert_same_fit(fitted(0).merge(fitted(1)), fitted(0, 1))


def test_a_patient_taken_out_was_never_there() -> None:
    pooled, gone = fitted(0, 1), site(1)[0].patient
    rest = [case for number in (0, 1) for case in site(number) if case.patient != gone]
    without = pooled.without_patient(gone)
    assert_same_fit(without, MVG(CONFIG, pooled.backbone, pooled.weights).fit(rest, RUN))
    assert gone not in str(without.state().header)


def test_the_published_arithmetic_merges_too() -> None:
    config = replace(CONFIG, numerics=Numerics.REFERENCE, levels=(1,))
    assert_same_fit(fitted(0, config=config).merge(fitted(1, config=config)), fitted(0, 1, config=config))


def test_a_merged_model_promises_nothing_until_it_is_calibrated() -> None:
    merged = fitted(0).merge(fitted(1))
    anomaly = merged.score(small_phantom(5).study, RUN)
    assert anomaly.calibration.source is CalibrationSource.NONE
    with pytest.raises(ConfigError, match="never calibrated"):
        merged.label(anomaly, 1.0, Per.SCAN)
    again = merged.calibrate(small_cohort(2, 40), RUN)
    assert again.score(small_phantom(5).study, RUN).calibration.scans == 2


def test_what_was_kept_survives_a_file() -> None:
    first = fitted(0)
    again = MVG.from_state(first.state(), find_weights("mvg", CONFIG))
    assert_same_fit(again.merge(fitted(1)), first.merge(fitted(1)))


def test_models_from_before_patients_could_be_kept_still_load() -> None:
    state = fitted(0, config=replace(CONFIG, keep_patients=False)).state()
    assert state.header["config"]["keep_patients"] is False
    assert not any("kept" in name for name in state.arrays)
    old = {name: value for name, value in state.header.items() if name != "kept"}
    old["config"] = {name: value for name, value in old["config"].items() if name != "keep_patients"}
    files = find_weights("mvg", CONFIG)
    for header in (state.header, old):
        loaded = MVG.from_state(Bundle(state.arrays, header), files)
        assert loaded.kept == {}
        assert not loaded.config.keep_patients


def test_models_that_kept_nothing_say_how_to_fit_one_that_does() -> None:
    forgetful = fitted(0, config=replace(CONFIG, keep_patients=False))
    for attempt in (
        lambda: forgetful.merge(fitted(1)),
        lambda: fitted(1).merge(forgetful),
        lambda: forgetful.without_patient("anybody"),
    ):
        with pytest.raises(ConfigError, match="fit with keep_patients"):
            attempt()


@pytest.mark.parametrize("preset", [Preset.VOLUME, Preset.PADIM])
def test_presets_that_know_the_place_keep_no_patients(preset: Preset) -> None:
    with pytest.raises(ConfigError, match="belongs to the preset rippel2020"):
        MvgConfig(preset=preset, keep_patients=True)


def test_what_does_not_fit_together_is_not_merged() -> None:
    first = fitted(0)
    with pytest.raises(InputError, match="same pseudonyms"):
        first.merge(first)
    with pytest.raises(ConfigError, match="different axis"):
        first.merge(replace(fitted(1), config=replace(fitted(1).config, axis="coronal")))
    with pytest.raises(WeightsMismatch, match="different backbone weights"):
        first.merge(replace(fitted(1), backbone=random_backbone("efficientnet-lite0", 0)))


def test_a_batch_size_is_no_reason_not_to_merge() -> None:
    other = replace(fitted(1), config=replace(fitted(1).config, batch=2))
    assert fitted(0).merge(other).patients == 6


def test_only_patients_who_are_there_go_and_two_must_stay() -> None:
    with pytest.raises(InputError, match="none of the model's patients"):
        fitted(0).without_patient("nobody")
    first, second, _ = (case.patient for case in site(0))
    with pytest.raises(InputError, match="at least 2"):
        fitted(0).without_patient(first).without_patient(second)
