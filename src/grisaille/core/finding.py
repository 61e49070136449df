"""One thing that was found, in numbers a radiologist reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from grisaille.core.volume import read_only


class Caution(StrEnum):
    """What a reader has to know of a finding's numbers; the sentence stands in tables and records."""

    SMALLER_THAN_PEAK = "smaller than the 1 ml sphere of SUVpeak"
    PEAK_CLIPPED = "the sphere of SUVpeak leaves the image"
    AT_EDGE = "touches the edge of the image, so it may be cut off"
    PARTLY_IN_PET = "the PET holds only a part of it"
    PARTLY_IN_CT = "the CT holds only a part of it"


@dataclass(frozen=True)
class Finding:
    """One connected component of a label image, measured on the grid where it was made.

    ``label`` is its number in the label image; ``id`` is unique among the findings of one
    image. Centroid in LPS millimetres. A measure that does not apply is None: SUV without a
    PET in SUVbw, HU without a CT, ``score`` without an anomaly map. ``slice_first`` and
    ``slice_last`` are index z, both included. ``edited`` is true once a person painted on it. ``extra`` holds what
    only some methods tell, by the names of the anomaly map's measures; without those that do not apply.

    ``suv_peak`` is the highest mean of a 1 ml sphere centred on any voxel of the finding, ``suv_peak_at_max`` the
    mean of the one centred on the voxel of ``suv_max``, which lies at ``suv_max_*_mm`` (LPS). ``suv_sd`` and
    ``hu_sd`` are standard deviations of the voxels themselves (divided by n). ``connectivity`` (6, 18 or 26) says
    which neighbours were joined.
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
    suv_min: float | None = None
    suv_sd: float | None = None
    suv_peak_at_max: float | None = None
    suv_max_l_mm: float | None = None
    suv_max_p_mm: float | None = None
    suv_max_s_mm: float | None = None
    hu_sd: float | None = None
    hu_median: float | None = None
    feret_mm: float | None = None
    connectivity: int = 26
    cautions: tuple[Caution, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "extra", read_only(self.extra))
        object.__setattr__(self, "cautions", tuple(Caution(one) for one in self.cautions))


_NAMES = tuple(one.name for one in fields(Finding))

FINDING_COLUMNS: tuple[str, ...] = tuple(name for name in _NAMES[: _NAMES.index("extra")] if name != "label")
"""The first columns of ``findings.csv``, in an order that others rely on."""

FURTHER_COLUMNS: tuple[str, ...] = _NAMES[_NAMES.index("extra") + 1 :]
"""Columns that every method fills too; they follow those, and the threshold's promise."""
