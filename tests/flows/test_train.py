"""What a fit may be given, and where it goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grisaille.core.errors import ConfigError
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.flows.cases import healthy_cases
from grisaille.flows.suitable import suitable_cases
from grisaille.flows.train import train
from grisaille.io.labels import write_labels
from grisaille.io.volumes import write_volume
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.withheld import near_lesions
from phantoms import small_case, small_cohort, small_phantom

RUN = Run(device="cpu", threads=1)


def test_lesions_are_learned_around_only_where_a_mask_shows_them() -> None:
    sick = small_case(5, healthy=False)
    with pytest.raises(ConfigError, match="healthy cases only"):
        suitable_cases([sick])
    assert len(suitable_cases([sick], around_lesions=True)) == 1
    for blind in (
        replace(sick, truth=None),
        replace(sick, truth=Labels(np.zeros((1, 1, 1)), Grid((1, 1, 1), np.eye(4)))),
    ):
        with pytest.raises(ConfigError, match="no mask"):
            suitable_cases([blind], around_lesions=True)


def test_a_method_of_one_go_has_no_use_for_a_work_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mvg is fitted in one go"):
        train("mvg", small_cohort(2, 11), work=tmp_path, run=RUN)
    with pytest.raises(ConfigError, match="healthy cases only"):
        train("mvg", [small_case(5, healthy=False)], run=RUN)


@pytest.mark.ai
def test_a_fit_with_lesions_in_a_work_folder_is_not_done_twice(tmp_path: Path) -> None:
    for package in ("torch", "monai", "lightning"):
        pytest.importorskip(package)
    config = AutoPaintConfig(spacing_mm=6.0, slab=32, lesson=32, width=4, cells_mm=(96.0,), rounds=0, steps=2, batch=1)
    cases = [*small_cohort(1, 11), replace(small_case(5, healthy=False), patient="someone else")]
    told: list[str] = []
    run = replace(RUN, on_progress=lambda step: told.append(step.what))
    first = train("autopaint", cases, config=config, work=tmp_path / "work", run=run)
    assert "training" in told
    told.clear()
    again = train("autopaint", cases, config=config, work=tmp_path / "work", run=run)
    assert "training" not in told
    one, two = first.state(), again.state()
    assert all(np.array_equal(one.arrays[name], two.arrays[name]) for name in one.arrays)


def written(folder: Path, study: Study, truth: Labels | None) -> Path:
    folder.mkdir()
    for key, volume in study.volumes.items():
        write_volume(volume, folder / f"{key.upper()}.nii.gz")
    if truth is not None:
        write_labels(truth, folder / "SEG.nii.gz")
    return folder


def test_masks_lie_beside_the_studies_and_only_their_lesions_are_kept(tmp_path: Path) -> None:
    sick, well = small_phantom(5), small_phantom(6, 0)
    paths = [written(tmp_path / "a", sick.study, sick.lesions), written(tmp_path / "b", well.study, None)]
    first, second = healthy_cases(paths, lesions="SEG.nii.gz")
    assert first.truth is not None
    assert first.truth.voxels.size < sick.lesions.voxels.size
    grid = sick.study.reference
    np.testing.assert_array_equal(near_lesions(first.truth, grid), near_lesions(sick.lesions, grid))
    assert second.truth is None
    assert second.healthy
    with pytest.raises(ConfigError, match="check the name"):
        healthy_cases(paths, lesions="SEGG.nii.gz")
