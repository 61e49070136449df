"""Body sizes by which SUV is normalised: lean body mass, ideal body weight, body surface.

Sources: Janmahasatian et al. 2005 (Clin Pharmacokinet 44:1051), James 1976 with Hume's
constants as DICOM CID 85 names it (LBMJAMES128), Morgan and Bray 1994 (120 for men),
Sugawara et al. 1999 for the ideal weight, Du Bois and Du Bois 1916 for the surface.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Sex(StrEnum):
    """PatientSex (0010,0040)."""

    MALE = "M"
    FEMALE = "F"
    OTHER = "O"


def lean_mass_janmahasatian(weight_kg: float, height_m: float, sex: Sex) -> float:
    """Lean body mass in kg."""
    index = weight_kg / height_m**2
    return by_sex(sex, 9270 * weight_kg / (6680 + 216 * index), 9270 * weight_kg / (8780 + 244 * index))


def lean_mass_james(weight_kg: float, height_m: float, sex: Sex) -> float:
    """Lean body mass in kg."""
    ratio = (weight_kg / (100 * height_m)) ** 2
    return by_sex(sex, 1.10 * weight_kg - 128 * ratio, 1.07 * weight_kg - 148 * ratio)


def lean_mass_morgan(weight_kg: float, height_m: float, sex: Sex) -> float:
    """Lean body mass in kg."""
    ratio = (weight_kg / (100 * height_m)) ** 2
    return by_sex(sex, 1.10 * weight_kg - 120 * ratio, 1.07 * weight_kg - 148 * ratio)


def ideal_weight(weight_kg: float, height_m: float, sex: Sex) -> float:
    """Ideal body weight in kg; it does not depend on the weight."""
    over = 100 * height_m - 152
    return by_sex(sex, 48.0 + 1.06 * over, 45.5 + 0.91 * over)


def body_surface_m2(weight_kg: float, height_m: float) -> float:
    """Body surface in square metres."""
    return float(0.007184 * (100 * height_m) ** 0.725 * weight_kg**0.425)


def by_sex(sex: Sex, male: float, female: float) -> float:
    """The value of the sex; the mean of both for ``OTHER``, on which there is no consensus."""
    return {Sex.MALE: male, Sex.FEMALE: female, Sex.OTHER: (male + female) / 2}[sex]


JAMES_FALLS_FROM = {Sex.MALE: 1.10e4 / 256, Sex.FEMALE: 1.07e4 / 296, Sex.OTHER: 1.07e4 / 296}
"""Body mass index in kg/m2 (43 and 36) from which James's lean mass falls as the weight grows."""

MASS_BY_SUV_TYPE: dict[str, Callable[[float, float, Sex], float]] = {
    "LBM": lean_mass_morgan,
    "LBMJAMES128": lean_mass_james,
    "LBMJANMA": lean_mass_janmahasatian,
    "IBW": ideal_weight,
}
"""The mass in kg that stands in for body weight, by SUVType (0054,1006)."""
