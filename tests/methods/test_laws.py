"""The laws that every method obeys, method by method."""

from __future__ import annotations

import socket

import numpy as np
import pytest
from scipy import ndimage

from grisaille import phantom
from grisaille.core.calibration import Per
from grisaille.core.errors import Cancelled, ConfigError, UnsuitableVolume
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.imaging.resample import resample_array
from grisaille.methods import catalog
from phantoms import SMALL, small_cohort, small_phantom

RUN = Run(device="cpu", threads=1)


def test_scores_are_finite_and_lie_on_the_reference_grid(fitted) -> None:
    study = small_phantom(5).study
    anomaly = fitted.method.score(study, RUN)
    assert anomaly.grid == study.reference
    assert np.isfinite(anomaly.scores).all()
    assert (anomaly.scores[~anomaly.body] == 0).all()
    assert anomaly.scores[anomaly.body].min() > 0
    assert anomaly.slice_scores.values.shape == (study.reference.shape[0],)


def test_the_same_study_gives_the_same_scores_and_stays_as_it_was(fitted) -> None:
    study = small_phantom(5).study
    before = {key: volume.voxels.copy() for key, volume in study.volumes.items()}
    first, second = (fitted.method.score(study, RUN).scores for _ in range(2))
    np.testing.assert_array_equal(first, second)
    for key, voxels in before.items():
        np.testing.assert_array_equal(study.volumes[key].voxels, voxels)


def test_state_and_from_state_are_inverse(fitted) -> None:
    again = type(fitted.method).from_state(fitted.method.state(), fitted.files)
    study = small_phantom(6).study
    np.testing.assert_array_equal(again.score(study, RUN).scores, fitted.method.score(study, RUN).scores)
    first, second = fitted.method.state(), again.state()
    assert dict(first.header) == dict(second.header)
    assert set(first.arrays) == set(second.arrays)


def test_no_network_is_asked_for(fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    fitted.method.score(small_phantom(5).study, RUN)


def test_cancel_comes_through_and_leaves_the_method_as_it_was(fitted) -> None:
    steps: list[int] = []
    run = Run(device="cpu", threads=1, on_progress=lambda _: steps.append(1), is_cancelled=lambda: len(steps) > 3)
    with pytest.raises(Cancelled):
        fitted.method.score(small_phantom(5).study, run)
    with pytest.raises(Cancelled):
        fitted.method.fit(small_cohort(5, 11), Run(device="cpu", threads=1, is_cancelled=lambda: True))
    fitted.method.score(small_phantom(5).study, RUN)


def test_a_lesion_outranks_its_healthy_twin(fitted) -> None:
    # Fair to all: the case is chosen by the lesions' size before any method scores it, not by its result.
    # It is easy on purpose: rippel2020 has one vector a slice, in which small lesions drown, and
    # how many of those a method finds is a figure (benchmarks/mvg_phantom.py) and not a law. Of
    # these eight it ranks seven right, and misses one whose lesions fill 28 voxels.
    candidates = [phantom.patient(seed, lesions=3, scan=SMALL) for seed in range(8)]
    lesion = max(candidates, key=lambda one: np.count_nonzero(one.lesions.voxels))
    sick, healthy = (fitted.method.score(study, RUN) for study in (lesion.study, lesion.twin))
    there = (lesion.lesions.voxels > 0) & sick.body
    assert sick.scores[there].mean() > healthy.scores[there].mean()


@pytest.mark.parametrize("key", ["ct", "pet"])
def test_one_modality_alone_has_a_calibration_of_its_own(fitted, key: str) -> None:
    whole = small_phantom(5).study
    anomaly = fitted.method.score(Study({key: whole.volumes[key]}, "one"), RUN)
    assert anomaly.calibration.scans == fitted.promised_on
    assert anomaly.grid == whole.volumes[key].grid


def test_a_study_without_a_known_modality_is_refused(fitted) -> None:
    from dataclasses import replace

    from grisaille.core.volume import Modality

    other = replace(small_phantom(5).study.ct, modality=Modality.MR)
    with pytest.raises(UnsuitableVolume):
        fitted.method.score(Study.of(other), RUN)


def test_more_false_positives_allowed_never_mark_less(fitted) -> None:
    anomaly = fitted.method.score(small_phantom(5).study, RUN)
    marked = [np.count_nonzero(fitted.method.label(anomaly, amount, Per.SHARE).voxels) for amount in (0.001, 0.01, 0.1)]
    assert marked == sorted(marked)
    cuts = [anomaly.calibration.cut(asked, Per.SCAN) for asked in (0.25, 1.0, 4.0)]
    assert cuts == sorted(cuts, reverse=True)


def test_the_healthy_twin_differs_only_where_it_says(fitted) -> None:
    study = small_phantom(5).study
    anomaly = fitted.method.score(study, RUN)
    if anomaly.healthy is None:
        return
    painted = anomaly.extras["painted"]
    for key, twin in anomaly.healthy.volumes.items():
        volume = study.volumes[key]
        assert twin.grid == volume.grid
        assert twin.voxels.dtype == volume.voxels.dtype
        assert (twin.unit, twin.modality) == (volume.unit, volume.modality)
        # The hole was drawn on other voxels: beyond their reach not a bit may differ.
        reach = resample_array(painted.voxels, painted.grid, volume.grid) > 0
        wide = ndimage.binary_dilation(reach, np.ones((3, 3, 3)), iterations=2)
        np.testing.assert_array_equal(twin.voxels[~wide], volume.voxels[~wide])
        assert (twin.voxels != volume.voxels).any()


def test_unknown_methods_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="known are anomalyclip, autopaint, mvg"):
        catalog.method_class("nothing")
