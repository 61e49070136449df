"""NIfTI in and out, with nibabel and SimpleITK as witnesses, and every way a file can be wrong."""

from __future__ import annotations

import gzip
import shutil
import struct
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from grisaille.core.errors import InputError, OutOfMemory, OutputError, UnreadableFile, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.volume import Source, SourceFormat
from grisaille.io import nifti
from grisaille.io.axes import canonical
from grisaille.io.nifti import read_nifti, write_nifti
from image_builder import ORIENTATIONS, affine_of, numbers, oblique, save_nifti

RAS = np.diag([-1.0, -1, 1, 1])


def header_bytes(path: Path, offset: int, code: str, *values: float) -> Path:
    """Overwrite fields of an uncompressed NIfTI-1 header."""
    content = bytearray(path.read_bytes())
    struct.pack_into(code, content, offset, *values)
    path.write_bytes(content)
    return path


DIM, DATATYPE, PIXDIM, SCALE, QUATERNION, SROW = 40, 70, 76, 112, 256, 280


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_all_48_orientations_come_back_bit_for_bit(
    tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    array, affine = numbers(), affine_of(order, signs)
    image = read_nifti(save_nifti(tmp_path / "a.nii", array, affine))
    assert image.source.format is SourceFormat.NIFTI
    assert image.grid.is_axis_aligned
    assert image.voxels[0, 0, 0] == array[tuple(-1 if sign < 0 else 0 for sign in signs)]
    write_nifti(image.voxels, image.grid, image.source, tmp_path / "b.nii.gz")
    theirs = nib.load(tmp_path / "b.nii.gz")
    assert theirs.affine.tobytes() == nib.load(tmp_path / "a.nii").affine.tobytes()
    assert np.array_equal(np.asanyarray(theirs.dataobj), array)
    again = read_nifti(tmp_path / "b.nii.gz")
    assert again.source.affine.tobytes() == image.source.affine.tobytes()
    assert again.grid == image.grid
    assert np.array_equal(again.voxels, image.voxels)


@given(seed=st.integers(0, 10**6), shape=st.tuples(*[st.integers(1, 5)] * 3))
@settings(max_examples=60, deadline=None)
def test_oblique_volumes_come_back_bit_for_bit_and_others_read_the_same_places(
    seed: int, shape: tuple[int, int, int]
) -> None:
    array, affine = numbers(shape, np.float32), oblique(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.nii.gz")
        voxels, grid, source = canonical(array, affine, format=SourceFormat.NIFTI, name="a")
        write_nifti(voxels, grid, source, path)
        image, by_nibabel, by_itk = read_nifti(path), nib.load(path), sitk.ReadImage(str(path))
        assert np.array_equal(np.asanyarray(by_nibabel.dataobj), array)
    assert image.source.affine.tobytes() == affine.tobytes()
    assert np.array_equal(image.voxels, voxels)
    assert image.grid == grid
    assert np.array_equal(RAS @ by_nibabel.affine, affine)
    last = [size - 1 for size in shape]
    assert np.allclose(by_itk.TransformIndexToPhysicalPoint(last), affine[:3] @ [*last, 1], atol=1e-2)
    assert np.array_equal(sitk.GetArrayFromImage(by_itk), array.transpose(2, 1, 0))


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", ">i2", ">f4"])
def test_every_number_type_keeps_its_values_and_is_native(tmp_path: Path, dtype: str) -> None:
    array = numbers(dtype=dtype)
    image = read_nifti(save_nifti(tmp_path / "a.nii.gz", array))
    assert image.voxels.dtype.isnative
    assert image.voxels.dtype == np.dtype(dtype).newbyteorder("=")
    write_nifti(image.voxels, image.grid, image.source, tmp_path / "b.nii.gz")
    assert np.array_equal(np.asanyarray(nib.load(tmp_path / "b.nii.gz").dataobj), array)


@pytest.mark.parametrize(
    ("given", "written"), [(np.bool_, np.uint8), (np.float16, np.float32), (np.longdouble, np.float32)]
)
def test_types_that_nifti_lacks_are_written_in_the_nearest(tmp_path: Path, given: type, written: type) -> None:
    write_nifti(np.ones((2, 2, 2), given), Grid.from_spacing((2, 2, 2), 1.0), Source(), tmp_path / "a.nii")
    assert nib.load(tmp_path / "a.nii").get_data_dtype() == written


def test_complex_voxels_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="complex128"):
        write_nifti(np.ones((2, 2, 2), complex), Grid.from_spacing((2, 2, 2), 1.0), Source(), tmp_path / "a.nii")


@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "dtype"),
    [
        (np.int16, 1.0, -1024.0, np.int16),
        (np.uint16, 2.0, 0.0, np.int16),
        (np.int16, 1000.0, 0.0, np.float32),  # does not fit into 16 bits
        (np.int16, 0.5, 1.25, np.float32),
        (np.int32, 0.5, 0.0, np.float32),
        (np.float32, 2.0, 0.0, np.float32),
    ],
)
def test_stored_numbers_are_rescaled(tmp_path: Path, stored: type, slope: float, intercept: float, dtype: type) -> None:
    path = save_nifti(tmp_path / "a.nii", numbers(dtype=stored))
    image = read_nifti(header_bytes(path, SCALE, "<2f", slope, intercept))
    assert image.voxels.dtype == dtype
    assert np.array_equal(image.voxels.transpose(2, 1, 0), numbers().astype(float) * slope + intercept)


