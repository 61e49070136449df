"""A study is found, chosen and put together; what is not certain is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dicom_builder import ORIGIN_MM, PATIENT, ROOT, SUV_FACTOR, put, stored, write_series
from grisaille.core.errors import (
    AmbiguousSeries,
    Cancelled,
    GridMismatch,
    InputError,
    NoImages,
    UnknownUnit,
    UnreadableFile,
    UnsuitableVolume,
)
from grisaille.core.run import Run
from grisaille.core.volume import Modality, SourceFormat, Unit
from grisaille.io.pseudonym import pseudonym
from grisaille.io.sidecar import write_volume_sidecar
from grisaille.io.study import read_study, read_volume
from image_builder import numbers, save_itk, save_nifti

HERE = np.diag([1.0, 1, 1, 1])
ORIGIN_OF_DICOM = np.pad(np.array(ORIGIN_MM)[:, None], ((0, 1), (3, 0)))
THERE = np.array([[1.0, 0, 0, 500], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.fixture
def dicom(tmp_path: Path) -> Path:
    """A folder with a CT and a PET series in folders of their own, and other things beside them."""
    write_series(tmp_path / "patient" / "a", "CT", series=3)
    write_series(tmp_path / "patient" / "b", "PT", series=4)
    (tmp_path / "patient" / "README.txt").write_text("nothing")
    save_nifti(tmp_path / "patient" / "lesions.nii.gz", numbers())
    return tmp_path / "patient"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of image files, with masks and a folder that are not taken up."""
    folder = tmp_path / "case"
    folder.mkdir()
    save_nifti(folder / "CT.nii.gz", numbers() - 1000)
    save_itk(folder / "PET.nrrd", numbers(dtype=np.float32), np.diag([2.0, 2, 2, 1]))
    for name in ("CT_gtv.nii.gz", "labels.nii.gz", "other.nii.gz", "._CT.nii.gz"):
        save_nifti(folder / name, numbers())
    write_series(folder / "dicom", "PT")
    (folder / "CT_folder.nii").mkdir()
    return folder


def test_a_dicom_folder_with_a_ct_and_a_pet_is_a_study(dicom: Path) -> None:
    study = read_study(dicom)
    assert study.ct is not None
    assert study.pet is not None
    assert study.reference == study.pet.grid
    assert (study.ct.unit, study.pet.unit) == (Unit.HU, Unit.SUVBW)
    assert np.array_equal(study.ct.voxels[2], stored(2) - 1024)
    assert np.allclose(study.pet.voxels[2], stored(2) * SUV_FACTOR, rtol=1e-6)
    assert study.patient == pseudonym("ID-4711")
    assert PATIENT not in repr(study)
    assert read_study(str(dicom / "a")).pet is None
    assert read_study(dicom / "b").ct is None


def test_one_file_of_a_series_stands_for_it(dicom: Path) -> None:
    study = read_study(dicom / "a" / "CT3_002.dcm")
    assert study.ct is not None
    assert study.ct.voxels.shape[0] == 5
    assert read_volume(dicom / "b" / "PT4_000.dcm").unit is Unit.SUVBW


def test_another_modality_is_taken_where_there_is_neither_ct_nor_pet(dicom: Path, tmp_path: Path) -> None:
    write_series(dicom / "c", "MR")
    assert set(read_study(dicom).volumes) == {"ct", "pet"}
    assert set(read_study(dicom / "c").volumes) == {"mr"}


def test_of_two_series_one_has_to_be_named_by_number_uid_or_pseudonym(dicom: Path) -> None:
    write_series(dicom / "c", "CT", series=7, RescaleIntercept=0)
    with pytest.raises(AmbiguousSeries, match=r"2 CT series.*number 3.*number 7.*ct_series \(--ct-series\)"):
        read_study(dicom)
    uid = f"{ROOT}.7.1"
    for name in (7, "7", uid, pseudonym(uid)):
        study = read_study(dicom, ct_series=name)
        assert study.ct is not None
        assert study.ct.voxels.min() == 0
        assert read_volume(dicom, modality="CT", series=name).voxels.min() == 0
        assert read_volume(dicom, series=name).voxels.min() == 0
    with pytest.raises(NoImages, match="no CT series 9 found"):
        read_study(dicom, ct_series=9)


def test_for_one_volume_the_modality_chooses(dicom: Path) -> None:
    with pytest.raises(AmbiguousSeries, match=r"patient holds CT series 3 .* and PT series 4 .*; choose with"):
        read_volume(dicom)
    assert read_volume(dicom, modality="ct").modality is Modality.CT
    with pytest.raises(NoImages, match="no MR images in patient: 2 files skipped"):
        read_volume(dicom, modality="MR")


