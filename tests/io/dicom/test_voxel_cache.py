"""Volumes in mapped files: made once, made again where damaged, and nothing half-made."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dicom_builder import put_pixels, stored, write_series
from grisaille.core.errors import Cancelled, OutOfMemory
from grisaille.core.run import Run
from grisaille.core.volume import Volume
from grisaille.io.dicom import pixels, voxel_cache
from grisaille.io.dicom.scan import scan
from grisaille.io.dicom.series import read_series
from grisaille.io.dicom.voxel_cache import Kept, VoxelCache, key_of

SHAPE, DTYPE = (3, 4, 5), np.dtype(np.int16)


class Maker:
    """Fills a volume, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, values: np.ndarray) -> dict[str, int]:
        self.times += 1
        values[...] = np.arange(values.size).reshape(values.shape)
        return {"padded": 7}


@pytest.fixture
def made() -> Maker:
    return Maker()


def get(folder: Path, fill: Callable[[np.ndarray], dict[str, int]], key: str = "a", run: Run | None = None) -> Kept:
    return VoxelCache(folder).voxels(key, SHAPE, DTYPE, fill, label="CT series 1", run=run or Run())


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_volume_is_made_once_and_cannot_be_written_to(tmp_path: Path, made: Maker) -> None:
    for _ in range(2):
        kept = get(tmp_path, made)
        np.testing.assert_array_equal(kept.voxels, np.arange(60).reshape(SHAPE))
        assert kept.notes == {"padded": 7}
        assert not kept.voxels.flags.writeable
    assert made.times == 1
    assert names(tmp_path) == ["a.json", "a.voxels"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_only_its_owner_may_read_it(tmp_path: Path, made: Maker) -> None:
    get(tmp_path / "new", made)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / "a.voxels").stat().st_mode) == 0o600


def cut(folder: Path) -> None:
    os.truncate(folder / "a.voxels", 100)


def flip(folder: Path) -> None:
    content = bytearray((folder / "a.voxels").read_bytes())
    content[50] ^= 1
    (folder / "a.voxels").write_bytes(content)


def forget(folder: Path) -> None:
    (folder / "a.json").unlink()


def garble(folder: Path) -> None:
    (folder / "a.json").write_text('{"crc32": "x", "notes"')


def lose(folder: Path) -> None:
    (folder / "a.voxels").unlink()


@pytest.mark.parametrize("damage", [cut, flip, forget, garble, lose])
def test_a_damaged_file_is_made_again(tmp_path: Path, made: Maker, damage: Callable[[Path], None]) -> None:
    get(tmp_path, made)
    damage(tmp_path)
    np.testing.assert_array_equal(get(tmp_path, made).voxels, np.arange(60).reshape(SHAPE))
    assert made.times == 2


@pytest.mark.parametrize("error", [Cancelled(), ValueError("damaged")])
def test_what_goes_wrong_while_it_is_made_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    def fail(values: np.ndarray) -> dict[str, int]:
        values[0] = 1
        raise error

    with pytest.raises(type(error)):
        get(tmp_path, fail)
    assert names(tmp_path) == []


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, made: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(OutOfMemory, match=r"CT series 1 .* cache folder, .* \(the disk is full\); free the disk"):
        get(tmp_path, made)
    assert made.times == 0
    assert names(tmp_path) == []


@pytest.mark.parametrize("is_reserved", [True, False])
def test_a_disk_that_fills_up_meanwhile_is_a_sentence(
    tmp_path: Path, made: Maker, monkeypatch: pytest.MonkeyPatch, is_reserved: bool
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if is_reserved:
        monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    else:
        monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutOfMemory, match="could not be written"):
        get(tmp_path, made)
    assert names(tmp_path) == []


