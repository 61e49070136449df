"""What files made to do harm do: nothing, in under a second.

    python benchmarks/dicom_bombs.py [NAME ...]

Each file (MEDICAL.md 6.1; rows 33 and 34 of 6.4) is read in a process of its own under a limit of
address space. Told are the sentence it ends in, the seconds beyond the import, and the peak memory
beyond that of the bare import, the decoding process counted too.
"""

from __future__ import annotations

import json
import resource
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from reporting.tables import markdown, write

from dicom_builder import build_image, put_pixels, save
from multiframe_builder import build_enhanced

LIMIT_BYTES = 12 * 2**30
ASKED_S, ASKED_MB = 1.0, 300.0
_EXPLICIT_SQ = b"\x09\x00\x02\x10SQ\0\0\xff\xff\xff\xff"
_ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"


def _whole(folder: Path) -> bytes:
    """A sound CT slice as bytes."""
    return save(build_image(), folder / "sound").read_bytes()


def _meta_end(content: bytes) -> int:
    """Where the dataset begins."""
    return 144 + struct.unpack_from("<I", content, 140)[0]


def _deflated(folder: Path, tag: bytes) -> bytes:
    """1.46 MB that inflate to 1.5 GB, in the element ``tag``."""
    image = build_image()
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    image.save_as(folder / "small", enforce_file_format=True)
    content = (folder / "small").read_bytes()
    start = _meta_end(content)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    inside = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content[start:])
    place = inside.rindex(b"\xe0\x7f\x10\x00")
    size = 1_500_000_000
    packed = packer.compress(inside[:place] + tag + b"OW\0\0" + struct.pack("<I", size))
    packed += b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20 + 1)) + packer.flush()
    return content[:start] + packed


def deflated_pixels(folder: Path) -> bytes:
    """The pixels inflate to 1.5 GB, though the header says 4 x 3."""
    return _deflated(folder, b"\xe0\x7f\x10\x00")


def deflated_header(folder: Path) -> bytes:
    """A private element before the pixels inflates to 1.5 GB."""
    return _deflated(folder, b"\xd1\x7f\x01\x10")


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
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    Image.fromarray(np.zeros((rows, columns), np.uint16)).save(stream, "JPEG2000", no_jp2=True)
    return stream.getvalue()


def rle_65535(folder: Path) -> bytes:
    """RLE of 65535 x 65535 pixels out of 100 bytes."""
    return _encapsulated(folder, RLELossless, struct.pack("<16I", 2, 64, 80, *[0] * 13) + bytes(36), 65535, 65535)


def rle_lie(folder: Path) -> bytes:
    """RLE of 2000 x 2000 pixels out of 100 bytes, which the ratio allows."""
    return _encapsulated(folder, RLELossless, struct.pack("<16I", 2, 64, 80, *[0] * 13) + bytes(36), 2000, 2000)


def j2k_16000(folder: Path) -> bytes:
    """JPEG 2000 of 16000 x 16000 zeros in some kilobytes, and the header says so."""
    return _encapsulated(folder, JPEG2000Lossless, _j2k(16000, 16000), 16000, 16000)


def j2k_lie(folder: Path) -> bytes:
    """The same codestream, and the header says 512 x 512."""
    return _encapsulated(folder, JPEG2000Lossless, _j2k(16000, 16000), 512, 512)


def j2k_65535(folder: Path) -> bytes:
    """JPEG 2000 whose codestream and header say 65535 x 65535."""
    frame = bytearray(_j2k(64, 64))
    for place in (8, 12, 24, 28):
        struct.pack_into(">I", frame, place, 65535)
    return _encapsulated(folder, JPEG2000Lossless, bytes(frame), 65535, 65535)


def jls_65535(folder: Path) -> bytes:
    """JPEG-LS whose codestream and header say 65535 x 65535."""
    frame = b"\xff\xd8\xff\xf7" + struct.pack(">HBHHBBBB", 11, 16, 65535, 65535, 1, 1, 0x11, 0)
    frame += b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0, 0) + bytes(200) + b"\xff\xd9"
    return _encapsulated(folder, JPEGLSLossless, frame, 65535, 65535)


def jls_lie(folder: Path) -> bytes:
    """JPEG-LS whose codestream says 65535 x 65535, and the header 512 x 512."""
    frame = b"\xff\xd8\xff\xf7" + struct.pack(">HBHHBBBB", 11, 16, 65535, 65535, 1, 1, 0x11, 0)
    frame += b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0, 0) + bytes(200) + b"\xff\xd9"
    return _encapsulated(folder, JPEGLSLossless, frame, 512, 512)


def raw_65535(folder: Path) -> bytes:
    """Plain pixels, 65535 x 65535 of them by the header, 24 bytes in the file."""
    image = build_image()
    image.Rows = image.Columns = 65535
    return save(image, folder / "made").read_bytes()


