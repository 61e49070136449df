"""NRRD and MetaImage in and out, with SimpleITK as witness, and every way a file can be wrong."""

from __future__ import annotations

import gzip
import re
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from grisaille.core.errors import InputError, OutputError, UnreadableFile, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.volume import Source, SourceFormat
from grisaille.io.axes import canonical
from grisaille.io.files import read_file, write_file
from grisaille.io.itk import read_itk, write_itk
from image_builder import ORIENTATIONS, affine_of, numbers, oblique, save_itk

BOTH = pytest.mark.parametrize("suffix", [".nrrd", ".mha"])


@BOTH
@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_all_48_orientations_come_back_bit_for_bit(
    tmp_path: Path, suffix: str, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    array, affine = numbers(), affine_of(order, signs)
    image = read_itk(save_itk(tmp_path / f"a{suffix}", array, affine))
    assert image.grid.is_axis_aligned
    assert image.source.affine.tobytes() == (affine + 0.0).tobytes()
    assert image.voxels[0, 0, 0] == array[tuple(-1 if sign < 0 else 0 for sign in signs)]
    write_itk(image.voxels, image.grid, image.source, tmp_path / f"b{suffix}")
    again, theirs = read_itk(tmp_path / f"b{suffix}"), sitk.ReadImage(str(tmp_path / f"b{suffix}"))
    assert again.source.affine.tobytes() == image.source.affine.tobytes()
    assert again.grid == image.grid
    assert np.array_equal(again.voxels, image.voxels)
    assert np.array_equal(sitk.GetArrayFromImage(theirs).transpose(2, 1, 0), array)


@BOTH
@given(seed=st.integers(0, 10**6), shape=st.tuples(*[st.integers(1, 5)] * 3))
@settings(max_examples=40, deadline=None)
def test_oblique_volumes_come_back_in_their_place_and_itk_sees_it(
    suffix: str, seed: int, shape: tuple[int, int, int]
) -> None:
    array, affine = numbers(shape, np.float32), oblique(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a{suffix}")
        voxels, grid, source = canonical(array, affine, format=SourceFormat.NRRD, name="a")
        write_itk(voxels, grid, source, path)
        image, by_itk = read_itk(path), sitk.ReadImage(str(path))
    assert np.array_equal(image.voxels, voxels)
    assert np.allclose(image.source.affine, affine, rtol=0, atol=1e-12)
    assert image.grid.is_close(grid, tolerance_mm=1e-9)
    last = [size - 1 for size in shape]
    assert np.allclose(by_itk.TransformIndexToPhysicalPoint(last), affine[:3] @ [*last, 1], atol=1e-6)


@BOTH
def test_a_file_that_is_read_and_written_again_and_again_does_not_drift(tmp_path: Path, suffix: str) -> None:
    image = read_itk(save_itk(tmp_path / f"a{suffix}", numbers(), oblique(3)))
    first = image.grid
    for _ in range(20):
        write_itk(image.voxels, image.grid, image.source, tmp_path / f"a{suffix}")
        image = read_itk(tmp_path / f"a{suffix}")
    assert image.grid.is_close(first, tolerance_mm=1e-9)


@BOTH
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_every_number_type_keeps_its_values(tmp_path: Path, suffix: str, dtype: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_itk(numbers(dtype=dtype), Grid.from_spacing((3, 4, 5), 1.0), Source(), path)
    image = read_itk(path)
    assert image.voxels.dtype == np.dtype(dtype)
    assert np.array_equal(image.voxels, numbers())


def test_an_mhd_with_its_raw_file_beside_it_is_read(tmp_path: Path) -> None:
    for compress in (False, True):
        path = save_itk(tmp_path / f"a{compress}.mhd", numbers(), oblique(1), compress=compress)
        assert np.array_equal(np.sort(read_itk(path).voxels, axis=None), numbers().ravel())
    next(tmp_path.glob("*.zraw")).unlink()
    with pytest.raises(UnreadableFile, match="names a file of voxels that is not beside it"):
        read_itk(path)


@pytest.mark.parametrize("elsewhere", ["/etc/passwd", "../a.raw", "..", ".", "", "a" * 999, "LIST", "a%d.raw 1 3 1"])
def test_a_header_does_not_reach_outside_of_its_folder(tmp_path: Path, elsewhere: str) -> None:
    path = save_itk(tmp_path / "a.mhd", numbers())
    path.write_text(re.sub(r"ElementDataFile = .*", f"ElementDataFile = {elsewhere}", path.read_text()))
    with pytest.raises(UnreadableFile, match=r"a\.mhd names a file of voxels that is not beside it"):
        read_itk(path)


def test_an_nrrd_with_voxels_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_text("NRRD0004\ntype: short\ndata file: /etc/passwd\n\n")
    with pytest.raises(UnreadableFile, match="keeps its voxels in other files"):
        read_itk(tmp_path / "a.nrrd")


def test_sheared_axes_are_kept(tmp_path: Path) -> None:
    affine = np.diag([2.0, 2, 3, 1])
    affine[0, 2] = 0.75
    image = read_itk(save_itk(tmp_path / "a.nrrd", numbers(), affine))
    assert np.allclose(image.source.affine, affine)


@pytest.mark.parametrize(
    ("suffix", "pattern", "instead"),
    [
        (".nrrd", rb"space: .*\n", b"space dimension: 3\n"),
        (".nrrd", rb"space directions: .*\n", b""),
        (".mha", rb"TransformMatrix = .*\n", b""),
    ],
)
def test_without_orientation_a_file_is_refused(tmp_path: Path, suffix: str, pattern: bytes, instead: bytes) -> None:
    path = save_itk(tmp_path / f"a{suffix}", numbers())
    path.write_bytes(re.sub(pattern, instead, path.read_bytes()))
    with pytest.raises(InputError, match="left and right are unknown"):
        read_itk(path)


@BOTH
def test_of_four_dimensions_one_volume_has_to_be_chosen(tmp_path: Path, suffix: str) -> None:
    array = numbers((2, 3, 4, 5))
    image = sitk.GetImageFromArray(array, isVector=False)
    image.SetSpacing((1.0, 2.0, 3.0, 1.0))
    path = tmp_path / f"a{suffix}"
    sitk.WriteImage(image, str(path))
    # SimpleITK leaves the space of four dimensions open in NRRD; others write it.
    path.write_bytes(path.read_bytes().replace(b"space dimension: 4", b"space: left-posterior-superior-time"))
    with pytest.raises(UnsuitableVolume, match="holds 2 volumes"):
        read_itk(path)
    chosen = read_itk(path, frame=1)
    assert np.array_equal(chosen.voxels, array[1])
    assert chosen.grid.spacing_mm == (3.0, 2.0, 1.0)
    with pytest.raises(UnsuitableVolume, match="frame 2 is not there"):
        read_itk(path, frame=2)


def test_a_picture_is_one_slice(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(numbers((3, 4))), str(tmp_path / "a.mha"))
    assert np.array_equal(read_itk(tmp_path / "a.mha").voxels, numbers((3, 4))[None])


def test_colours_and_complex_numbers_are_refused(tmp_path: Path) -> None:
    colours = sitk.GetImageFromArray(numbers((2, 2, 2, 3), np.uint8), isVector=True)
    sitk.WriteImage(colours, str(tmp_path / "colours.nrrd"))
    sitk.WriteImage(sitk.Image([2, 2, 2], sitk.sitkComplexFloat32), str(tmp_path / "complex.nrrd"))
    for name in ("colours", "complex"):
        with pytest.raises(UnreadableFile, match=f"{name}.nrrd holds voxels of kind"):
            read_itk(tmp_path / f"{name}.nrrd")


def spoilt(whole: bytes) -> dict[str, bytes]:
    """What may become of a file on its way."""
    flipped = bytearray(whole)
    flipped[len(whole) * 3 // 4] ^= 0xFF
    return {
        "empty": b"",
        "text": b"this is a letter and no image\n" * 100,
        "header cut": whole[:150],
        "voxels cut": whole[: len(whole) // 2],
        "end cut": whole[:-5],
        "flipped": bytes(flipped),
    }


@BOTH
@pytest.mark.parametrize(
    ("what", "compress"),
    # A changed number in plain voxels cannot be told.
    sorted({(what, compress) for what in spoilt(bytes(9)) for compress in (False, True)} - {("flipped", False)}),
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, suffix: str, what: str, compress: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 1000, (20, 20, 20)).astype(np.int16)
    whole = save_itk(tmp_path / f"whole{suffix}", noise, compress=compress).read_bytes()
    path = tmp_path / f"spoilt{suffix}"
    path.write_bytes(spoilt(whole)[what])
    with pytest.raises(UnreadableFile, match=rf"^spoilt\{suffix}") as told:
        read_itk(path)
    assert str(tmp_path) not in str(told.value)


def test_compressed_metaimage_data_of_the_wrong_length_are_refused(tmp_path: Path) -> None:
    path = save_itk(tmp_path / "a.mhd", numbers((4, 4, 4)), compress=True)
    other = save_itk(tmp_path / "b.mhd", numbers((4, 4, 5)), compress=True)
    size = f"CompressedDataSize = {other.with_suffix('.zraw').stat().st_size}"
    path.with_suffix(".zraw").write_bytes(other.with_suffix(".zraw").read_bytes())
    path.write_text(re.sub("CompressedDataSize = .*", size, path.read_text()))
    with pytest.raises(UnreadableFile, match=r"a\.mhd is not a whole MetaImage"):
        read_itk(path)


@BOTH
def test_a_header_that_claims_the_moon_is_refused_before_memory_is_taken(tmp_path: Path, suffix: str) -> None:
    path = save_itk(tmp_path / f"a{suffix}", numbers(), compress=True)
    path.write_bytes(re.sub(rb"(?i)(sizes:|DimSize =) 3 4 5", rb"\1 30000 30000 3000", path.read_bytes()))
    before = psutil.Process().memory_info().rss
    with pytest.raises(UnreadableFile, match=r"its header declares 5,400 GB"):
        read_itk(path)
    assert psutil.Process().memory_info().rss - before < 50e6


def test_a_header_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mha").write_bytes(b"NDims = 3\n" * 200_000)
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0004\n" + b"# nothing\n" * 200_000)
    for suffix in ("mha", "nrrd"):
        with pytest.raises(InputError):
            read_itk(tmp_path / f"a.{suffix}")


@BOTH
def test_a_full_disk_on_which_simpleitk_says_nothing_leaves_nothing(tiny_disk: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).random((40, 40, 40), dtype=np.float32)
    with pytest.raises(OutputError, match=rf"noise\{suffix} (could not be written|was not written whole)"):
        write_itk(noise, Grid.from_spacing(noise.shape, 1.0), Source(), tiny_disk / f"noise{suffix}")
    assert list(tiny_disk.iterdir()) == []


def test_what_simpleitk_cannot_write_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError(f"cannot open {tmp_path}")

    monkeypatch.setattr(sitk, "WriteImage", refuse)
    with pytest.raises(OutputError, match=r"a\.mha could not be written") as told:
        write_itk(numbers(), Grid.from_spacing((3, 4, 5), 1.0), Source(), tmp_path / "a.mha")
    assert str(tmp_path) not in str(told.value)


def test_the_name_says_the_kind_of_file(tmp_path: Path) -> None:
    grid = Grid.from_spacing((3, 4, 5), 1.0)
    for suffix in (".nii", ".nii.gz", ".nrrd", ".mha"):
        write_file(numbers(), grid, Source(), tmp_path / f"a{suffix}")
        assert np.array_equal(read_file(tmp_path / f"a{suffix}").voxels, numbers())
    assert gzip.decompress((tmp_path / "a.nii.gz").read_bytes())[344:347] == b"n+1"
    for name in ("a.mhd", "a.png"):
        with pytest.raises(OutputError, match=name):
            write_file(numbers(), grid, Source(), tmp_path / name)
    with pytest.raises(UnreadableFile, match=r"a\.png is of no kind"):
        read_file(tmp_path / "a.png")


@pytest.mark.parametrize("count", ["93", "11", "0", "-1", "3x", ""])
def test_a_metaimage_of_impossible_dimensions_is_refused_before_itk_sees_it(tmp_path: Path, count: str) -> None:
    # ITK ends the whole program, and the viewer with it, at more than ten.
    path = save_itk(tmp_path / "a.mha", numbers(), oblique(1))
    path.write_bytes(path.read_bytes().replace(b"NDims = 3", f"NDims = {count}".encode()))
    with pytest.raises(UnreadableFile, match=r"a\.mha"):
        read_itk(path)
