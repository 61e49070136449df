"""Header values: every way of writing them, and the ways of getting them wrong."""

from __future__ import annotations

import logging
import math
import threading
import warnings
from datetime import date, datetime, time
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

import dicom_builder
from grisaille.io.dicom import tags
from grisaille.io.pseudonym import pseudonym


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("09", time(9)),
        ("0915", time(9, 15)),
        ("091530", time(9, 15, 30)),
        ("091530.25", time(9, 15, 30, 250_000)),
        ("123514.999995", time(12, 35, 14, 999_995)),
        ("09:15:00", time(9, 15)),
        ("", None),
        ("noon", None),
        ("250000", None),
        ("091530,5", None),
    ],
)
def test_times_of_day_are_read_in_all_their_lengths(written: str, read: time | None) -> None:
    assert tags.parse_time(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("20240229", date(2024, 2, 29)),
        ("2024.02.29", date(2024, 2, 29)),
        ("20230229", None),
        ("1950-01-01-SMITH", None),
        ("", None),
    ],
)
def test_dates_are_read_or_not_at_all(written: str, read: date | None) -> None:
    assert tags.parse_date(written) == read


@pytest.mark.parametrize(
    ("written", "local", "read"),
    [
        ("20250101100000.5", "", datetime(2025, 1, 1, 10, 0, 0, 500_000)),
        ("202501011000", "+0100", datetime(2025, 1, 1, 10)),
        ("20250101090000+0000", "+0100", datetime(2025, 1, 1, 10)),
        ("20250101233000-0500", "+0100", datetime(2025, 1, 2, 5, 30)),
        ("20250101090000+0000", "", datetime(2025, 1, 1, 9)),
        ("20250101090000+9999", "+0100", datetime(2025, 1, 1, 9)),
        ("20250101", "", None),
        ("", "", None),
    ],
)
def test_moments_are_those_of_the_scanners_clock(written: str, local: str, read: datetime | None) -> None:
    assert tags.parse_moment(written, local) == read


def test_an_absent_number_is_none_and_an_unreadable_one_is_nan(tmp_path: Path) -> None:
    image = dicom_builder.build_image(RescaleSlope="1,5 ", PatientWeight="", SliceThickness="inf ", PixelSpacing=[1, 2])
    header = pydicom.dcmread(dicom_builder.save(image, tmp_path / "one.dcm"))
    with tags.quiet():
        assert math.isnan(tags.number(header, "RescaleSlope") or 0)
        assert math.isnan(tags.number(header, "SliceThickness") or 0)
        assert tags.number(header, "PatientWeight") is None
        assert tags.number(header, "KVP") is None
        assert tags.vector(header, "PixelSpacing", 2) == (1, 2)
        assert all(math.isnan(part) for part in tags.vector(header, "PixelSpacing", 3) or ())
        assert tags.vector(header, "ImageOrientationSlide", 6) is None
        assert tags.count(header, "RescaleSlope", 7) == 0
        assert tags.count(header, "NumberOfFrames", 7) == 7


def test_a_private_element_is_found_by_its_creator_in_any_block() -> None:
    header = Dataset()
    header.add_new(0x70530010, "LO", "SOMEBODY ELSE")
    header.add_new(0x70531000, "DS", "9")
    header.add_new(0x70530011, "LO", "Philips PET Private Group")
    header.add_new(0x70531100, "DS", "0.5")
    assert tags.as_number(tags.private(header, 0x7053, "Philips PET Private Group", 0)) == 0.5
    assert tags.private(header, 0x7053, "Philips PET Private Group", 9) is None


def test_a_private_element_of_somebody_else_is_not_taken() -> None:
    header = Dataset()
    header.add_new(0x00090010, "LO", "SPI-P-Private")
    header.add_new(0x0009100D, "LO", "20250101110000")
    assert tags.private(header, 0x0009, "GEMS_PETD_01", 0x0D) is None


def test_a_private_element_without_any_creator_is_taken_from_its_usual_place() -> None:
    header = Dataset()
    header.add_new(0x70531009, "UN", b"2.5 ")
    assert tags.as_number(tags.private(header, 0x7053, "Philips PET Private Group", 9)) == 2.5


def test_a_private_number_that_cannot_be_read_is_nan() -> None:
    header = Dataset()
    header[0x70531000] = RawDataElement(Tag(0x70531000), "DS", 4, b"1,5 ", 0, False, True)
    with tags.quiet():
        factor = tags.as_number(tags.private(header, 0x7053, "Philips PET Private Group", 0))
    assert factor is not None
    assert math.isnan(factor)


def test_no_warning_and_no_log_line_repeats_a_value(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = dicom_builder.save(dicom_builder.build_image(SeriesDate="1950-01-01-SMITH"), tmp_path / "one.dcm")
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert str(pydicom.dcmread(file).SeriesDate) == "1950-01-01-SMITH"
        assert "SMITH" in caplog.text + str([warning.message for warning in caught])  # it does without us
    caplog.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with tags.quiet():
            assert tags.text(pydicom.dcmread(file), "SeriesDate") == "1950-01-01-SMITH"
    assert not caught
    assert not caplog.text


def test_other_threads_may_go_on_logging(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("pydicom")
    with tags.quiet():
        logger.warning("hidden")
        other = threading.Thread(target=logger.warning, args=("heard",))
        other.start()
        other.join()
    logger.warning("after")
    assert [record.message for record in caplog.records] == ["heard", "after"]


def test_a_pseudonym_is_stable_short_and_says_nothing() -> None:
    assert pseudonym("1.2.3") == pseudonym("1.2.3") != pseudonym("1.2.4")
    assert len(pseudonym("1.2.3")) == 12
    assert int(pseudonym("1.2.3"), 16)
    assert pseudonym("") == ""
