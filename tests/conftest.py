"""What all tests share: a display where one can be had, the real data where it lies, a disk that is soon full."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_REAL_DATA = Path(os.environ.get("GRISAILLE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
_xvfb: subprocess.Popen[bytes] | None = None


def _start_display() -> bool:
    """Whether there is a screen; starts Xvfb on Linux where there is none."""
    global _xvfb
    if not sys.platform.startswith("linux") or os.environ.get("DISPLAY"):
        return True
    if shutil.which("Xvfb") is None:
        return False
    read, write = os.pipe()
    _xvfb = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    if number:
        os.environ["DISPLAY"] = f":{number}"
    return bool(number)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_has_display] = _start_display()


def pytest_unconfigure() -> None:
    if _xvfb is not None:
        _xvfb.terminate()


_has_display = pytest.StashKey[bool]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    no_screen = pytest.mark.skip(reason="no display and no Xvfb: install xvfb to run the window tests")
    no_data = pytest.mark.skip(reason=f"no real data in {_REAL_DATA.name}: set GRISAILLE_REAL_DATA")
    for item in items:
        if item.get_closest_marker("screen") and not config.stash[_has_display]:
            item.add_marker(no_screen)
        if item.get_closest_marker("real_data") and not _REAL_DATA.is_dir():
            item.add_marker(no_data)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; tests that use it are marked ``real_data``."""
    return _REAL_DATA


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB; skipped where none may be mounted."""
    folder = tmp_path / "tiny_disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here: that takes Linux and root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
