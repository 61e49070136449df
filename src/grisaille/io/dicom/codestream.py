"""How large a compressed picture is by its own account, which decoders go by, whatever the DICOM header says."""

from __future__ import annotations

import struct

_J2K = b"\xff\x4f\xff\x51"
"""SOC and SIZ, ISO/IEC 15444-1 annex A; a JP2 file has some boxes before them."""
_JP2_BOXES = 4096
_JPEG = b"\xff\xd8"
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15 (ISO/IEC 10918-1 table B.1) and SOF55 (JPEG-LS)."""


def size_in(codestream: bytes) -> tuple[int, int] | None:
    """(rows, columns), or None if it is neither JPEG, JPEG-LS nor JPEG 2000."""
    try:
        if codestream[:2] == _JPEG:
            return _jpeg_size(codestream)
        start = codestream[:_JP2_BOXES].find(_J2K)
        if start >= 0:
            right, bottom, left, top = struct.unpack_from(">4I", codestream, start + 8)
            return bottom - top, right - left
    except (struct.error, IndexError):
        pass
    return None


def _jpeg_size(codestream: bytes) -> tuple[int, int] | None:
    place = 2
    while codestream[place] == 0xFF:
        marker, length = codestream[place + 1], struct.unpack_from(">H", codestream, place + 2)[0]
        if marker in _FRAME_MARKERS:
            rows, columns = struct.unpack_from(">2H", codestream, place + 5)
            return rows, columns
        place += 2 + length
    return None
