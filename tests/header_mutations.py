"""Files whose headers have been spoilt in every way that a disk, a bug or an attacker may think of.

    for case in cases(seed, count, folder): ...

Every case is told by its seed and number alone, so that a failure can be made again.
"""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, Sequence, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import data_element_generator

from dicom_builder import PATIENT
from header_seeds import SEEDS

SECRETS = (PATIENT, "SMITH", "4711", "19500101")
"""Of the patient of all seeds; none of it may be in a sentence."""

_NUMBERS = (
    "0", "-0", "-1", "1e308", "-1e308", "1e-320", "nan", "inf", "-inf", "1,5", "", " ", "65535", "4294967296",
    "99999999999999999999", "0x10", "1\\2", "\\", "1e", "--1", "٣", "1" * 500,
)  # fmt: skip
_LENGTHS = (0, 1, 2, 3, 0xFFFE, 0xFFFF, 2**31 - 1, 2**31, 0xFFFFFFFE, 0xFFFFFFFF)
_VRS = (
    b"UL",
    b"SQ",
    b"OB",
    b"OW",
    b"UN",
    b"DS",
    b"IS",
    b"US",
    b"SS",
    b"FD",
    b"PN",
    b"UI",
    b"AT",
    b"OF",
    b"ZZ",
    b"\0\0",
)
_TEXTS = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept",
    "SliceThickness", "SeriesNumber", "InstanceNumber", "PatientWeight", "SmallestImagePixelValue",
)  # fmt: skip
_COUNTS = (
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
    "PlanarConfiguration", "PixelPaddingValue", "PixelPaddingRangeLimit",
)  # fmt: skip


@dataclass(frozen=True)
class Spoilt:
    """What to read, what it was made of, and what was done to it."""

    path: Path
    seed: str
    how: str


class Mutator:
    """Spoils the seeds; each is built once and copied."""

    def __init__(self, workshop: Path) -> None:
        self._built: dict[str, tuple[str, dict[str, bytes]]] = {}
        for number, seed in enumerate(SEEDS):
            folder = workshop / f"seed_{number}"
            folder.mkdir(parents=True)
            first = seed.write(folder)[0]
            files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
            self._built[seed.name] = str(first.relative_to(folder)), files

    def spoil(self, run: int, number: int, folder: Path) -> Spoilt:
        """Case ``number`` of ``run``, written into ``folder``."""
        chance = random.Random(f"{run}-{number}")
        seed = SEEDS[number % len(SEEDS)]
        first, files = self._built[seed.name]
        hows = []
        content = files[first]
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            mutate = chance.choice(_OF_DICOM if seed.is_dicom else _OF_ANY)
            hows.append(mutate.__name__.strip("_"))
            content = _on_header(mutate, chance, content, first)
        for name, whole in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if name == first else whole)
        is_alone = first == "DICOMDIR" or not seed.is_dicom
        return Spoilt(folder / first if is_alone else folder, seed.name, ", ".join(hows))


def _on_header(
    mutate: Callable[[random.Random, bytes], bytes], chance: random.Random, content: bytes, name: str
) -> bytes:
    """Most often what is inside the gzip is spoilt, and sometimes the gzip."""
    if name.endswith(".nii.gz") and chance.random() < 0.8:
        try:
            return gzip.compress(mutate(chance, gzip.decompress(content)), mtime=0)
        except (OSError, EOFError, zlib.error):
            return mutate(chance, content)
    return mutate(chance, content)


def _place(chance: random.Random, content: bytes) -> int:
    """Somewhere in the header, or, of ZIP and truncated files, in what there is."""
    return chance.randrange(max(min(len(content), chance.choice((160, 352, 800, 4000))), 1))


def _flip_bits(chance: random.Random, content: bytes) -> bytes:
    spoilt = bytearray(content or b"\0")
    for _ in range(chance.choice((1, 1, 3, 10))):
        spoilt[_place(chance, spoilt)] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


def _set_bytes(chance: random.Random, content: bytes) -> bytes:
    spoilt = bytearray(content or b"\0")
    for _ in range(chance.choice((1, 2, 8))):
        spoilt[_place(chance, spoilt)] = chance.choice((0, 0xFF, 0x7F, 0x80, chance.randrange(256)))
    return bytes(spoilt)


def _set_words(chance: random.Random, content: bytes) -> bytes:
    """An extreme number of 2, 4 or 8 bytes, of which headers are full."""
    value = chance.choice(
        [struct.pack("<h", chance.choice((0, -1, -32768, 32767)))]
        + [struct.pack("<I", length) for length in _LENGTHS]
        + [struct.pack("<f", chance.choice((float("nan"), float("inf"), 0.0, -1.0, 1e38, 1e-38)))]
        + [struct.pack("<q", chance.choice((0, -1, 2**62, -(2**63))))]
    )
    at = _place(chance, content)
    return content[:at] + value + content[at + len(value) :]


def _truncate(chance: random.Random, content: bytes) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _insert(chance: random.Random, content: bytes) -> bytes:
    at = _place(chance, content)
    return content[:at] + chance.randbytes(chance.choice((1, 2, 4, 128))) + content[at:]


def _repeat(chance: random.Random, content: bytes) -> bytes:
    at = _place(chance, content)
    return content[:at] + content[at : at + chance.choice((4, 16, 400))] + content[at:]


