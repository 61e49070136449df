"""A small share of ``benchmarks/fuzz_headers.py``, and that its judge can tell wrong from right."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dicom_builder import write_series
from grisaille.core.volume import Volume
from grisaille.io.dicom import series
from header_fuzzing import GOOD, Outcome, fuzz, judge
from header_seeds import SEEDS
from image_builder import numbers, oblique, save_nifti

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited as Linux limits it")


def test_every_spoilt_header_ends_in_a_right_volume_or_a_sentence() -> None:
    """Compressed pixels are decoded in a process a series, which the benchmark has the time for."""
    plain = [number for number in range(150) if not SEEDS[number % len(SEEDS)].name.startswith("CT, ")]
    tally = fuzz(1, plain, seconds=60)  # other work on this machine is not to fail the test
    assert tally.bad == []
    assert sum(tally.counts.values()) == len(plain) > 90
    assert tally.of(Outcome.RIGHT) > 15
    assert tally.of(Outcome.OURS) > 15


def test_the_judge_finds_sound_files_right(tmp_path: Path) -> None:
    write_series(tmp_path / "pet", "PT")
    assert judge(tmp_path / "pet") == (Outcome.RIGHT, "")
    assert judge(save_nifti(tmp_path / "CT.nii", numbers() - 9, oblique(2)))[0] is Outcome.RIGHT


def test_the_judge_tells_a_wrong_value_a_wrong_place_a_leak_and_a_strange_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_series(tmp_path / "in")
    true = series.read_series

    def spoiling(change: object) -> None:
        monkeypatch.setattr(series, "read_series", lambda *given, **named: change(true(*given, **named)))  # type: ignore[operator]

    def wrong_value(volume: Volume) -> Volume:
        voxels = np.array(volume.voxels)
        voxels[2, 1, 1] += 1
        return volume.with_voxels(voxels)

    def wrong_place(volume: Volume) -> Volume:
        affine = np.array(volume.source.affine)
        affine[2, 3] += 0.5
        grid = np.array(volume.grid.affine)
        grid[0, 3] += 0.5
        return replace(volume, grid=replace(volume.grid, affine=grid), source=replace(volume.source, affine=affine))

    def failing(_: Volume) -> Volume:
        raise KeyError("odd")

    for change, outcome in (
        (lambda volume: volume, Outcome.RIGHT),
        (wrong_value, Outcome.WRONG),
        (wrong_place, Outcome.WRONG),
        (lambda volume: volume.warned("of SMITH"), Outcome.LEAK),
        (failing, Outcome.OTHER),
    ):
        spoiling(change)
        assert judge(tmp_path / "in")[0] is outcome
    assert Outcome.WRONG not in GOOD