def test_room_is_reserved_where_the_system_cannot(tmp_path: Path, made: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    np.testing.assert_array_equal(get(tmp_path, made).voxels, np.arange(60).reshape(SHAPE))


def test_the_oldest_go_first_where_there_would_be_too_much(
    tmp_path: Path, made: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age, key in enumerate("abc"):
        get(tmp_path, made, key)
        os.utime(tmp_path / f"{key}.json", (time.time() - 1000 + age,) * 2)
    get(tmp_path, made, "a")  # used, so it is the newest
    monkeypatch.setattr(voxel_cache, "MOST_BYTES", 250)
    get(tmp_path, made, "d")
    assert names(tmp_path) == ["a.json", "a.voxels", "d.json", "d.voxels"]


def test_what_nobody_asked_for_in_a_month_goes(tmp_path: Path, made: Maker) -> None:
    get(tmp_path, made, "a")
    (tmp_path / "b.1.partial").write_bytes(b"left by a program that was ended")
    for name in ("a.json", "b.1.partial"):
        os.utime(tmp_path / name, (time.time() - 40 * 86400,) * 2)
    (tmp_path / "notes.txt").write_text("not ours")
    get(tmp_path, made, "c")
    assert names(tmp_path) == ["c.json", "c.voxels", "notes.txt"]


def test_threads_that_want_one_volume_wait_for_the_first_to_make_it(tmp_path: Path) -> None:
    inside, most, times = 0, 0, 0

    def slow(values: np.ndarray) -> dict[str, int]:
        nonlocal inside, most, times
        inside, times = inside + 1, times + 1
        most = max(most, inside)
        time.sleep(0.05)
        values[...] = 3
        inside -= 1
        return {}

    kept: list[Kept] = []
    threads = [threading.Thread(target=lambda: kept.append(get(tmp_path, slow))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, times) == (1, 1)
    assert len(kept) == 3
    assert all((one.voxels == 3).all() for one in kept)


def test_a_key_stands_for_all_its_parts_and_tells_none() -> None:
    keys = {key_of(parts) for parts in ([1, 2], [2, 1], [1, 2, 3], ["1", "2"], ["SMITH", 1])}
    assert len(keys) == 5
    assert all(len(key) == 32 and int(key, 16) >= 0 for key in keys)


class TestLargeSeries:
    """A series over the limit, which the tests set low."""

    @pytest.fixture(autouse=True)
    def low(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pixels, "LARGEST_IN_MEMORY", 100)

    @staticmethod
    def read(folder: Path, cache: Path) -> Volume:
        (series,) = scan(folder).series
        return read_series(series, run=Run(cache=cache))

    @pytest.mark.parametrize("orientation", [[1, 0, 0, 0, 1, 0], [-1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1]])
    def test_it_is_the_same_volume_in_any_orientation(
        self, tmp_path: Path, orientation: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        normal = np.cross(orientation[:3], orientation[3:])
        write_series(
            tmp_path / "study",
            ImageOrientationPatient=orientation,
            change=lambda image, k: setattr(image, "ImagePositionPatient", list(3.0 * k * normal)),
            PixelPaddingValue=12,
        )
        first, again = (self.read(tmp_path / "study", tmp_path / "cache") for _ in range(2))
        monkeypatch.setattr(pixels, "LARGEST_IN_MEMORY", 2**31)
        plain = self.read(tmp_path / "study", tmp_path / "other")
        for one in (first, again):
            np.testing.assert_array_equal(one.voxels, plain.voxels)
            assert isinstance(one.voxels.base, np.memmap) or isinstance(one.voxels.base.base, np.memmap)
            assert one.provenance == plain.provenance
            assert one.grid == plain.grid
        assert not (tmp_path / "other").exists()

    def test_a_copy_with_other_pixels_under_the_same_ids_and_time_is_another_volume(self, tmp_path: Path) -> None:
        for name, shift in (("one", 0), ("other", 7)):
            write_series(tmp_path / name, change=lambda image, k, shift=shift: put_pixels(image, stored(k) + shift))
            for file in (tmp_path / name).iterdir():
                os.utime(file, (1e9, 1e9))
        one, other = (self.read(tmp_path / name, tmp_path / "cache") for name in ("one", "other"))
        np.testing.assert_array_equal(other.voxels - one.voxels, 7)

    def test_it_is_decoded_once_and_again_when_a_file_changes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = write_series(tmp_path / "study")
        self.read(tmp_path / "study", tmp_path / "cache")
        os.utime(files[2], (1, 1))
        self.read(tmp_path / "study", tmp_path / "cache")
        assert len(list((tmp_path / "cache" / "volumes").glob("*.voxels"))) == 2
        monkeypatch.setattr(pixels, "stored_pixels", None)  # nothing may be decoded any more
        found = self.read(tmp_path / "study", tmp_path / "cache")
        np.testing.assert_array_equal(found.voxels[3], stored(3).astype(int) - 1024)

    def test_neither_the_names_nor_the_files_tell_of_the_patient(self, tmp_path: Path) -> None:
        write_series(tmp_path / "study")
        self.read(tmp_path / "study", tmp_path / "cache")
        for file in (tmp_path / "cache" / "volumes").iterdir():
            assert b"SMITH" not in file.read_bytes()
            assert "1.2.826" not in file.name

    def test_large_values_of_a_ct_are_kept_in_float(self, tmp_path: Path) -> None:
        write_series(tmp_path / "study", RescaleSlope=100)
        found = self.read(tmp_path / "study", tmp_path / "cache")
        assert found.voxels.dtype == np.float32
        np.testing.assert_array_equal(found.voxels[4], 100.0 * stored(4) - 1024)
        assert len(list((tmp_path / "cache" / "volumes").glob("*.voxels"))) == 1

    def test_cancelling_leaves_nothing(self, tmp_path: Path) -> None:
        write_series(tmp_path / "study")
        (series,) = scan(tmp_path / "study").series
        asked: list[int] = []
        run = Run(cache=tmp_path / "cache", is_cancelled=lambda: bool(asked.append(1)) or len(asked) > 3)
        with pytest.raises(Cancelled):
            read_series(series, run=run)
        assert list((tmp_path / "cache" / "volumes").iterdir()) == []
