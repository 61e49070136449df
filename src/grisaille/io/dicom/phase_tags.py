"""What a DICOM header says on when, or in which phase, an image was taken, as plain numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time

from pydicom import Dataset

from grisaille.io.dicom.tags import number, parse_date, parse_time, text

_MIDNIGHT = datetime(1, 1, 1)


@dataclass(frozen=True)
class PhaseTag:
    """A way to tell phases apart: how it is read, and how a value is said beside the first one's.

    No time of day is said, only how much later than the first.
    """

    keyword: str
    read: Callable[[Dataset], float | None]
    says: Callable[[float, float], str]


def _numeric(keyword: str) -> Callable[[Dataset], float | None]:
    return lambda header: number(header, keyword)


def _acquired_s(header: Dataset) -> float | None:
    """Seconds of AcquisitionTime, with the date where there is one: a scan may go on past midnight."""
    at: time | None = parse_time(text(header, "AcquisitionTime"))
    if at is None:
        return None
    on = parse_date(text(header, "AcquisitionDate")) or _MIDNIGHT.date()
    return (datetime.combine(on, at) - _MIDNIGHT).total_seconds()


PHASE_TAGS = (
    PhaseTag(
        "TemporalPositionIdentifier",
        _numeric("TemporalPositionIdentifier"),
        lambda value, _: f"temporal position {value:g}",
    ),
    PhaseTag(
        "FrameReferenceTime",
        _numeric("FrameReferenceTime"),
        lambda value, _: f"frame reference time {value / 1000:g} s",
    ),
    PhaseTag("AcquisitionNumber", _numeric("AcquisitionNumber"), lambda value, _: f"acquisition {value:g}"),
    PhaseTag("AcquisitionTime", _acquired_s, lambda value, first: f"acquired {value - first:g} s after the first"),
    PhaseTag("TriggerTime", _numeric("TriggerTime"), lambda value, _: f"trigger time {value:g} ms"),
)
"""In the order in which they are asked."""


def phase_of(header: Dataset) -> tuple[float | None, ...]:
    """The value of each of ``PHASE_TAGS``: None if absent, NaN if it cannot be read."""
    return tuple(tag.read(header) for tag in PHASE_TAGS)
