"""Where the values of SUV stand in a DICOM header."""

from __future__ import annotations

from datetime import datetime, time

import pytest
from pydicom import Dataset, Sequence

from dicom_builder import build_image, put, tracer
from grisaille.core.errors import SuvRefused
from grisaille.imaging.pet_series import PetSeries, PetSlice, Tracer
from grisaille.io.dicom.suv import pet_image, pet_series


def image(**tags: object) -> Dataset:
    return build_image("PT", **tags)


def test_all_values_are_found() -> None:
    header = image(FrameReferenceTime=150000, ActualFrameDuration=300000, RescaleIntercept=3, SUVType="bw")
    assert pet_image(header) == PetSeries(
        units="BQML",
        slices=(PetSlice(datetime(2025, 1, 1, 11), 150.0, 300.0, rescale_intercept=3.0),),
        suv_type="BW",
        decay_correction="START",
        corrections=frozenset({"NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"}),
        weight=70.0,
        height=1.75,
        sex="O",
        tracer=Tracer(368.08e6, 6586.2, "F-18", datetime(2025, 1, 1, 10), time(10)),
        tracers=1,
        series_time=datetime(2025, 1, 1, 11),
    )


def test_nothing_is_found_in_an_empty_header() -> None:
    assert pet_image(Dataset()) == PetSeries("", (PetSlice(),), tracers=0)


def test_an_acquisition_may_have_one_element_for_date_and_time() -> None:
    header = image(AcquisitionDate=None, AcquisitionDateTime="20250101103000.5", TimezoneOffsetFromUTC="+0100")
    assert pet_image(header).slices[0].acquired == datetime(2025, 1, 1, 10, 30, 0, 500_000)


def test_an_acquisition_without_date_has_no_moment() -> None:
    assert pet_image(image(AcquisitionDate="")).slices[0].acquired is None


def test_an_injection_written_in_another_time_zone_is_brought_to_the_scanners() -> None:
    header = image(TimezoneOffsetFromUTC="+0100")
    tracer(header, RadiopharmaceuticalStartDateTime="20250101090000+0000")
    assert pet_image(header).tracer.started == datetime(2025, 1, 1, 10)


def test_the_moment_of_decay_correction_is_found_where_an_object_has_it() -> None:
    header = image(DecayCorrectionDateTime="20250101105900.000000")
    assert pet_image(header).corrected_to == datetime(2025, 1, 1, 10, 59)
    assert pet_image(image()).corrected_to is None


@pytest.mark.parametrize("creator", ["Philips PET Private Group", None])
def test_philips_factors_are_found_with_and_without_their_creator(creator: str | None) -> None:
    header = image()
    if creator:
        header.add_new(0x70530010, "LO", creator)
    header.add_new(0x70531000, "DS", "0.0005")
    header.add_new(0x70531009, "UN", b"1.25 ")
    (piece,) = pet_image(header).slices
    assert (piece.suv_factor, piece.activity_factor) == (0.0005, 1.25)


def test_ges_time_is_told_by_its_creator_and_not_by_the_maker() -> None:
    """*INTEGRITY MEDICAL IMAGE IMPORTER* has GE in it."""
    header = image(Manufacturer="INTEGRITY MEDICAL IMAGE IMPORTER")
    header.add_new(0x00090010, "LO", "SOMEBODY")
    header.add_new(0x0009100D, "DT", "20250101110000")
    assert pet_image(header).scanner_time is None
    header = image(Manufacturer="WHOEVER")
    header.add_new(0x00090010, "LO", "GEMS_PETD_01")
    header.add_new(0x0009100D, "DT", "20250101104500.00")
    assert pet_image(header).scanner_time == datetime(2025, 1, 1, 10, 45)


@pytest.mark.parametrize(
    ("code", "nuclide"), [("C-131A3", "Ga-68"), ("35337001", "Ga-68"), ("77004003", "F-18"), ("18F", "")]
)
def test_the_nuclide_is_told_by_its_code(code: str, nuclide: str) -> None:
    header = image()
    put(header.RadiopharmaceuticalInformationSequence[0].RadionuclideCodeSequence[0], CodeValue=code)
    assert pet_image(header).tracer.nuclide == nuclide


def test_a_tracer_without_code_has_no_nuclide() -> None:
    header = image()
    tracer(header, RadionuclideCodeSequence=Sequence([]))
    assert pet_image(header).tracer.nuclide == ""


def test_of_several_tracers_the_first_is_taken_and_all_are_counted() -> None:
    header = image()
    header.RadiopharmaceuticalInformationSequence.append(Dataset())
    found = pet_image(header)
    assert found.tracers == 2
    assert found.tracer.dose == 368.08e6


def test_images_of_one_series_are_joined_in_order() -> None:
    first, second = image(FrameReferenceTime=0), image(FrameReferenceTime=9000)
    joined = pet_series([pet_image(first), pet_image(second)])
    assert [piece.frame_reference_s for piece in joined.slices] == [0, 9]


@pytest.mark.parametrize(
    ("tags", "tag"),
    [
        ({"PatientWeight": 71}, "PatientWeight"),
        ({"Units": "CNTS"}, "Units"),
        ({"SeriesTime": "110001"}, "SeriesTime"),
        ({"CorrectedImage": ["DECY", "ATTN"]}, "CorrectedImage"),
    ],
)
def test_images_that_contradict_each_other_have_no_suv(tags: dict[str, object], tag: str) -> None:
    with pytest.raises(SuvRefused, match=f"{tag} .*differs between the files"):
        pet_series([pet_image(image()), pet_image(image(**tags))])


def test_images_that_are_equally_unreadable_do_not_contradict_each_other() -> None:
    broken = [pet_image(image(PatientWeight="7O ")) for _ in range(2)]
    assert len(pet_series(broken).slices) == 2
