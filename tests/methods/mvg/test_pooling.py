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
from grisaille.flows.load import find_weights, load_method, save_method
from grisaille.imaging.body import body_mask
from grisaille.imaging.resample import resample, resample_array
from grisaille.methods.mvg.config import MvgConfig, Numerics, Preset
from grisaille.methods.mvg.kept import KeptScan
from grisaille.methods.mvg.method import MVG
from grisaille.methods.mvg.modality import ModalityModel
from grisaille.methods.mvg.observation import observe
from grisaille.methods.mvg.spool import Spool
from grisaille.methods.scan_count import counting_grid
from grisaille.nn.backbone import random_backbone
from grisaille.weights.bundle import Bundle
from phantoms import small_cohort, small_phantom

RUN = Run(device="cpu", threads=1)
PATCHES = MvgConfig(
    preset=Preset.VOLUME, spacing_mm=5.0, step_mm=12.0, node_mm=80.0, levels=(3, 4), folds=2, keep_patients=True
)
CONFIGS = {
    "volume": PATCHES,
    "padim": replace(PATCHES, preset=Preset.PADIM, levels=(4,)),
    "rippel2020": replace(PATCHES, preset=Preset.RIPPEL2020, input_size=64, levels=(1, 4)),
    "published arithmetic": replace(
        PATCHES, preset=Preset.RIPPEL2020, input_size=64, levels=(1,), numerics=Numerics.REFERENCE
    ),
}
VOLUME = CONFIGS["volume"]


@cache
def site(number: int) -> tuple[Case, ...]:
    """Two patients with CT and PET at site 0; at site 1 as many with CT alone."""
    return tuple(in_memory(case, ("ct", "pet") if number == 0 else ("ct",)) for case in small_cohort(2, 21 + number))


def in_memory(case: Case, keys: tuple[str, ...]) -> Case:
    volumes = case.load().volumes
    study = Study({key: volumes[key] for key in keys}, case.patient)
    return replace(case, load=lambda: study)


@cache
def fitted(*sites: int, config: MvgConfig = VOLUME) -> MVG:
    return fit([case for number in sites for case in site(number)], config)


def fit(cases: list[Case], config: MvgConfig) -> MVG:
    return MVG.create(config, find_weights("mvg", config)).fit(cases, RUN)


def assert_same_model(one: ModalityModel, other: ModalityModel, rows: tuple[np.ndarray, ...]) -> None:
    assert one.lattice == other.lattice
    assert one.mean == pytest.approx(other.mean, rel=1e-9)
    assert one.spread == pytest.approx(other.spread, rel=1e-9)
    assert (one.position is None) == (other.position is None)
    if one.position is not None and other.position is not None:
        for name, values in one.position.arrays().items():
            np.testing.assert_allclose(values, other.position.arrays()[name], rtol=1e-9)
    places = np.random.default_rng(0).uniform(-200, 200, (40, 3))
    for level, twin, some in zip(one.levels, other.levels, rows, strict=True):
        expected = twin.distances(some[:40], places[: len(some)])
        np.testing.assert_allclose(level.distances(some[:40], places[: len(some)]), expected, rtol=1e-9)
    for scale, usual in zip(one.scales, other.scales, strict=True):
        np.testing.assert_array_equal(scale.values, usual.values)


def assert_same_fit(one: MVG, other: MVG) -> None:
    assert one.patients == other.patients
    assert one.config == other.config
    assert set(one.models) == set(other.models) == set(one.canaries)
    for key, model in one.models.items():
        rows = next(case.scans[key].rows for case in one.kept if key in case.scans)
        assert_same_model(model, other.models[key], rows)
    assert set(one.calibrations) == set(other.calibrations)
    for key, promise in one.calibrations.items():
        twin = other.calibrations[key]
        for name in ("source", "patients", "body_voxels"):
            assert getattr(promise, name) == getattr(twin, name)
        for name in ("cuts", "findings", "voxels"):
            np.testing.assert_array_equal(getattr(promise, name), getattr(twin, name), err_msg=f"{name} of {key}")


@pytest.mark.parametrize("preset", CONFIGS)
def test_two_sites_merged_are_the_fit_of_their_images_together(preset: str) -> None:
    config = CONFIGS[preset]
    merged, pooled = fitted(1, config=config).merge(fitted(0, config=config)), fitted(1, 0, config=config)
    assert_same_fit(merged, pooled)
    assert {key: one.scans for key, one in merged.calibrations.items()} == {"ct": 4, "pet": 2, "ct+pet": 2}


