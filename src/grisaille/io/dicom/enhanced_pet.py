"""What an Enhanced PET image says on its activity, under the keywords of a single-frame PET image.

Enhanced PET (DICOM PS3.3 A.56) has no Units, DecayCorrection, CorrectedImage or FrameReferenceTime.
It says the same by a unit beside the real world value mapping, flags for the corrections, and the
moment itself to which decay was corrected. What it does not say stays unsaid, so that SUV is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydicom import Dataset

from grisaille.io.dicom.tags import items, number, parse_moment, text

_UNIT_BY_CODE = {
    "Bq/ml": ("BQML", ""),
    "{counts}": ("CNTS", ""),
    "{counts}/s": ("CPS", ""),
    "g/ml{SUVbw}": ("GML", "BW"),
    "g/ml{SUVlbm}": ("GML", "LBM"),
    "g/ml{SUVlbm(James128)}": ("GML", "LBMJAMES128"),
    "g/ml{SUVlbm(Janma)}": ("GML", "LBMJANMA"),
    "g/ml{SUVibw}": ("GML", "IBW"),
    "cm2/ml{SUVbsa}": ("CM2ML", "BSA"),
}
"""UCUM codes of CID 84 and 85 to Units (0054,1001) and SUVType (0054,1006)."""

_CORRECTION_BY_FLAG = {
    "DecayCorrected": "DECY",
    "AttenuationCorrected": "ATTN",
    "ScatterCorrected": "SCAT",
    "DeadTimeCorrected": "DTIM",
    "RandomsCorrected": "RAN",
    "NonUniformRadialSamplingCorrected": "RADL",
    "SensitivityCalibrated": "DCAL",
    "DetectorNormalizationCorrection": "NORM",
}
_SAME_S = 1.0


def put_pet(flat: Dataset, groups: Sequence[Dataset]) -> None:
    """Add to the flat header of one frame what its functional groups and the Enhanced PET modules say."""
    if not text(flat, "Units"):
        _put_units(flat, groups)
    if "CorrectedImage" not in flat:
        done = [name for flag, name in _CORRECTION_BY_FLAG.items() if text(flat, flag).upper() == "YES"]
        if done:
            flat.CorrectedImage = done
    if not text(flat, "DecayCorrection"):
        _put_decay(flat)


def _put_units(flat: Dataset, groups: Sequence[Dataset]) -> None:
    """A unit goes with its own mapping; it says something of these values only where that is the rescale."""
    mappings = [one for group in groups for one in items(group, "RealWorldValueMappingSequence")]
    for mapping in mappings:
        for code in items(mapping, "MeasurementUnitsCodeSequence")[:1]:
            units, kind = _UNIT_BY_CODE.get(text(code, "CodeValue"), ("", ""))
            if units and is_rescale(flat, mapping):
                flat.Units = units
                if kind:
                    flat.SUVType = kind
                return


def is_rescale(flat: Dataset, mapping: Dataset) -> bool:
    """Whether a real world value mapping says the same as RescaleSlope and RescaleIntercept."""
    slope, intercept = number(flat, "RescaleSlope"), number(flat, "RescaleIntercept")
    other_slope = number(mapping, "RealWorldValueSlope")
    other_intercept = number(mapping, "RealWorldValueIntercept")
    if slope is None or intercept is None or other_slope is None or other_intercept is None:
        return False
    tolerance = 1e-6 * abs(slope)
    return abs(slope - other_slope) <= tolerance and abs(intercept - other_intercept) <= tolerance


def _put_decay(flat: Dataset) -> None:
    """The moment of correction as START or ADMIN, where it is the one or the other."""
    if text(flat, "DecayCorrected").upper() == "NO":
        flat.DecayCorrection = "NONE"
        return
    offset = text(flat, "TimezoneOffsetFromUTC")
    corrected_to = parse_moment(text(flat, "DecayCorrectionDateTime"), offset)
    if corrected_to is None or text(flat, "DecayCorrected").upper() != "YES":
        return
    reference = parse_moment(text(flat, "FrameReferenceDateTime"), offset)
    if reference is not None:
        flat.FrameReferenceTime = f"{_seconds(corrected_to, reference) * 1000:.0f}"
    if any(abs(_seconds(start, corrected_to)) <= _SAME_S for start in _injections(flat, offset)):
        flat.DecayCorrection = "ADMIN"
    else:
        flat.DecayCorrection = "START"  # whichever moment it is: SUV takes DecayCorrectionDateTime itself


def _injections(flat: Dataset, offset: str) -> list[datetime]:
    written = [
        parse_moment(text(item, "RadiopharmaceuticalStartDateTime"), offset)
        for item in items(flat, "RadiopharmaceuticalInformationSequence")[:1]
    ]
    return [moment for moment in written if moment is not None]


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()
