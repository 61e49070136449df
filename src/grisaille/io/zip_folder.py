"""A ZIP of DICOM files as a folder: unpacked to a private place, and only what is safe to unpack.

The names inside an archive are not used, neither as paths, which could lead anywhere, nor in
messages, where a folder is often called after its patient: ``member_0012.dcm`` is the twelfth
entry. The folder lives as long as the process, since exports go back to the files of a series.
Source: PKWARE, APPNOTE.TXT 6.3, sections 4.3 and 4.4.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import struct
import tempfile
import threading
import time
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import psutil

from grisaille.core.errors import NoImages, OutOfMemory, UnreadableFile
from grisaille.core.run import Run
from grisaille.io.image import DEFLATE_RATIO, in_words

MOST_MEMBERS = 100_000
"""A whole-body PET/CT with all its reconstructions has some thousands of images."""
LARGEST_RATIO = 200
"""Unpacked to packed, of an archive as a whole; CT and PET pack two- to fivefold."""
HARMLESS_BYTES = 2**28
_LONGEST_DIRECTORY = 2**26

_PREFIX = "grisaille-zip-"
_DAY_S = 86_400.0
_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_ENDINGS_LEFT = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".nii", ".nrrd", ".mha", ".mhd")

_unpacked: dict[tuple[str, int, int], Path] = {}
_one_at_a_time = threading.Lock()


def is_zip(path: Path) -> bool:
    """Whether a file is an archive by its name."""
    return path.suffix.lower() == ".zip" and path.is_file()


def opened(path: Path, *, run: Run | None = None) -> Path:
    """``path`` itself, or the folder that a ZIP was unpacked into, which bears the archive's name.

    An archive that has not changed is unpacked once in the life of the process. Links, archives
    inside the archive and image files of other kinds than DICOM are left out.

    Raises
    ------
    UnreadableFile
        If it is damaged, encrypted, packed in an unusual way, leads out of its root or is a bomb.
    OutOfMemory
        If the disk has no room for it.
    NoImages
        If nothing in it could be DICOM.
    """
    if not is_zip(path):
        return path
    known = path.stat()
    key = (str(path.resolve()), known.st_mtime_ns, known.st_size)
    with _one_at_a_time:
        if key not in _unpacked or not _unpacked[key].is_dir():
            _unpacked[key] = _unpack(path, run or Run())
        return _unpacked[key]


def _unpack(path: Path, run: Run) -> Path:
    try:
        _require_small_directory(path)
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _require_harmless(path, members)
            wanted = [(number, one) for number, one in enumerate(members, start=1) if _is_wanted(one)]
            if not wanted:
                raise NoImages(
                    f"no images in {path.name}: {len(members)} entries, none of them a file that could be DICOM; "
                    "unpack NIfTI and archives in archives yourself"
                )
            root = _private_folder()
            try:
                for number, member in run.track(wanted, f"unpacking {path.name}"):
                    _write(path, archive, member, number, root / path.name)
            except BaseException:
                shutil.rmtree(root, ignore_errors=True)
                raise
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, ValueError, NotImplementedError) as error:
        raise UnreadableFile(f"{path.name} is not a whole ZIP file; copy it again from where it came") from error
    return root / path.name


def _require_small_directory(path: Path) -> None:
    """``zipfile`` takes in the whole list of contents, at some hundred bytes of memory for each that it has."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2**16 - 22 - 20))
        tail = file.read()
        end = tail.rfind(b"PK\x05\x06")
        if end < 0 or len(tail) < end + 22:
            raise zipfile.BadZipFile
        size = struct.unpack_from("<I", tail, end + 12)[0]
        if tail[max(end - 20, 0) : end].startswith(b"PK\x06\x07"):
            file.seek(struct.unpack_from("<Q", tail, end - 12)[0])
            record = file.read(56)
            size = max(size if size != 2**32 - 1 else 0, struct.unpack_from("<Q", record, 40)[0])
    if size > _LONGEST_DIRECTORY:
        raise UnreadableFile(
            f"{path.name} has a list of contents of {in_words(size)}, expected at most {in_words(_LONGEST_DIRECTORY)}; "
            "unpack it yourself and give the folder"
        )


