"""A tilted gantry: the slices stay as they were taken, a straight copy is made on request, a volume stays a volume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from grisaille.core.errors import OutputError
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.volume import Volume
from grisaille.imaging.resample import resample
from grisaille.io.labels import read_labels, store_labels, write_labels
from grisaille.io.study import read_volume
from grisaille.io.volumes import write_volume
from series_files import CENTRE_MM, PIXEL_MM, RADIUS_MM, STEP_MM, write_sphere

SPHERE_ML = 4 / 3 * np.pi * RADIUS_MM**3 / 1000


def ml_above_zero(volume: Volume) -> float:
    return float((volume.voxels > 0).sum()) * volume.grid.voxel_ml


@pytest.fixture(scope="module")
def tilted(tmp_path_factory: pytest.TempPathFactory) -> Volume:
    folder = tmp_path_factory.mktemp("tilted")
    write_sphere(folder, 15)
    return read_volume(folder)


@pytest.mark.parametrize("degrees", [-22.0, 0.0, 15.0, 30.0])
@pytest.mark.parametrize("orientation", ["axial", "sagittal"])
def test_a_ball_keeps_its_volume_and_its_place_tilted_and_straight(
    tmp_path: Path, degrees: float, orientation: str
) -> None:
    write_sphere(tmp_path, degrees, orientation)
    native = read_volume(tmp_path)
    assert native.grid.is_orthogonal is (degrees == 0)
    straight = resample(native, native.grid.orthogonal())
    centre = CENTRE_MM if orientation == "axial" else np.roll(CENTRE_MM, 1)
    for volume in (native, straight):
        assert ml_above_zero(volume) == pytest.approx(SPHERE_ML, rel=0.01)
        middle = volume.grid.to_mm(np.argwhere(volume.voxels > 0)).mean(axis=0)
        np.testing.assert_allclose(middle, centre[::-1], atol=0.1)
    assert straight.grid.is_orthogonal
    if degrees:
        assert any("nothing was resampled" in warning for warning in native.provenance.warnings)
        assert len(native.source.files) == 50
        assert straight.source.files == ()


def test_the_slices_of_the_straight_grid_are_those_of_the_tilted_one(tilted: Volume) -> None:
    straight = tilted.grid.orthogonal()
    assert straight.shape[0] == tilted.grid.shape[0]
    assert straight.spacing_mm == pytest.approx((STEP_MM * np.cos(np.radians(15)), PIXEL_MM, PIXEL_MM))
    assert tilted.grid.spacing_mm == pytest.approx((STEP_MM, PIXEL_MM, PIXEL_MM))
    np.testing.assert_allclose(straight.directions[:, 1:], tilted.grid.directions[:, 1:], atol=1e-7)
    indices = straight.to_index(tilted.grid.to_mm([[0, 0, 0], [7, 0, 0], [49, 0, 0]]))
    np.testing.assert_allclose(indices[:, 0], [0, 7, 49], atol=1e-6)
    corners = straight.to_index(tilted.grid.corners_mm())
    assert corners.min() > -1e-6
    assert (corners.max(axis=0) <= np.array(straight.shape) - 1 + 1e-6).all()
    assert straight.orthogonal() is straight


def test_a_grid_of_three_leaning_axes_is_made_straight_around_it() -> None:
    affine = np.eye(4)
    affine[:3, :3] = [[2, 0.3, 0.1], [0.2, 1, 0.3], [0, 0.1, 1.5]]
    grid = Grid((5, 6, 7), affine)
    straight = grid.orthogonal()
    assert straight.is_orthogonal
    corners = straight.to_index(grid.corners_mm())
    assert corners.min() > -1e-6
    assert (corners.max(axis=0) <= np.array(straight.shape) - 1 + 1e-6).all()


def test_shear_goes_into_nrrd_as_it_is_and_not_into_nifti(tilted: Volume, tmp_path: Path) -> None:
    """SimpleITK refuses a sheared NIfTI."""
    labels = Labels(tilted.voxels > 0, tilted.grid, source=tilted.source)
    for name in ("CT.nii.gz", "CT.nii"):
        with pytest.raises(OutputError, match=r"sheared grid .*gantry was tilted.*\.nrrd, or write resample"):
            write_volume(tilted, tmp_path / name)
        with pytest.raises(OutputError, match="sheared grid"):
            write_labels(labels, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    write_labels(labels, tmp_path / "labels.nrrd")
    again = read_labels(tmp_path / "labels.nrrd", like=tilted)
    np.testing.assert_array_equal(again.voxels, labels.voxels)
    store_labels(labels, tmp_path / "kept.nii.gz")  # what is saved against a crash comes back exactly
    np.testing.assert_array_equal(read_labels(tmp_path / "kept.nii.gz", like=tilted).voxels, labels.voxels)


def test_a_straight_copy_is_read_by_others_at_its_place(tilted: Volume, tmp_path: Path) -> None:
    straight = resample(tilted, tilted.grid.orthogonal())
    write_volume(straight, tmp_path / "CT.nii.gz")
    theirs = sitk.ReadImage(str(tmp_path / "CT.nii.gz"))
    values = sitk.GetArrayFromImage(theirs)
    middle = np.argwhere(values > 0).mean(axis=0)[::-1]
    np.testing.assert_allclose(theirs.TransformContinuousIndexToPhysicalPoint(middle.tolist()), CENTRE_MM, atol=0.1)
    assert int(nib.load(tmp_path / "CT.nii.gz").header["qform_code"]) == 1


def test_a_tilt_that_came_in_nifti_goes_out_as_it_came(tilted: Volume, tmp_path: Path) -> None:
    store_labels(Labels(tilted.voxels > 0, tilted.grid, source=tilted.source), tmp_path / "sheared.nii.gz")
    labels = read_labels(tmp_path / "sheared.nii.gz")
    write_labels(replace(labels, names={1: "ball"}), tmp_path / "again.nii.gz")
    assert read_labels(tmp_path / "again.nii.gz").grid.is_close(tilted.grid)
