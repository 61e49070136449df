"""SUV by hand: every case that a single-frame series can be in (IBSI SUV, QIBA)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grisaille.core.errors import SuvRefused
from grisaille.imaging.body_norms import (
    Sex,
    body_surface_m2,
    ideal_weight,
    lean_mass_james,
    lean_mass_janmahasatian,
    lean_mass_morgan,
)
from grisaille.imaging.decay import HALF_LIFE_S
from grisaille.imaging.pet_series import PetSeries, PetSlice, Tracer
from grisaille.imaging.suv import SuvOverrides, activity_factors, suv_scaling

ELEVEN = datetime(2025, 1, 1, 11)
TEN = datetime(2025, 1, 1, 10)
F18_S = 6586.2
DOSE_BQ = 368.08e6
RATE = math.log(2) / F18_S


def series(**changes: object) -> PetSeries:
    """An IBSI reference object: 70 kg, 1.75 m, 368.08 MBq of F-18 one hour before, BQML, START."""
    slices = changes.pop("slices", tuple(PetSlice(ELEVEN, 150.0, 300.0) for _ in range(3)))
    tracer = Tracer(DOSE_BQ, F18_S, "F-18", TEN, TEN.time())
    base = PetSeries(
        units="BQML",
        slices=slices,  # type: ignore[arg-type]
        decay_correction="START",
        corrections=frozenset({"ATTN", "DECY", "SCAT"}),
        weight=70.0,
        height=1.75,
        sex="O",
        tracer=replace(tracer, **changes.pop("tracer", {})),  # type: ignore[arg-type]
        series_time=ELEVEN,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def by_hand(uptake_s: float, *, weight_kg: float = 70.0, dose_bq: float = DOSE_BQ, half_life_s: float = F18_S) -> float:
    """Grams over the dose left after ``uptake_s``."""
    return weight_kg * 1000 / (dose_bq * 0.5 ** (uptake_s / half_life_s))


def frames(*slices: PetSlice) -> tuple[PetSlice, ...]:
    return slices


def moved(**changes: object) -> tuple[PetSlice, ...]:
    """Three slices with other values."""
    return tuple(replace(PetSlice(ELEVEN, 150.0, 300.0), **changes) for _ in range(3))  # type: ignore[arg-type]


def only(warnings: tuple[str, ...], *wanted: str) -> None:
    assert len(warnings) == len(wanted), warnings
    for warning, words in zip(warnings, wanted, strict=True):
        assert words in warning


def test_activity_corrected_to_the_start_of_the_series_is_weight_over_the_dose_left() -> None:
    scaling = suv_scaling(series())
    np.testing.assert_allclose(scaling.factors, by_hand(3600), rtol=1e-12)
    assert scaling.path == "BQML, decay corrected to START, by series time"
    assert scaling.inputs == {
        "units": "BQML",
        "decay_correction": "START",
        "weight_kg": 70.0,
        "dose_bq": DOSE_BQ,
        "half_life_s": F18_S,
        "nuclide": "F-18",
        "uptake_s": 3600.0,
    }
    only(scaling.warnings)


@settings(deadline=None)
@given(
    weight=st.floats(3, 300),
    dose=st.floats(1e6, 5e9),
    minutes=st.floats(31, 179),
    half_life=st.floats(6300, 6900),
)
def test_suv_is_linear_in_weight_and_inverse_in_the_dose_left(
    weight: float, dose: float, minutes: float, half_life: float
) -> None:
    started = ELEVEN - timedelta(minutes=minutes)
    tracer = {"dose": dose, "half_life_s": half_life, "started": started, "start_time": None}
    scaling = suv_scaling(series(weight=weight, tracer=tracer))
    uptake = (ELEVEN - started).total_seconds()
    expected = by_hand(uptake, weight_kg=weight, dose_bq=dose, half_life_s=half_life)
    np.testing.assert_allclose(scaling.factors, expected, rtol=1e-9)
    only(scaling.warnings)


@pytest.mark.parametrize("missing", ["ATTN", "DECY"])
def test_uncorrected_images_have_no_suv(missing: str) -> None:
    with pytest.raises(SuvRefused, match=f"CorrectedImage .*{missing}"):
        suv_scaling(series(corrections=frozenset({"ATTN", "DECY"} - {missing})))


def test_the_misspelt_decay_is_not_taken_for_decy() -> None:
    with pytest.raises(SuvRefused, match="DECY"):
        suv_scaling(series(corrections=frozenset({"ATTN", "DECAY"})))


@pytest.mark.parametrize("units", ["PROPCNTS", "PROPCPS", "1CM", "CPS", ""])
def test_other_units_are_refused(units: str) -> None:
    with pytest.raises(SuvRefused, match=r"Units \(0054,1001\)"):
        suv_scaling(series(units=units))


class TestGml:
    """Units GML: the file holds SUV already."""

    @pytest.mark.parametrize("kind", ["", "BW"])
    def test_by_body_weight_is_taken_as_it_is_and_needs_nothing(self, kind: str) -> None:
        scaling = suv_scaling(PetSeries("GML", moved(), suv_type=kind))
        np.testing.assert_array_equal(scaling.factors, 1.0)

    @pytest.mark.parametrize(
        ("kind", "sex", "mass_kg"),
        [
            ("LBMJAMES128", "M", 1.10 * 70 - 128 * (70 / 175) ** 2),
            ("LBMJAMES128", "F", 1.07 * 70 - 148 * (70 / 175) ** 2),
            ("LBM", "M", 1.10 * 70 - 120 * (70 / 175) ** 2),
            ("LBMJANMA", "F", 9270 * 70 / (8780 + 244 * 70 / 1.75**2)),
            ("IBW", "O", (48 + 1.06 * 23 + 45.5 + 0.91 * 23) / 2),
        ],
    )
    def test_by_another_mass_is_brought_to_body_weight(self, kind: str, sex: str, mass_kg: float) -> None:
        scaling = suv_scaling(series(units="GML", suv_type=kind, sex=sex))
        np.testing.assert_allclose(scaling.factors, 70 / mass_kg, rtol=1e-12)
        only(scaling.warnings, *(["mean of both"] if sex == "O" else []))

    def test_needs_no_correction_flags(self) -> None:
        assert suv_scaling(series(units="GML", corrections=frozenset())).factors[0] == 1.0

    def test_by_an_unknown_mass_is_refused(self) -> None:
        with pytest.raises(SuvRefused, match="SUVType"):
            suv_scaling(series(units="GML", suv_type="BSA"))

    @pytest.mark.parametrize("sex", ["", "X"])
    def test_lean_mass_without_sex_is_refused(self, sex: str) -> None:
        with pytest.raises(SuvRefused, match="PatientSex"):
            suv_scaling(series(units="GML", suv_type="LBM", sex=sex))

    def test_a_mass_below_zero_is_refused(self) -> None:
        with pytest.raises(SuvRefused, match="no positive mass"):
            suv_scaling(series(units="GML", suv_type="LBM", sex="F", weight=390.0, height=1.2))


class TestHeight:
    """Height matters to lean mass and surface only."""

    @pytest.mark.parametrize("height", [None, 0.0, math.nan])
    def test_its_absence_does_not_hinder_suv_by_weight(self, height: float | None) -> None:
        assert suv_scaling(series(height=height)).factors[0] == pytest.approx(by_hand(3600))

    @pytest.mark.parametrize("height", [None, 0.0, math.nan])
    def test_its_absence_hinders_suv_by_lean_mass_and_surface(self, height: float | None) -> None:
        for units, kind in (("GML", "LBMJANMA"), ("CM2ML", "BSA")):
            with pytest.raises(SuvRefused, match="PatientSize"):
                suv_scaling(series(units=units, suv_type=kind, height=height))

    def test_centimetres_are_told_by_their_size(self) -> None:
        in_cm = suv_scaling(series(units="CM2ML", height=175.0))
        np.testing.assert_allclose(in_cm.factors, suv_scaling(series(units="CM2ML")).factors)
        only(in_cm.warnings, "centimetres")


class TestCm2ml:
    """Units CM2ML: SUV by body surface."""

    @pytest.mark.parametrize("kind", ["", "BSA"])
    def test_is_brought_to_body_weight(self, kind: str) -> None:
        surface_cm2 = 71.84 * 175**0.725 * 70**0.425
        scaling = suv_scaling(series(units="CM2ML", suv_type=kind))
        np.testing.assert_allclose(scaling.factors, 70_000 / surface_cm2, rtol=1e-12)

    def test_of_another_type_is_refused(self) -> None:
        with pytest.raises(SuvRefused, match=r"SUVType .*BW.*CM2ML"):
            suv_scaling(series(units="CM2ML", suv_type="BW"))


class TestPhilipsCounts:
    """Units CNTS: Philips' private factors."""

    def test_the_suv_factor_alone_is_suv(self) -> None:
        slices = frames(PetSlice(suv_factor=0.0005), PetSlice(suv_factor=0.0007))
        scaling = suv_scaling(series(units="CNTS", slices=slices))
        np.testing.assert_array_equal(scaling.factors, [0.0005, 0.0007])
        only(scaling.warnings)

    def test_the_activity_factor_alone_leads_over_the_activity(self) -> None:
        slices = moved(activity_factor=2.0)
        scaling = suv_scaling(series(units="CNTS", slices=slices))
        np.testing.assert_allclose(scaling.factors, 2 * by_hand(3600), rtol=1e-12)
        assert "7053,1009" in scaling.path
        assert "series time" in scaling.path

    @pytest.mark.parametrize("nothing", [0.0, None, math.nan])
    def test_an_suv_factor_of_nothing_is_none(self, nothing: float | None) -> None:
        slices = moved(activity_factor=2.0, suv_factor=nothing)
        assert "7053,1009" in suv_scaling(series(units="CNTS", slices=slices)).path
        with pytest.raises(SuvRefused, match="7053,1000"):
            suv_scaling(series(units="CNTS", slices=moved(suv_factor=nothing)))

    def test_of_both_the_suv_factor_is_used(self) -> None:
        slices = moved(activity_factor=2.0, suv_factor=2 * by_hand(3600) * 1.04)
        scaling = suv_scaling(series(units="CNTS", slices=slices))
        np.testing.assert_allclose(scaling.factors, 2 * by_hand(3600) * 1.04)
        only(scaling.warnings)

    def test_of_both_that_disagree_by_more_than_a_twentieth_a_user_is_told(self) -> None:
        slices = moved(activity_factor=2.0, suv_factor=2 * by_hand(3600) / 1.07)
        only(suv_scaling(series(units="CNTS", slices=slices)).warnings, "7% apart")

    def test_the_suv_factor_does_not_need_what_the_other_path_needs(self) -> None:
        slices = moved(activity_factor=2.0, suv_factor=0.5)
        only(suv_scaling(series(units="CNTS", slices=slices, weight=None)).warnings)

    def test_the_factors_are_ignored_where_the_values_are_activity(self) -> None:
        slices = moved(activity_factor=2.0, suv_factor=0.5)
        np.testing.assert_allclose(suv_scaling(series(slices=slices)).factors, by_hand(3600))

    def test_without_corrections_there_is_no_suv(self) -> None:
        with pytest.raises(SuvRefused, match="CorrectedImage"):
            suv_scaling(series(units="CNTS", slices=moved(suv_factor=0.5), corrections=frozenset()))


