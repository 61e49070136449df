"""DICOM files made to do harm (MEDICAL.md 6.1): few bytes that ask for much.

Each function gives the bytes of one file; ``share`` makes the large ones smaller, for tests.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from dicom_builder import build_image, put_pixels, save
from multiframe_builder import build_enhanced

_EXPLICIT_SQ = b"\x09\x00\x02\x10SQ\0\0\xff\xff\xff\xff"
_ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"


def _whole(folder: Path) -> bytes:
    """A sound CT slice as bytes."""
    return save(build_image(), folder / "sound").read_bytes()


def _meta_end(content: bytes) -> int:
    """Where the dataset begins."""
    return 144 + struct.unpack_from("<I", content, 140)[0]


def _deflated(folder: Path, tag: bytes, share: float) -> bytes:
    """1.46 MB that inflate to 1.5 GB, in the element ``tag``."""
    image = build_image()
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    image.save_as(folder / "small", enforce_file_format=True)
    content = (folder / "small").read_bytes()
    start = _meta_end(content)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    inside = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content[start:])
    place = inside.rindex(b"\xe0\x7f\x10\x00")
    size = int(share * 1_500_000_000)
    packed = packer.compress(inside[:place] + tag + b"OW\0\0" + struct.pack("<I", size))
    packed += b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20 + 1)) + packer.flush()
    return content[:start] + packed


def deflated_pixels(folder: Path, share: float = 1.0) -> bytes:
    """The pixels inflate to 1.5 GB, though the header says 4 x 3."""
    return _deflated(folder, b"\xe0\x7f\x10\x00", share)


def deflated_header(folder: Path, share: float = 1.0) -> bytes:
    """A private element before the pixels inflates to 1.5 GB."""
    return _deflated(folder, b"\xd1\x7f\x01\x10", share)


def _encapsulated(folder: Path, syntax: str, frame: bytes, rows: int, columns: int) -> bytes:
    image = build_image()
    put_pixels(image, np.zeros((4, 4), np.int16))
    image.Rows, image.Columns = rows, columns
    image.file_meta.TransferSyntaxUID = syntax
    image.PixelData = encapsulate([frame])
    image["PixelData"].is_undefined_length = True
    return save(image, folder / "made").read_bytes()


def _j2k(rows: int, columns: int) -> bytes:
    """A real JPEG 2000 codestream of zeros."""
    stream = BytesIO()
    Image.fromarray(np.zeros((rows, columns), np.uint16)).save(stream, "JPEG2000", no_jp2=True)
    return stream.getvalue()


def rle_65535(folder: Path, share: float = 1.0) -> bytes:
    """RLE of 65535 x 65535 pixels out of 100 bytes."""
    return _encapsulated(folder, RLELossless, struct.pack("<16I", 2, 64, 80, *[0] * 13) + bytes(36), 65535, 65535)


def rle_lie(folder: Path, share: float = 1.0) -> bytes:
    """RLE of 2000 x 2000 pixels out of 100 bytes, which the ratio allows."""
    return _encapsulated(folder, RLELossless, struct.pack("<16I", 2, 64, 80, *[0] * 13) + bytes(36), 2000, 2000)


def j2k_16000(folder: Path, share: float = 1.0) -> bytes:
    """JPEG 2000 of 16000 x 16000 zeros in some kilobytes, and the header says so."""
    side = int(16000 * share**0.5)
    return _encapsulated(folder, JPEG2000Lossless, _j2k(side, side), side, side)


def j2k_lie(folder: Path, share: float = 1.0) -> bytes:
    """The same codestream, and the header says 512 x 512."""
    side = int(16000 * share**0.5)
    return _encapsulated(folder, JPEG2000Lossless, _j2k(side, side), 512, 512)


def j2k_65535(folder: Path, share: float = 1.0) -> bytes:
    """JPEG 2000 whose codestream and header say 65535 x 65535."""
    frame = bytearray(_j2k(64, 64))
    for place in (8, 12, 24, 28):
        struct.pack_into(">I", frame, place, 65535)
    return _encapsulated(folder, JPEG2000Lossless, bytes(frame), 65535, 65535)


def jls_65535(folder: Path, share: float = 1.0) -> bytes:
    """JPEG-LS whose codestream and header say 65535 x 65535."""
    frame = b"\xff\xd8\xff\xf7" + struct.pack(">HBHHBBBB", 11, 16, 65535, 65535, 1, 1, 0x11, 0)
    frame += b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0, 0) + bytes(200) + b"\xff\xd9"
    return _encapsulated(folder, JPEGLSLossless, frame, 65535, 65535)


def jls_lie(folder: Path, share: float = 1.0) -> bytes:
    """JPEG-LS whose codestream says 65535 x 65535, and the header 512 x 512."""
    frame = b"\xff\xd8\xff\xf7" + struct.pack(">HBHHBBBB", 11, 16, 65535, 65535, 1, 1, 0x11, 0)
    frame += b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0, 0) + bytes(200) + b"\xff\xd9"
    return _encapsulated(folder, JPEGLSLossless, frame, 512, 512)


def raw_65535(folder: Path, share: float = 1.0) -> bytes:
    """Plain pixels, 65535 x 65535 of them by the header, 24 bytes in the file."""
    image = build_image()
    image.Rows = image.Columns = 65535
    return save(image, folder / "made").read_bytes()


def nested(folder: Path, share: float = 1.0) -> bytes:
    """Private sequences within one another, 5000 deep."""
    content = _whole(folder)
    place = content.index(b"\x10\x00\x10\x00PN")
    return content[:place] + b"\x09\x00\x10\x00LO\x08\x00SOMEBODY" + (_EXPLICIT_SQ + _ITEM) * 5000 + content[place:]


def long_element(folder: Path, share: float = 1.0) -> bytes:
    """An element of 4 GB in a file of some hundred bytes."""
    content = _whole(folder)
    place = content.index(b"\x10\x00\x10\x00PN")
    return content[:place] + b"\x09\x00\x01\x10OB\0\0" + struct.pack("<I", 0xFFFFFFFE) + content[place:]


def long_element_late(folder: Path, share: float = 1.0) -> bytes:
    """The same behind 100 kB of header."""
    content = _whole(folder)
    place = content.index(b"\x10\x00\x10\x00PN")
    filler = b"\x09\x00\x01\x10OB\0\0" + struct.pack("<I", 100_000) + bytes(100_000)
    element = b"\x09\x00\x02\x10OB\0\0" + struct.pack("<I", 0xFFFFFFFE)
    return content[:place] + filler + element + content[place:]


def endless_elements(folder: Path, share: float = 1.0) -> bytes:
    """100 MB of elements without a value."""
    content = _whole(folder)
    place = content.index(b"\x10\x00\x10\x00PN")
    return content[:place] + b"\x09\x00\x01\x10SH\0\0" * int(share * 100_000_000 / 8) + content[place:]


def many_frames(folder: Path, share: float = 1.0) -> bytes:
    """2 147 483 647 frames by NumberOfFrames, five in the file."""
    return save(build_enhanced(NumberOfFrames=2**31 - 1), folder / "made").read_bytes()


def many_frames_single(folder: Path, share: float = 1.0) -> bytes:
    """The same in a class of single-frame images, compressed."""
    image = build_image()
    image.compress(RLELossless)
    image.NumberOfFrames = 2**31 - 1
    return save(image, folder / "made").read_bytes()


def many_described_frames(folder: Path, share: float = 1.0) -> bytes:
    """20 000 frames of 2048 x 2048 pixels, each described, none there."""
    image = build_enhanced(count=200)
    image.Rows = image.Columns = 2048
    times = int(share * 100)
    image.PerFrameFunctionalGroupsSequence.extend(list(image.PerFrameFunctionalGroupsSequence) * (times - 1))
    image.NumberOfFrames = 200 * times
    return save(image, folder / "made").read_bytes()


BOMBS: tuple[Callable[..., bytes], ...] = (
    deflated_pixels, deflated_header, rle_65535, rle_lie, j2k_16000, j2k_lie, j2k_65535, jls_65535, jls_lie,
    raw_65535, nested, long_element, long_element_late, endless_elements, many_frames, many_frames_single,
    many_described_frames,
)  # fmt: skip
