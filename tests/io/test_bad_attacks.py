"""Rows of the bad-input table on attacks, and on what in a file a user should know of."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
)

from dicom_builder import (
    stored,
    write_index,
    write_series,
)
from grisaille.core.errors import (
    GrisailleError,
    InputError,
    IrregularSeries,
    NoImages,
    UnreadableFile,
)
from grisaille.core.volume import Volume
from grisaille.io.study import read_study, read_volume

Told = Callable[[object], str]


def in_hu(volume: Volume) -> bool:
    """Whether a volume holds what ``write_series`` wrote by default."""
    return all(np.array_equal(volume.voxels[k], stored(k) - 1024.0) for k in range(volume.grid.shape[0]))


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"BurnedInAnnotation": "YES"}, "5 files with text burned into the picture"),
        ({"BurnedInAnnotation": "NO"}, ""),
    ],
)
def test_row_31_burned_in_text_is_warned_of(tmp_path: Path, tags: dict[str, object], said: str, told: Told) -> None:
    write_series(tmp_path, **tags)
    told(warned_of(tmp_path, said))


def test_row_31_an_overlay_is_warned_of(tmp_path: Path, told: Told) -> None:
    def overlay(image: Dataset, k: int) -> None:
        image.add_new((0x6000, 0x3000), "OW", b"\0\0")

    write_series(tmp_path, change=overlay)
    told(warned_of(tmp_path, "5 files with an overlay (60xx,3000), whose text may name the patient"))


@pytest.mark.parametrize("start", [b"MZ\x90\0", b"\x7fELF\2\1\1", b"\xcf\xfa\xed\xfe"])
def test_row_35_a_program_in_front_of_an_image_is_warned_of(tmp_path: Path, start: bytes, told: Told) -> None:
    file = write_series(tmp_path)[2]
    content = file.read_bytes()
    file.write_bytes(start + content[len(start) :])
    told(warned_of(tmp_path, "1 file with the start of a program"))


def test_row_35_a_tiff_in_front_is_allowed(tmp_path: Path) -> None:
    for file in write_series(tmp_path):
        file.write_bytes(b"II*\0" + file.read_bytes()[4:])
    warned_of(tmp_path, "")


def warned_of(folder: Path, said: str) -> str:
    """Read, look for the one warning, or for none; what it says."""
    volume = read_volume(folder)
    assert in_hu(volume)
    warnings = volume.provenance.warnings
    assert len(warnings) == bool(said)
    assert not said or warnings[0].startswith(said)
    return warnings[0] if warnings else "nothing"


def test_row_32_a_link_in_a_circle_is_listed(tmp_path: Path, told: Told) -> None:
    (tmp_path / "loop.dcm").symlink_to(tmp_path / "loop.dcm")
    (tmp_path / "folder").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(NoImages) as refused:
        read_study(tmp_path)
    told(refused.value)
    write_series(tmp_path / "in")
    assert in_hu(read_volume(tmp_path))
    for name in ("loop.dcm", "DICOMDIR"):
        if name == "DICOMDIR":
            (tmp_path / name).symlink_to(tmp_path / name)
        with pytest.raises(InputError, match=name):
            read_study(tmp_path / name)


@pytest.mark.parametrize("is_in_front", [True, False])
def test_row_33_a_deflated_bomb_ends_soon_and_in_little_memory(tmp_path: Path, is_in_front: bool, told: Told) -> None:
    """A sound image but for 120 MB of zeros, before its pixels or in their place."""
    files = write_series(tmp_path)
    content = files[1].read_bytes()
    meta = dcmread(files[1]).file_meta
    body = content[content.find(b"\x08\x00\x16\x00UI") :]
    zeros = (120 << 20).to_bytes(4, "little")
    pixels = body.rfind(b"\xe0\x7f\x10\x00OW")
    packer = zlib.compressobj(wbits=-15)
    head = body[:pixels] + (b"\x29\x00\x10\x10OB\0\0" if is_in_front else b"\xe0\x7f\x10\x00OW\0\0") + zeros
    packed = [packer.compress(head), *(packer.compress(bytes(20 << 20)) for _ in range(6))]
    packed += [packer.compress(body[pixels:]) if is_in_front else b"", packer.flush()]
    meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    file_meta = DicomBytesIO()
    write_file_meta_info(file_meta, meta)
    files[1].write_bytes(bytes(128) + b"DICM" + file_meta.getvalue() + b"".join(packed))
    assert files[1].stat().st_size < 1_000_000
    tracemalloc.start()
    started = time.monotonic()
    try:
        with pytest.raises(GrisailleError) as refused:
            read_volume(tmp_path)
        took, (_, most) = time.monotonic() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    told(f"{took:.2f} s, {most / 1e6:.0f} MB: {refused.value}")
    assert took < 5, "asked is 1 s, on a machine with nothing else to do"
    assert most < 60e6, "asked are 300 MB"


@pytest.mark.parametrize("depth", [50, 5000])
def test_row_34_sequences_in_sequences_end_in_a_sentence_or_a_volume(tmp_path: Path, depth: int, told: Told) -> None:
    opening = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    files = write_series(tmp_path)
    content = files[2].read_bytes()
    at = content.find(b"\x08\x00\x60\x00CS")
    files[2].write_bytes(content[:at] + opening * depth + content[at:])
    started = time.monotonic()
    with pytest.raises(IrregularSeries, match="missing") as refused:
        read_volume(tmp_path)
    assert time.monotonic() - started < 5
    told(refused.value)


@pytest.mark.parametrize("keyword", [b"\x10\x00\x10\x00PN", b"\x28\x00\x10\x00US"])
def test_row_34_an_element_of_four_gigabytes_takes_no_memory(tmp_path: Path, keyword: bytes, told: Told) -> None:
    file = write_series(tmp_path, count=1)[0]
    content = file.read_bytes()
    at = content.find(keyword)
    file.write_bytes(content[:at] + keyword[:4] + b"OB\0\0\xfe\xff\xff\xff" + content[at + 8 :])
    started = time.monotonic()
    with pytest.raises((UnreadableFile, IrregularSeries)) as refused:
        read_study(file)
    assert time.monotonic() - started < 2
    told(refused.value)


def test_row_32_an_index_that_names_itself_is_a_sentence(tmp_path: Path, told: Told) -> None:
    write_index(tmp_path, [["DICOMDIR"]])
    with pytest.raises(NoImages) as refused:
        read_study(tmp_path / "DICOMDIR")
    told(refused.value)