class TestDose:
    """RadionuclideTotalDose."""

    def test_megabecquerels_are_told_by_their_size(self) -> None:
        scaling = suv_scaling(series(tracer={"dose": 368.08}))
        np.testing.assert_allclose(scaling.factors, by_hand(3600))
        assert scaling.inputs["dose_bq"] == pytest.approx(DOSE_BQ)
        only(scaling.warnings, "368.08 was taken as MBq")

    @pytest.mark.parametrize("dose", [None, 0.0, -1.0, math.nan])
    def test_without_it_suv_is_refused(self, dose: float | None) -> None:
        with pytest.raises(SuvRefused, match=r"RadionuclideTotalDose \(0018,1074\)"):
            suv_scaling(series(tracer={"dose": dose}))

    def test_of_several_tracers_the_first_is_used(self) -> None:
        only(suv_scaling(series(tracers=2)).warnings, "2 items; the first was used")


class TestWeight:
    """PatientWeight."""

    @pytest.mark.parametrize("weight", [None, 0.0, -70.0, math.nan])
    def test_without_it_suv_is_refused(self, weight: float | None) -> None:
        with pytest.raises(SuvRefused, match=r"PatientWeight \(0010,1030\)"):
            suv_scaling(series(weight=weight))

    def test_grams_are_told_by_their_size(self) -> None:
        scaling = suv_scaling(series(weight=70_000.0))
        np.testing.assert_allclose(scaling.factors, by_hand(3600))
        only(scaling.warnings, "taken as grams")

    @pytest.mark.parametrize("weight", [1.5, 450.0])
    def test_out_of_the_ordinary_it_is_used_and_told(self, weight: float) -> None:
        scaling = suv_scaling(series(weight=weight))
        np.testing.assert_allclose(scaling.factors, by_hand(3600, weight_kg=weight))
        only(scaling.warnings, "out of the ordinary")

    def test_a_users_weight_and_dose_take_the_place_of_the_files_and_are_recorded(self) -> None:
        missing = series(weight=None, tracer={"dose": None})
        scaling = suv_scaling(missing, SuvOverrides(weight_kg=80.0, dose_bq=300e6))
        np.testing.assert_allclose(scaling.factors, by_hand(3600, weight_kg=80.0, dose_bq=300e6))
        assert scaling.overrides == {"weight_kg": 80.0, "dose_bq": 300e6}
        assert suv_scaling(series()).overrides == {}