@pytest.mark.parametrize("preset", Preset)
def test_a_patient_taken_out_was_never_there(preset: str) -> None:
    config, gone = CONFIGS[preset], site(1)[0].patient
    pooled = fitted(1, 0, config=config)
    without = pooled.without_patient(gone)
    assert_same_fit(without, fit([case for case in (*site(1), *site(0)) if case.patient != gone], config))
    assert gone not in str(without.state().header)
    assert without.patients == 3


def test_a_merged_model_scores_and_promises_as_the_pooled_fit_does() -> None:
    study = small_phantom(5).study
    found, expected = (one.score(study, RUN) for one in (fitted(1).merge(fitted(0)), fitted(1, 0)))
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert found.calibration.cut(1.0, Per.SCAN) == expected.calibration.cut(1.0, Per.SCAN)


def test_the_promise_of_phantoms_stays_one_when_patients_join_them() -> None:
    merged = fitted(1).merge(fitted(0).calibrated_on(CalibrationSource.SYNTHETIC))
    assert {one.source for one in merged.calibrations.values()} == {CalibrationSource.SYNTHETIC}


def test_a_body_is_kept_as_false_positives_are_counted_on_it() -> None:
    method, ct = fitted(0, config=CONFIGS["rippel2020"]), small_phantom(5).study.volumes["ct"]
    fine = resample(ct, ct.grid.spaced((8.0, 1.5, 1.3)))
    with Spool() as spool:
        seen = observe(fine, method.recipe, method.backbone, spool, run=RUN, what="looking")
        grid = counting_grid(fine.grid)
        body = resample_array(body_mask(fine), fine.grid, grid, nearest=True)
        assert grid.spacing_mm == pytest.approx((8.0, 2.0, 2.0))
        for again in (seen, KeptScan.of(seen, spool).observation(spool)):
            assert again.grid == fine.grid
            np.testing.assert_array_equal(again.body_mask(spool), body)


@pytest.mark.parametrize("preset", Preset)
def test_what_was_kept_survives_a_file(preset: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("kept") / "site.safetensors"
    first = fitted(1, config=CONFIGS[preset])
    save_method(first.calibrated_on(CalibrationSource.SYNTHETIC), path)
    again = load_method(path)
    assert isinstance(again, MVG)
    assert [case.source for case in again.kept] == [CalibrationSource.SYNTHETIC] * 2
    other = fitted(0, config=CONFIGS[preset])
    assert_same_fit(again.calibrated_on(CalibrationSource.PATIENTS).merge(other), first.merge(other))


def test_models_from_before_patients_could_be_kept_still_load() -> None:
    state = replace(fitted(0), config=replace(VOLUME, keep_patients=False), kept=()).state()
    assert not any("kept" in name for name in state.arrays)
    old = {name: value for name, value in state.header.items() if name != "kept"}
    old["config"] = {name: value for name, value in old["config"].items() if name != "keep_patients"}
    files = find_weights("mvg", VOLUME)
    for header in (state.header, old):
        loaded = MVG.from_state(Bundle(state.arrays, header), files)
        assert loaded.kept == ()
        assert not loaded.config.keep_patients


def test_models_keep_nothing_unless_asked() -> None:
    config = replace(CONFIGS["rippel2020"], keep_patients=False)
    forgetful = fitted(1, config=config)
    assert forgetful.kept == ()
    for attempt in (
        lambda: forgetful.merge(fitted(0)),
        lambda: fitted(0).merge(forgetful),
        lambda: forgetful.without_patient("anybody"),
    ):
        with pytest.raises(ConfigError, match="fit with keep_patients"):
            attempt()


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
    assert fitted(0).merge(other).patients == 4


def test_only_patients_who_are_there_go_and_two_must_stay() -> None:
    with pytest.raises(InputError, match="none of the model's patients"):
        fitted(0).without_patient("nobody")
    with pytest.raises(InputError, match="at least 2"):
        fitted(0).without_patient(site(0)[0].patient)


def test_a_modality_that_nobody_has_any_more_is_forgotten() -> None:
    first, second = site(0)
    ct = [case for number in (1, 0) for case in site(number)]
    pooled = fitted(1, 0)
    kept = tuple(replace(case, scans={"ct": case.scans["ct"]}) for case in pooled.kept)
    rest = replace(pooled, kept=kept).without_patient(first.patient)
    assert set(rest.models) == set(rest.canaries) == set(rest.calibrations) == {"ct"}
    assert rest.patients == len(ct) - 1
    assert second.patient in str(rest.state().header)
