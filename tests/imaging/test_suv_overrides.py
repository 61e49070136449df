"""What a user may enter for SUV: within bounds, in place of the file's, and recorded without a date."""

from __future__ import annotations

import math
from datetime import UTC, datetime, time, timedelta

import numpy as np
import pytest

from grisaille.core.errors import ConfigError, SuvRefused
from grisaille.core.volume import Unit
from grisaille.imaging.body_norms import Sex
from grisaille.imaging.pet_series import PetSeries, PetSlice, Tracer
from grisaille.imaging.suv import SuvOverrides, missing_inputs, suv_scaling
from grisaille.imaging.suv_overrides import ENTRIES, entered

ELEVEN = datetime(2025, 1, 1, 11)
F18_S = 6586.2
BARE = PetSeries(
    units="BQML",
    slices=(PetSlice(ELEVEN), PetSlice(ELEVEN)),
    decay_correction="START",
    corrections=frozenset({"ATTN", "DECY"}),
    series_time=ELEVEN,
)
"""A series that says nothing of patient and dose."""
WHOLE = {"weight_kg": 80.0, "dose_bq": 3e8, "injected": time(10, 0), "half_life_s": F18_S}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight_kg", 1.9),
        ("weight_kg", 401),
        ("weight_kg", math.nan),
        ("weight_kg", True),
        ("weight_kg", "70"),
        ("dose_bq", 368.0),
        ("dose_bq", 1.1e11),
        ("height_m", 175),
        ("height_m", 0.0),
        ("half_life_s", 1.0),
        ("sex", "X"),
        ("injected", "10:15"),
        ("injected", datetime(2025, 1, 1, 10, tzinfo=UTC)),
    ],
)
def test_what_is_not_plausible_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        SuvOverrides(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "values"), [("weight_kg", (2, 400)), ("dose_bq", (1e5, 1e11))])
def test_the_bounds_themselves_are_plausible(name: str, values: tuple[float, float]) -> None:
    for value in values:
        assert SuvOverrides(**{name: value}).record() == {name: value}  # type: ignore[arg-type]


def test_what_was_entered_is_recorded_and_of_the_injection_only_the_time_of_day() -> None:
    given = SuvOverrides(weight_kg=70, sex="f", injected=datetime(2025, 1, 31, 10, 15))
    assert given.record() == {"weight_kg": 70.0, "injected": "10:15:00", "sex": "F"}
    assert given.given == ("weight_kg", "injected", "sex")
    assert given.sex is Sex.FEMALE
    assert SuvOverrides().record() == {}


def test_a_series_that_says_nothing_has_suv_from_what_is_entered() -> None:
    scaling = suv_scaling(BARE, SuvOverrides(**WHOLE))  # type: ignore[arg-type]
    np.testing.assert_allclose(scaling.factors, 80_000 / (3e8 * 0.5 ** (3600 / F18_S)), rtol=1e-12)
    assert dict(scaling.overrides) == {**WHOLE, "injected": "10:00:00"}
    assert scaling.warnings == ()


def test_an_injection_entered_with_its_date_takes_the_place_of_both_tags() -> None:
    wrong = Tracer(3e8, F18_S, "F-18", ELEVEN + timedelta(hours=3), time(14))
    series = SuvOverrides(injected=ELEVEN - timedelta(hours=1)).onto(PetSeries("BQML", (), tracer=wrong))
    assert (series.tracer.started, series.tracer.start_time) == (ELEVEN - timedelta(hours=1), None)
    series = SuvOverrides(injected=time(10)).onto(series)
    assert (series.tracer.started, series.tracer.start_time) == (None, time(10))


def test_an_injection_entered_that_cannot_be_is_refused() -> None:
    late = SuvOverrides(**{**WHOLE, "injected": ELEVEN + timedelta(minutes=5)})  # type: ignore[arg-type]
    with pytest.raises(SuvRefused, match="-5 min after the injection"):
        suv_scaling(BARE, late)


def test_a_half_life_entered_against_the_nuclide_is_refused() -> None:
    series = PetSeries(**{**vars(BARE), "tracer": Tracer(nuclide="Ga-68")})
    with pytest.raises(SuvRefused, match="expected 4069"):
        suv_scaling(series, SuvOverrides(**WHOLE))  # type: ignore[arg-type]


def test_what_was_entered_in_vain_is_told_and_not_recorded() -> None:
    scaling = suv_scaling(PetSeries("GML", BARE.slices), SuvOverrides(weight_kg=80, injected=time(10)))
    np.testing.assert_array_equal(scaling.factors, 1)
    assert dict(scaling.overrides) == {}
    (warning,) = scaling.warnings
    assert warning.startswith("weight_kg and injected as entered had no use")


