"""Writing so that the name holds the whole thing or what was there before, never half.

Knows no format: it stands in the core because both ``io`` and ``weights`` write.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from grisaille.core.errors import OutputError


def require_place(folder: str | os.PathLike[str]) -> None:
    """Raise ``OutputError`` if nothing could be written into ``folder``, there already or yet to be made.

    For before the work: what took hours is not to be lost for a name.
    """
    folder = Path(folder).absolute()
    nearest = next(one for one in (folder, *folder.parents) if one.exists())
    if not nearest.is_dir():
        raise OutputError(f"cannot write into {folder}: {nearest.name} is a file, not a folder; give another place")
    if not os.access(nearest, os.W_OK):
        raise OutputError(f"cannot write into {folder}: {nearest} is read-only; give another place, or allow writing")


@contextmanager
def replacing(
    path: str | os.PathLike[str], *, makes_folder: bool = False, beside: Mapping[Path, bytes] | None = None
) -> Iterator[Path]:
    """A temporary path beside ``path``, with its suffixes, that takes its name on success.

    What was written is flushed to the disk before it is renamed. On any failure it is
    removed and ``path`` is as it was.

    Parameters
    ----------
    makes_folder
        Whether a missing folder is made, for what took too long to make to be lost for that.
    beside
        Small files that belong to it, by their names: they are written first, and take their names right
        after it.

    Raises
    ------
    OutputError
        If the disk is full, the folder is missing or anything else of the system fails.
    """
    target = Path(path)
    temporary = _temporary(target)
    others = {_temporary(other): other for other in beside or ()}
    try:
        with _explained(target):
            if makes_folder:
                require_place(target.parent)
                target.parent.mkdir(parents=True, exist_ok=True)
            _require_replaceable(target)
            for written, other in others.items():
                _require_replaceable(other)
                written.write_bytes((beside or {})[other])
                _flush(written)
            yield temporary
            _flush(temporary)
            for written, name in {temporary: target, **others}.items():
                os.replace(written, name)
            _flush(target.parent)
    finally:
        for written in (temporary, *others):
            with suppress(OSError):
                written.unlink()


@contextmanager
def replacing_folder(
    path: str | os.PathLike[str], *, overwrite: bool = False, owned: Collection[str] = ()
) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its name on success.

    Parameters
    ----------
    overwrite
        Whether a folder that is not empty may be written into. Its files are then replaced
        one by one; those of other names stay, for they may be the user's.
    owned
        Names that belong to this kind of result: those that are not written again are
        removed on success, so that no part of an older result stands beside the new one.

    Raises
    ------
    OutputError
        If the folder holds something and ``overwrite`` is not set, or the system fails.
    """
    target = Path(path)
    with _explained(target):
        if target.exists() and not target.is_dir():
            raise OutputError(f"{target.name} is a file, expected a folder or a new name; give another output")
        if target.exists() and any(target.iterdir()) and not overwrite:
            raise OutputError(f"folder {target.name} is not empty; give another one, or ask to overwrite it")
        require_place(target.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{secrets.token_hex(8)}")
        temporary.mkdir()
        try:
            yield temporary
            for file in temporary.iterdir():
                _flush(file)
            _take_over(temporary, target, owned)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _take_over(temporary: Path, target: Path, owned: Collection[str]) -> None:
    if not target.exists() or not any(target.iterdir()):
        with suppress(FileNotFoundError):
            target.rmdir()
        os.replace(temporary, target)
    else:
        written = sorted(temporary.iterdir())
        for file in written:
            os.replace(file, target / file.name)
        for name in set(owned) - {file.name for file in written}:
            (target / name).unlink(missing_ok=True)
        _flush(target)
    _flush(target.parent)


def _require_replaceable(target: Path) -> None:
    if target.is_dir():
        raise OutputError(f"{target.name} is a folder, expected the name of a file to write")
    if not target.parent.is_dir():
        raise OutputError(f"cannot write {target.name}: its folder {target.parent.name} does not exist; make it first")
    if target.exists() and not os.access(target, os.W_OK):
        raise OutputError(f"{target.name} is read-only; give another name, or allow writing to it")


def _temporary(target: Path) -> Path:
    return target.with_name(f".{secrets.token_hex(8)}{_suffixes(target)}")


def _suffixes(target: Path) -> str:
    """Writers tell the format by the suffix; only ``.gz`` and its like come in pairs."""
    return "".join(target.suffixes[-2:]) if target.suffix == ".gz" else target.suffix


def _flush(path: Path) -> None:
    """Bring a file, or a folder's list of names, to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders; NTFS journals its names
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Turn an error of the system into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            reason = "the disk is full; free some space or give another place"
        else:
            reason = f"{os.strerror(error.errno).lower() if error.errno else error}; check the place and its rights"
        raise OutputError(f"cannot write {target.name}: {reason}. Nothing was left half-written") from error
