"""Files made to do harm end in a sentence, soon; ``benchmarks/dicom_bombs.py`` measures their memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bombs import BOMBS
from dicom_builder import build_image, put, save
from grisaille.core.errors import InputError
from grisaille.io.dicom import read_series
from grisaille.io.dicom_bytes import FIRST_BYTES, read_head
from grisaille.io.dicom_scan import scan

LONGEST_S = 15.0
"""Of a small bomb on a busy machine; the benchmark asks for less than a second of a large one."""


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_it_ends_in_a_sentence(tmp_path: Path, bomb: Callable[..., bytes]) -> None:
    file = tmp_path / "image.dcm"
    file.write_bytes(bomb(tmp_path, share=0.05))
    started = time.monotonic()
    with pytest.raises(InputError, match=r"image\.dcm") as error:
        [read_series(series) for series in scan(file).series]
    assert time.monotonic() - started < LONGEST_S
    assert "SMITH" not in str(error.value)


def test_a_false_length_asks_for_no_more_bytes_than_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a header longer than the bytes that are looked at first."""
    from grisaille.io import dicom_bytes

    asked: list[int] = []

    class Watched(dicom_bytes.Clipped):
        def __init__(self, stream: object) -> None:
            class Counting:
                def read(self, size: int) -> bytes:
                    asked.append(size)
                    return stream.read(size)

                seek, tell = stream.seek, stream.tell

            super().__init__(Counting())

    monkeypatch.setattr(dicom_bytes, "Clipped", Watched)
    (bomb,) = [one for one in BOMBS if one.__name__ == "long_element_late"]
    file = tmp_path / "image.dcm"
    file.write_bytes(bomb(tmp_path))
    read_head(file)
    assert max(asked) <= file.stat().st_size


def test_a_header_longer_than_the_first_bytes_is_read_whole(tmp_path: Path) -> None:
    image = build_image()
    image.add_new(0x00090010, "LO", "SOMEBODY")
    image.add_new(0x00091001, "OB", bytes(2 * FIRST_BYTES))
    put(image, SeriesNumber=77)
    (series,) = scan(save(image, tmp_path / "long.dcm").parent).series
    assert series.number == 77
    assert read_series(series).voxels[0, 1, 1] == 11 - 1024