class TestDecayCorrection:
    """DecayCorrection ADMIN, NONE and others."""

    def test_to_administration_needs_no_times(self) -> None:
        scaling = suv_scaling(
            series(
                decay_correction="ADMIN",
                series_time=None,
                slices=(PetSlice(), PetSlice()),
                tracer={"started": None, "start_time": None, "half_life_s": None},
            )
        )
        np.testing.assert_allclose(scaling.factors, 70_000 / DOSE_BQ)
        only(scaling.warnings)

    def test_none_is_corrected_bed_by_bed_from_the_middle_of_its_decay(self) -> None:
        later = ELEVEN + timedelta(minutes=10)
        slices = frames(PetSlice(ELEVEN, None, 300.0), PetSlice(later, None, 600.0))
        scaling = suv_scaling(series(decay_correction="NONE", slices=slices))
        # By hand: the mean activity of a frame is that of its start times (1 - exp(-kT)) / kT.
        expected = [
            by_hand(uptake) * RATE * frame / (1 - math.exp(-RATE * frame))
            for uptake, frame in ((3600, 300), (4200, 600))
        ]
        np.testing.assert_allclose(scaling.factors, expected, rtol=1e-12)

    @pytest.mark.parametrize("duration", [None, 0.0, math.nan])
    def test_none_without_frame_durations_is_refused(self, duration: float | None) -> None:
        with pytest.raises(SuvRefused, match="ActualFrameDuration"):
            suv_scaling(series(decay_correction="NONE", slices=moved(frame_duration_s=duration)))

    @pytest.mark.parametrize("word", ["", "END"])
    def test_any_other_is_refused(self, word: str) -> None:
        with pytest.raises(SuvRefused, match="DecayCorrection"):
            suv_scaling(series(decay_correction=word))


