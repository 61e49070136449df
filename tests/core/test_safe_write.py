"""A name holds the whole thing or what was there before; nothing half-written stays."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from grisaille.core import safe_write
from grisaille.core.errors import OutputError
from grisaille.core.safe_write import replacing, replacing_folder, require_place


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(target: Path, failure: BaseException) -> None:
    with replacing(target) as temporary:
        temporary.write_text("half")
        raise failure


def write_half_a_folder(target: Path, failure: BaseException, **options: Any) -> None:
    with replacing_folder(target, **options) as folder:
        (folder / "result.json").write_text("half")
        raise failure


def write_a_folder(target: Path) -> None:
    with replacing_folder(target / "out"):
        pass


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("name", "suffix"), [("a.nii.gz", ".nii.gz"), ("a.b.nrrd", ".nrrd"), ("a", "")])
def test_the_file_takes_its_name_on_success_only(tmp_path: Path, name: str, suffix: str) -> None:
    target = tmp_path / name
    target.write_text("old")
    with replacing(target) as temporary:
        assert temporary.parent == tmp_path
        assert "".join(temporary.suffixes) == suffix
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert names(tmp_path) == [name]


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "labels.nii.gz"
    target.write_text("old")
    with pytest.raises(OutputError, match=r"labels\.nii\.gz: the disk is full"):
        write_half(target, FULL)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["labels.nii.gz"]


def test_a_disk_that_fails_at_the_flush_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match="input/output error"), replacing(tmp_path / "a.csv") as temporary:
        temporary.write_text("all of it")
    assert names(tmp_path) == []


def test_any_other_failure_comes_through_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "a.csv", KeyboardInterrupt())
    assert names(tmp_path) == []


def test_what_cannot_be_a_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="folder is a folder"), replacing(tmp_path / "folder"):
        pass
    with pytest.raises(OutputError, match="its folder missing does not exist"), replacing(tmp_path / "missing" / "a"):
        pass


@pytest.mark.parametrize("fails", [False, True])
def test_small_files_beside_it_take_their_names_with_it_or_not_at_all(tmp_path: Path, fails: bool) -> None:
    target, beside = tmp_path / "a.nii.gz", tmp_path / "a.json"
    target.write_text("old")
    beside.write_text("old names")
    with suppress(KeyboardInterrupt), replacing(target, beside={beside: b"new names"}) as temporary:
        temporary.write_text("new")
        assert (target.read_text(), beside.read_text()) == ("old", "old names")
        if fails:
            raise KeyboardInterrupt
    expected = ("old", "old names") if fails else ("new", "new names")
    assert (target.read_text(), beside.read_text()) == expected
    assert names(tmp_path) == ["a.json", "a.nii.gz"]


def test_a_missing_folder_is_made_where_that_was_asked(tmp_path: Path) -> None:
    target = tmp_path / "new" / "deep" / "a"
    with replacing(target, makes_folder=True) as temporary:
        temporary.write_text("whole")
    assert target.read_text() == "whole"
    with pytest.raises(OutputError, match="a is a file, not a folder"), replacing(target / "b", makes_folder=True):
        pass


@pytest.mark.parametrize("below", ["b", "b/c/d"])
def test_a_place_below_a_file_is_refused_by_the_name_of_that_file(tmp_path: Path, below: str) -> None:
    (tmp_path / "a").write_text("")
    for write in (require_place, write_a_folder):
        with pytest.raises(OutputError, match=r"cannot write into .*: a is a file, not a folder; give another place"):
            write(tmp_path / "a" / below)
    require_place(tmp_path / below)
    assert names(tmp_path) == ["a"]


def test_a_read_only_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as root, who may do all
    with pytest.raises(OutputError, match=f"{tmp_path} is read-only"):
        require_place(tmp_path / "new" / "deep")


def test_a_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as root, who may do all
    with pytest.raises(OutputError, match="read-only"), replacing(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "old"


def test_a_writer_that_wrote_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such file"), replacing(tmp_path / "a.csv"):
        pass
    assert names(tmp_path) == []


def test_an_error_of_the_system_without_a_number_keeps_its_words(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="strange thing"), replacing(tmp_path / "a.csv"):
        raise OSError("strange thing")


def test_folders_of_windows_which_cannot_be_opened_are_not_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(safe_write.os, "open", refuse)
    with pytest.raises(PermissionError):
        safe_write._flush(tmp_path)
    monkeypatch.setattr(safe_write.os, "name", "nt")
    safe_write._flush(tmp_path)


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_takes_its_name_when_all_is_written(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "deep" / "out"
    if exists:
        target.mkdir(parents=True)
    with replacing_folder(target) as folder:
        (folder / "one").write_text("1")
        (folder / "two").write_text("2")
        assert not exists or names(target) == []
    assert names(target) == ["one", "two"]
    assert names(target.parent) == ["out"]


def test_a_folder_that_fails_leaves_nothing_beside(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="disk is full"):
        write_half_a_folder(tmp_path / "out", FULL)
    assert names(tmp_path) == []


def test_a_folder_in_use_is_refused_unless_asked_to_overwrite(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    for name in ("result.json", "healthy_ct.nii.gz", "notes.txt"):
        (target / name).write_text("old")
    with pytest.raises(OutputError, match="out is not empty"), replacing_folder(target):
        pass
    owned = ("result.json", "healthy_ct.nii.gz")
    with pytest.raises(RuntimeError):
        write_half_a_folder(target, RuntimeError(), overwrite=True, owned=owned)
    assert (target / "result.json").read_text() == "old"
    with replacing_folder(target, overwrite=True, owned=owned) as folder:
        (folder / "result.json").write_text("new")
    assert names(target) == ["notes.txt", "result.json"]
    assert (target / "result.json").read_text() == "new"
    assert (target / "notes.txt").read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_a_file_in_the_way_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="out is a file"), replacing_folder(tmp_path / "out"):
        pass


def test_on_a_disk_that_is_really_full_nothing_is_left(tiny_disk: Path) -> None:
    with pytest.raises(OutputError, match="the disk is full"), replacing(tiny_disk / "big.bin") as temporary:
        temporary.write_bytes(bytes(1 << 20))
    assert names(tiny_disk) == []
