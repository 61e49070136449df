"""What the headers of a PET series say about its numbers: plain values, as written.

Where they stand in a DICOM file is the business of ``io.dicom.suv``; what follows from
them, of ``imaging.suv``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Factors = npt.NDArray[np.float64]


class PetUnits(StrEnum):
    """Units (0054,1001), as far as SUV can be had from them."""

    ACTIVITY = "BQML"
    COUNTS = "CNTS"
    GRAMS = "GML"
    AREA = "CM2ML"


class DecayCorrection(StrEnum):
    """DecayCorrection (0054,1102): the moment to which the activity was corrected."""

    START = "START"
    ADMIN = "ADMIN"
    NONE = "NONE"


@dataclass(frozen=True)
class PetSlice:
    """What varies from slice to slice; None where the file says nothing.

    ``suv_factor`` and ``activity_factor`` are Philips' (7053,xx00) and (7053,xx09).
    """

    acquired: datetime | None = None
    frame_reference_s: float | None = None
    frame_duration_s: float | None = None
    suv_factor: float | None = None
    activity_factor: float | None = None
    rescale_intercept: float = 0.0


@dataclass(frozen=True)
class Tracer:
    """The first item of RadiopharmaceuticalInformationSequence; ``dose`` as written, in Bq or MBq."""

    dose: float | None = None
    half_life_s: float | None = None
    nuclide: str = ""
    started: datetime | None = None
    start_time: time | None = None


@dataclass(frozen=True)
class PetSeries:
    """What the headers of a PET series say about its numbers, as written.

    Parameters
    ----------
    units, suv_type, decay_correction
        Defined terms of (0054,1001), (0054,1006) and (0054,1102); empty if absent.
    corrections
        CorrectedImage (0028,0051).
    weight, height
        PatientWeight (kg) and PatientSize (m).
    sex
        PatientSex; empty if absent.
    tracer, tracers
        The first tracer, and how many there are.
    series_time
        SeriesDate and SeriesTime.
    scanner_time
        GE's scan date and time, (0009,xx0D).
    corrected_to
        DecayCorrectionDateTime (0018,9701), which Enhanced PET has: the moment itself.
    begun
        When the first image of all time frames was acquired, where ``slices`` are those of one frame only.
    slices
        In the order of the volume.
    """

    units: str
    slices: tuple[PetSlice, ...]
    suv_type: str = ""
    decay_correction: str = ""
    corrections: frozenset[str] = frozenset()
    weight: float | None = None
    height: float | None = None
    sex: str = ""
    tracer: Tracer = field(default_factory=Tracer)
    tracers: int = 1
    series_time: datetime | None = None
    scanner_time: datetime | None = None
    corrected_to: datetime | None = None
    begun: datetime | None = None


@dataclass
class Trail:
    """What was used and noticed on the way to a factor."""

    inputs: dict[str, float | str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
