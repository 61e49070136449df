"""What a process that died leaves behind is found; what a living one keeps is left alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.desktop.autosave import Leftover, leftovers, save, session_folder

GRID = Grid.from_spacing((4, 5, 6), (3.0, 2.0, 2.0), (-10.0, 5.0, 7.0))


def labels() -> Labels:
    return Labels(np.random.default_rng(0).integers(0, 4, GRID.shape).astype(np.uint16), GRID)


def test_labels_of_a_killed_process_are_offered_as_they_were(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
import numpy as np
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.desktop.autosave import save, session_folder
grid = Grid.from_spacing((4, 5, 6), (3.0, 2.0, 2.0), (-10.0, 5.0, 7.0))
voxels = np.random.default_rng(0).integers(0, 4, grid.shape).astype(np.uint16)
save(Labels(voxels, grid), "liver (edited)", session_folder(Path({str(tmp_path)!r})) / "1.nii.gz")
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False)
    assert ended.returncode == -signal.SIGKILL
    (found,) = leftovers(tmp_path)
    assert found.name == "liver (edited)"
    np.testing.assert_array_equal(found.read().voxels, labels().voxels)
    assert found.read().grid.is_close(GRID)
    found.discard()
    assert leftovers(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


def test_labels_of_a_living_process_are_not_offered(tmp_path: Path) -> None:
    save(labels(), "mine", session_folder(tmp_path) / "1.nii.gz")
    assert leftovers(tmp_path) == ()


def test_a_process_number_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    number = session_folder(tmp_path).name.partition("-")[0]
    save(labels(), "old", tmp_path / f"{number}-12345" / "1.nii.gz")
    assert [one.name for one in leftovers(tmp_path)] == ["old"]


@pytest.mark.parametrize("note", ["", "{", "[]", '{"name": "x"}'])
def test_labels_whose_note_is_damaged_are_offered_all_the_same(tmp_path: Path, note: str) -> None:
    path = tmp_path / "999999999-1" / "1.nii.gz"
    save(labels(), "x", path)
    path.with_name("1.note").write_text(note)
    (found,) = leftovers(tmp_path)
    assert isinstance(found, Leftover)
    np.testing.assert_array_equal(found.read().voxels, labels().voxels)


def test_other_folders_are_nobody_s_business(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "1.nii.gz").write_bytes(b"")
    assert leftovers(tmp_path) == ()
    assert leftovers(tmp_path / "missing") == ()
