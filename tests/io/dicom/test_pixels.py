"""From stored pixels to values: exact where they are whole, refused where they would be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest
from pydicom import Dataset
from pydicom.uid import HTJ2KLossless, RLELossless

from dicom_builder import build_image, put, put_pixels, save, stored, write_series
from grisaille.core.errors import Cancelled, OutOfMemory, UnreadableFile, UnsuitableVolume
from grisaille.core.run import Progress, Run
from grisaille.core.volume import SourceFormat
from grisaille.io.axes import canonical
from grisaille.io.dicom.geometry import stack
from grisaille.io.dicom.pixels import Decoded, decode
from grisaille.io.dicom.scan import scan


def decoded(folder: Path, factors: np.ndarray | None = None, run: Run | None = None) -> Decoded:
    (series,) = scan(folder).series
    return decode(series, range(len(series.slices)), factors, run=run)


def ramp(count: int = 5) -> np.ndarray:
    """(slice, row, column) stored values of a built series."""
    return np.stack([stored(k) for k in range(count)])


def test_ct_of_whole_numbers_stays_whole(tmp_path: Path) -> None:
    write_series(tmp_path)
    found = decoded(tmp_path)
    assert found.values.dtype == np.int16
    np.testing.assert_array_equal(found.values, ramp().astype(int) - 1024)
    assert found.warnings == ()


def test_ct_of_fractions_is_float(tmp_path: Path) -> None:
    write_series(tmp_path, RescaleSlope=0.5)
    found = decoded(tmp_path)
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values, ramp() * 0.5 - 1024)


def test_ct_beyond_16_bits_is_float(tmp_path: Path) -> None:
    def metal(image: Dataset, k: int) -> None:
        put_pixels(image, stored(k).astype(np.uint16) + (60_000 if k == 3 else 0))

    write_series(tmp_path, change=metal)
    expected = ramp().astype(float)
    expected[3] += 60_000
    found = decoded(tmp_path)
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values, expected - 1024)


def test_the_order_asked_for_is_the_order_given(tmp_path: Path) -> None:
    write_series(tmp_path, count=3)
    (series,) = scan(tmp_path).series
    np.testing.assert_array_equal(decode(series, (2, 0, 1)).values, ramp(3)[[2, 0, 1]].astype(int) - 1024)


def test_every_slice_has_a_slope_of_its_own_even_if_the_first_is_one(tmp_path: Path) -> None:
    slopes = [1, 1.7141, 0.302644, 1e-9, 1.7141]
    write_series(tmp_path, "PT", change=lambda image, k: setattr(image, "RescaleSlope", slopes[k]))
    expected = (ramp() * np.array(slopes)[:, None, None]).astype(np.float32)
    np.testing.assert_array_equal(decoded(tmp_path).values, expected)


def test_factors_are_applied_slice_by_slice_and_rounded_once(tmp_path: Path) -> None:
    write_series(tmp_path, "PT", RescaleSlope=1 / 3, RescaleIntercept=2)
    factors = np.array([1.1, 2.2, 3.3, 4.4, 5.5])
    expected = (ramp() * float("0.3333333333333333") + 2) * factors[:, None, None]
    np.testing.assert_allclose(decoded(tmp_path, factors).values, expected.astype(np.float32), rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32])
def test_pixels_of_any_width_and_sign_are_read(tmp_path: Path, dtype: type) -> None:
    extremes = np.array([[0, np.iinfo(dtype).max // 2], [1, 7]]).astype(dtype)
    write_series(tmp_path, count=2, change=lambda image, k: put_pixels(image, extremes))
    np.testing.assert_array_equal(decoded(tmp_path).values[1], (extremes.astype(float) - 1024).astype(np.float32))


def test_signed_and_unsigned_slices_mix(tmp_path: Path) -> None:
    def alternate(image: Dataset, k: int) -> None:
        if k % 2:
            put_pixels(image, stored(k).astype(np.uint16) + 1024)
        else:
            put_pixels(image, stored(k))
            image.RescaleIntercept = 0

    write_series(tmp_path, change=alternate)
    np.testing.assert_array_equal(decoded(tmp_path).values, ramp())


def test_bits_above_the_stored_ones_are_no_values(tmp_path: Path) -> None:
    """Old files keep overlays there."""

    def overlay(image: Dataset, k: int) -> None:
        put_pixels(image, stored(k).astype(np.uint16) | 0x8000)
        image.BitsStored, image.HighBit = 12, 11

    write_series(tmp_path, change=overlay)
    np.testing.assert_array_equal(decoded(tmp_path).values, ramp().astype(int) - 1024)


def test_monochrome1_does_not_turn_values_round(tmp_path: Path) -> None:
    write_series(tmp_path, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(decoded(tmp_path).values, ramp().astype(int) - 1024)


def test_run_length_coding_is_read(tmp_path: Path) -> None:
    write_series(tmp_path, change=lambda image, k: image.compress(RLELossless))
    np.testing.assert_array_equal(decoded(tmp_path).values, ramp().astype(int) - 1024)


class TestPadding:
    """Pixels outside of the field of view."""

    @pytest.mark.parametrize("written", [-2000, 65536 - 2000])
    def test_it_becomes_air_in_ct_however_its_sign_was_written(self, tmp_path: Path, written: int) -> None:
        def pad(image: Dataset, k: int) -> None:
            pixels = stored(k)
            pixels[0, 0] = -2000
            put_pixels(image, pixels)
            image.add_new("PixelPaddingValue", "SS" if written < 0 else "US", written)

        write_series(tmp_path, change=pad)
        found = decoded(tmp_path)
        assert (found.values[:, 0, 0] == -1024).all()
        np.testing.assert_array_equal(found.values[:, 1:], ramp()[:, 1:].astype(int) - 1024)
        assert found.warnings[0].endswith("set 5 padding pixels to -1024")

    def test_it_becomes_nothing_in_pet(self, tmp_path: Path) -> None:
        write_series(tmp_path, "PT", count=1, PixelPaddingValue=12)
        found = decoded(tmp_path)
        assert found.values[0, 1, 2] == 0
        assert found.values[0, 2, 2] == 22

    def test_a_range_of_values_is_padding_throughout(self, tmp_path: Path) -> None:
        write_series(tmp_path, count=1, PixelPaddingValue=10, PixelPaddingRangeLimit=21)
        np.testing.assert_array_equal(decoded(tmp_path).values[0, 1:3] == -1024, [[1, 1, 1], [1, 1, 0]])


class TestRescale:
    """RescaleSlope and RescaleIntercept."""

    @pytest.mark.parametrize("missing", ["RescaleSlope", "RescaleIntercept"])
    def test_ct_without_them_is_not_in_hu(self, tmp_path: Path, missing: str) -> None:
        write_series(tmp_path, **{missing: None})
        with pytest.raises(UnreadableFile, match=r"CT1_000\.dcm has no RescaleSlope .* not HU"):
            decoded(tmp_path)

    @pytest.mark.parametrize("modality", ["PT", "MR"])
    def test_others_without_a_slope_are_taken_as_stored_and_told(self, tmp_path: Path, modality: str) -> None:
        write_series(tmp_path, modality, RescaleSlope=None, RescaleIntercept=None)
        found = decoded(tmp_path)
        np.testing.assert_array_equal(found.values, ramp())
        assert "5 files without RescaleSlope; 1 was taken" in found.warnings[0]

    @pytest.mark.parametrize("tags", [{"RescaleSlope": 0}, {"RescaleSlope": "1,5 "}, {"RescaleIntercept": "nil "}])
    def test_none_that_is_a_number_is_refused(self, tmp_path: Path, tags: dict[str, object]) -> None:
        write_series(tmp_path, "PT", change=lambda image, k: put(image, **(tags if k == 2 else {})))
        with pytest.raises(UnreadableFile, match=r"PT1_002\.dcm has RescaleSlope"):
            decoded(tmp_path)


class TestDamage:
    """Files that would give wrong values, or do harm."""

    def test_a_file_cut_off_in_its_pixels_is_named_and_not_filled_with_zeros(self, tmp_path: Path) -> None:
        files = write_series(tmp_path, change=lambda image, k: put_pixels(image, np.zeros((64, 64), np.int16)))
        files[3].write_bytes(files[3].read_bytes()[:-100])
        with pytest.raises(UnreadableFile, match=r"CT1_003\.dcm is cut off in its pixels"):
            decoded(tmp_path)
        files[3].write_bytes(files[3].read_bytes()[:2000])
        with pytest.raises(UnreadableFile, match=r"CT1_003\.dcm is truncated: 2000 bytes, expected at least 8192"):
            decoded(tmp_path)

    @pytest.mark.parametrize("lost", [8, 20, 60])
    def test_a_compressed_file_cut_off_is_named(self, tmp_path: Path, lost: int) -> None:
        files = write_series(tmp_path, change=lambda image, k: image.compress(RLELossless))
        files[1].write_bytes(files[1].read_bytes()[:-lost])
        with pytest.raises(UnreadableFile, match=r"pixels of CT1_001\.dcm are truncated or damaged"):
            decoded(tmp_path)

    def test_pixels_of_another_size_than_declared_are_refused(self, tmp_path: Path) -> None:
        files = write_series(tmp_path, count=1)
        (series,) = scan(tmp_path).series
        image = build_image()
        put_pixels(image, np.zeros((2, 2), np.int16))
        save(image, files[0])
        with pytest.raises(UnreadableFile, match=r"CT1_000\.dcm has 8 bytes of pixels, expected 24"):
            decode(series, (0,))

    @pytest.mark.parametrize("size", [65535, 5000])
    def test_a_decompression_bomb_is_refused_by_its_header(self, tmp_path: Path, size: int) -> None:
        def swell(image: Dataset, _: int) -> None:
            image.compress(RLELossless)
            image.Rows = image.Columns = size

        write_series(tmp_path, change=swell)
        with pytest.raises(UnreadableFile, match=f"declares {size} x {size} pixels"):
            decoded(tmp_path)

    def test_a_series_that_does_not_fit_into_memory_is_refused_before_it_is_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_series(tmp_path)
        plenty = psutil.virtual_memory()
        monkeypatch.setattr(psutil, "virtual_memory", lambda: plenty._replace(available=100))
        with pytest.raises(OutOfMemory, match=r"CT series 1 .* GB are free"):
            decoded(tmp_path)

    @pytest.mark.parametrize(
        ("syntax", "words"),
        [
            (HTJ2KLossless, "High-Throughput JPEG 2000.*install pylibjpeg and pylibjpeg-openjpeg"),
            ("1.2.840.10008.1.2.4.100", "MPEG2.*convert it"),
            ("1.2.3.SMITH", "stored as an unknown transfer syntax"),
        ],
    )
    def test_an_unknown_compression_is_named_with_its_remedy(self, tmp_path: Path, syntax: str, words: str) -> None:
        def pretend(image: Dataset, _: int) -> None:
            image.compress(RLELossless)
            put(image.file_meta, TransferSyntaxUID=syntax)

        write_series(tmp_path, count=1, change=pretend)
        with pytest.raises(UnreadableFile, match=words) as error:
            decoded(tmp_path)
        assert "SMITH" not in str(error.value)

    @pytest.mark.parametrize(
        "tags",
        [{"PhotometricInterpretation": "PALETTE COLOR"}, {"SamplesPerPixel": 3}, {"PhotometricInterpretation": None}],
    )
    def test_a_colour_picture_is_no_measurement(self, tmp_path: Path, tags: dict[str, object]) -> None:
        write_series(tmp_path, **tags)
        with pytest.raises(UnsuitableVolume, match=r"CT1_000\.dcm is a colour picture"):
            decoded(tmp_path)


def test_reading_tells_its_progress_and_can_be_stopped(tmp_path: Path) -> None:
    write_series(tmp_path)
    told: list[Progress] = []
    with pytest.raises(Cancelled):
        decoded(tmp_path, run=Run(on_progress=told.append, is_cancelled=lambda: len(told) > 2))
    assert [(step.done, step.total) for step in told] == [(0, 5), (1, 5), (2, 5)]
    assert told[0].what.startswith("reading CT series 1")


class TestStoredBits:
    """What of the pixels counts, and what is said where it cannot be."""

    def test_stored_bits_at_the_upper_end_are_moved_down(self, tmp_path: Path) -> None:
        def upper(image: Dataset, k: int) -> None:
            put_pixels(image, (stored(k).astype(np.uint16) << 4) | 0x5)
            image.BitsStored, image.HighBit = 12, 15

        write_series(tmp_path, change=upper)
        np.testing.assert_array_equal(decoded(tmp_path).values, ramp().astype(int) - 1024)

    def test_negative_values_of_twelve_bits_are_negative(self, tmp_path: Path) -> None:
        def signed(image: Dataset, k: int) -> None:
            put_pixels(image, (stored(k) - 300).astype(np.int16) & 0x0FFF)
            image.BitsStored, image.HighBit, image.PixelRepresentation = 12, 11, 1

        write_series(tmp_path, change=signed)
        np.testing.assert_array_equal(decoded(tmp_path).values, ramp().astype(int) - 300 - 1024)

    def test_unsigned_pixels_and_a_negative_intercept_go_below_zero_and_above_32767(self, tmp_path: Path) -> None:
        extremes = np.array([[0, 1023], [33791, 40]]).astype(np.uint16)
        write_series(tmp_path, count=2, change=lambda image, k: put_pixels(image, extremes))
        found = decoded(tmp_path)
        assert found.values.dtype == np.int16
        np.testing.assert_array_equal(found.values[0], [[-1024, -1], [32767, -984]])

    @pytest.mark.parametrize(("bits", "high"), [(0, 11), (17, 15), (12, 16), (12, 3)])
    def test_bits_that_cannot_be_are_refused(self, tmp_path: Path, bits: int, high: int) -> None:
        write_series(tmp_path, change=lambda image, k: put(image, BitsStored=bits, HighBit=high))
        with pytest.raises(UnreadableFile, match=r"CT1_000\.dcm stores -?\d+ bits up to bit \d+ of 16"):
            decoded(tmp_path)

    @pytest.mark.parametrize("bits", [1, 12, 24, 64])
    def test_pixels_of_an_odd_width_are_read_right_or_refused(self, tmp_path: Path, bits: int) -> None:
        write_series(tmp_path, count=1, BitsAllocated=bits)
        with pytest.raises(UnreadableFile, match=r"CT1_000\.dcm"):
            decoded(tmp_path)

    @pytest.mark.parametrize("value", [10**30, -(10**30), 2**31])
    def test_a_padding_value_beyond_all_bounds_does_no_harm(self, tmp_path: Path, value: int) -> None:
        def pad(image: Dataset, k: int) -> None:
            image.add_new("PixelPaddingValue", "DS", f"{value:.5e}")

        write_series(tmp_path, count=2, change=pad)
        assert decoded(tmp_path).values.shape == (2, 4, 3)

    def test_padding_far_below_all_values_does_not_cost_the_whole_numbers(self, tmp_path: Path) -> None:
        def pad(image: Dataset, k: int) -> None:
            pixels = stored(k)
            pixels[0, 0] = -32768
            put_pixels(image, pixels)
            image.add_new("PixelPaddingValue", "SS", -32768)

        write_series(tmp_path, change=pad)
        found = decoded(tmp_path)
        assert found.values.dtype == np.int16
        assert (found.values[:, 0, 0] == -1024).all()
        np.testing.assert_array_equal(found.values[:, 1:], ramp()[:, 1:].astype(int) - 1024)

    def test_a_file_that_was_replaced_meanwhile_is_noticed(self, tmp_path: Path) -> None:
        files = write_series(tmp_path, count=1)
        (series,) = scan(tmp_path).series
        files[0].write_bytes(bytes(files[0].stat().st_size))
        with pytest.raises(UnreadableFile, match=r"CT1_000\.dcm was changed while it was read"):
            decode(series, (0,))

    def test_a_file_that_is_gone_is_named(self, tmp_path: Path) -> None:
        files = write_series(tmp_path, count=1)
        (series,) = scan(tmp_path).series
        files[0].unlink()
        with pytest.raises(UnreadableFile, match=r"CT1_000\.dcm cannot be read \(FileNotFoundError\)"):
            decode(series, (0,))


@pytest.mark.parametrize("orientation", [[1, 0, 0, 0, 1, 0], [-1, 0, 0, 0, -1, 0], [0, 1, 0, 0, 0, -1]])
def test_the_array_lies_in_memory_as_the_patient_wants_it(tmp_path: Path, orientation: list[float]) -> None:
    """So that the volume is there once and not twice."""
    normal = np.cross(orientation[:3], orientation[3:])

    def place(image: Dataset, k: int) -> None:
        image.ImageOrientationPatient, image.ImagePositionPatient = orientation, list(3.0 * k * normal)

    write_series(tmp_path, change=place)
    (series,) = scan(tmp_path).series
    geometry = stack(series)
    found = decode(series, geometry.order, affine=geometry.affine)
    turned, _, _ = canonical(found.values.transpose(2, 1, 0), geometry.affine, format=SourceFormat.DICOM, name="a")
    assert np.shares_memory(turned, found.values)
    np.testing.assert_array_equal(found.values, ramp()[list(geometry.order)].astype(int) - 1024)