def _require_harmless(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive by its list of contents, before anything is unpacked."""
    if len(members) > MOST_MEMBERS:
        raise UnreadableFile(
            f"{path.name} has {len(members)} entries, expected at most {MOST_MEMBERS}; unpack it yourself "
            "and give the folder"
        )
    for number, member in enumerate(members, start=1):
        if _leads_out(member.filename):
            raise UnreadableFile(
                f"{path.name} is not unpacked: entry {number} would be written outside of its folder, "
                "which no honest archive asks for; get it again from where it came"
            )
        if member.flag_bits & _ENCRYPTED:
            raise UnreadableFile(f"{path.name} is encrypted; unpack it with its password and give the folder")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnreadableFile(
                f"{path.name}: entry {number} is packed in an unusual way, expected deflate; unpack it yourself"
            )
    _require_no_bomb(path, members)


def _require_no_bomb(path: Path, members: list[zipfile.ZipInfo]) -> None:
    declared, present = sum(member.file_size for member in members), path.stat().st_size
    overlapping = sum(member.compress_size for member in members) > present
    grows = any(member.file_size > DEFLATE_RATIO * max(member.compress_size, 1) for member in members)
    if overlapping or grows or declared > max(HARMLESS_BYTES, LARGEST_RATIO * present):
        raise UnreadableFile(
            f"{path.name} declares {in_words(declared)} in an archive of {in_words(present)}, which no images pack "
            "into; it is damaged or made to do harm"
        )
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if declared > 0.9 * free:
        raise OutOfMemory(
            f"{path.name} needs {in_words(declared)} of disk to unpack, {in_words(free)} are free for temporary files; "
            "make room, or unpack it elsewhere and give the folder"
        )


def _leads_out(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return name.startswith(("/", "\\")) or ".." in parts or (bool(parts) and ":" in parts[0])


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    mode = member.external_attr >> 16
    if member.is_dir() or not member.file_size or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
        return False
    name = PurePosixPath(member.filename.replace("\\", "/")).name.lower()
    return not name.endswith(_ENDINGS_LEFT) and not name.startswith("._")  # the latter are macOS's shadows of files


def _write(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, number: int, root: Path) -> None:
    """One file under its number; its folder becomes a number too, for images that are told by their folder."""
    folder = root / f"folder_{zlib.crc32(str(PurePosixPath(member.filename).parent).encode()):08x}"
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with archive.open(member) as packed, (folder / f"member_{number:04d}.dcm").open("xb") as file:
            while chunk := packed.read(_CHUNK):
                written += len(chunk)
                if written > member.file_size:
                    raise zipfile.BadZipFile
                file.write(chunk)
        if written != member.file_size:
            raise zipfile.BadZipFile
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise UnreadableFile(
            f"{path.name} is damaged: its entry {number} does not unpack to what it should; "
            "copy it again from where it came"
        ) from error
    except OSError as error:
        raise OutOfMemory(
            f"{path.name} could not be unpacked to {tempfile.gettempdir()} ({os.strerror(error.errno or 0).lower()}); "
            "make room, or unpack it elsewhere and give the folder"
        ) from error


def _private_folder() -> Path:
    """A new folder that only this user can read, removed when the process ends."""
    _sweep()
    root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))  # mkdtemp: mode 0700
    atexit.register(_remove, root, os.getpid())
    return root


def _remove(root: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked child ends too
        shutil.rmtree(root, ignore_errors=True)


def _sweep() -> None:
    """Remove what processes that were killed left behind: patients' images are not to lie about."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        process = folder.name.removeprefix(_PREFIX).partition("-")[0]
        try:
            found = folder.lstat()
        except OSError:
            continue
        is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == (os.getuid() if hasattr(os, "getuid") else 0)
        is_old = time.time() - found.st_mtime > _DAY_S
        if is_ours and is_old and process.isdecimal() and not psutil.pid_exists(int(process)):
            shutil.rmtree(folder, ignore_errors=True)
