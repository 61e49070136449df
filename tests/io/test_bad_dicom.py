"""Rows of the bad-input table on DICOM: every input ends in a right volume, a warning or a sentence."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, Sequence, dcmread, dcmwrite
from pydicom.uid import (
    ComprehensiveSRStorage,
    ExplicitVRBigEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    RTDoseStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

from dicom_builder import (
    BETWEEN_SLICES_MM,
    COLUMNS,
    ORIGIN_MM,
    ROOT,
    ROWS,
    build_image,
    put,
    put_pixels,
    save,
    stored,
    write_series,
)
from grisaille.core.errors import (
    GrisailleError,
    InputError,
    IrregularSeries,
    UnreadableFile,
)
from grisaille.core.run import Run
from grisaille.core.volume import Volume
from grisaille.io.dicom import scan
from grisaille.io.info import describe
from grisaille.io.study import read_volume
from header_seeds import compress_with_gdcm

Told = Callable[[object], str]


def in_hu(volume: Volume) -> bool:
    """Whether a volume holds what ``write_series`` wrote by default."""
    return all(np.array_equal(volume.voxels[k], stored(k) - 1024.0) for k in range(volume.grid.shape[0]))


def place(image: Dataset, k: int, *, shift_mm: float = 0.0, slant: float = 0.0) -> None:
    x, y, z = ORIGIN_MM
    image.ImagePositionPatient = [x, y + slant * BETWEEN_SLICES_MM * k, z + BETWEEN_SLICES_MM * k + shift_mm]


@pytest.mark.parametrize("is_implicit", [True, False])
def test_row_04_a_series_without_preamble_is_read(tmp_path: Path, is_implicit: bool, told: Told) -> None:
    for file in write_series(tmp_path):
        bare = Dataset()
        bare.update({element.tag: element for element in dcmread(file)})
        bare.save_as(file, implicit_vr=is_implicit, little_endian=True)
    volume = read_volume(tmp_path)
    assert in_hu(volume)
    told(f"read, {volume.grid}")


def test_row_06_other_objects_in_the_folder_are_named_by_their_kind(tmp_path: Path, told: Told) -> None:
    write_series(tmp_path)
    kinds = {
        ComprehensiveSRStorage: "Comprehensive SR",
        RTStructureSetStorage: "RT Structure Set",
        GrayscaleSoftcopyPresentationStateStorage: "Grayscale Softcopy Presentation State",
        SegmentationStorage: "Segmentation",
        RTDoseStorage: "RT Dose",
    }
    for number, uid in enumerate(kinds):
        save(build_image(SOPClassUID=uid, SOPInstanceUID=f"{ROOT}.70.{number}"), tmp_path / f"other_{number}.dcm")
    assert in_hu(read_volume(tmp_path))
    reasons = [one["reason"] for one in describe([tmp_path])["skipped"]]
    told("; ".join(reasons))
    assert all(reason.startswith(name) for reason, name in zip(reasons, kinds.values(), strict=True))


def test_row_08_a_missing_slice_is_interpolated_on_request_and_that_is_said(tmp_path: Path, told: Told) -> None:
    write_series(tmp_path)[2].unlink()
    with pytest.raises(IrregularSeries, match=r"index 2 at z = -24\.0 mm"):
        read_volume(tmp_path)
    volume = read_volume(tmp_path, on_irregular="resample")
    assert in_hu(volume), "the values rise evenly, so what lies between is what was there"
    assert volume.source.files == ()
    assert "interpolated" in told(" ".join(volume.provenance.warnings))


def test_row_11_small_jitter_is_read_and_large_is_refused_or_mended_on_request(tmp_path: Path, told: Told) -> None:
    write_series(tmp_path / "a", change=lambda image, k: place(image, k, shift_mm=0.04 * (k == 2)))
    assert in_hu(read_volume(tmp_path / "a"))
    write_series(tmp_path / "b", count=7, change=lambda image, k: place(image, k, shift_mm=0.2 * (k == 2)))
    with pytest.raises(IrregularSeries) as refused:
        read_volume(tmp_path / "b")
    told(refused.value)
    mended = read_volume(tmp_path / "b", on_irregular="resample")
    assert mended.grid.spacing_mm[0] == pytest.approx(BETWEEN_SLICES_MM, abs=1e-6)
    assert mended.provenance.warnings


def test_row_12_a_tilted_gantry_keeps_every_voxel_in_its_place(tmp_path: Path, told: Told) -> None:
    slant = float(np.tan(np.radians(15)))
    write_series(tmp_path, change=lambda image, k: place(image, k, slant=slant))
    volume = read_volume(tmp_path)
    assert in_hu(volume)
    for k in range(5):
        z, y, x = volume.grid.to_mm(np.array([k, 0, 0]))
        assert (x, y, z) == pytest.approx(
            (ORIGIN_MM[0], ORIGIN_MM[1] + slant * BETWEEN_SLICES_MM * k, ORIGIN_MM[2] + BETWEEN_SLICES_MM * k)
        )
    (warning,) = volume.provenance.warnings
    assert "15.0 degrees" in told(warning)


def test_row_14_of_several_phases_one_is_chosen(tmp_path: Path, told: Told) -> None:
    def phase(image: Dataset, k: int) -> None:
        place(image, k // 2)
        image.TemporalPositionIdentifier = k % 2 + 1

    write_series(tmp_path, "PT", count=8, change=phase)
    with pytest.raises(InputError) as refused:
        read_volume(tmp_path, unit="bqml")
    assert "frame" in told(refused.value)
    for frame in (0, 1):
        volume = read_volume(tmp_path, unit="bqml", frame=frame)
        assert [plane[0, 0] for plane in volume.voxels] == [100 * (2 * k + frame) for k in range(4)]


@pytest.mark.parametrize(
    "odd",
    [
        {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        {"PixelSpacing": [5, 5]},
        {"Rows": 2, "PixelData": bytes(12)},
    ],
)
def test_row_15_images_of_another_kind_inside_a_series_are_set_apart(
    tmp_path: Path, odd: dict[str, object], told: Told
) -> None:
    write_series(tmp_path)
    save(build_image(SOPInstanceUID=f"{ROOT}.70", InstanceNumber=9, **odd), tmp_path / "odd.dcm")
    volume = read_volume(tmp_path)
    assert in_hu(volume)
    assert volume.grid.shape == (5, ROWS, COLUMNS)
    (skipped,) = scan(tmp_path).skipped
    assert skipped.file.name == "odd.dcm"
    told(skipped.reason)


def test_row_16_two_frames_of_reference_are_never_merged(tmp_path: Path, told: Told) -> None:
    def other(image: Dataset, k: int) -> None:
        if k >= 3:
            put(image, FrameOfReferenceUID=f"{ROOT}.88")

    write_series(tmp_path, count=6, change=other)
    with pytest.raises(InputError) as refused:
        read_volume(tmp_path)
    assert "frame of reference" in told(refused.value)


@pytest.mark.parametrize(
    "tags", [{"PixelSpacing": [0, 1]}, {"PixelSpacing": [1, -1]}, {"PixelSpacing": None}, {"PixelSpacing": "wide"}]
)
def test_row_19_a_series_without_pixel_spacing_has_no_size(tmp_path: Path, tags: dict[str, object], told: Told) -> None:
    write_series(tmp_path, ImagerPixelSpacing=[1, 1], **tags)
    with pytest.raises(IrregularSeries, match=r"PixelSpacing \(0028,0030\)") as refused:
        read_volume(tmp_path)
    told(refused.value)


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 4, 3), (2, 4, 3), (5, 1, 1), (7, 5, 3)])
def test_row_20_very_small_series_are_read(tmp_path: Path, count: int, rows: int, columns: int, told: Told) -> None:
    write_series(tmp_path, count=count, change=lambda image, k: put_pixels(image, stored(k, rows, columns)))
    volume = read_volume(tmp_path)
    assert volume.grid.shape == (count, rows, columns)
    assert any("single slice" in warning for warning in volume.provenance.warnings) == (count == 1)
    told(f"read, {volume.grid}")


def test_row_22_a_long_series_is_read_and_its_reading_stopped_at_once(tmp_path: Path, told: Told) -> None:
    """Here 150 small slices; ``benchmarks/bad_input.py --large`` takes 1500 of 512 x 512."""
    write_series(tmp_path, count=150)
    started = time.monotonic()
    assert read_volume(tmp_path).grid.shape[0] == 150
    took = time.monotonic() - started
    asked: list[float] = []

    def cancel() -> bool:
        if len(asked) < 20:
            asked.append(time.monotonic())
        return len(asked) == 20

    with pytest.raises(GrisailleError, match="cancelled"):
        read_volume(tmp_path, run=Run(is_cancelled=cancel))
    stopped = time.monotonic() - asked[-1]
    told(f"150 slices in {took:.1f} s, stopped after {stopped:.3f} s")
    assert stopped < 1


@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14_1", "JPEG2000Lossless", "JPEGLSLossless", "RLELossless"])
def test_row_28_compressed_series_are_the_same_volume(tmp_path: Path, syntax: str, told: Told) -> None:
    def larger(image: Dataset, k: int) -> None:
        put_pixels(image, stored(k, 24, 16))

    write_series(tmp_path / "plain", change=larger)
    shutil.copytree(tmp_path / "plain", tmp_path / "packed")
    for file in sorted((tmp_path / "packed").iterdir()):
        compress_with_gdcm(file, syntax)
    volume, plain = read_volume(tmp_path / "packed"), read_volume(tmp_path / "plain")
    assert np.array_equal(volume.voxels, plain.voxels)
    told(f"{syntax}: bit for bit")


def test_row_28_big_endian_is_the_same_volume(tmp_path: Path, told: Told) -> None:
    for file in write_series(tmp_path):
        image = dcmread(file)
        image.PixelData = image.pixel_array.astype(">i2").tobytes()
        image.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        dcmwrite(file, image, implicit_vr=False, little_endian=False, force_encoding=True)
    assert in_hu(read_volume(tmp_path))
    told("big-endian: bit for bit")


@pytest.mark.parametrize("written", [b"OV", b"UT", b"SQ"])
def test_row_27_pixels_of_a_kind_that_they_cannot_be_are_refused(tmp_path: Path, written: bytes, told: Told) -> None:
    """They were once read from four bytes too early."""
    file = write_series(tmp_path)[3]
    file.write_bytes(file.read_bytes().replace(b"\xe0\x7f\x10\x00OW", b"\xe0\x7f\x10\x00" + written))
    with pytest.raises(UnreadableFile, match=r"CT1_003\.dcm") as refused:
        read_volume(tmp_path)
    told(refused.value)


@pytest.mark.parametrize("representation", [None, 2])
def test_row_27_pixels_that_may_be_signed_or_not_are_refused(
    tmp_path: Path, representation: int | None, told: Told
) -> None:
    write_series(tmp_path, PixelRepresentation=representation)
    with pytest.raises(UnreadableFile, match=r"PixelRepresentation \(0028,0103\)") as refused:
        read_volume(tmp_path)
    told(refused.value)


def test_row_30_a_tiny_slope_is_kept_in_float(tmp_path: Path, told: Told) -> None:
    write_series(tmp_path, "MR", RescaleSlope="1e-9", RescaleIntercept=0)
    volume = read_volume(tmp_path)
    assert np.allclose(volume.voxels[3], stored(3) * 1e-9, rtol=1e-6, atol=0)
    told(f"values up to {volume.voxels.max():g}")


def test_row_30_a_slope_beyond_float_is_refused(tmp_path: Path, told: Told) -> None:
    write_series(tmp_path, "MR", RescaleSlope="1e308")
    with pytest.raises(InputError, match=r"NaN or infinite|RescaleSlope") as refused:
        read_volume(tmp_path)
    told(refused.value)


def test_row_24_an_enhanced_image_is_the_volume_of_its_slices(tmp_path: Path, told: Told) -> None:
    from header_seeds import write_multi_frame

    volume = read_volume(write_multi_frame(tmp_path)[0])
    assert in_hu(volume)
    told(f"read, {volume.grid}")


def test_row_06_sequences_that_nobody_needs_are_not_walked(tmp_path: Path) -> None:
    """A private sequence may hold anything: it is not opened."""
    item = Dataset()
    item.PatientName = "SMITH"
    write_series(
        tmp_path,
        change=lambda image, k: image.private_block(0x11, "ODD", create=True).add_new(1, "SQ", Sequence([item])),
    )
    assert in_hu(read_volume(tmp_path))
