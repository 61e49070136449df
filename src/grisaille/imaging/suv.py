"""Standardised uptake values of PET series, by the order that QIBA recommends.

SUV is computed or refused, never guessed.

Source: QIBA vendor-neutral pseudo-code for SUV (2012 ff.), and the IBSI SUV manual for the
cases that it leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from grisaille.core.errors import SuvRefused
from grisaille.core.volume import read_only
from grisaille.imaging.body_norms import MASS_BY_SUV_TYPE, Sex, body_surface_m2
from grisaille.imaging.decay import decay_factors
from grisaille.imaging.pet_series import DecayCorrection, Factors, PetSeries, PetUnits, Trail

DISAGREEMENT = 0.05
"""Relative difference of two vendor factors above which a user is told."""


@dataclass(frozen=True)
class SuvOverrides:
    """Values that a user enters in place of the file's."""

    weight_kg: float | None = None
    dose_bq: float | None = None

    def record(self) -> dict[str, float]:
        """Those given, by name."""
        given = {"weight_kg": self.weight_kg, "dose_bq": self.dose_bq}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class SuvScaling:
    """From rescaled values (stored value times slope plus intercept) to SUVbw.

    Parameters
    ----------
    factors
        (n,), one a slice.
    path
        The branch taken, in words.
    inputs
        The values used.
    overrides
        Those of them that the user gave.
    warnings
        Sentences.
    """

    factors: Factors
    path: str
    inputs: Mapping[str, float | str]
    overrides: Mapping[str, float | str]
    warnings: tuple[str, ...]


def suv_scaling(series: PetSeries, overrides: SuvOverrides | None = None) -> SuvScaling:
    """The factor of each slice from rescaled values to SUVbw.

    Raises
    ------
    SuvRefused
        If SUV cannot be had without guessing; the message names the tags.
    """
    overrides = overrides or SuvOverrides()
    trail = Trail({"units": series.units})
    if series.units == PetUnits.GRAMS:
        path, factors = _from_grams(series, overrides, trail)
    elif series.units == PetUnits.AREA:
        path, factors = _from_area(series, overrides, trail)
    elif series.units == PetUnits.ACTIVITY:
        _require_corrections(series)
        path, factors = _from_activity(series, overrides, trail)
        path = f"BQML, {path}"
    elif series.units == PetUnits.COUNTS:
        _require_corrections(series)
        path, factors = _from_counts(series, overrides, trail)
    else:
        raise SuvRefused(
            f"Units (0054,1001) is {series.units or 'absent'}, expected BQML, GML, CM2ML or CNTS; "
            "export the series in BQML"
        )
    intercept = max((abs(piece.rescale_intercept) for piece in series.slices), default=0.0)
    if intercept:
        trail.warnings.append(
            f"RescaleIntercept is up to {intercept:g} where PET has 0 by the standard; it was applied as written"
        )
    return SuvScaling(factors, path, read_only(trail.inputs), read_only(overrides.record()), tuple(trail.warnings))


def activity_factors(series: PetSeries) -> Factors | None:
    """The factor of each slice from rescaled values to Bq/ml, or None where the file gives no activity."""
    if series.units == PetUnits.ACTIVITY:
        return np.ones(len(series.slices))
    if series.units == PetUnits.COUNTS:
        return _positive([piece.activity_factor for piece in series.slices])
    return None


def _require_corrections(series: PetSeries) -> None:
    missing = sorted({"ATTN", "DECY"} - series.corrections)
    if missing:
        raise SuvRefused(
            f"CorrectedImage (0028,0051) lacks {' and '.join(missing)}, so the values are not quantitative; "
            "choose the attenuation- and decay-corrected series"
        )


def _from_grams(series: PetSeries, overrides: SuvOverrides, trail: Trail) -> tuple[str, Factors]:
    kind = series.suv_type or "BW"
    if kind == "BW":
        return f"GML, SUVType {series.suv_type or 'absent, so body weight'}", np.ones(len(series.slices))
    if kind not in MASS_BY_SUV_TYPE:
        raise SuvRefused(
            f"SUVType (0054,1006) is {kind} with Units GML, expected BW, {', '.join(MASS_BY_SUV_TYPE)}; "
            "export the series in BQML"
        )
    weight, height, sex = _weight_kg(series, overrides, trail), _height_m(series, trail), _sex(series, trail)
    mass = MASS_BY_SUV_TYPE[kind](weight, height, sex)
    trail.inputs["norm_kg"] = mass
    if mass <= 0:
        raise SuvRefused(
            f"PatientWeight {weight:g} kg and PatientSize {height:g} m give no positive mass by {kind}; "
            "correct them or export the series in BQML"
        )
    return f"GML, SUVType {kind} to body weight", np.full(len(series.slices), weight / mass)


def _from_area(series: PetSeries, overrides: SuvOverrides, trail: Trail) -> tuple[str, Factors]:
    if series.suv_type not in ("", "BSA"):
        raise SuvRefused(
            f"SUVType (0054,1006) is {series.suv_type} with Units CM2ML, expected BSA; export the series in BQML"
        )
    weight = _weight_kg(series, overrides, trail)
    surface = body_surface_m2(weight, _height_m(series, trail))
    trail.inputs["surface_m2"] = surface
    return "CM2ML, body surface to body weight", np.full(len(series.slices), weight * 1000 / (surface * 1e4))


