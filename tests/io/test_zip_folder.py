"""A ZIP is a folder of DICOM, or a sentence; never a way out of its folder, never more than there is room for."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dicom_builder import PATIENT, write_series
from grisaille.core.errors import AmbiguousSeries, Cancelled, GrisailleError, NoImages, OutOfMemory, UnreadableFile
from grisaille.core.run import Run
from grisaille.io import zip_folder
from grisaille.io.info import describe
from grisaille.io.study import read_study, read_volume
from grisaille.io.zip_folder import opened
from image_builder import numbers, save_nifti


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where archives are unpacked to in this file."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A CT and a PET, in folders that are called after their patient."""
    write_series(tmp_path / "study" / "SMITH_JOHN" / "ct", "CT", series=3)
    write_series(tmp_path / "study" / "SMITH_JOHN" / "pet", "PT", series=4)
    return tmp_path / "study"


def packed(folder: Path, target: Path) -> Path:
    """Everything in ``folder``, under its path in it."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return target


def holding(target: Path, name: str, content: bytes = b"x" * 200, **info: object) -> Path:
    """One member of a name that is written as it stands."""
    with zipfile.ZipFile(target, "w") as archive:
        member = zipfile.ZipInfo("placeholder")
        member.filename = name
        for key, value in info.items():
            setattr(member, key, value)
        archive.writestr(member, content)
    return target


def what_opening_gives(path: Path) -> str:
    """The folder's name, or the sentence."""
    try:
        return opened(path).name
    except GrisailleError as error:
        return str(error)


def left_in(temporary: Path) -> list[str]:
    return [one.name for one in temporary.iterdir()]


def test_a_zip_of_a_study_is_the_study(folder: Path, tmp_path: Path) -> None:
    study, plain = read_study(packed(folder, tmp_path / "study.zip")), read_study(folder)
    assert study.patient == plain.patient
    for key, volume in plain.volumes.items():
        assert np.array_equal(study.volumes[key].voxels, volume.voxels)
        assert study.volumes[key].grid == volume.grid
        assert all(file.is_file() for file in study.volumes[key].source.files), "exports go back to them"
    assert read_volume(tmp_path / "study.zip", modality="CT").unit == "HU"
    assert read_study(ct=tmp_path / "study.zip").pet is None
    with pytest.raises(AmbiguousSeries, match=r"study\.zip holds CT series 3"):
        read_volume(tmp_path / "study.zip")


def test_it_is_described_under_its_own_name_and_without_those_inside(folder: Path, tmp_path: Path) -> None:
    (folder / "SMITH_JOHN" / "report.txt").write_text("of John Smith " * 20)
    told = describe([packed(folder, tmp_path / "study.zip")])
    assert [one["modality"] for one in told["series"]] == ["CT", "PT"]
    assert [one["reason"] for one in told["skipped"]] == ["not a DICOM file"]
    assert "SMITH" not in str(told).upper()
    assert PATIENT not in str(told)


def test_a_member_that_is_damaged_as_dicom_is_told_by_its_number(folder: Path, tmp_path: Path) -> None:
    first = sorted((folder / "SMITH_JOHN" / "ct").iterdir())[0]
    first.write_bytes(first.read_bytes()[:-8])
    with pytest.raises(UnreadableFile, match=r"member_0001\.dcm is cut off in its pixels") as told:
        read_volume(packed(folder, tmp_path / "study.zip"), modality="CT")
    assert "SMITH" not in str(told.value)


def test_it_is_unpacked_once_for_its_user_alone(folder: Path, tmp_path: Path, temporary: Path) -> None:
    archive = packed(folder, tmp_path / "study.zip")
    assert opened(archive) == opened(archive)
    (root,) = temporary.iterdir()
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert opened(archive).name == "study.zip"
    (folder / "more.dcm").write_bytes((folder / "SMITH_JOHN" / "ct" / "CT3_000.dcm").read_bytes())
    assert opened(packed(folder, archive)) != root / "study.zip", "a changed archive is another one"


