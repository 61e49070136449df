"""From the header of a PET image to the plain values that SUV is computed of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pydicom import Dataset

from grisaille.core.errors import SuvRefused
from grisaille.imaging.pet_series import PetSeries, PetSlice, Tracer
from grisaille.io.dicom.tags import (
    as_number,
    as_text,
    items,
    number,
    parse_date,
    parse_moment,
    parse_time,
    private,
    text,
    words,
)

_PHILIPS = "Philips PET Private Group"
_GE = "GEMS_PETD_01"

_UNITS = (
    "CNTS", "NONE", "CM2", "CM2ML", "PCNT", "CPS", "BQML", "MGMINML", "UMOLMINML", "MLMING", "MLG", "1CM", "UMOLML",
    "PROPCNTS", "PROPCPS", "MLMINML", "MLML", "GML", "STDDEV",
)  # fmt: skip
_SUV_TYPES = ("BSA", "BW", "LBM", "LBMJAMES128", "LBMJANMA", "IBW")
_DECAY_CORRECTIONS = ("NONE", "START", "ADMIN")
"""Defined terms of DICOM PS3.3, C.8.9.1."""

NUCLIDE_BY_CODE = {
    "C-105A1": "C-11", "40565003": "C-11",
    "C-107A1": "N-13", "21576001": "N-13",
    "C-B1038": "O-15", "129504001": "O-15",
    "C-111A1": "F-18", "77004003": "F-18",
    "C-127A2": "Cu-64", "3932008": "Cu-64",
    "C-131A3": "Ga-68", "35337001": "Ga-68",
    "C-159A2": "Rb-82", "79197006": "Rb-82",
    "C-168A4": "Zr-89", "63360001": "Zr-89",
    "C-114A5": "I-124", "40937006": "I-124",
}  # fmt: skip
"""DICOM CID 4020, SNOMED RT and CT."""

_TAG_BY_FIELD = {
    "units": "Units (0054,1001)",
    "suv_type": "SUVType (0054,1006)",
    "decay_correction": "DecayCorrection (0054,1102)",
    "corrections": "CorrectedImage (0028,0051)",
    "weight": "PatientWeight (0010,1030)",
    "height": "PatientSize (0010,1020)",
    "sex": "PatientSex (0010,0040)",
    "tracer": "RadiopharmaceuticalInformationSequence (0054,0016)",
    "tracers": "RadiopharmaceuticalInformationSequence (0054,0016)",
    "series_time": "SeriesDate (0008,0021) or SeriesTime (0008,0031)",
    "scanner_time": "GE's scan time (0009,100D)",
    "corrected_to": "DecayCorrectionDateTime (0018,9701)",
}


def pet_image(header: Dataset) -> PetSeries:
    """One image, as a series of one slice."""
    offset = text(header, "TimezoneOffsetFromUTC")
    tracers = items(header, "RadiopharmaceuticalInformationSequence")
    return PetSeries(
        units=_term(header, "Units", _UNITS),
        slices=(_slice(header, offset),),
        suv_type=_term(header, "SUVType", _SUV_TYPES),
        decay_correction=_term(header, "DecayCorrection", _DECAY_CORRECTIONS),
        corrections=frozenset(words(header, "CorrectedImage")),
        weight=number(header, "PatientWeight"),
        height=number(header, "PatientSize"),
        sex=text(header, "PatientSex").upper(),
        tracer=_tracer(tracers[0], offset) if tracers else Tracer(),
        tracers=len(tracers),
        series_time=_moment(header, "Series"),
        scanner_time=parse_moment(as_text(private(header, 0x0009, _GE, 0x0D) or ""), offset),
        corrected_to=parse_moment(text(header, "DecayCorrectionDateTime"), offset),
    )


def pet_series(images: Sequence[PetSeries]) -> PetSeries:
    """One series of its images, in their order.

    Raises
    ------
    SuvRefused
        If the images contradict each other; the message names the tag.
    """
    first = images[0]
    for name in _TAG_BY_FIELD:
        for image in images:
            one, other = getattr(first, name), getattr(image, name)
            if one != other and repr(one) != repr(other):  # by their text too, since NaN is not NaN
                raise SuvRefused(
                    f"{_TAG_BY_FIELD[name]} differs between the files of the series; expected one value; "
                    "correct or separate the files"
                )
    return replace(first, slices=tuple(piece for image in images for piece in image.slices))


def _term(header: Dataset, keyword: str, known: tuple[str, ...]) -> str:
    """A defined term; another word is not kept, since sentences repeat it and anything may stand there."""
    written = text(header, keyword).upper()
    return written if written in ("", *known) else "an unknown term"


def _slice(header: Dataset, offset: str) -> PetSlice:
    return PetSlice(
        acquired=_moment(header, "Acquisition") or parse_moment(text(header, "AcquisitionDateTime"), offset),
        frame_reference_s=_seconds(number(header, "FrameReferenceTime")),
        frame_duration_s=_seconds(number(header, "ActualFrameDuration")),
        suv_factor=as_number(private(header, 0x7053, _PHILIPS, 0x00)),
        activity_factor=as_number(private(header, 0x7053, _PHILIPS, 0x09)),
        rescale_intercept=number(header, "RescaleIntercept") or 0.0,
    )


def _tracer(item: Dataset, offset: str) -> Tracer:
    codes = items(item, "RadionuclideCodeSequence")
    return Tracer(
        dose=number(item, "RadionuclideTotalDose"),
        half_life_s=number(item, "RadionuclideHalfLife"),
        nuclide=NUCLIDE_BY_CODE.get(text(codes[0], "CodeValue"), "") if codes else "",
        started=parse_moment(text(item, "RadiopharmaceuticalStartDateTime"), offset),
        start_time=parse_time(text(item, "RadiopharmaceuticalStartTime")),
    )


def _moment(header: Dataset, event: str) -> datetime | None:
    """Date and time of the ``Series`` or the ``Acquisition``."""
    on, at = parse_date(text(header, f"{event}Date")), parse_time(text(header, f"{event}Time"))
    return None if on is None or at is None else datetime.combine(on, at)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