class TestStart:
    """The moment that START means."""

    def test_a_series_time_before_all_acquisitions_is_it(self) -> None:
        slices = frames(*(PetSlice(ELEVEN + timedelta(minutes=3 * bed)) for bed in range(4)))
        np.testing.assert_allclose(suv_scaling(series(slices=slices)).factors, by_hand(3600))

    def test_microseconds_between_two_clocks_do_not_matter(self) -> None:
        slices = moved(acquired=ELEVEN - timedelta(microseconds=5))
        assert "series time" in suv_scaling(series(slices=slices)).path

    def test_of_a_reprocessed_series_it_is_worked_back_from_the_frames(self) -> None:
        # Two beds of 300 s; their mean-activity moments lie a little before their middles.
        mean = math.log(RATE * 300 / (1 - math.exp(-RATE * 300))) / RATE
        slices = frames(
            PetSlice(ELEVEN, mean, 300.0),
            PetSlice(ELEVEN + timedelta(seconds=400), mean + 400, 300.0),
        )
        scaling = suv_scaling(series(series_time=ELEVEN + timedelta(hours=1), slices=slices))
        np.testing.assert_allclose(scaling.factors, by_hand(3600), rtol=1e-9)
        assert "frame reference time" in scaling.path

    def test_ges_own_time_goes_before_the_frames(self) -> None:
        late = ELEVEN + timedelta(minutes=30)
        scaling = suv_scaling(series(series_time=late, scanner_time=ELEVEN, slices=moved(acquired=ELEVEN)))
        np.testing.assert_allclose(scaling.factors, by_hand(3600), rtol=1e-12)
        assert "GE" in scaling.path

    def test_a_frame_reference_time_of_zero_tells_nothing(self) -> None:
        late = ELEVEN + timedelta(minutes=45)
        scaling = suv_scaling(series(series_time=late, slices=moved(frame_reference_s=0.0)))
        np.testing.assert_allclose(scaling.factors, by_hand(3600), rtol=1e-12)
        assert "earliest acquisition" in scaling.path
        only(scaling.warnings, "earliest acquisition time was taken")

    def test_frames_that_contradict_the_series_time_are_told(self) -> None:
        slices = moved(acquired=ELEVEN + timedelta(minutes=30))
        scaling = suv_scaling(series(slices=slices))
        np.testing.assert_allclose(scaling.factors, by_hand(3600))
        only(scaling.warnings, "would differ by up to 21%")

    @pytest.mark.parametrize("acquired", [(None, None), (ELEVEN, None)])
    def test_without_acquisition_times_it_is_refused(self, acquired: tuple[datetime | None, ...]) -> None:
        slices = tuple(PetSlice(moment) for moment in acquired)
        with pytest.raises(SuvRefused, match=r"AcquisitionDate \(0008,0022\) or AcquisitionTime \(0008,0032\)"):
            suv_scaling(series(slices=slices))


