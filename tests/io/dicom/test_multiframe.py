"""Multi-frame images: as the same slices in files of their own, and as highdicom reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import JPEGLSLossless, RLELossless

from dicom_builder import (
    BETWEEN_COLUMNS_MM,
    BETWEEN_ROWS_MM,
    BETWEEN_SLICES_MM,
    HALF_LIFE_S,
    SUV_FACTOR,
    put_pixels,
    save,
    stored,
    write_series,
)
from grisaille.core.errors import AmbiguousSeries, InputError, IrregularSeries, UnreadableFile
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.io.dicom.scan import choose, scan
from grisaille.io.dicom.series import read_series
from multiframe_builder import PIXELS, build_enhanced, set_rescale, set_unit, write_converted, write_enhanced

SLOPES = (1.0, 1.7141, 0.302644, 1e-9, 12.5)


def read(path: Path) -> Volume:
    (series,) = scan(path).series
    return read_series(series)


def by_highdicom(file: Path) -> np.ndarray:
    """(z, y, x) as the oracle has it, rescaled only."""
    import highdicom

    volume = highdicom.imread(file).get_volume(
        apply_real_world_transform=False, apply_presentation_lut=False, dtype=np.float64
    )
    return volume.to_patient_orientation("HPL").array


def own_slopes(frame: Dataset, k: int) -> None:
    set_rescale(frame, SLOPES[k], 0.0)


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_an_enhanced_image_is_the_volume_of_the_same_slices(tmp_path: Path, modality: str) -> None:
    write_series(tmp_path / "singles", modality)
    alone, together = read(tmp_path / "singles"), read(write_enhanced(tmp_path / "frames" / "image.dcm", modality))
    np.testing.assert_array_equal(together.voxels, alone.voxels)
    assert together.voxels.dtype == alone.voxels.dtype
    assert together.grid == alone.grid
    assert together.grid.spacing_mm == pytest.approx((BETWEEN_SLICES_MM, BETWEEN_ROWS_MM, BETWEEN_COLUMNS_MM))
    assert together.provenance.geometry == "regular"
    assert together.source.files == (tmp_path / "frames" / "image.dcm",)


@pytest.mark.parametrize("modality", ["CT", "PT", "MR"])
def test_every_frame_has_a_slope_of_its_own_exactly_as_highdicom_has_it(tmp_path: Path, modality: str) -> None:
    file = write_enhanced(tmp_path / "image.dcm", modality, change=own_slopes)
    expected = (PIXELS * np.array(SLOPES)[:, None, None]).astype(np.float32)
    found = read(file).voxels
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found, by_highdicom(file).astype(np.float32))


@pytest.mark.parametrize("modality", ["CT", "PT", "MR"])
def test_a_converted_image_is_the_volume_that_it_was_converted_from(tmp_path: Path, modality: str) -> None:
    def odd(image: Dataset, k: int) -> None:
        if modality == "PT":
            image.RescaleSlope = SLOPES[k]

    file = write_converted(tmp_path / "image.dcm", modality, change=odd)
    alone, together = read(tmp_path / "singles"), read(file)
    np.testing.assert_array_equal(together.voxels, alone.voxels)
    assert together.grid == alone.grid
    assert together.unit is alone.unit
    if modality == "PT":
        assert together.unit is Unit.SUVBW
        assert together.provenance.suv == alone.provenance.suv


def test_frames_in_any_order_lie_at_their_places(tmp_path: Path) -> None:
    def backwards(frame: Dataset, k: int) -> None:
        frame.PlanePositionSequence[0].ImagePositionPatient = [-10, -20, -30 + BETWEEN_SLICES_MM * (4 - k)]

    file = write_enhanced(tmp_path / "image.dcm", change=backwards)
    np.testing.assert_array_equal(read(file).voxels, PIXELS[::-1].astype(int) - 1024)
    np.testing.assert_array_equal(read(file).voxels, by_highdicom(file))


@pytest.mark.parametrize("syntax", [JPEGLSLossless, RLELossless])
def test_compressed_frames_are_each_decoded(tmp_path: Path, syntax: str) -> None:
    image = build_enhanced("CT")
    pixels = np.tile(PIXELS, (1, 8, 8))  # JPEG-LS encodes no picture that is smaller than its own header
    image.Rows, image.Columns = pixels.shape[1:]
    image.PixelData = pixels.tobytes()
    image.compress(syntax, generate_instance_uid=False)
    found = read(save(image, tmp_path / "image.dcm"))
    np.testing.assert_array_equal(found.voxels, pixels.astype(int) - 1024)


class TestPet:
    """What Enhanced PET says in other words than single-frame PET."""

    @staticmethod
    def in_activity(frame: Dataset, k: int) -> None:
        set_rescale(frame, SLOPES[k], 0.0)
        set_unit(frame, "Bq/ml", SLOPES[k])

    def test_suv_comes_from_the_unit_the_flags_and_the_moment_of_correction(self, tmp_path: Path) -> None:
        found = read(write_enhanced(tmp_path / "image.dcm", "PT", change=self.in_activity))
        assert found.unit is Unit.SUVBW
        expected = (PIXELS * np.array(SLOPES)[:, None, None]) * SUV_FACTOR
        np.testing.assert_allclose(found.voxels, expected, rtol=1e-6)

    def test_decay_corrected_to_the_injection_is_known_by_its_moment(self, tmp_path: Path) -> None:
        file = write_enhanced(
            tmp_path / "image.dcm", "PT", change=self.in_activity, DecayCorrectionDateTime="20250101100000"
        )
        found = read(file)
        assert found.unit is Unit.SUVBW
        assert found.voxels[4, 3, 2] == pytest.approx(PIXELS[4, 3, 2] * SLOPES[4] * 70e3 / 368.08e6, rel=1e-6)

    @pytest.mark.parametrize("tag", ["DecayCorrected", "DecayCorrectionDateTime", "AttenuationCorrected"])
    def test_without_a_word_on_its_corrections_it_stays_in_activity(self, tmp_path: Path, tag: str) -> None:
        found = read(write_enhanced(tmp_path / "image.dcm", "PT", change=self.in_activity, **{tag: None}))
        assert found.unit is Unit.BQML
        assert "no SUV" in found.provenance.warnings[0]

    def test_decay_corrected_to_a_moment_after_the_start_is_counted_to_that_moment(self, tmp_path: Path) -> None:
        file = write_enhanced(
            tmp_path / "image.dcm", "PT", change=self.in_activity, DecayCorrectionDateTime="20250101113000"
        )
        found = read(file)
        assert found.unit is Unit.SUVBW
        decayed = 368.08e6 * 0.5 ** (5400 / HALF_LIFE_S)
        assert found.voxels[4, 3, 2] == pytest.approx(PIXELS[4, 3, 2] * SLOPES[4] * 70e3 / decayed, rel=1e-6)

    def test_a_unit_that_goes_with_other_values_says_nothing_of_these(self, tmp_path: Path) -> None:
        def another(frame: Dataset, k: int) -> None:
            set_rescale(frame, SLOPES[k], 0.0)
            set_unit(frame, "Bq/ml", 7 * SLOPES[k])

        found = read(write_enhanced(tmp_path / "image.dcm", "PT", change=another))
        assert found.unit is Unit.NONE
        assert any("Units (0054,1001) is absent" in warning for warning in found.provenance.warnings)


class TestSeveral:
    """More than one image at a place, or more than one stack, in one file."""

    @staticmethod
    def two_phases(frame: Dataset, k: int) -> None:
        frame.PlanePositionSequence[0].ImagePositionPatient = [-10, -20, BETWEEN_SLICES_MM * (k // 2)]
        frame.FrameContentSequence[0].TemporalPositionIndex = k % 2 + 1

    def test_phases_are_listed_and_one_is_chosen(self, tmp_path: Path) -> None:
        file = write_enhanced(tmp_path / "image.dcm", count=6, change=self.two_phases)
        (series,) = scan(file).series
        with pytest.raises(AmbiguousSeries, match=r"frame 0: temporal position 1; frame 1: temporal position 2"):
            read_series(series)
        found = read_series(series, frame=1)
        np.testing.assert_array_equal(found.voxels, np.stack([stored(k) for k in (1, 3, 5)]).astype(int) - 1024)

    def test_time_frames_of_a_pet_are_told_by_their_times(self, tmp_path: Path) -> None:
        def dynamic(frame: Dataset, k: int) -> None:
            TestPet.in_activity(frame, k % 2)
            frame.PlanePositionSequence[0].ImagePositionPatient = [-10, -20, BETWEEN_SLICES_MM * (k // 2)]
            frame.FrameContentSequence[0].FrameAcquisitionDateTime = f"202501011{k % 2}0000"
            frame.FrameContentSequence[0].FrameReferenceDateTime = f"202501011{k % 2}0030"

        file = write_enhanced(
            tmp_path / "image.dcm", "PT", count=6, change=dynamic, DecayCorrectionDateTime="20250101095959"
        )
        (series,) = scan(file).series
        with pytest.raises(AmbiguousSeries, match=r"2 images at each of 3 places"):
            read_series(series)
        assert read_series(series, unit=Unit.BQML, frame=1).voxels[2, 0, 0] == pytest.approx(500 * SLOPES[1])

    def test_stacks_of_other_directions_are_listed_as_series(self, tmp_path: Path) -> None:
        def crossed(frame: Dataset, k: int) -> None:
            if k >= 3:
                turned = Dataset()
                turned.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
                frame.PlaneOrientationSequence = [turned]
                frame.PlanePositionSequence[0].ImagePositionPatient = [BETWEEN_SLICES_MM * k, 0, 0]

        found = scan(write_enhanced(tmp_path / "image.dcm", count=6, change=crossed))
        assert [len(one.slices) for one in found.series] == [3, 3]
        with pytest.raises(AmbiguousSeries, match=r"3 images \(axial.*3 images \(sagittal"):
            choose(found, Modality.CT)
        assert sorted(read_series(one).grid.shape for one in found.series) == [(3, 4, 3), (4, 3, 3)]


class TestFaults:
    """Frames that make no volume."""

    def test_a_missing_frame_is_named_by_its_place(self, tmp_path: Path) -> None:
        def gap(frame: Dataset, k: int) -> None:
            frame.PlanePositionSequence[0].ImagePositionPatient = [-10, -20, BETWEEN_SLICES_MM * (k + (k > 2))]

        with pytest.raises(IrregularSeries, match=r"1 slice missing: index 3 at z = 9\.0 mm"):
            read(write_enhanced(tmp_path / "image.dcm", change=gap))

    def test_a_frame_without_a_place_is_refused(self, tmp_path: Path) -> None:
        def lost(frame: Dataset, k: int) -> None:
            if k == 2:
                del frame.PlanePositionSequence

        with pytest.raises(IrregularSeries, match="no ImagePositionPatient"):
            read(write_enhanced(tmp_path / "image.dcm", change=lost))

    @pytest.mark.parametrize("told", [4, 6, 0, -3, 2**31 - 1])
    def test_a_false_number_of_frames_is_no_image(self, tmp_path: Path, told: int) -> None:
        file = write_enhanced(tmp_path / "image.dcm", NumberOfFrames=told)
        with pytest.raises(UnreadableFile, match=r"describes 5|declares 2147483647 frames"):
            scan(file)

    def test_frames_without_functional_groups_have_no_places(self, tmp_path: Path) -> None:
        file = write_enhanced(tmp_path / "image.dcm", PerFrameFunctionalGroupsSequence=None)
        with pytest.raises(IrregularSeries, match="multi-frame"):
            read(file)

    def test_pixels_of_too_few_frames_are_refused(self, tmp_path: Path) -> None:
        image = build_enhanced()
        image.PixelData = image.PixelData[: 4 * stored(0).nbytes]
        with pytest.raises(UnreadableFile, match=r"has 96 bytes of pixels, expected 120"):
            read(save(image, tmp_path / "image.dcm"))

    def test_a_compressed_image_of_too_few_frames_is_refused(self, tmp_path: Path) -> None:
        image = build_enhanced(count=5)
        image.compress(RLELossless)
        few = build_enhanced(count=4)
        few.compress(RLELossless)
        image.PixelData = few.PixelData
        with pytest.raises(UnreadableFile, match=r"image\.dcm \(frame 4\)"):
            read(save(image, tmp_path / "image.dcm"))


@pytest.mark.parametrize("seed", range(40))
def test_a_header_spoilt_anywhere_gives_the_volume_or_a_sentence(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    content = bytearray(write_enhanced(tmp_path / "image.dcm", "PT", change=TestPet.in_activity).read_bytes())
    for place in random.integers(132, len(content), 6):
        content[place] = random.integers(256)
    (tmp_path / "image.dcm").write_bytes(bytes(content))
    said = what_reading_gives(tmp_path)
    assert "SMITH" not in said
    assert str(tmp_path) not in said


def what_reading_gives(folder: Path) -> str:
    """The sentence, or nothing if there is a volume; another error is a failure."""
    try:
        found = [read_series(one) for one in scan(folder).series]
    except InputError as error:
        return str(error)
    return "" if all(one.voxels.shape == one.grid.shape for one in found) else "SMITH"


def test_a_single_image_with_a_number_of_frames_is_single(tmp_path: Path) -> None:
    write_series(tmp_path, change=lambda image, k: put_pixels(image, stored(k)), NumberOfFrames=1)
    np.testing.assert_array_equal(read(tmp_path).voxels, PIXELS.astype(int) - 1024)
