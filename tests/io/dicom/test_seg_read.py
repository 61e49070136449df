"""DICOM SEG as labels: every pixel on its voxel, bit for bit, or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import RLELossless

from dicom_builder import PATIENT, ROOT, write_series
from grisaille.core.errors import GridMismatch, InputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.volume import Volume
from grisaille.io.dicom import seg_read
from grisaille.io.labels import read_labels
from grisaille.io.study import read_volume
from labels_builder import write_seg

NAMES = {1: "mass", 2: "edema", 3: "node"}


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """6 axial slices of 4 x 3 pixels."""
    return write_series(tmp_path / "ct", "CT", count=6)


def numbered() -> np.ndarray:
    """(slice, row, column); nothing in the first slice and the last two, and in one between."""
    pixels = np.random.default_rng(2).integers(0, 4, (6, 4, 3)).astype(np.uint8)
    pixels[[0, 2, 4, 5]] = 0
    return pixels


def turned(*orientation: float) -> Callable[[Dataset, int], None]:
    """Images along other axes of the patient: every 3 mm across their own plane."""

    def place(image: Dataset, k: int) -> None:
        image.ImageOrientationPatient = list(orientation)
        across = np.cross(orientation[:3], orientation[3:])
        image.ImagePositionPatient = [float(value) for value in np.array([5.0, -7.0, 11.0]) + 3.0 * k * across]

    return place


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_on_the_volume_every_frame_comes_back_bit_for_bit(tmp_path: Path, images: list[Path], kind: str) -> None:
    path = write_seg(tmp_path / "seg.dcm", images, numbered(), NAMES, kind)
    volume = read_volume(tmp_path / "ct")
    labels = read_labels(path, like=volume)
    assert np.array_equal(labels.voxels, numbered())
    assert (labels.grid, labels.names, labels.warnings) == (volume.grid, NAMES, ())
    assert labels.source is volume.source


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_alone_it_lies_on_the_grid_of_its_stored_frames(tmp_path: Path, images: list[Path], kind: str) -> None:
    from highdicom.seg import segread

    path = write_seg(tmp_path / "seg.dcm", images, numbered(), NAMES, kind)
    labels = read_labels(path)
    volume = read_volume(tmp_path / "ct")
    assert labels.grid.is_close(volume.grid.cropped((1, 0, 0), (3, 4, 3)))
    assert np.array_equal(labels.voxels, numbered()[1:4])
    theirs = segread(path).get_volume(combine_segments=True)
    assert np.array_equal(theirs.array[::-1], labels.voxels)  # highdicom stacks towards the feet


@pytest.mark.parametrize(
    "orientation",
    [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), (-1, 0, 0, 0, 0, -1), (0.8, 0.6, 0, 0, 0, -1), (1, 0, 0, 0, -1, 0)],
)
def test_planes_of_any_orientation_find_their_voxels(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    images = write_series(tmp_path / "ct", "CT", count=6, change=turned(*orientation))
    path = write_seg(tmp_path / "seg.dcm", images, numbered(), NAMES)
    volume = read_volume(tmp_path / "ct")
    labels = read_labels(path, like=volume)
    # The CT's own values tell which pixel a voxel is: 100 k + 10 row + column - 1024.
    stored = volume.voxels.astype(int) + 1024
    assert np.array_equal(labels.voxels, numbered()[stored // 100, stored // 10 % 10, stored % 10])
    alone = read_labels(path)
    first = np.round(volume.grid.to_index(alone.grid.to_mm((0, 0, 0)))).astype(int)
    z, y, x = (slice(start, start + size) for start, size in zip(first, alone.grid.shape, strict=True))
    assert np.array_equal(alone.voxels, labels.voxels[z, y, x])
    assert alone.grid.is_close(volume.grid.cropped(first, alone.grid.shape))


def test_a_slice_that_jitters_within_the_volumes_tolerance_is_found(tmp_path: Path) -> None:
    def jitter(image: Dataset, k: int) -> None:
        image.ImagePositionPatient[2] += 0.05 * (k == 1)

    images = write_series(tmp_path / "ct", "CT", count=6, change=jitter)
    path = write_seg(tmp_path / "seg.dcm", images, numbered(), NAMES)
    assert np.array_equal(read_labels(path, like=read_volume(tmp_path / "ct")).voxels, numbered())


def test_overlapping_segments_keep_the_smaller_and_each_can_be_had_whole(tmp_path: Path, images: list[Path]) -> None:
    both = np.zeros((6, 4, 3, 2), np.uint8)
    both[1:4, ..., 0] = 1
    both[2, 1:3, 1:3, 1] = 1
    path = write_seg(tmp_path / "seg.dcm", images, both, {1: "whole", 2: "part"})
    volume = read_volume(tmp_path / "ct")
    labels = read_labels(path, like=volume)
    assert np.bincount(labels.voxels.ravel())[1:].tolist() == [32, 4]
    (warning,) = labels.warnings
    assert "part and whole overlap in 4 voxels, which are given to part" in warning
    whole = read_labels(path, like=volume, rois=["whole"])
    assert np.array_equal(whole.voxels > 0, both[..., 0] > 0)
    assert whole.names == {1: "whole"}


def test_half_of_a_fraction_is_the_threshold_and_told(tmp_path: Path, images: list[Path]) -> None:
    fractions = np.linspace(0, 1, 72, dtype=np.float32).reshape(6, 4, 3)
    path = write_seg(tmp_path / "seg.dcm", images, fractions, {1: "mass"}, "FRACTIONAL")
    labels = read_labels(path, like=read_volume(tmp_path / "ct"))
    assert np.array_equal(labels.voxels, np.round(fractions * 255) >= 127.5)
    assert "seg.dcm is fractional" in labels.warnings[0]


def test_compressed_frames_are_decoded(tmp_path: Path, images: list[Path]) -> None:
    path = write_seg(tmp_path / "seg.dcm", images, numbered(), NAMES, "LABELMAP", transfer_syntax_uid=RLELossless)
    assert dcmread(path).file_meta.TransferSyntaxUID == RLELossless
    assert np.array_equal(read_labels(path, like=read_volume(tmp_path / "ct")).voxels, numbered())


def test_a_volume_that_is_smaller_cuts_off_and_tells(tmp_path: Path, images: list[Path]) -> None:
    path = write_seg(tmp_path / "seg.dcm", images, numbered(), NAMES)
    volume = read_volume(tmp_path / "ct")
    small = volume.grid.cropped((2, 0, 0), (3, 4, 2))
    labels = read_labels(path, like=small)
    assert np.array_equal(labels.voxels, numbered()[2:5, :, :2])
    lost = (numbered() > 0).sum() - (labels.voxels > 0).sum()
    assert labels.warnings == (f"seg.dcm reaches beyond the volume: {lost} of its marked pixels were cut off",)
    with pytest.raises(GridMismatch, match=r"seg\.dcm marks nothing inside of"):
        read_labels(path, like=volume.grid.cropped((4, 0, 0), (2, 4, 3)))


def test_other_voxels_are_refused_with_what_to_do(tmp_path: Path, images: list[Path]) -> None:
    path = write_seg(tmp_path / "seg.dcm", images, numbered(), NAMES)
    volume = read_volume(tmp_path / "ct")
    shifted = np.array(volume.grid.affine)
    shifted[2, 3] += 0.75
    for grid in (Grid(volume.grid.shape, shifted), volume.grid.spaced((3.0, 1.0, 1.0)), volume.grid.spaced(1.5)):
        with pytest.raises(GridMismatch, match=r"pixels of seg\.dcm are not the voxels of .* without like="):
            read_labels(path, like=grid)


def test_another_frame_of_reference_is_refused_unless_it_names_the_series(tmp_path: Path, images: list[Path]) -> None:
    volume = read_volume(tmp_path / "ct")

    def other_frame(made: Dataset) -> None:
        made.FrameOfReferenceUID = f"{ROOT}.66"

    def other_patient(made: Dataset) -> None:
        other_frame(made)
        made.ReferencedSeriesSequence[0].SeriesInstanceUID = f"{ROOT}.67"

    own = write_seg(tmp_path / "own.dcm", images, numbered(), NAMES, change=other_frame)
    assert "another frame of reference" in read_labels(own, like=volume).warnings[0]
    stranger = write_seg(tmp_path / "a.dcm", images, numbered(), NAMES, change=other_patient)
    with pytest.raises(GridMismatch, match=r"a\.dcm lies in another frame of reference than CT series 1"):
        read_labels(stranger, like=volume)
    assert read_labels(stranger, like=Volume(volume.voxels, volume.grid)).ids == (1, 2, 3)


def test_sparse_frames_without_a_spacing_are_doubted(tmp_path: Path, images: list[Path]) -> None:
    def unspaced(made: Dataset) -> None:
        sizes = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        del sizes.SpacingBetweenSlices
        sizes.SliceThickness = 3.0

    pixels = np.zeros((6, 4, 3), np.uint8)
    pixels[[1, 3, 5]] = 1
    path = write_seg(tmp_path / "seg.dcm", images, pixels, {1: "mass"}, change=unspaced)
    alone = read_labels(path)
    assert alone.grid.spacing_mm[0] == pytest.approx(6.0)
    assert "seg.dcm lie 6.00 mm apart and are 3.00 mm thick" in alone.warnings[0]
    assert read_labels(path, like=read_volume(tmp_path / "ct")).warnings == ()


def test_frames_without_even_spacing_have_no_grid_of_their_own(tmp_path: Path, images: list[Path]) -> None:
    def uneven(made: Dataset) -> None:
        for frame in made.PerFrameFunctionalGroupsSequence:
            position = frame.PlanePositionSequence[0].ImagePositionPatient
            position[2] = float(position[2]) ** 2 / 10

    path = write_seg(tmp_path / "seg.dcm", images, np.ones((6, 4, 3), np.uint8), {1: "mass"}, change=uneven)
    with pytest.raises(GridMismatch, match=r"frames of seg\.dcm are not evenly spaced.*like="):
        read_labels(path)


def test_a_segment_is_chosen_by_name_or_number(tmp_path: Path, images: list[Path]) -> None:
    path = write_seg(tmp_path / "seg.dcm", images, numbered(), NAMES, "LABELMAP")
    for wanted in (["edema"], [2]):
        labels = read_labels(path, like=read_volume(tmp_path / "ct"), rois=wanted)
        assert np.array_equal(labels.voxels, np.where(numbered() == 2, 2, 0))
        assert labels.names == {2: "edema"}
    with pytest.raises(InputError, match=r"segment 9 is not there; there are 1 \(mass\)"):
        read_labels(path, rois=[9])


def undescribed(made: Dataset) -> None:
    made.SegmentSequence = [item for item in made.SegmentSequence if item.SegmentNumber != 3]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda made: setattr(made, "Rows", 4000), "truncated"),
        (lambda made: setattr(made, "Rows", 0), "declares"),
        (lambda made: setattr(made, "BitsAllocated", 32), "32 bits"),
        (lambda made: setattr(made, "SamplesPerPixel", 3), "colours"),
        (lambda made: delattr(made, "SharedFunctionalGroupsSequence"), "damaged"),
        (
            lambda made: delattr(made.PerFrameFunctionalGroupsSequence[1], "PlanePositionSequence"),
            "frame 2 has no place",
        ),
        (undescribed, "segment 3, which it does not describe"),
        (lambda made: setattr(made, "PixelData", made.PixelData[:3]), "truncated|damaged"),
    ],
)
def test_damage_is_told_by_the_files_name_and_never_the_patients(
    tmp_path: Path, images: list[Path], change: Any, said: str
) -> None:
    path = write_seg(tmp_path / "seg.dcm", images, numbered(), NAMES, "LABELMAP", change=change)
    with pytest.raises(UnreadableFile, match=said) as caught:
        read_labels(path, like=read_volume(tmp_path / "ct"))
    assert "seg.dcm" in str(caught.value)
    assert PATIENT.split("^")[0] not in str(caught.value)


def test_no_segment_or_too_many_are_refused(
    tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_seg(tmp_path / "seg.dcm", images, numbered(), NAMES)
    monkeypatch.setattr(seg_read, "MOST", 1)
    with pytest.raises(InputError, match=r"seg\.dcm describes 3 segments, a label image has 1 numbers"):
        read_labels(path)
    none = write_seg(
        tmp_path / "b.dcm", images, numbered(), NAMES, change=lambda made: setattr(made, "SegmentSequence", [])
    )
    with pytest.raises(UnreadableFile, match=r"b\.dcm describes no segment"):
        read_labels(none)


def test_a_truncated_file_is_refused(tmp_path: Path, images: list[Path]) -> None:
    path = write_seg(tmp_path / "seg.dcm", images, numbered(), NAMES, "LABELMAP")
    whole = path.read_bytes()
    volume = read_volume(tmp_path / "ct")
    for size in [*range(0, len(whole) - 100, 151), len(whole) - 12]:
        path.write_bytes(whole[:size])
        with pytest.raises(UnreadableFile, match=r"seg\.dcm"):
            read_labels(path, like=volume)


def test_labels_of_a_seg_can_be_written_as_an_image(tmp_path: Path, images: list[Path]) -> None:
    from grisaille.io.labels import write_labels

    path = write_seg(tmp_path / "seg.dcm", images, numbered(), NAMES)
    labels = read_labels(path)
    write_labels(labels, tmp_path / "labels.nii.gz")
    back = read_labels(tmp_path / "labels.nii.gz", like=labels.grid)
    assert np.array_equal(back.voxels, labels.voxels)
    assert back.names == NAMES