def test_a_series_is_named_among_several_modalities(dicom: Path) -> None:
    write_series(dicom / "c", "MR", series=5)
    assert read_volume(dicom, series=4).modality is Modality.PET
    with pytest.raises(NoImages, match="no CT series 9 found"):
        read_volume(dicom, modality="CT", series=9)
    with pytest.raises(NoImages, match="no series 9 in patient"):
        read_volume(dicom, series=9)
    write_series(dicom / "d", "CT", series=5)
    with pytest.raises(AmbiguousSeries, match=r"CT series 5 .* and MR series 5"):
        read_volume(dicom, series=5)


def test_files_by_their_names_are_a_study_and_masks_and_folders_are_not_taken_up(files: Path) -> None:
    study = read_study(files, pet_unit="suvbw")
    assert study.ct is not None
    assert study.pet is not None
    assert study.ct.source.format is SourceFormat.NIFTI
    assert study.pet.source.format is SourceFormat.NRRD
    assert study.pet.unit is Unit.SUVBW
    assert study.ct.grid != study.pet.grid


def test_a_pet_file_without_unit_is_refused_with_the_flag(files: Path) -> None:
    with pytest.raises(UnknownUnit, match=r"PET\.nrrd .*--pet-unit"):
        read_study(files)
    write_volume_sidecar(files / "PET.nrrd", Modality.PET, Unit.BQML)
    study = read_study(files)
    assert study.pet is not None
    assert study.pet.unit is Unit.BQML


def test_two_files_of_one_modality_have_to_be_named(files: Path) -> None:
    save_nifti(files / "CTres.nii.gz", numbers() - 1000)
    with pytest.raises(AmbiguousSeries, match=r"2 CT images .*: CT\.nii\.gz, CTres\.nii\.gz; name one with ct= \(--ct"):
        read_study(files, pet_unit="suvbw")
    study = read_study(ct=files / "CTres.nii.gz", pet=files / "PET.nrrd", pet_unit="bqml")
    assert study.ct is not None
    assert study.ct.name == "CTres"


def test_ct_and_pet_are_given_one_by_one_whatever_their_names(files: Path, dicom: Path) -> None:
    other = save_nifti(files / "other.nii.gz", numbers() - 1000, HERE + ORIGIN_OF_DICOM)
    study = read_study(ct=other, pet=dicom)
    assert study.ct is not None
    assert study.pet is not None
    assert study.ct.unit is Unit.HU
    assert study.pet.source.format is SourceFormat.DICOM
    assert study.patient == pseudonym("ID-4711")
    assert set(read_study(pet=dicom / "b").volumes) == {"pet"}


def test_a_file_alone_is_a_study(files: Path) -> None:
    assert set(read_study(files / "CT.nii.gz").volumes) == {"ct"}
    assert set(read_study(files / "PET.nrrd", pet_unit="suvbw").volumes) == {"pet"}
    with pytest.raises(UnknownUnit, match=r"other\.nii\.gz does not say what it is"):
        read_study(files / "other.nii.gz")


def test_files_that_name_no_patient_are_told_apart_by_their_place(files: Path, tmp_path: Path) -> None:
    save_nifti(tmp_path / "CT_1.nii.gz", numbers())
    save_nifti(tmp_path / "CT_2.nii.gz", numbers())
    patients = {read_study(tmp_path / f"CT_{k}.nii.gz").patient for k in (1, 2, 1)}
    assert len(patients) == 2
    assert read_study(files, pet_unit="suvbw").patient not in patients


def test_what_contradicts_itself_is_refused(files: Path, dicom: Path) -> None:
    with pytest.raises(InputError, match="together"):
        read_study(files, ct=files / "CT.nii.gz")
    with pytest.raises(InputError, match="nothing to read was named"):
        read_study()
    with pytest.raises(InputError, match="holds image files and no DICOM series"):
        read_study(files, ct_series=3)
    with pytest.raises(InputError, match=r"CT\.nii\.gz holds no DICOM series, so series 3"):
        read_study(ct=files / "CT.nii.gz", ct_series=3)
    with pytest.raises(UnsuitableVolume, match=r"CT series 3 .* has one image at each place, so frame 1 is not there"):
        read_volume(dicom / "a", frame=1)
    with pytest.raises(InputError, match="is in HU by its header, not in SUVbw"):
        read_volume(dicom / "a", unit="suvbw")
    assert read_volume(dicom / "a", unit="hu").unit is Unit.HU


