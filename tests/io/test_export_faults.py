"""Whatever goes wrong on the way out: the name holds what it held, and nothing else lies there.

The large version, with kills at random moments and disks of random sizes, is ``benchmarks/export_faults.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dicom_builder import put_pixels, write_series
from grisaille.core.errors import OutputError
from grisaille.core.finding import Finding
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.volume import Volume
from grisaille.io.export.rtstruct import write_rtstruct
from grisaille.io.export.sources import read_sources
from grisaille.io.export.whose import Identity
from grisaille.io.labels import read_labels, write_labels
from grisaille.io.results import write_findings_csv
from grisaille.io.sidecar import sidecar_path
from grisaille.io.study import read_volume
from grisaille.io.volumes import write_volume

resource = pytest.importorskip("resource", reason="no limit on the size of files on this system")

REPOSITORY = Path(__file__).parents[2]
SHAPE = (6, 40, 32)
FINDING = Finding(
    id=1, label=1, tracking_uid="2.25.12", volume_ml=1.2, suv_max=7.9, suv_mean=2.5, suv_peak=None, tlg=3.0,
    hu_mean=-35.25, long_axis_mm=12.0, short_axis_mm=8.0, centroid_l_mm=-123.4, centroid_p_mm=0.0,
    centroid_s_mm=0.0, slice_first=3, slice_last=5, score=1.0, edited=False,
)  # fmt: skip


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Volume:
    folder = tmp_path_factory.mktemp("ct")
    random = np.random.default_rng(1)
    write_series(
        folder,
        count=SHAPE[0],
        change=lambda image, k: put_pixels(image, random.integers(0, 2000, SHAPE[1:]).astype(np.int16)),
    )
    return read_volume(folder)


def labels_on(volume: Volume, seed: int) -> Labels:
    voxels = np.random.default_rng(seed).integers(0, 3, volume.grid.shape).astype(np.uint16)
    voxels[:, :, 8:] = seed % 3  # few contours, for speed
    return Labels(voxels, volume.grid, {1: f"name {seed} " * 50}, volume.source)


WRITERS: dict[str, Callable[[Volume, int, Path], None]] = {
    "labels.nii.gz": lambda ct, seed, path: write_labels(labels_on(ct, seed), path),
    "labels.nrrd": lambda ct, seed, path: write_labels(labels_on(ct, seed), path),
    "labels.mha": lambda ct, seed, path: write_labels(labels_on(ct, seed), path),
    "CT.nii": lambda ct, seed, path: write_volume(ct.with_voxels(ct.voxels + seed), path),
    "findings.csv": lambda ct, seed, path: write_findings_csv([replace(FINDING, id=seed + n) for n in range(50)], path),
    "plan.dcm": lambda ct, seed, path: write_rtstruct(
        labels_on(ct, seed), read_sources(ct, Identity.IDENTIFIED, Run()), path
    ),
}


@contextmanager
def no_file_over(size: int) -> Iterator[None]:
    """A write beyond ``size`` bytes of a file fails, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("with_old", [False, True])
def test_a_write_that_fails_at_any_byte_leaves_what_was_there(
    tmp_path: Path, ct: Volume, name: str, with_old: bool
) -> None:
    write = WRITERS[name]
    (tmp_path / "whole").mkdir()
    (tmp_path / "out").mkdir()
    write(ct, 2, tmp_path / "whole" / name)
    size = (tmp_path / "whole" / name).stat().st_size
    if with_old:
        write(ct, 1, tmp_path / "out" / name)
    before = content(tmp_path / "out")
    for limit in (0, *np.random.default_rng(7).integers(1, size - 1, 3).tolist()):
        with pytest.raises(OutputError), no_file_over(limit):
            write(ct, 2, tmp_path / "out" / name)
        assert content(tmp_path / "out") == before
    write(ct, 2, tmp_path / "out" / name)
    assert content(tmp_path / "out").keys() == content(tmp_path / "whole").keys()


def test_names_that_cannot_be_kept_keep_the_labels_from_being_written(tmp_path: Path, ct: Volume) -> None:
    out = tmp_path / "labels.nii.gz"
    empty = Labels(np.zeros(ct.grid.shape, np.uint16), ct.grid, source=ct.source)
    write_labels(empty, out)
    assert out.stat().st_size < 500
    with pytest.raises(OutputError), no_file_over(500):
        write_labels(replace(empty, names={1: "a" * 1000}), out)
    assert read_labels(out).ids == ()
    assert not sidecar_path(out).exists()
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_exports_that_are_killed_or_run_out_of_disk_leave_nothing_half_written(tmp_path: Path) -> None:
    script = [sys.executable, "benchmarks/export_faults.py", "--tries", "2", "--only", "nifti", "csv", "--limit"]
    told = subprocess.run(
        script, cwd=REPOSITORY, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "0 tries left something that they should not" in told.stdout