def test_what_was_entered_in_place_of_another_value_is_told() -> None:
    series = SuvOverrides(**WHOLE).onto(BARE)  # type: ignore[arg-type]
    same = SuvOverrides(weight_kg=80, injected=time(10))
    assert suv_scaling(series, same).warnings == ()
    scaling = suv_scaling(series, SuvOverrides(weight_kg=70, injected=time(10, 1), height_m=1.7))
    assert dict(scaling.overrides) == {"weight_kg": 70.0, "injected": "10:01:00"}
    idle, other = scaling.warnings
    assert idle.startswith("height_m as entered had no use")
    assert other == "weight_kg and injected as entered took the place of another value in the file"


class TestMissing:
    """What has to be asked for: exactly that."""

    @pytest.mark.parametrize(
        ("there", "missing"),
        [
            ({}, ("weight_kg", "dose_bq", "injected", "half_life_s")),
            ({"weight_kg": 80.0}, ("dose_bq", "injected", "half_life_s")),
            ({"weight_kg": 80.0, "dose_bq": 3e8, "half_life_s": F18_S}, ("injected",)),
            (WHOLE, ()),
        ],
    )
    def test_is_what_the_headers_leave_out(self, there: dict[str, object], missing: tuple[str, ...]) -> None:
        series = SuvOverrides(**there).onto(BARE)  # type: ignore[arg-type]
        assert set(missing_inputs(series)) == set(missing)

    def test_of_lean_mass_is_height_and_sex_too(self) -> None:
        series = SuvOverrides(**WHOLE).onto(BARE)  # type: ignore[arg-type]
        assert set(missing_inputs(series, Unit.SUL)) == {"height_m", "sex"}
        assert missing_inputs(series, Unit.SUVBSA) == ("height_m",)

    def test_of_administration_is_no_time(self) -> None:
        series = PetSeries(**{**vars(BARE), "decay_correction": "ADMIN"})
        assert set(missing_inputs(series)) == {"weight_kg", "dose_bq"}

    def test_of_a_long_lived_tracer_is_the_day_of_its_injection(self) -> None:
        zirconium = Tracer(4e7, 282276.0, "Zr-89", None, time(10))
        series = PetSeries(**{**vars(BARE), "weight": 80.0, "tracer": zirconium})
        assert missing_inputs(series) == ("injected",)
        with pytest.raises(SuvRefused, match="entered with its date"):
            suv_scaling(series, SuvOverrides(injected=time(9)))
        assert suv_scaling(series, SuvOverrides(injected=ELEVEN - timedelta(days=3, hours=1))).warnings == ()

    @pytest.mark.parametrize(
        "changes",
        [
            {"corrections": frozenset()},
            {"units": "PROPCPS"},
            {"slices": (PetSlice(), PetSlice())},
            {"decay_correction": ""},
        ],
    )
    def test_is_nothing_where_no_entry_helps(self, changes: dict[str, object]) -> None:
        assert missing_inputs(PetSeries(**{**vars(BARE), **changes})) == ()


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("weight_kg", " 70.5 ", 70.5),
        ("dose_bq", "368.08", 368.08e6),
        ("height_m", "1.75", 1.75),
        ("sex", "f", Sex.FEMALE),
        ("half_life_s", "6586.2", 6586.2),
        ("injected", "09:15", time(9, 15)),
        ("injected", "09:15:30", time(9, 15, 30)),
        ("injected", "2025-01-31 09:15", datetime(2025, 1, 31, 9, 15)),
        ("injected", "2025-01-31T09:15:30", datetime(2025, 1, 31, 9, 15, 30)),
    ],
)
def test_what_is_written_is_understood(name: str, written: str, value: object) -> None:
    assert entered({name: written}) == SuvOverrides(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("weight_kg", ""),
        ("weight_kg", "70,5"),
        ("weight_kg", "nan"),
        ("weight_kg", "700"),
        ("dose_bq", "368080000"),
        ("height_m", "175"),
        ("sex", "male"),
        ("injected", "quarter past"),
        ("injected", "10"),
        ("injected", "25:00"),
        ("injected", "10:15+01:00"),
        ("half_life_s", "110 min"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_is_expected(name: str, written: str) -> None:
    with pytest.raises(ConfigError, match=f"expected {ENTRIES[name].expected} .*{ENTRIES[name].flag}"):
        entered({name: written})


def test_every_override_can_be_entered() -> None:
    assert set(ENTRIES) == set(SuvOverrides.__dataclass_fields__)
