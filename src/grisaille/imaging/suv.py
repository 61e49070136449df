"""Standardised uptake values of PET series, by the order that QIBA recommends.

SUV is computed or refused, never guessed.

Source: QIBA vendor-neutral pseudo-code for SUV (2012 ff.), and the IBSI SUV manual for the
cases that it leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from grisaille.core.errors import SuvRefused
from grisaille.core.volume import Unit, read_only
from grisaille.imaging.body_norms import MASS_BY_SUV_TYPE, Sex
from grisaille.imaging.decay import decay_factors
from grisaille.imaging.pet_series import DecayCorrection, Factors, PetSeries, PetUnits, Trail
from grisaille.imaging.suv_inputs import dose_bq, mass_kg, surface_m2, weight_kg
from grisaille.imaging.suv_overrides import SuvOverrides as SuvOverrides

DISAGREEMENT = 0.05
"""Relative difference of two vendor factors above which a user is told."""

SUV_TYPE = {
    Unit.SUVBW: "BW",
    Unit.SUL: "LBMJANMA",
    Unit.SUL_JAMES: "LBMJAMES128",
    Unit.SUVBSA: "BSA",
    Unit.SUVIBW: "IBW",
}
"""What SUVType (0054,1006) calls each."""

_USED_AS = {"injected": "uptake_s"}
"""Overrides that stand among the inputs under another name."""


@dataclass(frozen=True)
class SuvScaling:
    """From rescaled values (stored value times slope plus intercept) to SUV.

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


def suv_scaling(series: PetSeries, overrides: SuvOverrides | None = None, unit: Unit = Unit.SUVBW) -> SuvScaling:
    """The factor of each slice from rescaled values to SUV.

    Parameters
    ----------
    unit
        Which SUV.

    Raises
    ------
    SuvRefused
        If SUV cannot be had without guessing; the message names the tags.
    """
    overrides = overrides or SuvOverrides()
    replaced = overrides.replacing(series)
    series = overrides.onto(series)
    trail = Trail({"units": series.units})
    if _is_written(series, unit):
        path, factors = f"{series.units}, SUVType {series.suv_type}, as written", np.ones(len(series.slices))
    else:
        path, factors = _by_weight(series, trail)
        if unit is not Unit.SUVBW:
            factors = factors * _from_weight(series, unit, trail)
            path = f"{path}; then from body weight to {SUV_TYPE[unit]}"
    intercept = max((abs(piece.rescale_intercept) for piece in series.slices), default=0.0)
    if intercept:
        trail.warnings.append(
            f"RescaleIntercept is up to {intercept:g} where PET has 0 by the standard; it was applied as written"
        )
    used = {name: value for name, value in overrides.record().items() if _USED_AS.get(name, name) in trail.inputs}
    idle = [name for name in overrides.given if name not in used]
    if idle:
        trail.warnings.append(f"{' and '.join(idle)} as entered had no use: SUV was had without ({path})")
    if other := [name for name in replaced if name in used]:
        trail.warnings.append(f"{' and '.join(other)} as entered took the place of another value in the file")
    warnings = tuple(dict.fromkeys(trail.warnings))
    return SuvScaling(factors, path, read_only(trail.inputs), read_only(used), warnings)


def missing_inputs(series: PetSeries, unit: Unit = Unit.SUVBW) -> tuple[str, ...]:
    """Which values would give SUV if a user entered them: fields of ``SuvOverrides``, in the order of need.

    Empty if SUV is there already, or if no such value helps.
    """
    entered = SuvOverrides()
    while True:
        try:
            suv_scaling(series, entered, unit)
        except SuvRefused as reason:
            if not reason.lacks or reason.lacks in entered.given:
                return ()
            entered = replace(entered, **_plausible(series, reason.lacks))
        else:
            return entered.given


def _plausible(series: PetSeries, name: str) -> dict[str, Any]:
    """A value that stands in for the one a user would enter, to see what else is missing."""
    moments = [series.series_time, series.scanner_time, series.corrected_to]
    moments += [piece.acquired for piece in series.slices]
    first = min((moment for moment in moments if moment is not None), default=datetime(2000, 1, 1))
    standing_in = {
        "weight_kg": 70.0,
        "dose_bq": 3e8,
        "injected": first - timedelta(hours=2),
        "height_m": 1.7,
        "sex": Sex.FEMALE,
        "half_life_s": 6586.2,
    }
    return {name: standing_in[name]}


def _is_written(series: PetSeries, unit: Unit) -> bool:
    """Whether the file holds this very SUV; body weight is left to the rule for files that do not say which."""
    if unit is Unit.SUVBW:
        return False
    if series.units == PetUnits.AREA:
        return unit is Unit.SUVBSA and series.suv_type in ("", "BSA")
    return series.units == PetUnits.GRAMS and series.suv_type == SUV_TYPE[unit] and unit is not Unit.SUVBSA


