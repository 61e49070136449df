"""How far a tracer had decayed between its injection and the moment that an image stands for."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from grisaille.core.errors import SuvRefused
from grisaille.imaging.pet_series import DecayCorrection, Factors, PetSeries, Trail

HALF_LIFE_S = {
    "C-11": 1221.8,
    "N-13": 597.9,
    "O-15": 122.24,
    "F-18": 6586.2,
    "Cu-64": 45721.0,
    "Ga-68": 4069.8,
    "Rb-82": 75.45,
    "Zr-89": 282276.0,
    "I-124": 360806.0,
}
"""In seconds (Laboratoire National Henri Becquerel, Nucléide-Lara; NuDat 3), used where a file gives none."""

JITTER = timedelta(seconds=1)
"""Two clocks of one scanner that differ by less show the same moment (real headers differ by microseconds)."""
LONGEST_UPTAKE_S = 12 * 3600.0
LONG_LIVED_HALF_LIVES = 7.0
"""A nuclide that lives longer than the longest uptake may be imaged days later, within this many half-lives."""
USUAL_UPTAKE_MIN = (30.0, 180.0)
"""Of F-18, outside which a user is told."""
REFERENCE_DISAGREEMENT = 0.02


def decay_factors(series: PetSeries, trail: Trail) -> tuple[str, Factors]:
    """What undoes the decay of the dose up to the moment that each slice was corrected to.

    Returns
    -------
    The branch in words, and (n,) factors >= 1 that, times weight over dose, give SUVbw.

    Raises
    ------
    SuvRefused
        If a time or the half-life is missing, or they contradict each other.
    """
    half_life = _half_life_s(series, trail)
    rate = np.log(2) / half_life
    acquired = _acquired(series)
    administered = _administered(series, min(acquired), half_life, trail)
    if series.decay_correction == DecayCorrection.NONE:
        path, reference = "not decay corrected (NONE), by acquisition time", np.array(_seconds(acquired, administered))
        spread = np.log(_mean_decay(rate, _durations(series))) / rate
    else:
        path, reference = _reference(series, acquired, administered, rate, trail)
        spread = np.zeros(len(acquired))
    _check_uptake(float(reference.min()), half_life, series.tracer.nuclide, trail)
    factors: Factors = np.exp(rate * (reference + spread))
    return path, factors


def _half_life_s(series: PetSeries, trail: Trail) -> float:
    """From the tag, else from the nuclide."""
    nuclide, half_life = series.tracer.nuclide, series.tracer.half_life_s
    known = HALF_LIFE_S.get(nuclide)
    if half_life is None or not half_life > 0:
        if known is None:
            raise SuvRefused(
                "RadionuclideHalfLife (0018,1075) is missing and RadionuclideCodeSequence (0054,0300) names no known "
                "nuclide; export the series with the half-life, or give it (half_life_s, --half-life-s)",
                lacks="half_life_s",
            )
        trail.warnings.append(f"RadionuclideHalfLife is missing; {known:g} s of {nuclide} was used")
        half_life = known
    elif known is not None and abs(half_life / known - 1) > 0.05:
        raise SuvRefused(
            f"RadionuclideHalfLife (0018,1075) is {half_life:g} s, expected {known:g} s for the {nuclide} of "
            "RadionuclideCodeSequence (0054,0300); correct the one that is wrong"
        )
    trail.inputs["half_life_s"] = float(half_life)
    if nuclide:
        trail.inputs["nuclide"] = nuclide
    return float(half_life)


def _acquired(series: PetSeries) -> list[datetime]:
    moments = [piece.acquired for piece in series.slices if piece.acquired is not None]
    if not moments or len(moments) < len(series.slices):
        raise SuvRefused(
            f"AcquisitionDate (0008,0022) or AcquisitionTime (0008,0032) is missing in "
            f"{len(series.slices) - len(moments)} of {len(series.slices)} files; export the series with its times"
        )
    return moments


def _durations(series: PetSeries) -> Factors:
    durations = np.array([piece.frame_duration_s or np.nan for piece in series.slices])
    if not (durations > 0).all():
        raise SuvRefused(
            "ActualFrameDuration (0018,1242) is missing or 0 and DecayCorrection is NONE; "
            "export the series with its frame durations"
        )
    return durations


def _administered(series: PetSeries, scanned: datetime, half_life: float, trail: Trail) -> datetime:
    """The moment of injection; a bare time of day lies on the day of the scan or the one before."""
    started, at = series.tracer.started, series.tracer.start_time
    if started is not None:
        if at is not None:
            apart = abs((datetime.combine(started.date(), at) - started).total_seconds())
            if min(apart, 86400 - apart) > 60:
                trail.warnings.append(
                    "RadiopharmaceuticalStartDateTime and RadiopharmaceuticalStartTime are more than a minute apart; "
                    "the former was used"
                )
        return started
    if at is None:
        raise SuvRefused(
            "RadiopharmaceuticalStartDateTime (0018,1078) and RadiopharmaceuticalStartTime (0018,1072) are missing; "
            "export the series with the injection time, or give it (injected, --injection-time)",
            lacks="injected",
        )
    if half_life > LONGEST_UPTAKE_S:
        raise SuvRefused(
            f"RadiopharmaceuticalStartTime (0018,1072) has no date, and with a half-life of {half_life / 3600:.0f} h "
            "the injection may have been days before; expected RadiopharmaceuticalStartDateTime (0018,1078), or an "
            "injection time entered with its date (injected, --injection-time)",
            lacks="injected",
        )
    moment = datetime.combine(scanned.date(), at)
    if moment > scanned:
        trail.warnings.append(
            "RadiopharmaceuticalStartTime is later than the scan; it was taken as of the day before (past midnight)"
        )
        moment -= timedelta(days=1)
    return moment


def _reference(
    series: PetSeries, acquired: list[datetime], administered: datetime, rate: float, trail: Trail
) -> tuple[str, Factors]:
    """The moment to which START corrected the decay, in seconds after the injection."""
    first = min(acquired if series.begun is None else [series.begun, *acquired])
    by_frames = _by_frames(series, acquired, administered, rate)
    if series.corrected_to is not None:
        path, moment = "decay corrected to START, by DecayCorrectionDateTime (0018,9701)", series.corrected_to
    elif series.series_time is not None and series.series_time <= first + JITTER:
        path, moment = "decay corrected to START, by series time", series.series_time
    elif series.scanner_time is not None:
        path, moment = "decay corrected to START, by GE's scan time (0009,100D)", series.scanner_time
    elif by_frames is not None:
        return "decay corrected to START, worked back from frame reference time", by_frames
    else:
        path, moment = "decay corrected to START, by earliest acquisition time", first
        trail.warnings.append(
            "SeriesTime is later than the acquisition or missing, and FrameReferenceTime does not tell the start of "
            "the scan; the earliest acquisition time was taken as the moment of decay correction"
        )
    reference = np.array(_seconds([moment] * len(acquired), administered))
    if by_frames is not None:
        apart = float(np.abs(np.expm1(rate * (by_frames - reference))).max())
        if apart > REFERENCE_DISAGREEMENT:
            trail.warnings.append(
                f"worked back from FrameReferenceTime, SUV would differ by up to {apart:.0%}; "
                f"it was computed {path.removeprefix('decay corrected to START, ')}"
            )
    return path, reference


def _by_frames(series: PetSeries, acquired: list[datetime], administered: datetime, rate: float) -> Factors | None:
    """The start worked back from each slice's mean activity time; None where a file leaves a part out.

    FrameReferenceTime (0054,1300) is when the activity was that of the whole frame's mean.
    """
    frames = np.array([piece.frame_reference_s or np.nan for piece in series.slices])
    durations = np.array([piece.frame_duration_s or np.nan for piece in series.slices])
    if not ((frames > 0).all() and (durations > 0).all()):
        return None
    mean_time: Factors = np.log(_mean_decay(rate, durations)) / rate
    start: Factors = np.array(_seconds(acquired, administered)) + mean_time - frames
    return start


def _mean_decay(rate: float, durations: Factors) -> Factors:
    """Activity at the start of a frame over its mean during the frame."""
    decay: Factors = rate * durations
    return decay / -np.expm1(-decay)


def _seconds(moments: list[datetime], after: datetime) -> list[float]:
    return [(moment - after).total_seconds() for moment in moments]


def _check_uptake(uptake_s: float, half_life: float, nuclide: str, trail: Trail) -> None:
    """Refuse a time between injection and scan that no examination has."""
    longest = LONGEST_UPTAKE_S if half_life <= LONGEST_UPTAKE_S else LONG_LIVED_HALF_LIVES * half_life
    if not 0 <= uptake_s <= longest:
        raise SuvRefused(
            f"the scan lies {uptake_s / 60:.0f} min after the injection, expected 0 to {longest / 60:.0f}; check "
            "RadiopharmaceuticalStartDateTime (0018,1078) or StartTime (0018,1072) against SeriesTime (0008,0031) "
            "and AcquisitionTime (0008,0032), which de-identification may have shifted"
        )
    trail.inputs["uptake_s"] = uptake_s
    low, high = USUAL_UPTAKE_MIN
    if nuclide in ("", "F-18") and abs(half_life / HALF_LIFE_S["F-18"] - 1) < 0.05 and not low <= uptake_s / 60 <= high:
        trail.warnings.append(
            f"the scan lies {uptake_s / 60:.0f} min after the injection, out of the usual {low:.0f} to {high:.0f} min"
        )