def _text_numbers(chance: random.Random, content: bytes) -> bytes:
    """A run of digits, as text headers have them, becomes another number."""
    digits = [at for at in range(min(len(content), 1200)) if content[at : at + 1].isdigit()]
    if not digits:
        return _set_words(chance, content)
    at = chance.choice(digits)
    end = at
    while end < len(content) and content[end : end + 1] in b"0123456789.":
        end += 1
    return content[:at] + chance.choice(_NUMBERS).encode() + content[end:]


def _elements(content: bytes) -> list[tuple[int, int, int]]:
    """Of the elements of a DICOM file, where their tag starts, where their value does, and its length."""
    found = []
    try:
        is_bare = content[128:132] != b"DICM"
        stream = DicomBytesIO(content)
        stream.seek(0 if is_bare else 132)
        for element in data_element_generator(stream, is_bare, True):
            tell, length = getattr(element, "value_tell", 0), getattr(element, "length", 0)
            if tell:
                tag = struct.pack("<HH", element.tag.group, element.tag.element)
                found.append((content.rfind(tag, 0, tell), tell, length))
    except Exception:  # noqa: BLE001 -- a file that is spoilt already: what was found so far will do
        return found
    return found


def _change_length(chance: random.Random, content: bytes) -> bytes:
    places = _elements(content)
    if not places:
        return _set_words(chance, content)
    _, tell, length = chance.choice(places)
    new = chance.choice((*_LENGTHS, max(length - 1, 0), length + 1, length + 2, length * 2))
    if chance.random() < 0.5:
        return content[: tell - 2] + struct.pack("<H", new & 0xFFFF) + content[tell:]
    return content[: tell - 4] + struct.pack("<I", new & 0xFFFFFFFF) + content[tell:]


def _change_vr(chance: random.Random, content: bytes) -> bytes:
    places = _elements(content)
    if not places:
        return _flip_bits(chance, content)
    tag, _, _ = chance.choice(places)
    return content[: tag + 4] + chance.choice(_VRS) + content[tag + 6 :]


def _swap_tags(chance: random.Random, content: bytes) -> bytes:
    places = _elements(content)
    if len(places) < 2:
        return _flip_bits(chance, content)
    one, other = (place[0] for place in chance.sample(places, 2))
    spoilt = bytearray(content)
    spoilt[one : one + 4], spoilt[other : other + 4] = content[other : other + 4], content[one : one + 4]
    return bytes(spoilt)


def _nest_sequences(chance: random.Random, content: bytes) -> bytes:
    """Sequences in sequences, of undefined length, most of them never ended."""
    places = _elements(content)
    at = chance.choice(places)[0] if places else _place(chance, content)
    opening = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    depth = chance.choice((1, 3, 50, 2000))
    return content[:at] + opening * depth + closing * chance.choice((0, depth)) + content[at:]


def _with_pydicom(change: Callable[[random.Random, Dataset], None], chance: random.Random, content: bytes) -> bytes:
    import warnings

    from pydicom import config

    mode = config.settings.writing_validation_mode
    config.settings.writing_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = dcmread(BytesIO(content), force=True)
            change(chance, image)
            written = BytesIO()
            image.save_as(written, enforce_file_format=False)
            return written.getvalue()
    except Exception:  # noqa: BLE001 -- a file that is spoilt already is spoilt byte by byte
        return _set_bytes(chance, content)
    finally:
        config.settings.writing_validation_mode = mode


def _extreme_number(chance: random.Random, content: bytes) -> bytes:
    def change(chance: random.Random, image: Dataset) -> None:
        if chance.random() < 0.5:
            keyword, value = chance.choice(_COUNTS), chance.choice((0, 1, 7, 12, 16, 32, 64, 255, 32768, 65535))
            setattr(image, keyword, value)
            return
        from pydicom.dataelem import RawDataElement
        from pydicom.tag import Tag

        tag = Tag(chance.choice(_TEXTS))
        parts = [chance.choice(_NUMBERS) for _ in range(chance.choice((1, 1, 2, 3, 6)))]
        value = "\\".join(parts).encode()
        image[tag] = RawDataElement(tag, "DS", len(value), value, 0, False, True)

    return _with_pydicom(change, chance, content)


def _remove_element(chance: random.Random, content: bytes) -> bytes:
    def change(chance: random.Random, image: Dataset) -> None:
        del image[chance.choice(list(image.keys()))]

    return _with_pydicom(change, chance, content)


def _add_sequence(chance: random.Random, content: bytes) -> bytes:
    """A sequence in the place of a plain value."""

    def change(chance: random.Random, image: Dataset) -> None:
        from pydicom import DataElement

        item = Dataset()
        item.PatientName = PATIENT
        tag = chance.choice(list(image.keys()))
        image[tag] = DataElement(tag, "SQ", Sequence([item] * chance.choice((0, 1, 3))))

    return _with_pydicom(change, chance, content)


def _random_pixels(chance: random.Random, content: bytes) -> bytes:
    """Noise at the end, where pixels and compressed streams are."""
    spoilt = bytearray(content or b"\0")
    for _ in range(chance.choice((1, 10, 100))):
        spoilt[len(spoilt) - 1 - chance.randrange(min(len(spoilt), 200))] = chance.randrange(256)
    return bytes(spoilt)


_OF_ANY = (
    _flip_bits, _set_bytes, _set_words, _truncate, _insert, _repeat, _text_numbers, _text_numbers, _random_pixels,
)  # fmt: skip
_OF_DICOM = (
    _flip_bits, _set_bytes, _truncate, _insert, _repeat, _change_length, _change_length, _change_vr, _swap_tags,
    _nest_sequences, _extreme_number, _extreme_number, _remove_element, _add_sequence, _random_pixels,
)  # fmt: skip
