"""What SUV is computed of: weight, height, sex and dose of a series, mended where that is certain, else refused."""

from __future__ import annotations

import numpy as np

from grisaille.core.errors import SuvRefused
from grisaille.imaging.body_norms import JAMES_FALLS_FROM, MASS_BY_SUV_TYPE, Sex, body_surface_m2
from grisaille.imaging.pet_series import PetSeries, Trail


def weight_kg(series: PetSeries, trail: Trail) -> float:
    """The patient's weight; grams are told by their size."""
    weight = series.weight
    if weight is None or not np.isfinite(weight) or weight <= 0:
        raise SuvRefused(
            "PatientWeight (0010,1030) is missing, 0 or not a number; expected kg; "
            "export the series with the weight, or give it (weight_kg, --weight-kg)",
            lacks="weight_kg",
        )
    if weight > 1000:
        trail.warnings.append(f"PatientWeight {weight:g} was taken as grams, that is {weight / 1000:g} kg")
        weight /= 1000
    if not 2 <= weight <= 400:
        trail.warnings.append(f"PatientWeight {weight:g} kg is out of the ordinary")
    trail.inputs["weight_kg"] = float(weight)
    return float(weight)


def mass_kg(series: PetSeries, suv_type: str, trail: Trail) -> float:
    """The mass that stands in for the weight in an SUV of ``suv_type``, a key of ``MASS_BY_SUV_TYPE``."""
    weight, height, sex = weight_kg(series, trail), _height_m(series, suv_type, trail), _sex(series, suv_type, trail)
    mass = MASS_BY_SUV_TYPE[suv_type](weight, height, sex)
    if mass <= 0:
        raise SuvRefused(
            f"PatientWeight {weight:g} kg and PatientSize {height:g} m give no positive mass by {suv_type}; "
            "correct them, or take SUV by body weight or the activity"
        )
    index = weight / height**2
    if suv_type == "LBMJAMES128" and index > JAMES_FALLS_FROM[sex]:
        trail.warnings.append(
            f"with a body mass index of {index:.0f} kg/m2 the lean mass of James is too low, so SUV is too low; "
            "take that of Janmahasatian"
        )
    trail.inputs["norm_kg"] = mass
    return mass


def surface_m2(series: PetSeries, trail: Trail) -> float:
    """The patient's body surface."""
    surface = body_surface_m2(weight_kg(series, trail), _height_m(series, "BSA", trail))
    trail.inputs["surface_m2"] = surface
    return surface


def dose_bq(series: PetSeries, trail: Trail) -> float:
    """The activity given; MBq are told by their size."""
    dose = series.tracer.dose
    if dose is None or not np.isfinite(dose) or dose <= 0:
        raise SuvRefused(
            "RadionuclideTotalDose (0018,1074) is missing, 0 or not a number; expected Bq; "
            "export the series with the dose, or give it (dose_bq, --dose-mbq)",
            lacks="dose_bq",
        )
    # No PET dose is below 0.1 MBq or above 100 GBq.
    if dose < 1e5:
        trail.warnings.append(f"RadionuclideTotalDose {dose:g} was taken as MBq")
        dose *= 1e6
    trail.inputs["dose_bq"] = float(dose)
    return float(dose)


def _height_m(series: PetSeries, suv_type: str, trail: Trail) -> float:
    height = series.height
    if height is None or not np.isfinite(height) or height <= 0:
        raise SuvRefused(
            f"PatientSize (0010,1020) is missing, 0 or not a number, and SUVType {suv_type} needs it; "
            "take SUV by body weight or the activity, or give the height (height_m, --height-m)",
            lacks="height_m",
        )
    if height > 3:
        trail.warnings.append(f"PatientSize {height:g} was taken as centimetres, that is {height / 100:g} m")
        height /= 100
    trail.inputs["height_m"] = float(height)
    return float(height)


def _sex(series: PetSeries, suv_type: str, trail: Trail) -> Sex:
    if series.sex not in tuple(Sex):
        raise SuvRefused(
            f"PatientSex (0010,0040) is absent or unknown, and SUVType {suv_type} needs it; "
            "take SUV by body weight or the activity, or give the sex (sex, --sex)",
            lacks="sex",
        )
    if series.sex == Sex.OTHER:
        trail.warnings.append(f"PatientSex is O; {suv_type} was taken as the mean of both formulas")
    trail.inputs["sex"] = str(series.sex)
    return Sex(series.sex)
