"""Plain pictures: the published resizing, whatever the colours; what cannot be read is a sentence."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from grisaille.core.errors import GridMismatch, UnreadableFile, UnsuitableVolume
from grisaille.io.picture import is_picture, read_mask, read_square

RNG = np.random.default_rng(4)
GREY = RNG.integers(0, 256, (30, 44)).astype(np.uint8)


def put(path: Path, array: np.ndarray, mode: str | None = None) -> Path:
    image = Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(path)
    return path


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_square_is_what_pillow_and_then_rgb_make_of_the_picture(tmp_path: Path, mode: str) -> None:
    colours = RNG.integers(0, 256, (30, 44, 3)).astype(np.uint8)
    path = put(tmp_path / "one.png", colours, mode)
    with Image.open(path) as image:
        wanted = image.resize((56, 56), Image.Resampling.BICUBIC).convert("RGB")
    found = read_square(path, 56)
    assert found.shape == (56, 56, 3)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.asarray(wanted))


def test_grey_is_three_equal_colours_and_full_opacity_changes_nothing(tmp_path: Path) -> None:
    grey = read_square(put(tmp_path / "grey.png", GREY), 28)
    opaque = read_square(put(tmp_path / "opaque.png", GREY, "RGBA"), 28)
    assert (grey == grey[..., :1]).all()
    np.testing.assert_array_equal(grey, opaque)


def test_a_square_of_the_same_size_is_the_picture_itself(tmp_path: Path) -> None:
    square = GREY[:28, :28]
    np.testing.assert_array_equal(read_square(put(tmp_path / "same.png", square), 28)[..., 0], square)


def test_a_mask_is_squeezed_as_its_picture_and_cut_at_a_half(tmp_path: Path) -> None:
    marked = np.zeros((20, 40), np.uint8)
    marked[10:, 20:] = 1  # any value but 0
    like = put(tmp_path / "picture.png", np.zeros((20, 40), np.uint8))
    found = read_mask(put(tmp_path / "mask.png", marked), like, 80)
    assert found.dtype == bool
    assert found[41:, 41:].all()
    assert not found[:39].any()
    assert not found[:, :39].any()


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    mask, like = put(tmp_path / "mask.png", GREY[:20]), put(tmp_path / "picture.png", GREY)
    with pytest.raises(GridMismatch, match=r"mask\.png is 44 x 20 pixels, its picture 44 x 30"):
        read_mask(mask, like, 28)


def a_png_that_declares(path: Path, wide: int, high: int) -> Path:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", wide, high, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")))
    return path


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_picture_that_declares_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    with pytest.raises(UnreadableFile, match=r"huge\.png declares more than 89 million pixels"):
        read_square(a_png_that_declares(tmp_path / "huge.png", side, side), 28)


def test_what_is_broken_or_no_picture_is_a_sentence(tmp_path: Path) -> None:
    whole = put(tmp_path / "whole.png", GREY).read_bytes()
    for name, content in {"cut.png": whole[: len(whole) // 2], "header.png": whole[:30]}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableFile, match=rf"{name} .*(fetch it again|convert it)"):
            read_square(tmp_path / name, 28)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UnreadableFile, match=r"text\.png is no picture that is read here, expected PNG"):
        read_square(tmp_path / "text.png", 28)
    with pytest.raises(UnreadableFile, match=r"absent\.png cannot be read"):
        read_square(tmp_path / "absent.png", 28)


def test_more_than_eight_bits_are_refused(tmp_path: Path) -> None:
    deep = put(tmp_path / "deep.png", GREY.astype(np.uint16) * 100)
    with pytest.raises(UnsuitableVolume, match=r"deep\.png has 16 bits a colour, expected 8 bits"):
        read_square(deep, 28)
    real = tmp_path / "real.tif"
    Image.fromarray(GREY.astype(np.float32)).save(real)
    with pytest.raises(UnsuitableVolume, match=r"real\.tif has values of the kind F"):
        read_square(real, 28)


def test_colours_of_sixteen_bits_which_pillow_would_cut_are_refused(tmp_path: Path) -> None:
    import imageio.v3 as imageio

    path = tmp_path / "deep.png"
    rows = b"".join(b"\0" + row.tobytes() for row in np.full((4, 4, 3), 300, ">u2"))

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    ends = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + ends)
    assert imageio.imread(path).dtype == np.uint8  # a sound file, whose low byte would be gone without a word
    with pytest.raises(UnsuitableVolume, match="16 bits a colour"):
        read_square(path, 4)


def test_several_pictures_in_a_file_are_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY), Image.fromarray(GREY)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(UnreadableFile, match="holds 2 pictures, expected one"):
        read_square(tmp_path / "pages.tif", 28)


def test_pictures_are_told_by_their_name_and_hidden_ones_are_none() -> None:
    assert is_picture(Path("N1.JPG"))
    assert not is_picture(Path("._N1.JPG"))
    assert not is_picture(Path("Thumbs.db"))
