"""What a file is called and what it is may differ; a NIfTI may come as a pair."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from dicom_builder import write_series
from grisaille.core.errors import InputError, OutputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.volume import Source
from grisaille.io.files import read_file, write_file
from grisaille.io.study import read_study, read_volume
from image_builder import numbers, oblique, save_itk, save_nifti


def made(folder: Path, kind: str) -> Path:
    """A sound file of a kind."""
    if kind == "dicom":
        return write_series(folder / "made", count=1)[0]
    if kind == "pair":
        return save_pair(folder / "made.hdr")
    save = save_nifti if kind.startswith(".nii") else save_itk
    return save(folder / f"made{kind}", numbers(), oblique(3))


def save_pair(path: Path) -> Path:
    affine = np.diag([-1.0, -1, 1, 1]) @ oblique(3)
    image = nib.Nifti1Pair(numbers() - 30, affine, dtype=np.int16)
    image.set_sform(affine, code=1)
    nib.save(image, path)
    return path


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        (".nii", "CT.nrrd", "CT.nrrd is no nrrd file: its content is NIfTI"),
        (".nii.gz", "CT.mha", "CT.mha is no mha file: its content is NIfTI"),
        (".nrrd", "CT.nii.gz", "CT.nii.gz is no nii.gz file: its content is NRRD"),
        (".mha", "CT.nii", "CT.nii is no nii file: its content is MetaImage"),
        ("dicom", "CT.nii", "CT.nii is no nii file: its content is DICOM"),
        ("pair", "CT.nii", "CT.nii is no nii file: its content is the header of a NIfTI pair"),
    ],
)
def test_a_file_under_the_name_of_another_kind_is_told_by_its_content(
    tmp_path: Path, kind: str, name: str, said: str
) -> None:
    (tmp_path / name).write_bytes(made(tmp_path, kind).read_bytes())
    with pytest.raises(UnreadableFile, match=said):
        read_volume(tmp_path / name)


@pytest.mark.parametrize("kind", [".nii", ".nii.gz"])
@pytest.mark.parametrize("name", ["CT.nii", "CT.nii.gz"])
def test_packed_or_not_is_told_by_the_content(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / name).write_bytes(made(tmp_path, kind).read_bytes())
    if name.endswith(f"CT{kind}"):
        assert read_file(tmp_path / name).voxels.size == numbers().size
    else:
        with pytest.raises(UnreadableFile, match=f"its content is NIfTI.*; rename it to end in {kind}"):
            read_file(tmp_path / name)


def test_dicom_is_known_by_its_content_under_any_name_of_nobody(tmp_path: Path) -> None:
    (tmp_path / "image.dat").write_bytes(made(tmp_path, "dicom").read_bytes())
    assert read_volume(tmp_path / "image.dat").unit == "HU"


def test_a_nifti_pair_is_read_by_its_header_and_a_lone_half_is_told(tmp_path: Path) -> None:
    pair = save_pair(tmp_path / "CT.hdr")
    one = save_nifti(tmp_path / "one.nii", numbers() - 30, oblique(3))
    image, single = read_file(pair), read_file(one)
    assert np.array_equal(image.voxels, single.voxels)
    assert image.grid.is_close(single.grid)
    assert read_study(pair).ct is not None
    (tmp_path / "CT.img").rename(tmp_path / "other.img")
    with pytest.raises(UnreadableFile, match=r"CT\.hdr keeps its voxels in CT\.img, which is not beside it"):
        read_file(pair)
    with pytest.raises(UnreadableFile, match=r"other\.img.*\.hdr"):
        read_volume(tmp_path / "other.img")


def test_a_pair_cut_off_and_analyze_are_refused(tmp_path: Path) -> None:
    pair = save_pair(tmp_path / "CT.hdr")
    (tmp_path / "CT.img").write_bytes((tmp_path / "CT.img").read_bytes()[:-2])
    with pytest.raises(UnreadableFile, match=r"CT\.img is truncated or damaged"):
        read_file(pair)
    nib.save(nib.AnalyzeImage(numbers(), np.eye(4)), tmp_path / "old.hdr")
    with pytest.raises(UnreadableFile, match=r"old\.hdr is ANALYZE .* does not say left from right"):
        read_file(tmp_path / "old.hdr")


def test_pairs_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="written as one file"):
        write_file(numbers(), Grid.from_spacing((3, 4, 5), 1.0), Source(), tmp_path / "a.hdr")
    assert not list(tmp_path.iterdir())


def test_zstandard_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "CT.nii.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(300))
    with pytest.raises(UnreadableFile, match=r"CT\.nii\.zst: not a DICOM file; expected .*\.nii\.gz"):
        read_volume(tmp_path / "CT.nii.zst")


@pytest.mark.parametrize("number", ["1e308", "-1e200", "1e30"])
def test_directions_from_which_itk_would_reckon_for_ever_are_refused(tmp_path: Path, number: str) -> None:
    path = save_itk(tmp_path / "CT.mha", numbers(), oblique(1))
    head, _, rest = path.read_bytes().partition(b"TransformMatrix = ")
    _, _, rest = rest.partition(b" ")
    path.write_bytes(head + b"TransformMatrix = " + number.encode() + b" " + rest)
    with pytest.raises(InputError, match=r"CT\.mha"):
        read_file(path)