@pytest.mark.parametrize("slope", [0.0, float("nan")])
def test_a_slope_of_nothing_means_no_scaling(tmp_path: Path, slope: float) -> None:
    path = save_nifti(tmp_path / "a.nii", numbers())
    image = read_nifti(header_bytes(path, SCALE, "<2f", slope, 5.0))
    assert np.array_equal(image.voxels.transpose(2, 1, 0), numbers())
    assert image.warnings == (
        f"a.nii gives {slope:g} as the slope of its values; they were taken as they are stored (slope 1)",
    )


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_a_slope_of_nothing_is_said_of_a_packed_file_and_of_nifti_2_and_of_no_sound_file(
    tmp_path: Path, kind: type
) -> None:
    nib.save(kind(numbers(), np.diag([-2.0, -2, 3, 1])), tmp_path / "sound.nii.gz")
    assert read_nifti(tmp_path / "sound.nii.gz").warnings == ()
    content = bytearray(gzip.decompress((tmp_path / "sound.nii.gz").read_bytes()))
    struct.pack_into(*(("<f", content, SCALE, 0.0) if kind is nib.Nifti1Image else ("<d", content, 176, 0.0)))
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(content)))
    assert "slope 1" in read_nifti(tmp_path / "a.nii.gz").warnings[0]


def test_the_header_says_millimetres_and_both_forms_where_they_agree(tmp_path: Path) -> None:
    image = read_nifti(save_nifti(tmp_path / "a.nii", numbers(), affine_of((0, 1, 2), (1, 1, 1)), qform=1, sform=0))
    write_nifti(image.voxels, image.grid, image.source, tmp_path / "b.nii.gz")
    header = nib.load(tmp_path / "b.nii.gz").header
    assert header.get_xyzt_units()[0] == "mm"
    assert (int(header["qform_code"]), int(header["sform_code"])) == (1, 1)
    assert bytes(header["descrip"]).strip(b"\0") == b""


def test_the_same_volume_gives_the_same_bytes_under_any_name(tmp_path: Path) -> None:
    for name in ("one.nii.gz", "another.nii.gz"):
        write_nifti(numbers(), Grid.from_spacing((3, 4, 5), 2.0), Source(), tmp_path / name)
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "another.nii.gz").read_bytes()


def sheared() -> np.ndarray:
    affine = np.diag([2.0, 2, 3, 1])
    affine[0, 2] = 0.75
    return affine