class TestInjection:
    """When the tracer was given."""

    @pytest.mark.parametrize("tracer", [{"start_time": None}, {"started": None}])
    def test_one_of_the_two_tags_is_enough(self, tracer: dict[str, object]) -> None:
        scaling = suv_scaling(series(tracer=tracer))
        np.testing.assert_allclose(scaling.factors, by_hand(3600))
        only(scaling.warnings)

    def test_of_two_that_disagree_the_one_with_a_date_is_used(self) -> None:
        scaling = suv_scaling(series(tracer={"start_time": time(9, 58)}))
        np.testing.assert_allclose(scaling.factors, by_hand(3600))
        only(scaling.warnings, "more than a minute apart")

    def test_seconds_around_midnight_are_not_a_disagreement(self) -> None:
        midnight = datetime(2025, 1, 1)
        early = series(
            slices=moved(acquired=midnight + timedelta(hours=1)),
            series_time=midnight + timedelta(hours=1),
            tracer={"started": midnight, "start_time": time(23, 59, 50)},
        )
        only(suv_scaling(early).warnings)

    def test_neither_is_refused(self) -> None:
        with pytest.raises(SuvRefused, match=r"RadiopharmaceuticalStartDateTime .* and RadiopharmaceuticalStartTime"):
            suv_scaling(series(tracer={"started": None, "start_time": None}))

    def test_a_bare_time_after_the_scan_is_of_the_day_before(self) -> None:
        scanned = datetime(2025, 1, 1, 0, 30)
        overnight = series(
            slices=moved(acquired=scanned), series_time=scanned, tracer={"started": None, "start_time": time(23, 30)}
        )
        scaling = suv_scaling(overnight)
        np.testing.assert_allclose(scaling.factors, by_hand(3600))
        only(scaling.warnings, "day before")

    @pytest.mark.parametrize(
        "tracer",
        [
            {"started": ELEVEN + timedelta(minutes=1), "start_time": None},
            {"started": ELEVEN - timedelta(hours=12.1), "start_time": None},
            {"started": ELEVEN - timedelta(days=400), "start_time": None},
            {"started": None, "start_time": time(11, 30)},
        ],
    )
    def test_an_impossible_uptake_is_refused(self, tracer: dict[str, object]) -> None:
        with pytest.raises(SuvRefused, match="min after the injection"):
            suv_scaling(series(tracer=tracer))

    @pytest.mark.parametrize("minutes", [20, 200])
    def test_an_unusual_uptake_of_f18_is_computed_and_told(self, minutes: int) -> None:
        scaling = suv_scaling(series(tracer={"started": ELEVEN - timedelta(minutes=minutes), "start_time": None}))
        np.testing.assert_allclose(scaling.factors, by_hand(60 * minutes))
        only(scaling.warnings, f"{minutes} min after the injection")


