"""Real scanners' files, and the reference objects that say what SUV has to come out."""

from __future__ import annotations

import runpy
from pathlib import Path

import nibabel
import numpy as np
import pytest

from grisaille.core.errors import UnreadableFile
from grisaille.core.volume import Unit, Volume
from grisaille.io.dicom.series import read_series, scan

pytestmark = pytest.mark.real_data

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

OTHER = {"DRO_2_3": (0.189, 0.985, 3.977)}
"""Stored in steps of 0.01 cm2/ml, that is 0.038 SUVbw, which allows no better."""


@pytest.fixture(scope="module")
def whole_body(real_data: Path) -> Volume:
    (series,) = scan(real_data / "sarcoma" / "STS_001" / "wholebody_pet_dicom").series
    return read_series(series)


def test_the_reference_objects_have_the_suv_that_they_were_made_with(real_data: Path) -> None:
    """IBSI: 0.20, 1.00 and 4.00 inside the mask, whatever way it was written."""
    rows = runpy.run_path(str(BENCHMARKS / "suv_reference.py"))["table"](real_data / "suv_reference")
    assert [row.name for row in rows] == [
        "DRO_0_0", "DRO_1_0", "DRO_2_0", "DRO_2_1", "DRO_2_3", "DRO_2_4",
        "DRO_3_0", "DRO_3_1", "DRO_3_3", "DRO_4_0", "DRO_4_1",
    ]  # fmt: skip
    for row in rows:
        expected = OTHER.get(row.name, (0.2, 1.0, 4.0))
        np.testing.assert_allclose((row.least, row.median, row.most), expected, atol=1e-3, err_msg=row.name)
    told = {row.name: row.warnings[0].partition(": ")[2] for row in rows if row.warnings}
    assert list(told) == ["DRO_3_0", "DRO_3_3"]
    assert told["DRO_3_0"] == "RadionuclideTotalDose 368.08 was taken as MBq"
    assert "would differ by up to 21%" in told["DRO_3_3"]


def test_a_tumour_has_the_suv_that_its_contour_says(real_data: Path) -> None:
    found = runpy.run_path(str(BENCHMARKS / "gtv_suv.py"))["measure"](real_data / "sarcoma" / "STS_001", "GTV_Mass")
    assert found.voxels == 5095
    assert found.suv_mean == pytest.approx(2.56, abs=0.006)
    assert found.suv_max == pytest.approx(7.9, abs=0.02)


def test_a_whole_body_pet_is_read_at_its_place(whole_body: Volume) -> None:
    volume = whole_body
    assert volume.unit is Unit.SUVBW
    assert volume.grid.shape == (267, 128, 128)
    assert volume.provenance.warnings == ()
    assert "deviate by up to 0.040 mm" in volume.provenance.geometry
    np.testing.assert_allclose(volume.grid.spacing_mm, (3.27, 4.6875, 4.6875), atol=1e-4)


def test_a_whole_body_pet_agrees_with_another_readers_file_of_it(real_data: Path, whole_body: Volume) -> None:
    """The crop of the same PET that came as NIfTI in SUV, compared place by place."""
    crop = nibabel.load(real_data / "sarcoma" / "STS_001" / "PET.nii.gz")
    indices = np.stack(np.indices(crop.shape), axis=-1)
    places_ras = indices @ crop.affine[:3, :3].T + crop.affine[:3, 3]
    found = whole_body.grid.to_index((places_ras * (-1, -1, 1))[..., ::-1])
    np.testing.assert_allclose(found, np.rint(found), atol=0.02)
    ours = whole_body.voxels[tuple(np.moveaxis(np.rint(found).astype(int), -1, 0))]
    np.testing.assert_allclose(ours, np.asarray(crop.dataobj), atol=1e-3)


def test_a_jpeg_2000_ct_is_read_in_hu(real_data: Path) -> None:
    (series,) = scan(real_data / "ct_series").series
    volume = read_series(series)
    assert volume.unit is Unit.HU
    assert volume.voxels.dtype == np.int16
    assert volume.grid.shape == (20, 512, 512)
    np.testing.assert_allclose(volume.grid.origin_mm, (-804.5, -437.5, -249.5), atol=0.02)
    assert volume.voxels.min() == -1024
    assert volume.voxels.max() == 1839


def test_any_file_of_a_series_stands_for_it(real_data: Path) -> None:
    folder = real_data / "ct_series"
    (series,) = scan(max(folder.iterdir())).series
    assert len(series.files) == 20


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_jpeg_2000_file_cut_off_is_refused_by_name(real_data: Path, tmp_path: Path, share: float) -> None:
    for file in (real_data / "ct_series").iterdir():
        (tmp_path / f"{file.name[-5:]}.dcm").write_bytes(file.read_bytes())
    cut = sorted(tmp_path.iterdir())[4]
    whole = cut.read_bytes()
    cut.write_bytes(whole[: int(len(whole) * share)])
    (series,) = scan(tmp_path).series
    with pytest.raises(UnreadableFile, match=cut.name):
        read_series(series)
