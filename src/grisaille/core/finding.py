"""One thing that was found, in numbers a radiologist reads."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Finding:
    """One connected component of a label image, measured on the grid where it was made.

    ``label`` is its number in the label image; ``id`` is unique among the findings of one
    image. Centroid in LPS millimetres. A measure that does not apply is None: SUV without a
    PET in SUVbw, HU without a CT, ``score`` without an anomaly map. ``slice_first`` and
    ``slice_last`` are index z, both included. ``edited`` is true once a person painted on it.
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


FINDING_COLUMNS: tuple[str, ...] = tuple(one.name for one in fields(Finding) if one.name != "label")
"""Columns of ``findings.csv``, in order."""
