"""Rows of the bad-input table on files, names, numbers and writing."""

from __future__ import annotations

import gzip
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from dicom_builder import write_series
from grisaille.cli.main import main
from grisaille.core.errors import InputError, OutOfMemory, SuvRefused, UnreadableFile, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.flows.suitable import doubts_about
from grisaille.imaging.findings import find_findings
from grisaille.io.labels import read_labels, write_labels
from grisaille.io.study import read_study, read_volume
from image_builder import numbers, save_itk, save_nifti

Told = Callable[[object], str]


def test_row_21_thick_slices_are_measured_in_millimetres_and_models_warn(told: Told) -> None:
    grid = Grid.from_spacing((12, 60, 60), (10.0, 0.5, 0.5))
    mask = np.zeros(grid.shape, np.uint16)
    mask[3:7, 10:30, 10:40] = 1
    pet = Volume(np.where(mask, 8, 1).astype(np.float32), grid, Modality.PET, Unit.SUVBW, "PET")
    (finding,) = find_findings(Labels(mask, grid), Study.of(pet))
    assert finding.volume_ml == pytest.approx(4 * 20 * 30 * 2.5 / 1000)
    assert finding.long_axis_mm == pytest.approx(float(np.hypot(10, 15)), abs=0.8)
    (doubt,) = doubts_about(Study.of(pet), ("pet",))
    assert told(doubt).startswith("PET 'PET' has slices 10 mm apart; models learned from thinner ones")
    assert doubts_about(Study.of(pet), ("ct",)) == ()


NAMES = ["Ünïcödé Größe", "🫀 heart", "a name with 'quotes' and; signs", os.fsdecode(b"\xff\xfe\x80"), "x" * 200]


@pytest.mark.parametrize("name", NAMES, ids=["accents", "emoji", "signs", "not UTF-8", "long"])
def test_row_36_any_name_that_the_system_takes_is_taken(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str], told: Told
) -> None:
    folder = tmp_path / name / name
    try:
        folder.mkdir(parents=True)
    except OSError:
        pytest.skip("this file system does not take the name")
    assert len(str(folder)) < 260 or len(name) == 200
    write_series(folder / "dicom")
    save_nifti(folder / "CT.nii.gz", numbers() - 30)
    save_itk(tmp_path / "a.nrrd", numbers() - 30)
    (tmp_path / "a.nrrd").rename(folder / f"CT {name[:40]}.nrrd")
    assert read_study(folder / "dicom").ct is not None
    assert read_study(folder / "CT.nii.gz").ct is not None
    assert read_study(folder / f"CT {name[:40]}.nrrd").ct is not None
    assert main(["info", "--json", str(folder)]) == 0
    assert len(json.loads(capsys.readouterr().out)["series"]) == 3
    ct = read_volume(folder / "CT.nii.gz")
    for suffix in (".nii.gz", ".nrrd"):
        labels = Labels((ct.voxels > 0).astype(np.uint16), ct.grid, source=ct.source)
        write_labels(labels, folder / f"labels{suffix}")
        assert np.array_equal(read_labels(folder / f"labels{suffix}").voxels, labels.voxels)
    told(f"read and written, {len(str(folder))} characters")


def test_row_36_read_only_files_are_read(tmp_path: Path, told: Told) -> None:
    for file in write_series(tmp_path / "dicom"):
        file.chmod(0o444)
    (tmp_path / "dicom").chmod(0o555)
    try:
        assert read_study(tmp_path / "dicom").ct is not None
        assert stat.S_IMODE((tmp_path / "dicom").stat().st_mode) == 0o555
        told("read, nothing written")
    finally:
        (tmp_path / "dicom").chmod(0o755)


def test_row_37_a_gzip_of_nothing_under_a_header_that_claims_a_lot(tmp_path: Path, told: Told) -> None:
    header = nib.Nifti1Image(numbers(), np.eye(4)).header
    header.set_data_shape((1500, 1500, 1500))
    header["magic"], header["vox_offset"] = b"n+1", 352
    (tmp_path / "CT.nii.gz").write_bytes(gzip.compress(header.binaryblock + bytes(4)))
    started = time.monotonic()
    with pytest.raises(UnreadableFile, match=r"CT\.nii\.gz is truncated or damaged") as refused:
        read_volume(tmp_path / "CT.nii.gz")
    assert time.monotonic() - started < 1
    told(refused.value)


def test_row_37_a_bomb_whose_header_is_honest_is_held_against_the_free_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    path = save_nifti(tmp_path / "CT.nii.gz", np.zeros((200, 200, 200), np.int16))
    free = type("Memory", (), {"available": 10_000_000})
    monkeypatch.setattr("psutil.virtual_memory", lambda: free)
    with pytest.raises(OutOfMemory, match=r"CT\.nii\.gz needs 32 MB of memory, 10 MB are free") as refused:
        read_volume(path)
    told(refused.value)