def test_dicom_pet_is_read_in_activity_when_that_is_asked_for(dicom: Path) -> None:
    study = read_study(dicom, pet_unit="bqml")
    assert study.pet is not None
    assert study.pet.unit is Unit.BQML
    assert np.allclose(study.pet.voxels[2], stored(2))


def test_a_pet_without_weight_loads_in_activity_and_names_the_tag(tmp_path: Path) -> None:
    write_series(tmp_path, "PT", PatientWeight=None)
    study = read_study(tmp_path)
    assert study.pet is not None
    assert study.pet.unit is Unit.BQML
    assert "PatientWeight" in study.warnings[0]


def test_two_patients_are_no_study(tmp_path: Path) -> None:
    write_series(tmp_path, "CT")
    write_series(tmp_path, "PT", PatientID="ID-4712")
    with pytest.raises(InputError, match="of different patients") as told:
        read_study(tmp_path)
    assert "4712" not in str(told.value)


def test_two_frames_of_reference_are_said(tmp_path: Path) -> None:
    write_series(tmp_path, "CT")
    write_series(tmp_path, "PT", FrameOfReferenceUID=f"{ROOT}.5")
    study = read_study(tmp_path)
    assert study.pet is not None
    assert "different frames of reference" in study.pet.provenance.warnings[-1]
    assert read_study(tmp_path, pet_unit="suvbw").patient == study.patient


def test_a_ct_and_a_pet_with_no_place_in_common_are_refused(tmp_path: Path) -> None:
    ct = save_nifti(tmp_path / "CT.nii.gz", numbers(), HERE)
    pet = save_nifti(tmp_path / "PET.nii.gz", numbers(), THERE)
    with pytest.raises(GridMismatch, match="have no place in common"):
        read_study(ct=ct, pet=pet, pet_unit="suvbw")


def test_an_empty_folder_and_one_of_other_things_are_told(tmp_path: Path) -> None:
    empty, other = tmp_path / "empty", tmp_path / "other"
    empty.mkdir()
    other.mkdir()
    with pytest.raises(NoImages, match="no images in empty: there is no file in it; expected DICOM CT or PET"):
        read_study(empty)
    (other / "notes.txt").write_text("nothing")
    (other / "more.txt").write_text("nothing")
    (other / "cut.dcm").write_bytes(bytes(128) + b"DICM")
    save_nifti(other / "gtv.nii.gz", numbers())
    save_nifti(other / "chest.nii.gz", numbers())
    with pytest.raises(NoImages) as told:
        read_study(other)
    assert "5 files skipped: 2 x not a DICOM file" in str(told.value)
    assert "1 x a mask by its name" in str(told.value)
    assert "1 x neither its name nor a sidecar says what it is" in str(told.value)


def test_a_text_file_and_a_name_that_is_not_there_are_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing " * 100)
    for read in (read_study, read_volume):
        with pytest.raises(UnreadableFile, match=r"notes\.txt: not a DICOM file.*or a name ending in \.nii\.gz"):
            read(tmp_path / "notes.txt")
        with pytest.raises(NoImages, match="there is no file or folder nowhere"):
            read(tmp_path / "nowhere")


def test_a_file_of_three_voxels_and_a_single_slice_are_read(tmp_path: Path) -> None:
    write_series(tmp_path / "one", "CT", count=1)
    assert read_volume(tmp_path / "one").voxels.shape == (1, 4, 3)
    assert read_volume(save_nifti(tmp_path / "CT.nii", numbers((1, 1, 3)))).voxels.shape == (3, 1, 1)


def test_reading_tells_its_progress_and_stops_when_asked(dicom: Path) -> None:
    told: list[str] = []
    read_study(dicom, run=Run(on_progress=lambda step: told.append(step.what)))
    assert "reading DICOM headers" in told
    with pytest.raises(Cancelled):
        read_study(dicom, run=Run(is_cancelled=lambda: True))


def test_a_missing_slice_is_refused_by_the_name_of_its_series(dicom: Path) -> None:
    (dicom / "a" / "CT3_002.dcm").unlink()
    with pytest.raises(InputError, match=r"CT series 3 "):
        read_study(dicom)


def test_a_localizer_beside_the_slices_is_left(tmp_path: Path) -> None:
    def scout(image: object, k: int) -> None:
        put(image, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], Rows=4)  # type: ignore[arg-type]

    write_series(tmp_path, "CT")
    write_series(tmp_path, "CT", series=2, count=1, change=scout)
    assert read_volume(tmp_path).voxels.shape[0] == 5