def _from_counts(series: PetSeries, overrides: SuvOverrides, trail: Trail) -> tuple[str, Factors]:
    """Philips' own factors; its SUV factor goes first, as QIBA has it."""
    direct = _positive([piece.suv_factor for piece in series.slices])
    activity = _positive([piece.activity_factor for piece in series.slices])
    if direct is not None:
        if activity is not None:
            _compare(direct, activity, series, overrides, trail)
        return "CNTS, Philips SUV factor (7053,1000)", direct
    if activity is not None:
        path, factors = _from_activity(series, overrides, trail)
        return f"CNTS, Philips activity factor (7053,1009), {path}", factors * activity
    raise SuvRefused(
        "Units (0054,1001) is CNTS and neither Philips' SUV factor (7053,1000) nor its activity factor "
        "(7053,1009) is above 0 in all files; export the series in BQML"
    )


def _compare(direct: Factors, activity: Factors, series: PetSeries, overrides: SuvOverrides, trail: Trail) -> None:
    """Warn where Philips' two factors disagree; nothing is said where the second leads to no SUV."""
    try:
        _, factors = _from_activity(series, overrides, Trail())
    except SuvRefused:
        return
    apart = float(np.abs(factors * activity / direct - 1).max())
    if apart > DISAGREEMENT:
        trail.warnings.append(
            f"Philips' SUV factor (7053,1000) and its activity factor (7053,1009) give SUV up to {apart:.0%} apart; "
            "the SUV factor was used"
        )


def _from_activity(series: PetSeries, overrides: SuvOverrides, trail: Trail) -> tuple[str, Factors]:
    """From Bq/ml to SUVbw."""
    trail.inputs["decay_correction"] = series.decay_correction
    if series.decay_correction not in tuple(DecayCorrection):
        raise SuvRefused(
            f"DecayCorrection (0054,1102) is {series.decay_correction or 'absent'}, expected START, ADMIN or NONE; "
            "export the series with its decay correction"
        )
    if series.tracers > 1:
        trail.warnings.append(f"RadiopharmaceuticalInformationSequence has {series.tracers} items; the first was used")
    weight, dose = _weight_kg(series, overrides, trail), _dose_bq(series, overrides, trail)
    per_dose = weight * 1000 / dose
    if series.decay_correction == DecayCorrection.ADMIN:
        return "decay corrected to administration (ADMIN)", np.full(len(series.slices), per_dose)
    path, factors = decay_factors(series, trail)
    return path, per_dose * factors


def _weight_kg(series: PetSeries, overrides: SuvOverrides, trail: Trail) -> float:
    """The patient's weight; grams are told by their size."""
    weight = series.weight if overrides.weight_kg is None else overrides.weight_kg
    if weight is None or not np.isfinite(weight) or weight <= 0:
        raise SuvRefused(
            "PatientWeight (0010,1030) is missing, 0 or not a number; expected kg; export the series with the weight"
        )
    if weight > 1000:
        trail.warnings.append(f"PatientWeight {weight:g} was taken as grams, that is {weight / 1000:g} kg")
        weight /= 1000
    if not 2 <= weight <= 400:
        trail.warnings.append(f"PatientWeight {weight:g} kg is out of the ordinary")
    trail.inputs["weight_kg"] = float(weight)
    return float(weight)


def _height_m(series: PetSeries, trail: Trail) -> float:
    height = series.height
    if height is None or not np.isfinite(height) or height <= 0:
        raise SuvRefused(
            f"PatientSize (0010,1020) is missing, 0 or not a number, and SUVType {series.suv_type or 'BSA'} needs it; "
            "export the series in BQML or with the height"
        )
    if height > 3:
        trail.warnings.append(f"PatientSize {height:g} was taken as centimetres, that is {height / 100:g} m")
        height /= 100
    trail.inputs["height_m"] = float(height)
    return float(height)


def _sex(series: PetSeries, trail: Trail) -> Sex:
    if series.sex not in tuple(Sex):
        raise SuvRefused(
            f"PatientSex (0010,0040) is absent or unknown, and SUVType {series.suv_type} needs it; "
            "export the series in BQML or with the sex"
        )
    if series.sex == Sex.OTHER:
        trail.warnings.append(f"PatientSex is O; {series.suv_type} was taken as the mean of both formulas")
    return Sex(series.sex)


def _dose_bq(series: PetSeries, overrides: SuvOverrides, trail: Trail) -> float:
    dose = series.tracer.dose if overrides.dose_bq is None else overrides.dose_bq
    if dose is None or not np.isfinite(dose) or dose <= 0:
        raise SuvRefused(
            "RadionuclideTotalDose (0018,1074) is missing, 0 or not a number; expected Bq; "
            "export the series with the dose"
        )
    # No PET dose is below 0.1 MBq or above 100 GBq.
    if dose < 1e5:
        trail.warnings.append(f"RadionuclideTotalDose {dose:g} was taken as MBq")
        dose *= 1e6
    trail.inputs["dose_bq"] = float(dose)
    return float(dose)


def _positive(factors: Sequence[float | None]) -> Factors | None:
    """The factors if all are given and above 0."""
    values = np.array([np.nan if factor is None else factor for factor in factors], dtype=np.float64)
    return values if values.size and bool((values > 0).all()) and bool(np.isfinite(values).all()) else None
