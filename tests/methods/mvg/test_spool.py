"""Arrays that wait on disk: they come back as they were, and no file outlives its block."""

from __future__ import annotations

import contextlib
import errno
import tempfile
from typing import IO

import numpy as np
import pytest

from grisaille.core.errors import Cancelled, OutputError
from grisaille.core.run import Run
from grisaille.flows.load import find_weights
from grisaille.methods.mvg.config import MvgConfig, Preset
from grisaille.methods.mvg.method import MVG
from grisaille.methods.mvg.spool import Spool
from phantoms import small_cohort


def test_arrays_come_back_bit_for_bit_in_any_order() -> None:
    arrays = [
        np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        np.array([[True], [False]]),
        np.empty((0, 5)),
        np.arange(12.0).reshape(3, 4).T,
        np.array(2.5),
    ]
    with Spool() as spool:
        slots = [spool.put(array) for array in arrays]
        for array, slot in reversed(list(zip(arrays, slots, strict=True))):
            found = spool.get(slot)
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array)
        again = spool.put(arrays[0] + 1)
        np.testing.assert_array_equal(spool.get(slots[1]), arrays[1])
        np.testing.assert_array_equal(spool.get(again), arrays[0] + 1)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[IO[bytes]]:
    """Every temporary file that is made; closing one deletes it."""
    files: list[IO[bytes]] = []
    make = tempfile.TemporaryFile

    def record(**options: str) -> IO[bytes]:
        files.append(make(**options))
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", record)
    return files


def test_the_file_is_gone_when_the_block_ends_or_breaks(opened: list[IO[bytes]]) -> None:
    with Spool() as spool:
        spool.put(np.zeros(10))
    with contextlib.suppress(KeyError), Spool() as broken:
        broken.put(np.zeros(10))
        raise KeyError
    assert [file.closed for file in opened] == [True, True]
    with pytest.raises(ValueError, match="closed"):
        spool.put(np.zeros(1))


def test_a_cancelled_fit_leaves_no_file(opened: list[IO[bytes]]) -> None:
    config = MvgConfig(preset=Preset.RIPPEL2020, input_size=64, levels=(1,))
    steps: list[int] = []
    run = Run(device="cpu", threads=1, on_progress=lambda _: steps.append(1), is_cancelled=lambda: len(steps) > 9)
    with pytest.raises(Cancelled):
        MVG.create(config, find_weights("mvg", config)).fit(small_cohort(2, 11), run)
    assert opened
    assert all(file.closed for file in opened)


class _FullDisk:
    def seek(self, _: int) -> None: ...

    def close(self) -> None: ...

    def write(self, _: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_says_where_to_free_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: _FullDisk())
    with pytest.raises(OutputError, match="No space left on device; free space there"), Spool() as spool:
        spool.put(np.zeros(3))
