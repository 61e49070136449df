"""The published working point beside scipy's own quantiles, and by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy.special import erf
from scipy.stats import chi2

from grisaille.core.errors import ConfigError
from grisaille.core.grid import Axis
from grisaille.core.run import Run
from grisaille.core.volume import Modality
from grisaille.flows.load import find_weights
from grisaille.imaging.body import body_mask
from grisaille.imaging.intensity import windowed
from grisaille.methods.mvg.chi_square import chi_square_threshold
from grisaille.methods.mvg.config import MvgConfig, Numerics, Preset
from grisaille.methods.mvg.levels import PooledModel
from grisaille.methods.mvg.method import MVG
from grisaille.methods.mvg.reduction import Reduction
from phantoms import small_cohort, small_study

RUN = Run(device="cpu", threads=1)


@cache
def fitted(config: MvgConfig) -> MVG:
    return MVG.create(config, find_weights("mvg", config)).fit(small_cohort(2, 11), RUN)


SMALL = MvgConfig(preset=Preset.RIPPEL2020, input_size=64, levels=(0, 3))


@pytest.mark.parametrize("degrees", [1, 32, 1280])
@pytest.mark.parametrize(("sigma", "tolerance"), [(1, 1e-12), (3, 1e-12), (5, 1e-9), (8, 1e-2)])
def test_the_threshold_is_the_published_quantile(degrees: int, sigma: float, tolerance: float) -> None:
    # At 8 sigma erf is within 6 roundings of 1, so the plain formula itself is rough.
    published = np.sqrt(chi2.ppf(erf(sigma / np.sqrt(2)), degrees))
    assert chi_square_threshold(degrees, sigma) == pytest.approx(published, rel=tolerance)


@pytest.mark.parametrize("sigma", [0.5, 2.0, 10.0, 30.0])
def test_in_one_dimension_it_is_sigma_itself(sigma: float) -> None:
    assert chi_square_threshold(1, sigma) == pytest.approx(sigma, rel=1e-9)


def test_normal_slices_exceed_it_as_often_as_sigma_says() -> None:
    distances = np.linalg.norm(np.random.default_rng(0).standard_normal((100_000, 40)), axis=1)
    assert np.mean(distances > chi_square_threshold(40, 2.0)) == pytest.approx(0.0455, abs=0.003)


@pytest.mark.parametrize("sigma", [0.0, -1.0, 31.0, float("nan")])
def test_a_sigma_without_a_threshold_is_refused(sigma: float) -> None:
    with pytest.raises(ConfigError, match="sigma is"):
        chi_square_threshold(3, sigma)


@pytest.mark.parametrize("config", [SMALL, replace(SMALL, numerics=Numerics.REFERENCE)])
def test_a_model_gives_a_threshold_a_level_and_modality(config: MvgConfig) -> None:
    found = fitted(config).chi_square_thresholds(3.0)
    assert set(found) == {"ct", "pet"}
    assert dict(found["ct"]) == {0: chi_square_threshold(32, 3.0), 3: chi_square_threshold(40, 3.0)}


def test_only_the_directions_kept_count() -> None:
    method = fitted(replace(SMALL, reduction=Reduction.PCA, share=0.9, levels=(3,)))
    gaussian = method.models["ct"].levels[0].gaussian
    assert len(gaussian.directions) < 40
    assert method.chi_square_thresholds(3.0)["ct"][3] == chi_square_threshold(len(gaussian.directions), 3.0)


CORONAL = replace(SMALL, axis=Axis.CORONAL)


def test_the_distance_of_a_slice_is_that_of_its_mean_features() -> None:
    method, study = fitted(CORONAL), small_study(3)
    found = method.slice_distances(study, RUN)
    assert {key: set(levels) for key, levels in found.items()} == {"ct": {0, 3}, "pet": {0, 3}}
    ct = study.volumes["ct"]
    number = ct.grid.shape[1] // 2
    window = method.config.windows(Modality.CT)[0]
    picture = np.repeat(windowed(ct.voxels[::-1, number], *window)[None, None], 3, axis=1)
    square = torch.nn.functional.interpolate(torch.from_numpy(picture), size=(64, 64), mode="bilinear")
    with torch.inference_mode():
        maps = method.backbone.features(square, (0, 3))
    for level, features, model in zip((0, 3), maps, method.models["ct"].levels, strict=True):
        assert isinstance(model, PooledModel)
        offset = features[0].mean(dim=(1, 2)).double().numpy() - model.gaussian.mean
        covariance = model.gaussian.factor @ model.gaussian.factor.T
        distance = np.sqrt(offset @ np.linalg.solve(covariance, offset))
        assert found["ct"][level][number] == pytest.approx(distance, rel=1e-4)


def test_every_slice_that_shows_the_body_has_a_distance_and_no_other() -> None:
    study = small_study(3)
    for key, levels in fitted(CORONAL).slice_distances(study, RUN).items():
        shows_body = body_mask(study.volumes[key]).any(axis=(0, 2))
        assert not shows_body.all()
        for distances in levels.values():
            np.testing.assert_array_equal(np.isfinite(distances), shows_body)


def test_presets_without_one_distance_a_slice_say_so() -> None:
    with pytest.raises(ConfigError, match="belong to the preset rippel2020"):
        MVG(MvgConfig(), fitted(SMALL).backbone).slice_distances(small_study(3), RUN)


def test_other_presets_have_no_published_working_point() -> None:
    with pytest.raises(ConfigError, match="belong to the preset rippel2020"):
        MVG(MvgConfig(), fitted(SMALL).backbone).chi_square_thresholds(3.0)
