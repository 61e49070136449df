"""One thing that was found, in numbers a radiologist reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from grisaille.core.volume import read_only


@dataclass(frozen=True)
class Finding:
    """One connected component of a label image, measured on the grid where it was made.

    ``label`` is its number in the label image; ``id`` is unique among the findings of one
    image. Centroid in LPS millimetres. A measure that does not apply is None: SUV without a
    PET in SUVbw, HU without a CT, ``score`` without an anomaly map. ``slice_first`` and
    ``slice_last`` are index z, both included. ``edited`` is true once a person painted on it. ``extra`` holds what
    only some methods tell, by the names of the anomaly map's measures; without those that do not apply.
    """

    id: int
    label: int
    tracking_uid: str
    volume_ml: float
    suv_max: float | None
    suv_mean: float | None
    suv_peak: float | None
    tlg: float | None
    hu_mean: float | None
    long_axis_mm: float
    short_axis_mm: float
    centroid_l_mm: float
    centroid_p_mm: float
    centroid_s_mm: float
    slice_first: int
    slice_last: int
    score: float | None
    edited: bool = False
    extra: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "extra", read_only(self.extra))


FINDING_COLUMNS: tuple[str, ...] = tuple(one.name for one in fields(Finding) if one.name not in ("label", "extra"))
"""Columns of ``findings.csv`` that every method fills, in order."""