def _by_weight(series: PetSeries, trail: Trail) -> tuple[str, Factors]:
    """The branch, and the factors to SUV by body weight."""
    if series.units == PetUnits.GRAMS:
        return _from_grams(series, trail)
    if series.units == PetUnits.AREA:
        return _from_area(series, trail)
    if series.units == PetUnits.ACTIVITY:
        _require_corrections(series)
        path, factors = _from_activity(series, trail)
        return f"BQML, {path}", factors
    if series.units == PetUnits.COUNTS:
        _require_corrections(series)
        return _from_counts(series, trail)
    raise SuvRefused(
        f"Units (0054,1001) is {series.units or 'absent'}, expected BQML, GML, CM2ML or CNTS; export the series in BQML"
    )


def _from_weight(series: PetSeries, unit: Unit, trail: Trail) -> float:
    """The factor from SUV by body weight to another."""
    if unit is Unit.SUVBSA:
        surface = surface_m2(series, trail)
        return surface * 1e4 / (1000 * weight_kg(series, trail))
    return mass_kg(series, SUV_TYPE[unit], trail) / weight_kg(series, trail)


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


def _from_grams(series: PetSeries, trail: Trail) -> tuple[str, Factors]:
    kind = series.suv_type or "BW"
    if kind == "BW":
        return f"GML, SUVType {series.suv_type or 'absent, so body weight'}", np.ones(len(series.slices))
    if kind not in MASS_BY_SUV_TYPE:
        raise SuvRefused(
            f"SUVType (0054,1006) is {kind} with Units GML, expected BW, {', '.join(MASS_BY_SUV_TYPE)}; "
            "export the series in BQML"
        )
    factor = weight_kg(series, trail) / mass_kg(series, kind, trail)
    return f"GML, SUVType {kind} to body weight", np.full(len(series.slices), factor)


def _from_area(series: PetSeries, trail: Trail) -> tuple[str, Factors]:
    if series.suv_type not in ("", "BSA"):
        raise SuvRefused(
            f"SUVType (0054,1006) is {series.suv_type} with Units CM2ML, expected BSA; export the series in BQML"
        )
    factor = weight_kg(series, trail) * 1000 / (surface_m2(series, trail) * 1e4)
    return "CM2ML, body surface to body weight", np.full(len(series.slices), factor)


def _from_counts(series: PetSeries, trail: Trail) -> tuple[str, Factors]:
    """Philips' own factors; its SUV factor goes first, as QIBA has it."""
    direct = _positive([piece.suv_factor for piece in series.slices])
    activity = _positive([piece.activity_factor for piece in series.slices])
    if direct is not None:
        if activity is not None:
            _compare(direct, activity, series, trail)
        return "CNTS, Philips SUV factor (7053,1000)", direct
    if activity is not None:
        path, factors = _from_activity(series, trail)
        return f"CNTS, Philips activity factor (7053,1009), {path}", factors * activity
    raise SuvRefused(
        "Units (0054,1001) is CNTS and neither Philips' SUV factor (7053,1000) nor its activity factor "
        "(7053,1009) is above 0 in all files; export the series in BQML"
    )


def _compare(direct: Factors, activity: Factors, series: PetSeries, trail: Trail) -> None:
    """Warn where Philips' two factors disagree; nothing is said where the second leads to no SUV."""
    try:
        _, factors = _from_activity(series, Trail())
    except SuvRefused:
        return
    apart = float(np.abs(factors * activity / direct - 1).max())
    if apart > DISAGREEMENT:
        trail.warnings.append(
            f"Philips' SUV factor (7053,1000) and its activity factor (7053,1009) give SUV up to {apart:.0%} apart; "
            "the SUV factor was used"
        )


def _from_activity(series: PetSeries, trail: Trail) -> tuple[str, Factors]:
    """From Bq/ml to SUVbw."""
    trail.inputs["decay_correction"] = series.decay_correction
    if series.decay_correction not in tuple(DecayCorrection):
        raise SuvRefused(
            f"DecayCorrection (0054,1102) is {series.decay_correction or 'absent'}, expected START, ADMIN or NONE; "
            "export the series with its decay correction"
        )
    if series.tracers > 1:
        trail.warnings.append(f"RadiopharmaceuticalInformationSequence has {series.tracers} items; the first was used")
    per_dose = weight_kg(series, trail) * 1000 / dose_bq(series, trail)
    if series.decay_correction == DecayCorrection.ADMIN:
        return "decay corrected to administration (ADMIN)", np.full(len(series.slices), per_dose)
    path, factors = decay_factors(series, trail)
    return path, per_dose * factors


def _positive(factors: Sequence[float | None]) -> Factors | None:
    """The factors if all are given and above 0."""
    values = np.array([np.nan if factor is None else factor for factor in factors], dtype=np.float64)
    return values if values.size and bool((values > 0).all()) and bool(np.isfinite(values).all()) else None