def test_shear_is_kept_and_said_and_leaves_the_qform_out(tmp_path: Path) -> None:
    image = read_nifti(save_nifti(tmp_path / "a.nii", numbers(), sheared()))
    assert "not at right angles" in image.warnings[0]
    write_nifti(image.voxels, image.grid, image.source, tmp_path / "b.nii.gz")
    theirs = nib.load(tmp_path / "b.nii.gz")
    assert int(theirs.header["qform_code"]) == 0
    assert np.array_equal(RAS @ theirs.affine, sheared())


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000.0), ("micron", 0.001)])
def test_other_units_become_millimetres_and_that_is_said(tmp_path: Path, unit: str, factor: float) -> None:
    steps = np.array([3.0, 2.0, 2.0]) / factor
    image = nib.Nifti1Image(numbers(), np.diag([-steps[2], -steps[1], steps[0], 1]))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii")
    read = read_nifti(tmp_path / "a.nii")
    assert np.allclose(read.grid.spacing_mm, (3.0, 2.0, 2.0), rtol=1e-6)
    assert unit in read.warnings[0]


def test_a_nifti_2_file_and_a_gzip_under_a_plain_name_are_told_by_their_content(tmp_path: Path) -> None:
    nib.save(nib.Nifti2Image(numbers(), np.eye(4)), tmp_path / "two.nii.gz")
    assert np.array_equal(np.sort(read_nifti(tmp_path / "two.nii.gz").voxels, axis=None), numbers().ravel())
    path = save_nifti(tmp_path / "a.nii.gz", numbers())
    with pytest.raises(UnreadableFile, match=r"plain\.nii is not a whole NIfTI"):
        read_nifti(Path(shutil.copy(path, tmp_path / "plain.nii")))


