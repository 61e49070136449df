"""Values out of DICOM headers: typed, silent, and never fatal.

A value that is absent or empty is None; a number that cannot be read is NaN, so that
whoever needs it can say so. pydicom's warnings repeat the offending value, which may be
a name or a date of birth; they are therefore swallowed here.
"""

from __future__ import annotations

import logging
import math
import re
import struct
import threading
import warnings
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta, timezone
from functools import cache
from typing import Any

from pydicom import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import BaseTag, Tag

DAMAGE = (
    OSError, EOFError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError,
    MemoryError, struct.error, BytesLengthException, InvalidDicomError,
)  # fmt: skip
"""What pydicom and its decoders raise on damaged files (MEDICAL.md 6.1: 1500 random mutations)."""

_LOGGER = logging.getLogger("pydicom")
_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """No warning and no log line of pydicom leaves this block.

    ``warnings.catch_warnings`` is not safe between threads, hence the lock.
    """
    here = threading.get_ident()

    def is_elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != here

    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _LOGGER.addFilter(is_elsewhere)
        try:
            yield
        finally:
            _LOGGER.removeFilter(is_elsewhere)


@cache
def _tag(keyword: str) -> BaseTag:
    """Looked up once, since a long series asks for the same few a hundred thousand times."""
    return Tag(keyword)


def values(header: Dataset, keyword: str) -> list[Any] | None:
    """The values of an element; None if it is absent or empty, ``[nan]`` if it cannot be read."""
    tag = _tag(keyword)
    if tag not in header:
        return None
    try:
        value = header[tag].value
    except DAMAGE:
        return [math.nan]
    if value is None or value == "":
        return None
    return (list(value) or None) if isinstance(value, MutableSequence) else [value]


def text(header: Dataset, keyword: str) -> str:
    """The first value as text, stripped; empty if there is none."""
    found = values(header, keyword)
    return as_text(found[0]) if found else ""


def words(header: Dataset, keyword: str) -> tuple[str, ...]:
    """All values of a code string, in upper case."""
    return tuple(as_text(value).upper() for value in values(header, keyword) or ())


def number(header: Dataset, keyword: str) -> float | None:
    """The first value as a number."""
    found = values(header, keyword)
    return as_number(found[0]) if found else None


def count(header: Dataset, keyword: str, default: int = 0) -> int:
    """The first value as a count; ``default`` if it is absent, 0 if it cannot be read."""
    value = number(header, keyword)
    if value is None:
        return default
    return int(value) if math.isfinite(value) else 0


def vector(header: Dataset, keyword: str, length: int) -> tuple[float, ...] | None:
    """``length`` numbers; NaN throughout if there are more or fewer or they cannot be read."""
    found = values(header, keyword)
    if found is None:
        return None
    numbers = tuple(as_number(value) for value in found)
    complete = len(numbers) == length and all(value is not None for value in numbers)
    return tuple(value for value in numbers if value is not None) if complete else (math.nan,) * length


def items(header: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none if it is absent or cannot be read."""
    return [item for item in values(header, keyword) or [] if isinstance(item, Dataset)]


def private(header: Dataset, group: int, creator: str, element: int) -> object | None:
    """The value of a private element, by its creator, or by its usual place where no creator claims the group."""
    usual = (group, 0x1000 + element)
    try:
        if (group, 0x0010) not in header:
            return header[usual].value if usual in header else None
        return header.private_block(group, creator)[element].value  # type: ignore[no-any-return]
    except DAMAGE:
        return None


def as_text(value: object) -> str:
    """A header value as stripped text; bytes of an unknown representation are read as Latin-1."""
    decoded = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return decoded.strip(" \0")


def as_number(value: object | None) -> float | None:
    """A header value as a number: None if empty, NaN if it is none or infinite."""
    written = "" if value is None else as_text(value)
    if not written:
        return None
    try:
        value = float(written)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.(\d{1,6}))?")
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})")


def parse_time(written: str) -> time | None:
    """A DICOM TM such as ``0915`` or ``091500.25``, or ACR-NEMA's ``09:15:00``."""
    found = _TIME.fullmatch(written)
    if found is None:
        return None
    hour, minute, second, fraction = found.groups()
    try:
        return time(int(hour), int(minute or 0), int(second or 0), int((fraction or "0").ljust(6, "0")))
    except ValueError:
        return None


def parse_date(written: str) -> date | None:
    """A DICOM DA such as ``20250131``, or ACR-NEMA's ``2025.01.31``."""
    found = _DATE.fullmatch(written)
    if found is None:
        return None
    try:
        return date(*(int(part) for part in found.groups()))
    except ValueError:
        return None


def parse_moment(written: str, local_offset: str = "") -> datetime | None:
    """A DICOM DT of at least hours, as the scanner's own clock would show it.

    ``local_offset`` is TimezoneOffsetFromUTC (0008,0201) of the other times of the file; an
    offset written behind the DT is converted to it, and dropped where there is none.
    """
    body, sign, _ = written.partition("+") if "+" in written else written.partition("-")
    on, at = parse_date(body[:8]), parse_time(body[8:])
    if on is None or at is None:
        return None
    moment = datetime.combine(on, at)
    own, local = _offset(written[len(body) :]) if sign else None, _offset(local_offset)
    if own is None or local is None:
        return moment
    return moment.replace(tzinfo=own).astimezone(local).replace(tzinfo=None)


def _offset(written: str) -> timezone | None:
    found = _OFFSET.fullmatch(written)
    if found is None:
        return None
    sign, hours, minutes = found.groups()
    span = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-span if sign == "-" else span) if span < timedelta(days=1) else None