def nested(folder: Path) -> bytes:
    """Private sequences within one another, 5000 deep."""
    content = _whole(folder)
    place = content.index(b"\x10\x00\x10\x00PN")
    return content[:place] + b"\x09\x00\x10\x00LO\x08\x00SOMEBODY" + (_EXPLICIT_SQ + _ITEM) * 5000 + content[place:]


def long_element(folder: Path) -> bytes:
    """An element of 4 GB in a file of some hundred bytes."""
    content = _whole(folder)
    place = content.index(b"\x10\x00\x10\x00PN")
    return content[:place] + b"\x09\x00\x01\x10OB\0\0" + struct.pack("<I", 0xFFFFFFFE) + content[place:]


def long_element_late(folder: Path) -> bytes:
    """The same behind 100 kB of header."""
    content = _whole(folder)
    place = content.index(b"\x10\x00\x10\x00PN")
    filler = b"\x09\x00\x01\x10OB\0\0" + struct.pack("<I", 100_000) + bytes(100_000)
    element = b"\x09\x00\x02\x10OB\0\0" + struct.pack("<I", 0xFFFFFFFE)
    return content[:place] + filler + element + content[place:]


def endless_elements(folder: Path) -> bytes:
    """100 MB of elements without a value."""
    content = _whole(folder)
    place = content.index(b"\x10\x00\x10\x00PN")
    return content[:place] + b"\x09\x00\x01\x10SH\0\0" * (100_000_000 // 8) + content[place:]


def many_frames(folder: Path) -> bytes:
    """2 147 483 647 frames by NumberOfFrames, five in the file."""
    return save(build_enhanced(NumberOfFrames=2**31 - 1), folder / "made").read_bytes()


def many_frames_single(folder: Path) -> bytes:
    """The same in a class of single-frame images, compressed."""
    image = build_image()
    image.compress(RLELossless)
    image.NumberOfFrames = 2**31 - 1
    return save(image, folder / "made").read_bytes()


def many_described_frames(folder: Path) -> bytes:
    """20 000 frames of 2048 x 2048 pixels, each described, none there."""
    image = build_enhanced(count=200)
    image.Rows = image.Columns = 2048
    image.PerFrameFunctionalGroupsSequence.extend(list(image.PerFrameFunctionalGroupsSequence) * 99)
    image.NumberOfFrames = 20_000
    return save(image, folder / "made").read_bytes()


BOMBS: tuple[Callable[[Path], bytes], ...] = (
    deflated_pixels, deflated_header, rle_65535, rle_lie, j2k_16000, j2k_lie, j2k_65535, jls_65535, jls_lie,
    raw_65535, nested, long_element, long_element_late, endless_elements, many_frames, many_frames_single,
    many_described_frames,
)  # fmt: skip

CHILD = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
from grisaille.core.errors import GrisailleError
from grisaille.io.dicom import read_series, scan
def peak():
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
bare, started, said = peak(), time.perf_counter(), ""
try:
    found = scan({file!r} if {is_one} else {folder!r})
    said = "; ".join(one.reason for one in found.skipped)
    for series in found.series:
        volume = read_series(series)
        said = f"READ {{volume.grid.shape}} {{float(volume.voxels.min())}} to {{float(volume.voxels.max())}}"
except GrisailleError as error:
    said = f"{{type(error).__name__}}: {{error}}"
except BaseException as error:
    said = f"NOT OURS {{type(error).__name__}}"
print(json.dumps([said, time.perf_counter() - started, (peak() - bare) / 1000]))
"""


def outcome(bomb: Callable[[Path], bytes], *, is_one: bool = True) -> dict[str, Any]:
    """What reading it ends in."""
    with tempfile.TemporaryDirectory() as place:
        content = bomb(Path(place))
        folder = Path(place, "study")
        folder.mkdir()
        file = folder / "image.dcm"
        file.write_bytes(content)
        del content
        script = CHILD.format(limit=LIMIT_BYTES, file=str(file), folder=str(folder), is_one=is_one)
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
        size = file.stat().st_size
    row: dict[str, Any] = {"file": bomb.__name__, "MB": size / 1e6}
    if done.returncode:
        return {**row, "outcome": f"DIED with {done.returncode}", "s": time.monotonic() - started, "MB more": None}
    said, seconds, more = json.loads(done.stdout.splitlines()[-1])
    return {**row, "outcome": said, "s": seconds, "MB more": more}


def main(names: list[str]) -> int:
    """The table; 1 if a file was read, took too long or too much."""
    assert sys.platform != "win32", resource
    rows = [outcome(bomb) for bomb in BOMBS if not names or bomb.__name__ in names]
    for row in rows:
        row["as asked"] = bool(
            row["MB more"] is not None
            and row["s"] < ASKED_S
            and row["MB more"] < ASKED_MB
            and not row["outcome"].startswith(("READ", "NOT OURS"))
        )
    print(markdown(rows))
    if not names:
        print(write("dicom_bombs", {"asked": {"s": ASKED_S, "MB more": ASKED_MB}, "rows": rows}))
    return int(not all(row["as asked"] for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
