"""SUV by lean body mass, body surface and ideal weight, from every kind of file."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grisaille.core.errors import SuvRefused
from grisaille.core.volume import Unit
from grisaille.imaging.pet_series import PetSeries, PetSlice, Tracer
from grisaille.imaging.suv import suv_scaling

ELEVEN = datetime(2025, 1, 1, 11)
SERIES = PetSeries(
    units="BQML",
    slices=(PetSlice(ELEVEN, suv_factor=0.5), PetSlice(ELEVEN, suv_factor=0.7)),
    decay_correction="START",
    corrections=frozenset({"ATTN", "DECY"}),
    weight=70.0,
    height=1.75,
    sex="M",
    tracer=Tracer(368.08e6, 6586.2, "F-18", ELEVEN - timedelta(hours=1)),
    series_time=ELEVEN,
)

# Of 70 kg and 1.75 m, on paper: kg, or cm2 / 1000 g.
PER_GRAM_OF_WEIGHT = {
    (Unit.SUL, "M"): 9270 / (6680 + 216 * 70 / 1.75**2),
    (Unit.SUL, "F"): 9270 / (8780 + 244 * 70 / 1.75**2),
    (Unit.SUL_JAMES, "M"): 56.52 / 70,
    (Unit.SUL_JAMES, "F"): 51.22 / 70,
    (Unit.SUVIBW, "M"): 72.38 / 70,
    (Unit.SUVIBW, "F"): 66.43 / 70,
    (Unit.SUVBSA, "M"): 0.007184 * 175**0.725 * 70**0.425 * 1e4 / 70_000,
    (Unit.SUVBSA, ""): 0.007184 * 175**0.725 * 70**0.425 * 1e4 / 70_000,
}


@pytest.mark.parametrize(("unit", "sex"), PER_GRAM_OF_WEIGHT)
@pytest.mark.parametrize("units", ["BQML", "CNTS", "GML"])
def test_it_is_suv_by_weight_with_another_norm(unit: Unit, sex: str, units: str) -> None:
    series = replace(SERIES, units=units, sex=sex)
    by_weight = suv_scaling(series).factors
    scaling = suv_scaling(series, unit=unit)
    np.testing.assert_allclose(scaling.factors, by_weight * PER_GRAM_OF_WEIGHT[unit, sex], rtol=1e-12)
    assert scaling.warnings == ()
    assert scaling.inputs["weight_kg"] == 70
    assert scaling.path.endswith({"SUL": "LBMJANMA", "SUL-James": "LBMJAMES128"}.get(unit, unit.value[3:].upper()))


@pytest.mark.parametrize("unit", [Unit.SUL, Unit.SUL_JAMES, Unit.SUVIBW])
def test_of_another_sex_it_is_the_mean_of_both_formulas_and_told(unit: Unit) -> None:
    scaling = suv_scaling(replace(SERIES, sex="O"), unit=unit)
    both = [PER_GRAM_OF_WEIGHT[unit, sex] for sex in "MF"]
    np.testing.assert_allclose(scaling.factors, suv_scaling(SERIES).factors * np.mean(both), rtol=1e-12)
    (warning,) = scaling.warnings
    assert "PatientSex is O" in warning
    assert "mean of both" in warning


@pytest.mark.parametrize("unit", [Unit.SUL, Unit.SUL_JAMES, Unit.SUVIBW, Unit.SUVBSA])
def test_without_height_it_is_refused_and_suv_by_weight_is_not(unit: Unit) -> None:
    series = replace(SERIES, height=0.0)
    with pytest.raises(SuvRefused, match=r"PatientSize .*--height-m") as caught:
        suv_scaling(series, unit=unit)
    assert caught.value.lacks == "height_m"
    assert suv_scaling(series).warnings == ()


@pytest.mark.parametrize("unit", [Unit.SUL, Unit.SUL_JAMES, Unit.SUVIBW])
def test_without_sex_it_is_refused(unit: Unit) -> None:
    with pytest.raises(SuvRefused, match="PatientSex") as caught:
        suv_scaling(replace(SERIES, sex=""), unit=unit)
    assert caught.value.lacks == "sex"


@pytest.mark.parametrize(
    ("units", "suv_type", "unit"),
    [
        ("GML", "LBMJANMA", Unit.SUL),
        ("GML", "LBMJAMES128", Unit.SUL_JAMES),
        ("GML", "IBW", Unit.SUVIBW),
        ("CM2ML", "BSA", Unit.SUVBSA),
        ("CM2ML", "", Unit.SUVBSA),
    ],
)
def test_what_the_file_holds_already_needs_neither_weight_nor_height(units: str, suv_type: str, unit: Unit) -> None:
    scaling = suv_scaling(PetSeries(units, SERIES.slices, suv_type=suv_type), unit=unit)
    np.testing.assert_array_equal(scaling.factors, 1.0)
    assert "as written" in scaling.path


def test_lean_mass_of_morgan_is_read_and_brought_to_that_of_janmahasatian() -> None:
    scaling = suv_scaling(replace(SERIES, units="GML", suv_type="LBM"), unit=Unit.SUL)
    np.testing.assert_allclose(scaling.factors, 70 / 57.8 * PER_GRAM_OF_WEIGHT[Unit.SUL, "M"], rtol=1e-12)


@settings(deadline=None, max_examples=30)
@given(weight=st.floats(30, 200), height=st.floats(1.3, 2.1), sex=st.sampled_from("MFO"))
def test_there_and_back_is_nothing(weight: float, height: float, sex: str) -> None:
    """A file in SUL, read as SUVbw, then from the activity to SUL: one factor undoes the other."""
    patient = replace(SERIES, weight=weight, height=height, sex=sex)
    for unit, suv_type in ((Unit.SUL, "LBMJANMA"), (Unit.SUVIBW, "IBW")):
        to_weight = suv_scaling(replace(patient, units="GML", suv_type=suv_type)).factors
        ratio = suv_scaling(patient, unit=unit).factors / suv_scaling(patient).factors
        np.testing.assert_allclose(to_weight * ratio, 1.0, rtol=1e-12)


@pytest.mark.parametrize(("sex", "weight", "is_told"), [("M", 130, False), ("M", 134, True), ("F", 112, True)])
def test_where_james_fails_in_obesity_a_user_is_told(sex: str, weight: float, is_told: bool) -> None:
    obese = replace(SERIES, weight=weight, sex=sex)
    warnings = suv_scaling(obese, unit=Unit.SUL_JAMES).warnings
    assert ["lean mass of James is too low" in one for one in warnings] == [True] * is_told
    assert suv_scaling(obese, unit=Unit.SUL).warnings == ()


def test_units_have_the_codes_that_exports_write() -> None:
    """DICOM PS3.16 CID 85 and CID 7181, as pydicom lists them."""
    from pydicom.sr._concepts_dict import concepts

    known = {code for meaning in concepts["UCUM"].values() for code in meaning}
    for unit in Unit:
        assert unit.ucum in known, unit
    assert Unit.SUVBW.ucum == "g/ml{SUVbw}"
    assert Unit.SUL.ucum == "g/ml{SUVlbm(Janma)}"
    assert [unit for unit in Unit if unit.is_suv] == [
        Unit.SUVBW, Unit.SUL, Unit.SUL_JAMES, Unit.SUVBSA, Unit.SUVIBW,
    ]  # fmt: skip