def test_row_38_a_nifti_without_orientation_is_read_with_a_warning(tmp_path: Path, told: Told) -> None:
    volume = read_volume(save_nifti(tmp_path / "CT.nii", numbers() - 30, sform=0, qform=0))
    assert any("orientation unknown" in told(warning) for warning in volume.provenance.warnings)


def test_row_39_a_slope_that_is_no_number_is_warned_of(tmp_path: Path, told: Told) -> None:
    path = save_nifti(tmp_path / "CT.nii", numbers() - 30)
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, 112, float("nan"))
    path.write_bytes(content)
    volume = read_volume(path)
    assert volume.voxels.max() == 29
    assert told(" ".join(volume.provenance.warnings))


def test_row_39_five_dimensions_are_refused(tmp_path: Path, told: Told) -> None:
    path = save_nifti(tmp_path / "CT.nii", numbers((2, 3, 4, 5, 6)))
    with pytest.raises(UnsuitableVolume, match=r"CT\.nii has 5 axes") as refused:
        read_volume(path)
    told(refused.value)


@pytest.mark.parametrize("unit", ["suvbw", "bqml"])
def test_row_41_a_pet_of_nothing_but_negative_values_is_doubted(tmp_path: Path, unit: str, told: Told) -> None:
    volume = read_volume(save_nifti(tmp_path / "PET.nii", -1.0 - numbers(dtype=np.float32)), unit=unit)
    assert "no value above 0 (-60 to -1), so it may not be a PET" in told(volume.provenance.warnings[0])


def test_row_42_metal_in_a_ct_is_kept(tmp_path: Path, told: Told) -> None:
    def metal(image: object, k: int) -> None:
        image.RescaleSlope = 31  # type: ignore[attr-defined]

    write_series(tmp_path, count=11, change=metal)
    volume = read_volume(tmp_path)
    assert volume.voxels.max() == (1032 * 31) - 1024
    assert volume.provenance.warnings == ()
    told(f"up to {volume.voxels.max()} HU, no warning")


def test_row_42_a_ct_that_never_falls_below_zero_is_doubted(tmp_path: Path, told: Told) -> None:
    write_series(tmp_path, RescaleIntercept=0)
    (warning,) = read_volume(tmp_path).provenance.warnings
    assert "has no value below 0 (0 to 432), so it may not be in HU" in told(warning)


def test_row_43_a_ct_given_as_pet_is_refused_or_doubted(tmp_path: Path, told: Told) -> None:
    write_series(tmp_path / "dicom")
    with pytest.raises(InputError, match="no PT images in dicom"):
        read_study(pet=tmp_path / "dicom")
    save_nifti(tmp_path / "PET.nii", numbers() * 40 - 1024)
    (warning,) = read_volume(tmp_path / "PET.nii", unit="suvbw").provenance.warnings
    assert "may be a CT and not SUV" in told(warning)


def test_row_43_a_pet_given_as_ct_is_refused_or_doubted(tmp_path: Path, told: Told) -> None:
    write_series(tmp_path / "dicom", "PT")
    with pytest.raises(InputError, match="no CT images in dicom"):
        read_study(ct=tmp_path / "dicom")
    save_nifti(tmp_path / "CT.nii", numbers(dtype=np.float32) / 4)
    (warning,) = read_volume(tmp_path / "CT.nii").provenance.warnings
    assert "may not be in HU" in told(warning)


def test_row_55_a_decimal_comma_is_no_number(tmp_path: Path, told: Told) -> None:
    write_series(tmp_path / "weight", "PT", PatientWeight="72,5")
    with pytest.raises(SuvRefused, match="PatientWeight") as refused:
        read_volume(tmp_path / "weight", unit="suvbw")
    told(refused.value)


_KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from grisaille.core import safe_write
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.io.labels import write_labels

kill_at, target = int(sys.argv[1]), Path(sys.argv[2])
calls = 0

def counted(name):
    true = getattr(os, name)
    def call(*given, **named):
        global calls
        calls += 1
        if calls == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return true(*given, **named)
    setattr(os, name, call)

for name in ("open", "fsync", "replace", "close"):
    counted(name)
grid = Grid.from_spacing((40, 40, 40), 2.0)
write_labels(Labels(np.full(grid.shape, 7, np.uint16), grid), target)
print(calls)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no kill -9")
def test_row_56_a_process_killed_while_writing_leaves_the_whole_file_or_the_old_one(tmp_path: Path, told: Told) -> None:
    target = tmp_path / "labels.nii.gz"
    old = Labels(np.full((2, 2, 2), 1, np.uint16), Grid.from_spacing((2, 2, 2), 1.0))
    ended = []
    for kill_at, exists in ((2, True), (3, False), (4, True)):
        target.unlink(missing_ok=True)
        if exists:
            write_labels(old, target)
        command = [sys.executable, "-c", _KILLED, str(kill_at), str(target)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        ended.append(done.returncode)
        if target.exists():
            assert read_labels(target).voxels.max() in ((7, 1) if exists else (7,))
        else:
            assert not exists
    assert -signal.SIGKILL in ended
    told(f"{ended.count(-signal.SIGKILL)} of {len(ended)} writes killed, no half file under the name")
