"""Labels keep their numbers, their names, their place and the order of their file."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from dicom_builder import write_series
from grisaille.core import safe_write
from grisaille.core.errors import GridMismatch, InputError, NoImages, OutputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.io.labels import read_labels, write_labels
from grisaille.io.sidecar import sidecar_path, write_names
from grisaille.io.study import read_volume
from image_builder import ORIENTATIONS, affine_of, numbers, oblique, save_itk, save_nifti


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS[::5])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_labels_are_written_in_the_order_of_the_volume_they_were_made_on(
    tmp_path: Path, suffix: str, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    path = save_nifti(tmp_path / "CT.nii.gz", numbers() - 1000, affine_of(order, signs))
    volume = read_volume(path)
    labels = Labels((volume.voxels % 7).astype(np.uint16), volume.grid, {3: "liver"}, volume.source)
    write_labels(labels, tmp_path / f"labels{suffix}")
    back = read_labels(tmp_path / f"labels{suffix}", like=volume)
    assert back.voxels.dtype == np.uint16
    assert np.array_equal(back.voxels, labels.voxels)
    assert back.names == {3: "liver"}
    assert back.grid == volume.grid
    stored = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"labels{suffix}"))).transpose(2, 1, 0)
    assert stored.dtype == np.uint16
    assert np.array_equal(stored, (numbers() - 1000) % 7)


def test_without_a_volume_labels_lie_where_their_file_says(tmp_path: Path) -> None:
    labels = read_labels(save_itk(tmp_path / "a.nrrd", numbers(), oblique(2)))
    assert np.allclose(labels.source.affine, oblique(2))
    assert labels.names == {}


def test_labels_of_another_orientation_land_on_the_same_voxels(tmp_path: Path) -> None:
    volume = read_volume(save_nifti(tmp_path / "CT.nii.gz", numbers() - 1000, np.diag([2.0, 2, 3, 1])))
    turned = np.diag([-2.0, -2, 3, 1])
    turned[:2, 3] = (4, 6)
    path = save_nifti(tmp_path / "gtv.nii.gz", np.flip(numbers(), (0, 1)), turned)
    assert np.array_equal(read_labels(path, like=volume).voxels, volume.voxels + 1000)


def test_labels_of_another_grid_are_refused(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "gtv.nii.gz", numbers())
    with pytest.raises(GridMismatch, match=r"gtv\.nii\.gz lies on 5 x 4 x 3 voxels of 1\.00.*; expected 5 x 4 x 3"):
        read_labels(path, like=Grid.from_spacing((5, 4, 3), 1.0, (0.0, 0.0, 0.2)))
    with pytest.raises(GridMismatch):
        read_labels(path, like=Grid.from_spacing((5, 4, 4), 1.0))
    near = Grid.from_spacing((5, 4, 3), 1.0, (0.0, 0.0, 0.01))
    assert read_labels(path, like=near).grid == near


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (numbers(dtype=np.float32) / 2, r"gtv\.nii: .*holds fractions"),
        (numbers() - 1, "from 0 to 65535"),
        (numbers(dtype=np.int32) + 65500, "from 0 to 65535"),
        (np.full((2, 2, 2), np.nan, np.float32), "from 0 to 65535"),
    ],
)
def test_what_is_no_label_is_refused_by_name(tmp_path: Path, array: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_labels(save_nifti(tmp_path / "gtv.nii", array))


def test_whole_numbers_in_any_type_are_labels(tmp_path: Path) -> None:
    for dtype in ("u1", "i2", "i8", "f4", "f8"):
        assert read_labels(save_nifti(tmp_path / "gtv.nii", numbers(dtype=dtype))).ids[-1] == 59


def test_a_damaged_sidecar_of_labels_is_told(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "gtv.nii", numbers())
    sidecar_path(path).write_text("{")
    with pytest.raises(UnreadableFile, match=r"gtv\.json"):
        read_labels(path)


def test_what_is_no_label_file_is_refused_with_what_would_be(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(NoImages, match="folder holds 0 DICOM SEG or RTSTRUCT files, expected one"):
        read_labels(tmp_path / "folder")
    with pytest.raises(UnreadableFile, match=r"seg\.dcm is not there"):
        read_labels(tmp_path / "seg.dcm")
    (image,) = write_series(tmp_path / "ct", count=1)
    with pytest.raises(UnreadableFile, match=r"CT1_000\.dcm holds no labels.*expected a sound DICOM SEG or RTSTRUCT"):
        read_labels(image)
    with pytest.raises(InputError, match=r"gtv\.nii is an image, expected a DICOM SEG or RTSTRUCT to choose"):
        read_labels(save_nifti(tmp_path / "gtv.nii", numbers()), rois=[1])


def test_names_of_older_labels_do_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "labels.nii.gz"
    labels = Labels(numbers((2, 2, 2)), Grid.from_spacing((2, 2, 2), 1.0))
    write_labels(labels, path)
    assert not sidecar_path(path).exists()
    write_names(path, {1: "liver"})
    write_labels(labels, path)
    assert read_labels(path).names == {}


def test_a_failed_write_leaves_the_older_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    grid = Grid.from_spacing((2, 2, 2), 1.0)
    write_labels(Labels(numbers((2, 2, 2)), grid), tmp_path / "labels.nii.gz")
    monkeypatch.setattr(safe_write.os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_labels(Labels(np.zeros((2, 2, 2)), grid), tmp_path / "labels.nii.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["labels.nii.gz"]
    assert np.asanyarray(nib.load(tmp_path / "labels.nii.gz").dataobj).max() == 7
    with pytest.raises(OutputError, match=r"labels\.png does not say what to write"):
        write_labels(Labels(np.zeros((2, 2, 2)), grid), tmp_path / "labels.png")


def test_names_inside_a_segmentation_of_slicer_are_read(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray((numbers() % 3).astype(np.uint8))
    for key, value in {
        "Segment0_LabelValue": "2",
        "Segment0_Name": "left lung",
        "Segment1_LabelValue": "1",
        "Segment1_Name": "liver",
        "Segment2_Name": "no number",
    }.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(tmp_path / "organs.seg.nrrd"))
    assert read_labels(tmp_path / "organs.seg.nrrd").names == {1: "liver", 2: "left lung"}


@pytest.mark.parametrize(
    "row", ['<Label Key="5" Red="0"><![CDATA[a & b]]></Label>', '<Label Key="5">a &amp; b</Label>']
)
def test_names_inside_a_nifti_are_read_and_those_beside_it_win(tmp_path: Path, row: str) -> None:
    path = save_nifti(tmp_path / "organs.nii.gz", numbers() % 7, affine_of((0, 1, 2), (1, 1, 1)))
    image = nib.load(path)
    image.header.extensions.append(nib.nifti1.Nifti1Extension(0, f"<LabelTable>{row}</LabelTable>".encode()))
    nib.save(image, tmp_path / "named.nii.gz")
    assert read_labels(tmp_path / "named.nii.gz").names == {5: "a & b"}
    write_names(tmp_path / "named.nii.gz", {5: "mine"})
    assert read_labels(tmp_path / "named.nii.gz").names == {5: "mine"}
