"""Coded terms of findings and their measures: DICOM PS3.16 and SNOMED CT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from grisaille.core.errors import ConfigError
from grisaille.core.finding import Finding

_LONGEST_VALUE, _LONGEST_MEANING = 16, 64


@dataclass(frozen=True)
class Term:
    """A coded concept: its value, the scheme that defines it, and its meaning in words."""

    value: str
    scheme: str
    meaning: str

    @classmethod
    def parse(cls, written: str) -> Term:
        """A term written as ``VALUE,SCHEME,MEANING``, such as ``108369006,SCT,Neoplasm``.

        Raises
        ------
        ConfigError
            If it is not.
        """
        value, scheme, meaning = (part.strip() for part in (*written.split(",", 2), "", "")[:3])
        fits = 0 < len(value) <= _LONGEST_VALUE and 0 < len(scheme) <= _LONGEST_VALUE
        if not (fits and 0 < len(meaning) <= _LONGEST_MEANING and "\\" not in written):
            raise ConfigError(
                f"the type {written!r} is no coded term; expected VALUE,SCHEME,MEANING such as 108369006,SCT,Neoplasm"
            )
        return cls(value, scheme, meaning)


NEOPLASM = Term("108369006", "SCT", "Neoplasm")
ABNORMAL = Term("49755003", "SCT", "Morphologically Abnormal Structure")
AI = Term("123110", "DCM", "Artificial Intelligence")
REPORT = Term("126000", "DCM", "Imaging Measurement Report")
NO_UNITS = Term("1", "UCUM", "no units")
SCORE = Term("ANOMALY", "99GRISAILLE", "Anomaly score")

_MILLILITRE = Term("ml", "UCUM", "milliliter")
_MILLIMETRE = Term("mm", "UCUM", "millimeter")
_SUVBW = Term("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight")
_GRAM = Term("g", "UCUM", "gram")
_HOUNSFIELD = Term("[hnsf'U]", "UCUM", "Hounsfield unit")
_SUV = Term("126400", "DCM", "Standardized Uptake Value")
_MAXIMUM = Term("56851009", "SCT", "Maximum")
_MEAN = Term("373098007", "SCT", "Mean")
_PEAK = Term("126031", "DCM", "Peak Value Within ROI")

PROCEDURES = {
    "CT": Term("25045-6", "LN", "CT unspecified body region"),
    "PT": Term("44136-0", "LN", "PET unspecified body region"),
    "MR": Term("25056-3", "LN", "MRI unspecified body region"),
}
OTHER_PROCEDURE = Term("363679005", "SCT", "Imaging procedure")


@dataclass(frozen=True)
class Coded:
    """One measure of a finding: where its number is, what it is called, its unit and how it was derived."""

    value: Callable[[Finding], float | None]
    name: Term
    unit: Term
    derivation: Term | None = None


def _metabolic(finding: Finding) -> float | None:
    """The volume, where SUV was measured in it."""
    return None if finding.suv_mean is None else finding.volume_ml


MEASURES = (
    Coded(lambda one: one.volume_ml, Term("118565006", "SCT", "Volume"), _MILLILITRE),
    Coded(lambda one: one.suv_max, _SUV, _SUVBW, _MAXIMUM),
    Coded(lambda one: one.suv_mean, _SUV, _SUVBW, _MEAN),
    Coded(lambda one: one.suv_peak, _SUV, _SUVBW, _PEAK),
    Coded(_metabolic, Term("126032", "DCM", "Metabolic Volume"), _MILLILITRE),
    Coded(lambda one: one.tlg, Term("126033", "DCM", "Total Lesion Glycolysis"), _GRAM),
    Coded(lambda one: one.hu_mean, Term("112031", "DCM", "Attenuation Coefficient"), _HOUNSFIELD, _MEAN),
    Coded(lambda one: one.long_axis_mm, Term("103339001", "SCT", "Long Axis"), _MILLIMETRE),
    Coded(lambda one: one.short_axis_mm, Term("103340004", "SCT", "Short Axis"), _MILLIMETRE),
    Coded(lambda one: one.score, SCORE, NO_UNITS, _MAXIMUM),
)
"""What a report tells of each finding, where it was measured."""