class TestNuclide:
    """Other tracers, and half-lives."""

    def test_gallium_is_computed_without_f18s_rules(self) -> None:
        gallium = {
            "nuclide": "Ga-68",
            "half_life_s": 4062.6,
            "started": ELEVEN - timedelta(minutes=20),
            "start_time": None,
        }
        scaling = suv_scaling(series(tracer=gallium))
        np.testing.assert_allclose(scaling.factors, by_hand(1200, half_life_s=4062.6))
        only(scaling.warnings)

    @pytest.mark.parametrize("half_life", [None, 0.0, math.nan])
    def test_a_missing_half_life_is_taken_from_the_nuclide(self, half_life: float | None) -> None:
        scaling = suv_scaling(series(tracer={"half_life_s": half_life, "nuclide": "Ga-68"}))
        np.testing.assert_allclose(scaling.factors, by_hand(3600, half_life_s=HALF_LIFE_S["Ga-68"]))
        only(scaling.warnings, "RadionuclideHalfLife is missing")

    def test_without_half_life_and_nuclide_suv_is_refused(self) -> None:
        with pytest.raises(SuvRefused, match=r"RadionuclideHalfLife .*RadionuclideCodeSequence"):
            suv_scaling(series(tracer={"half_life_s": None, "nuclide": ""}))

    def test_a_half_life_in_minutes_is_refused(self) -> None:
        with pytest.raises(SuvRefused, match=r"109\.77 s, expected 6586"):
            suv_scaling(series(tracer={"half_life_s": 109.77}))

    def test_a_long_lived_tracer_may_be_imaged_days_later(self) -> None:
        zirconium = {"nuclide": "Zr-89", "half_life_s": 282276.0, "start_time": None}
        days = suv_scaling(series(tracer={**zirconium, "started": ELEVEN - timedelta(days=5)}))
        np.testing.assert_allclose(days.factors, by_hand(5 * 86400, half_life_s=282276.0))
        only(days.warnings)

    def test_a_long_lived_tracer_needs_the_day_of_its_injection(self) -> None:
        zirconium = {"nuclide": "Zr-89", "half_life_s": 282276.0, "started": None}
        with pytest.raises(SuvRefused, match="has no date"):
            suv_scaling(series(tracer=zirconium))


def test_an_intercept_other_than_zero_is_told() -> None:
    only(suv_scaling(series(slices=moved(rescale_intercept=-3.0))).warnings, "RescaleIntercept is up to 3")


def test_activity_is_there_for_becquerels_and_for_philips_activity_factor_only() -> None:
    np.testing.assert_array_equal(activity_factors(series()), [1, 1, 1])
    np.testing.assert_array_equal(activity_factors(series(units="CNTS", slices=moved(activity_factor=2.0))), [2, 2, 2])
    assert activity_factors(series(units="CNTS", slices=moved(suv_factor=2.0))) is None
    assert activity_factors(series(units="GML")) is None


@pytest.mark.parametrize(
    ("norm", "male", "female"),
    [
        # BMI 22.857: 648900 over 11617.1 and 14357.1
        (lean_mass_janmahasatian, 55.857, 45.197),
        # (70 / 175)^2 = 0.16: 77 - 20.48 and 74.9 - 23.68
        (lean_mass_james, 56.520, 51.220),
        # 77 - 19.2
        (lean_mass_morgan, 57.800, 51.220),
        # 23 cm over 152
        (ideal_weight, 72.380, 66.430),
    ],
)
def test_norms_of_a_reference_patient(norm: Callable[[float, float, Sex], float], male: float, female: float) -> None:
    """70 kg and 1.75 m, worked out on paper."""
    values = [norm(70.0, 1.75, sex) for sex in (Sex.MALE, Sex.FEMALE, Sex.OTHER)]
    np.testing.assert_allclose(values, [male, female, (male + female) / 2], atol=1e-3)


def test_surface_of_a_reference_patient() -> None:
    assert body_surface_m2(70.0, 1.75) == pytest.approx(1.848, abs=1e-3)
