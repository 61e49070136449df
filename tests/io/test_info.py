"""What lies in a folder is told without naming anybody."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dicom_builder import PATIENT, ROOT, SUV_FACTOR, write_series
from grisaille.core.errors import NoImages
from grisaille.core.volume import Modality, Unit
from grisaille.io.info import describe
from grisaille.io.pseudonym import pseudonym
from grisaille.io.sidecar import write_volume_sidecar
from image_builder import affine_of, numbers, save_itk, save_nifti

KEYS = {
    "uid", "name", "modality", "shape_zyx", "spacing_zyx_mm", "orientation", "unit", "suv", "geometry", "warnings"
}  # fmt: skip


def test_a_dicom_folder_is_described_series_by_series(tmp_path: Path) -> None:
    write_series(tmp_path, "CT", series=2)
    write_series(tmp_path, "PT", series=3)
    (tmp_path / "notes.txt").write_text("nothing")
    told = describe([tmp_path])
    json.dumps(told, allow_nan=False)
    ct, pet = told["series"]
    assert set(ct) == set(pet) == KEYS
    assert (ct["modality"], ct["unit"], ct["suv"]) == ("CT", "HU", None)
    assert ct["uid"] == pseudonym(f"{ROOT}.2.1")
    assert (pet["modality"], pet["unit"], pet["orientation"]) == ("PT", "SUVbw", "LPS")
    assert (pet["shape_zyx"], pet["spacing_zyx_mm"]) == ([5, 4, 3], [3.0, 2.0, 1.5])
    assert pet["suv"]["factor_range"] == pytest.approx([SUV_FACTOR, SUV_FACTOR], rel=1e-6)
    assert pet["suv"]["inputs"]["weight_kg"] == 70
    assert pet["geometry"].startswith("regular")
    assert told["skipped"] == [{"file": "notes.txt", "reason": "not a DICOM file"}]
    assert PATIENT not in json.dumps(told)


def test_image_files_are_described_with_what_is_not_known(tmp_path: Path) -> None:
    save_nifti(tmp_path / "CT.nii.gz", numbers() - 1000, affine_of((0, 1, 2), (-1, -1, 1)))
    save_itk(tmp_path / "PET.mha", numbers(dtype=np.float32))
    save_nifti(tmp_path / "CT_gtv.nii.gz", numbers())
    write_volume_sidecar(tmp_path / "CT.nii.gz", Modality.CT, Unit.HU)
    told = describe([tmp_path])
    ct, pet = told["series"]
    assert (ct["name"], ct["orientation"], ct["spacing_zyx_mm"]) == ("CT", "RAS", [3.25, 1.125, 0.75])
    assert ct["warnings"] == []
    assert (pet["modality"], pet["unit"], pet["shape_zyx"]) == ("PT", "", [5, 4, 3])
    assert "--pet-unit" in pet["warnings"][0]
    assert told["skipped"] == [{"file": "CT_gtv.nii.gz", "reason": "a mask by its name"}]


def test_a_file_that_says_nothing_is_described_all_the_same(tmp_path: Path) -> None:
    (one,) = describe([save_nifti(tmp_path / "chest.nii", numbers())])["series"]
    assert (one["modality"], one["unit"], one["geometry"]) == ("OT", "", "regular")
    assert "chest.nii does not say what it is" in one["warnings"][0]


def test_a_series_that_cannot_be_read_stands_there_with_the_reason(tmp_path: Path) -> None:
    files = write_series(tmp_path, "CT")
    files[2].unlink()
    (one,) = describe([files[0]])["series"]
    assert (one["modality"], one["geometry"], one["shape_zyx"]) == ("CT", "not read", None)
    assert one["uid"] in one["warnings"][0]


def test_a_damaged_file_stands_there_with_the_reason(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "CT.nii", numbers())
    path.write_bytes(path.read_bytes()[:-10])
    (one,) = describe([tmp_path])["series"]
    assert one["geometry"] == "not read"
    assert "CT.nii is truncated" in one["warnings"][0]


def test_one_bad_path_does_not_hide_the_others(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "CT.nii", numbers() - 1000)
    told = describe([tmp_path / "nowhere", str(path)])
    assert len(told["series"]) == 1
    assert told["skipped"] == [{"file": "nowhere", "reason": "there is no file or folder nowhere"}]


def test_where_there_is_nothing_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    found = f"no images in {tmp_path.name}: 1 file skipped: 1 x not a DICOM file"
    with pytest.raises(NoImages, match=f"^{found}; expected DICOM CT or PET, or files .* --ct or --pet"):
        describe([tmp_path])
    with pytest.raises(NoImages, match=r"^there is no file or folder nowhere$"):
        describe([tmp_path / "nowhere"])
    with pytest.raises(NoImages, match=f"no images in {tmp_path.name}, nowhere: 2 files skipped"):
        describe([tmp_path, tmp_path / "nowhere"])
