"""What PET images measure: file by file, and frame by frame as multi-frame objects give them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from grisaille.core.errors import SuvRefused, UnknownUnit
from grisaille.core.volume import Unit
from grisaille.imaging.pet_series import PetSeries, PetSlice, Tracer
from grisaille.imaging.suv import SuvOverrides
from grisaille.io.dicom.quantity import pet_quantity

ELEVEN = datetime(2025, 1, 1, 11)
F18_S = 6586.2


def frame(**changes: object) -> PetSeries:
    """One frame of 70 kg and 368.08 MBq given an hour before the moment of decay correction."""
    made = PetSeries(
        units="BQML",
        slices=(PetSlice(ELEVEN, None, 300.0),),
        decay_correction="START",
        corrections=frozenset({"ATTN", "DECY"}),
        weight=70.0,
        height=1.75,
        sex="M",
        tracer=Tracer(368.08e6, F18_S, "F-18", ELEVEN - timedelta(hours=1)),
        series_time=ELEVEN,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def suv(uptake_s: float) -> float:
    return 70_000 / (368.08e6 * 0.5 ** (uptake_s / F18_S))


def test_each_frame_has_its_own_factor() -> None:
    """Philips' counts: a factor a frame, in the order of the frames."""
    frames = [frame(units="CNTS", slices=(PetSlice(ELEVEN, suv_factor=factor),)) for factor in (0.5, 0.25, 0.75)]
    found = pet_quantity(frames, "PT series 1", None)
    assert found.unit is Unit.SUVBW
    np.testing.assert_array_equal(found.factors, [0.5, 0.25, 0.75])
    assert found.suv is not None
    assert found.suv.factor_range == (0.25, 0.75)


def test_frames_not_decay_corrected_are_corrected_one_by_one() -> None:
    starts = [ELEVEN + timedelta(seconds=400 * k) for k in range(3)]
    frames = [frame(decay_correction="NONE", slices=(PetSlice(start, None, 300.0),)) for start in starts]
    rate = np.log(2) / F18_S
    spread = rate * 300 / -np.expm1(-rate * 300)
    expected = [suv(3600 + 400 * k) * spread for k in range(3)]
    np.testing.assert_allclose(pet_quantity(frames, "PT", None).factors, expected, rtol=1e-12)


def test_frames_that_come_together_or_apart_are_the_same() -> None:
    pieces = tuple(PetSlice(ELEVEN + timedelta(minutes=k), None, 60.0) for k in range(4))
    together = pet_quantity([frame(slices=pieces)], "PT", None)
    apart = pet_quantity([frame(slices=(piece,)) for piece in pieces], "PT", None)
    np.testing.assert_array_equal(together.factors, apart.factors)
    np.testing.assert_allclose(apart.factors, np.full(4, suv(3600)))
    assert together.suv == apart.suv


def test_the_moment_of_decay_correction_that_enhanced_pet_gives_goes_before_all_others() -> None:
    corrected = frame(corrected_to=ELEVEN + timedelta(minutes=10), series_time=ELEVEN + timedelta(hours=2))
    found = pet_quantity([corrected, corrected], "PT", None)
    np.testing.assert_allclose(found.factors, suv(4200), rtol=1e-12)
    assert found.suv is not None
    assert "DecayCorrectionDateTime (0018,9701)" in found.suv.path
    assert found.warnings == ()


def test_frames_that_contradict_each_other_have_no_suv_and_nothing_to_ask_for() -> None:
    frames = [frame(), frame(corrected_to=ELEVEN)]
    found = pet_quantity(frames, "PT series 1", None)
    assert found.unit is Unit.BQML
    assert found.suv is not None
    assert found.suv.missing == ()
    assert "DecayCorrectionDateTime (0018,9701) differs" in found.warnings[0]
    with pytest.raises(SuvRefused, match=r"PT series 1: no SUVbw.*differs"):
        pet_quantity(frames, "PT series 1", Unit.SUVBW)


def test_without_weight_the_activity_is_given_and_the_weight_is_what_is_missing() -> None:
    found = pet_quantity([frame(weight=None)], "PT series 1", None)
    assert found.unit is Unit.BQML
    assert found.suv is not None
    assert (found.suv.missing, found.suv.overrides) == (("weight_kg",), {})
    assert "PatientWeight (0010,1030)" in found.suv.refused
    entered = pet_quantity([frame(weight=None)], "PT series 1", None, SuvOverrides(weight_kg=70))
    assert entered.unit is Unit.SUVBW
    np.testing.assert_allclose(entered.factors, suv(3600))


def test_another_suv_is_given_only_when_asked_for() -> None:
    assert pet_quantity([frame()], "PT", None).unit is Unit.SUVBW
    lean = pet_quantity([frame()], "PT", Unit.SUL)
    assert lean.unit is Unit.SUL
    np.testing.assert_allclose(lean.factors, suv(3600) * 9270 / (6680 + 216 * 70 / 1.75**2), rtol=1e-12)
    with pytest.raises(SuvRefused, match=r"no SUL, because PatientSize") as caught:
        pet_quantity([frame(height=None)], "PT", Unit.SUL)
    assert caught.value.lacks == "height_m"


def test_what_is_entered_for_activity_is_said_to_be_idle() -> None:
    found = pet_quantity([frame()], "PT", Unit.BQML, SuvOverrides(weight_kg=70))
    assert found.warnings == ("PT: weight_kg as entered had no use, since Bq/ml was asked for",)
    assert pet_quantity([frame()], "PT", Unit.BQML).warnings == ()


def test_from_counts_alone_there_is_no_activity() -> None:
    with pytest.raises(UnknownUnit, match="no way to Bq/ml"):
        pet_quantity([frame(units="CNTS")], "PT", Unit.BQML)


def test_a_weight_entered_settles_files_that_disagree_on_it() -> None:
    frames = [frame(), frame(weight=None)]
    assert "PatientWeight (0010,1030) differs" in pet_quantity(frames, "PT", None).warnings[0]
    settled = pet_quantity(frames, "PT", None, SuvOverrides(weight_kg=70))
    np.testing.assert_allclose(settled.factors, suv(3600))