def test_nothing_is_left_when_the_process_ends(folder: Path, tmp_path: Path, temporary: Path) -> None:
    archive = packed(folder, tmp_path / "study.zip")
    code = (
        "import sys, pathlib\nfrom grisaille.io.zip_folder import opened\n"
        "print(sum(file.is_file() for file in opened(pathlib.Path(sys.argv[1])).rglob('*')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(archive)],
        env={**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "10"
    assert left_in(temporary) == []


def test_what_a_killed_process_left_is_swept_after_a_day(folder: Path, tmp_path: Path, temporary: Path) -> None:
    gone, living = 2**22 + 1, os.getpid()  # beyond Linux's largest process number
    for name in (f"grisaille-zip-{gone}-old", f"grisaille-zip-{gone}-new", f"grisaille-zip-{living}-old"):
        (temporary / name / "study.zip").mkdir(parents=True)
        if name.endswith("old"):
            os.utime(temporary / name, (0, 0))
    opened(packed(folder, tmp_path / "study.zip"))
    assert f"grisaille-zip-{gone}-old" not in left_in(temporary)
    assert len(left_in(temporary)) == 3


@pytest.mark.parametrize(
    "name", ["../outside.dcm", "a/../../outside.dcm", "/outside.dcm", "..\\outside.dcm", "C:\\outside.dcm", "\\o.dcm"]
)
def test_a_name_that_leads_out_refuses_the_archive(tmp_path: Path, temporary: Path, name: str) -> None:
    with pytest.raises(UnreadableFile, match=r"slip\.zip is not unpacked: entry 1 would be written outside"):
        opened(holding(tmp_path / "slip.zip", name))
    assert left_in(temporary) == []


def test_links_and_archives_inside_are_left_out(folder: Path, tmp_path: Path) -> None:
    inner = packed(folder, tmp_path / "inner.zip")
    archive = packed(folder / "SMITH_JOHN" / "ct", tmp_path / "study.zip")
    with zipfile.ZipFile(archive, "a") as more:
        more.write(inner, "deeper.zip")
        link = zipfile.ZipInfo("link.dcm")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        more.writestr(link, "/etc/passwd")
    unpacked = [file for file in opened(archive).rglob("*") if file.is_file()]
    assert len(unpacked) == 5
    assert not any(file.is_symlink() for file in unpacked)


def test_an_encrypted_archive_says_so(tmp_path: Path) -> None:
    archive = holding(tmp_path / "secret.zip", "a.dcm")
    content = bytearray(archive.read_bytes())
    content[content.find(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    archive.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"secret\.zip is encrypted; unpack it with its password"):
        read_study(archive)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_whose_growth_is_not_bounded_are_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "odd.zip", "w", method) as archive:
        archive.writestr("a.dcm", bytes(10**6))
    with pytest.raises(UnreadableFile, match="packed in an unusual way"):
        opened(tmp_path / "odd.zip")


def test_a_bomb_is_refused_by_what_it_declares(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a smaller measure of what is harmless, so that a smaller one will do."""
    monkeypatch.setattr(zip_folder, "HARMLESS_BYTES", 2**20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", bytes(20 << 20))
    with pytest.raises(UnreadableFile, match=r"bomb\.zip declares 21 MB in an archive of .* kB"):
        opened(tmp_path / "bomb.zip")
    assert left_in(temporary) == []


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    archive = holding(tmp_path / "overlap.zip", "a.dcm", b"x" * 5000)
    content = bytearray(archive.read_bytes())
    start = content.find(b"PK\x01\x02")
    entry = bytes(content[start : content.find(b"PK\x05\x06")])
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 50, 50, 50 * len(entry), start, 0)
    archive.write_bytes(bytes(content[:start]) + entry * 50 + end)
    with pytest.raises(UnreadableFile, match="damaged or made to do harm"):
        opened(archive)


@pytest.mark.parametrize("declared", [3, 100_000])
def test_a_member_that_is_not_what_it_declares_is_refused_by_its_number(
    tmp_path: Path, temporary: Path, declared: int
) -> None:
    with zipfile.ZipFile(tmp_path / "liar.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("SMITH.dcm", os.urandom(5000))
    content = bytearray((tmp_path / "liar.zip").read_bytes())
    struct.pack_into("<I", content, content.find(b"PK\x01\x02") + 24, declared)
    (tmp_path / "liar.zip").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"liar\.zip is damaged: its entry 1") as told:
        opened(tmp_path / "liar.zip")
    assert "SMITH" not in str(told.value)
    assert left_in(temporary) == []


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_folder, "MOST_MEMBERS", 3)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"{number}", b"x")
    with pytest.raises(UnreadableFile, match=r"many\.zip has 4 entries, expected at most 3"):
        opened(tmp_path / "many.zip")


@pytest.mark.parametrize("is_zip64", [False, True])
def test_a_list_of_contents_too_long_is_refused_before_it_is_taken_in(tmp_path: Path, is_zip64: bool) -> None:
    size = 2**30
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 2**32 - 1 if is_zip64 else size, 0, 0)
    (tmp_path / "long.zip").write_bytes((record + locator if is_zip64 else b"") + end)
    with pytest.raises(UnreadableFile, match=r"a list of contents of 1\.\d+ GB"):
        opened(tmp_path / "long.zip")


def test_a_disk_without_room_is_told_before(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(folder, tmp_path / "study.zip")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(OutOfMemory, match=r"study\.zip needs .* of disk to unpack, .* are free for temporary files"):
        opened(archive)


def test_a_disk_that_fills_meanwhile_leaves_nothing(
    folder: Path, tmp_path: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "large.dcm").write_bytes(os.urandom(200_000))
    monkeypatch.setattr(tempfile, "tempdir", str(tiny_disk))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 0, 10**9))
    with pytest.raises(OutOfMemory, match=r"study\.zip could not be unpacked .* \(no space left on device\)"):
        opened(packed(folder, tmp_path / "study.zip"))
    assert left_in(tiny_disk) == []


def test_unpacking_can_be_stopped_and_leaves_nothing(folder: Path, tmp_path: Path, temporary: Path) -> None:
    with pytest.raises(Cancelled):
        opened(packed(folder, tmp_path / "study.zip"), run=Run(is_cancelled=lambda: True))
    assert left_in(temporary) == []


def test_a_zip_of_other_things_is_told(tmp_path: Path) -> None:
    save_nifti(tmp_path / "CT.nii.gz", numbers())
    with zipfile.ZipFile(tmp_path / "nifti.zip", "w") as archive:
        archive.write(tmp_path / "CT.nii.gz", "CT.nii.gz")
    with pytest.raises(NoImages, match=r"no images in nifti\.zip: 1 entries, none of them .* DICOM; unpack NIfTI"):
        read_study(tmp_path / "nifti.zip")


def test_whatever_is_cut_off_or_changed_it_is_a_study_or_a_sentence(folder: Path, tmp_path: Path) -> None:
    whole = packed(folder, tmp_path / "study.zip").read_bytes()
    draw = np.random.default_rng(7)
    for number in range(60):
        spoilt = bytearray(whole[: int(draw.integers(0, len(whole)))] if number % 2 else whole)
        for _ in range(int(draw.integers(1, 20))):
            if spoilt:
                # Mostly in the list of contents, at the end, where the claims are.
                at = len(spoilt) - 1 - int(draw.integers(0, min(len(spoilt), 900)))
                spoilt[at] = int(draw.integers(0, 256))
        path = tmp_path / f"{number}.zip"
        path.write_bytes(spoilt)
        assert path.name in what_opening_gives(path)