def test_without_orientation_a_file_is_read_as_the_standard_has_it_and_that_is_said(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii", numbers(), np.diag([2.0, 2.5, 3, 1]), sform=0, qform=0)
    image = read_nifti(path)
    assert image.warnings[0].startswith("orientation unknown: a.nii does not say how it lies in the patient")
    assert image.source.orientation == "unknown"
    assert image.grid.spacing_mm == (3.0, 2.5, 2.0)
    assert np.array_equal(image.voxels, numbers()[::-1, ::-1].transpose(2, 1, 0))  # to right, anterior, superior


def test_what_is_written_on_a_file_without_orientation_claims_none(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii", numbers(), np.diag([2.0, 2.5, 3, 1]), sform=0, qform=0)
    image = read_nifti(path)
    write_nifti(image.voxels, image.grid, image.source, tmp_path / "b.nii.gz")
    theirs = nib.load(tmp_path / "b.nii.gz")
    assert (int(theirs.header["qform_code"]), int(theirs.header["sform_code"])) == (0, 0)
    assert np.array_equal(theirs.affine, nib.load(path).affine)
    assert np.array_equal(np.asanyarray(theirs.dataobj), numbers())
    itk, itk_again = (sitk.ReadImage(str(file)) for file in (path, tmp_path / "b.nii.gz"))
    assert itk.GetOrigin() == itk_again.GetOrigin()
    assert itk.GetDirection() == itk_again.GetDirection()
    half = image.grid.cropped((0, 0, 0), (5, 2, 3))  # no longer where the source would put it: has to be said
    write_nifti(image.voxels[:, :2], half, image.source, tmp_path / "c.nii.gz")
    assert read_nifti(tmp_path / "c.nii.gz").grid.is_close(half)


def test_voxel_sizes_of_nothing_without_orientation_are_refused(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii", numbers(), sform=0, qform=0)
    with pytest.raises(InputError, match="singular or not finite"):
        read_nifti(header_bytes(path, PIXDIM + 4, "<3f", float("nan"), 1.0, 1.0))


def test_forms_that_disagree_are_refused(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii", numbers(), np.diag([2.0, 2, 3, 1]), qform=1)
    read_nifti(path)
    moved = header_bytes(path, SROW, "<4f", -2, 0, 0, 0.5)
    with pytest.raises(InputError, match=r"a\.nii contradicts itself.*up to 0.5 mm apart.*set_qform\(None, 0\)"):
        read_nifti(moved)
    header_bytes(path, SROW, "<4f", float("nan"), 0, 0, 0)
    with pytest.raises(InputError, match="contradicts itself"):
        read_nifti(path)


@pytest.mark.parametrize("angle", [179.99, 180.0])
def test_half_a_turn_which_a_quaternion_in_float32_cannot_hold_well_is_not_a_contradiction(
    tmp_path: Path, angle: float
) -> None:
    turn = np.eye(4)
    turn[:3, :3] = nib.quaternions.angle_axis2mat(np.radians(angle), [0.6, 0.64, 0.48])
    image = read_nifti(save_nifti(tmp_path / "a.nii", numbers(), turn, qform=1))
    write_nifti(image.voxels, image.grid, image.source, tmp_path / "b.nii.gz")
    by_itk = sitk.ReadImage(str(tmp_path / "b.nii.gz"))
    place = turn.astype(np.float32).astype(float)[:3] @ [2, 3, 4, 1]
    assert np.allclose(by_itk.TransformIndexToPhysicalPoint([2, 3, 4]), place, atol=2e-3)


@pytest.mark.parametrize("row", [(0.0, 0.0, 0.0, 0.0), (float("nan"), 0, 0, 0), (float("inf"), 0, 0, 0)])
def test_a_singular_or_infinite_affine_is_refused(tmp_path: Path, row: tuple[float, ...]) -> None:
    path = header_bytes(save_nifti(tmp_path / "a.nii", numbers()), SROW, "<4f", *row)
    with pytest.raises(InputError, match="singular or not finite"):
        read_nifti(path)


def test_of_four_dimensions_one_volume_has_to_be_chosen(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii.gz", numbers((3, 4, 5, 2)))
    with pytest.raises(UnsuitableVolume, match=r"a\.nii\.gz holds 2 volumes.*frame=0 to 1"):
        read_nifti(path)
    for frame in (0, 1):
        chosen = read_nifti(path, frame=frame).voxels
        assert np.array_equal(chosen.transpose(2, 1, 0), numbers((3, 4, 5, 2))[..., frame])
    with pytest.raises(UnsuitableVolume, match="frame 2 is not there; choose one from 0 to 1"):
        read_nifti(path, frame=2)
    with pytest.raises(UnsuitableVolume, match="holds 1 volume, so frame 1 is not there; leave the frame out"):
        read_nifti(save_nifti(tmp_path / "b.nii", numbers()), frame=1)
    with pytest.raises(UnsuitableVolume, match="has 5 axes"):
        read_nifti(save_nifti(tmp_path / "c.nii", numbers((3, 4, 5, 2, 2))))


def test_axes_of_one_step_are_no_axes_and_a_picture_is_one_slice(tmp_path: Path) -> None:
    assert read_nifti(save_nifti(tmp_path / "a.nii", numbers((3, 4, 5, 1, 1)))).voxels.shape == (5, 4, 3)
    assert read_nifti(save_nifti(tmp_path / "b.nii", numbers((3, 4)))).voxels.shape == (1, 4, 3)


@pytest.mark.parametrize("dtype", ["c8", [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_colours_and_complex_numbers_are_refused(tmp_path: Path, dtype: object) -> None:
    with pytest.raises(UnreadableFile, match="expected whole or real numbers"):
        read_nifti(save_nifti(tmp_path / "a.nii", np.zeros((2, 2, 2), np.dtype(dtype))))


def damaged_files(folder: Path) -> dict[str, Path]:
    """Files that are no whole NIfTI, by what is wrong."""
    plain = save_nifti(folder / "whole.nii", numbers((20, 20, 20)))
    packed = save_nifti(folder / "whole.nii.gz", np.random.default_rng(0).integers(0, 9, (20, 20, 20), np.int16))
    files = {}

    def made(what: str, content: bytes, suffix: str = ".nii") -> None:
        files[what] = folder / f"{what.replace(' ', '_')}{suffix}"
        files[what].write_bytes(content)

    made("empty", b"")
    made("text", b"this is a letter and no image\n" * 100)
    made("text packed", gzip.compress(b"this is a letter and no image\n" * 100), ".nii.gz")
    made("not packed", plain.read_bytes(), ".nii.gz")
    made("header cut", plain.read_bytes()[:200])
    made("voxels cut", plain.read_bytes()[:5000])
    made("packed cut", packed.read_bytes()[:-1000], ".nii.gz")
    made("cut then packed", gzip.compress(plain.read_bytes()[:5000]), ".nii.gz")
    made("packed header cut", packed.read_bytes()[:60], ".nii.gz")
    flipped = bytearray(packed.read_bytes())
    flipped[len(flipped) // 2] ^= 0xFF
    made("packed flipped", bytes(flipped), ".nii.gz")
    checksum = bytearray(packed.read_bytes())
    checksum[-8] ^= 0xFF
    made("checksum", bytes(checksum), ".nii.gz")
    made("too much behind", gzip.compress(plain.read_bytes() + bytes(1 << 21)), ".nii.gz")
    for what, offset, code, values in [
        ("no dimensions", DIM, "<h", (0,)),
        ("negative size", DIM + 2, "<h", (-5,)),
        ("size of nothing", DIM + 2, "<h", (0,)),
        ("unknown type", DATATYPE, "<h", (999,)),
        ("infinite intercept", SCALE, "<2f", (1.0, float("inf"))),
    ]:
        copy = folder / f"{what.replace(' ', '_')}.nii"
        files[what] = header_bytes(Path(shutil.copy(plain, copy)), offset, code, *values)
    return files


@pytest.mark.parametrize("what", sorted(damaged_files(Path(tempfile.mkdtemp()))))
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, what: str) -> None:
    path = damaged_files(tmp_path)[what]
    with pytest.raises(UnreadableFile, match=f"^{path.name}") as told:
        read_nifti(path)
    assert str(tmp_path) not in str(told.value)


def test_a_quaternion_that_is_none_is_refused(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii", numbers(), qform=1, sform=0)
    with pytest.raises(UnreadableFile, match="header makes no sense"):
        read_nifti(header_bytes(path, QUATERNION, "<3f", 3.0, 3.0, 3.0))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"none\.nii is not there"):
        read_nifti(tmp_path / "none.nii")


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_claims_the_moon_is_refused_before_memory_is_taken(tmp_path: Path, packed: bool) -> None:
    path = header_bytes(save_nifti(tmp_path / "a.nii", numbers()), DIM, "<4h", 3, 32767, 32767, 32767)
    if packed:
        packed_path = tmp_path / "a.nii.gz"
        packed_path.write_bytes(gzip.compress(path.read_bytes()))
        path = packed_path
    before = psutil.Process().memory_info().rss
    with pytest.raises(UnreadableFile, match=r"truncated or damaged: its header declares 70,\d\d\d GB"):
        read_nifti(path)
    assert psutil.Process().memory_info().rss - before < 50e6


def test_more_than_the_free_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_nifti(tmp_path / "a.nii", numbers())
    little = type("Memory", (), {"available": 100})()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    with pytest.raises(OutOfMemory, match=r"a\.nii needs 240 bytes of memory, 100 bytes are free"):
        read_nifti(path)


def test_an_empty_mask_which_packs_a_thousandfold_is_read(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii.gz", np.zeros((128, 128, 128), np.uint8))
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 9))
    assert 128**3 / path.stat().st_size > 900
    assert not read_nifti(path).voxels.any()


def test_a_full_disk_leaves_nothing(tiny_disk: Path) -> None:
    noise = np.random.default_rng(0).random((40, 40, 40), dtype=np.float32)
    with pytest.raises(OutputError, match=r"noise\.nii\.gz: the disk is full"):
        write_nifti(noise, Grid.from_spacing(noise.shape, 1.0), Source(), tiny_disk / "noise.nii.gz")
    assert list(tiny_disk.iterdir()) == []


def test_what_reads_back_differently_or_not_at_all_does_not_take_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = Grid.from_spacing((3, 4, 5), 1.0)
    other = save_nifti(tmp_path / "other.nii", numbers() + 1)
    for instead in (other, tmp_path / "nothing.nii"):
        monkeypatch.setattr(nifti, "read_nifti", lambda _, instead=instead: read_nifti(instead))
        with pytest.raises(OutputError, match=r"a\.nii was not written whole"):
            write_nifti(numbers(), grid, Source(), tmp_path / "a.nii")
        assert not (tmp_path / "a.nii").exists()
