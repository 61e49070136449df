"""Real studies of several sources are read to the place and the values that others read."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from grisaille.core.errors import AmbiguousSeries, GridMismatch, NoImages, UnknownUnit
from grisaille.core.volume import Unit
from grisaille.io.info import describe
from grisaille.io.labels import read_labels, write_labels
from grisaille.io.study import read_study, read_volume
from grisaille.io.volumes import write_volume

pytestmark = pytest.mark.real_data


def test_a_folder_of_a_ct_and_a_pet_without_unit_is_refused_and_with_it_read(real_data: Path) -> None:
    folder = real_data / "sarcoma" / "STS_001"
    with pytest.raises(UnknownUnit, match=r"PET\.nii\.gz .*--pet-unit"):
        read_study(folder)
    study = read_study(folder, pet_unit="suvbw")
    assert study.ct is not None
    assert study.pet is not None
    assert (study.ct.grid.shape, study.pet.grid.shape) == ((59, 202, 198), (59, 43, 41))
    assert study.warnings == ()
    for volume in (study.ct, study.pet):
        labels = read_labels(folder / f"{volume.name}_gtv.nii.gz", like=volume)
        assert labels.ids == (1,)
        theirs = np.asanyarray(nib.load(folder / f"{volume.name}.nii.gz").dataobj)
        mask = np.asanyarray(nib.load(folder / f"{volume.name}_gtv.nii.gz").dataobj) > 0
        assert volume.voxels[labels.voxels > 0].mean() == pytest.approx(theirs[mask].mean(), rel=1e-6)


def test_the_cropped_pet_lies_on_the_whole_body_pet_of_the_same_patient(real_data: Path) -> None:
    folder = real_data / "sarcoma" / "STS_001"
    part = read_volume(folder / "PET.nii.gz", unit="suvbw")
    whole = read_study(folder / "wholebody_pet_dicom").pet
    assert whole is not None
    start = np.round(whole.grid.to_index(part.grid.origin_mm)).astype(int)
    assert np.allclose(whole.grid.to_mm(start), part.grid.origin_mm, atol=0.1)
    same = whole.voxels[tuple(slice(a, a + n) for a, n in zip(start, part.grid.shape, strict=True))]
    assert np.allclose(same, part.voxels, rtol=1e-3, atol=1e-3)


def test_a_dicom_series_and_the_labels_that_another_program_made_on_it_have_one_grid(real_data: Path) -> None:
    study = read_study(real_data / "ct_series")
    assert study.ct is not None
    labels = read_labels(real_data / "ct_series_labels.nii.gz", like=study.ct)
    assert labels.grid == study.ct.grid
    liver, lung = study.ct.voxels[labels.voxels == 5], study.ct.voxels[labels.voxels == 10]
    assert 0 < np.median(liver) < 200
    assert not lung.size or np.median(lung) < -600
    with pytest.raises(GridMismatch):
        read_labels(real_data / "chest_ct_nodule.nrrd", like=study.ct)


def test_an_nrrd_without_a_word_is_refused_and_read_when_it_is_said(real_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownUnit, match=r"chest_ct\.nrrd does not say what it is"):
        read_study(real_data / "chest_ct.nrrd")
    study = read_study(ct=real_data / "chest_ct.nrrd")
    assert study.ct is not None
    nodule = read_labels(real_data / "chest_ct_nodule.nrrd", like=study.ct)
    assert np.count_nonzero(nodule.voxels) == 837
    assert sorted(set(np.nonzero(nodule.voxels)[0])) == [32, 33, 34]
    assert study.ct.unit is Unit.HU
    write_labels(nodule, tmp_path / "nodule.nrrd")
    theirs = sitk.ReadImage(str(real_data / "chest_ct_nodule.nrrd"))
    ours = sitk.ReadImage(str(tmp_path / "nodule.nrrd"))
    assert ours.GetOrigin() == theirs.GetOrigin()
    assert np.array_equal(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(theirs))


def test_a_ras_file_is_written_back_bit_for_bit(real_data: Path, tmp_path: Path) -> None:
    study = read_study(real_data / "torso_ct")
    assert study.ct is not None
    assert study.ct.source.orientation == "RAS"
    assert len(read_labels(real_data / "torso_ct" / "labels.nii.gz", like=study.ct).ids) > 50
    write_volume(study.ct, tmp_path / "ct.nii.gz")
    ours, theirs = nib.load(tmp_path / "ct.nii.gz"), nib.load(real_data / "torso_ct" / "ct.nii.gz")
    assert ours.affine.tobytes() == theirs.affine.tobytes()
    assert np.array_equal(np.asanyarray(ours.dataobj), np.asanyarray(theirs.dataobj))


def test_the_masks_of_the_reference_objects_lie_on_their_pet(real_data: Path) -> None:
    folder = real_data / "suv_reference" / "DRO_0_0"
    pet = read_study(folder).pet
    assert pet is not None
    inside = pet.voxels[read_labels(folder / "mask.nii.gz", like=pet).voxels > 0]
    assert [round(float(f(inside)), 2) for f in (np.min, np.median, np.max)] == [0.2, 1.0, 4.0]


def test_folders_of_many_and_of_none_are_told(real_data: Path) -> None:
    with pytest.raises(AmbiguousSeries, match="11 PT series"):
        read_study(real_data / "suv_reference")
    with pytest.raises(NoImages, match="no images in prompts: 1 file skipped"):
        read_study(real_data / "prompts")


def test_info_tells_the_whole_body_pet(real_data: Path) -> None:
    (pet,) = describe([real_data / "sarcoma" / "STS_001" / "wholebody_pet_dicom"])["series"]
    assert pet["shape_zyx"] == [267, 128, 128]
    assert pet["spacing_zyx_mm"] == pytest.approx([3.27, 4.6875, 4.6875], abs=1e-4)
    assert (pet["unit"], pet["suv"]["inputs"]["weight_kg"]) == ("SUVbw", 71.0)
