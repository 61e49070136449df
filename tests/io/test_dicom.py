"""A DICOM series as a volume: its places, its meaning, its provenance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from dicom_builder import (
    BETWEEN_SLICES_MM,
    DOSE_BQ,
    ORIGIN_MM,
    PATIENT,
    ROOT,
    SUV_FACTOR,
    UPTAKE_S,
    WEIGHT_KG,
    put,
    stored,
    tracer,
    write_series,
)
from grisaille.core.errors import IrregularSeries, SuvRefused, UnknownUnit
from grisaille.core.volume import Modality, OnIrregular, SourceFormat, Unit, Volume
from grisaille.imaging.suv import SuvOverrides
from grisaille.io.axes import to_source
from grisaille.io.dicom import read_series, scan
from grisaille.io.pseudonym import pseudonym


def read(folder: Path, **options: object) -> Volume:
    (series,) = scan(folder).series
    return read_series(series, **options)  # type: ignore[arg-type]


def ramp(count: int = 5) -> np.ndarray:
    return np.stack([stored(k) for k in range(count)])


def test_ct_is_in_hu_at_its_place(tmp_path: Path) -> None:
    write_series(tmp_path)
    volume = read(tmp_path)
    assert (volume.modality, volume.unit) == (Modality.CT, Unit.HU)
    np.testing.assert_array_equal(volume.voxels, ramp().astype(int) - 1024)
    np.testing.assert_allclose(volume.grid.spacing_mm, (3.0, 2.0, 1.5))
    np.testing.assert_allclose(volume.grid.origin_mm, ORIGIN_MM[::-1])
    assert volume.provenance.geometry == "regular"
    assert volume.provenance.suv is None
    assert volume.provenance.frame_of_reference == pseudonym(f"{ROOT}.8")


def test_slices_from_head_to_feet_are_turned_to_ascend(tmp_path: Path) -> None:
    def down(image: Dataset, k: int) -> None:
        image.ImagePositionPatient = [*ORIGIN_MM[:2], ORIGIN_MM[2] - BETWEEN_SLICES_MM * k]

    write_series(tmp_path, change=down)
    np.testing.assert_array_equal(read(tmp_path).voxels, ramp()[::-1].astype(int) - 1024)


@pytest.mark.parametrize(
    ("orientation", "step"),
    [
        ([1, 0, 0, 0, 1, 0], (0, 0, 3)),
        ([-1, 0, 0, 0, -1, 0], (0, 0, -3)),
        ([0, 1, 0, 0, 0, -1], (4, 0, 0)),
        ([1, 0, 0, 0, 0, -1], (0, 2.5, 0)),
        ([0.8, 0.6, 0, -0.6, 0.8, 0], (0, 0, 3)),
        ([0.6, 0.8, 0, 0, 0, -1], (2.4, -1.8, 0)),
    ],
)
def test_every_value_keeps_its_place_in_the_patient(
    tmp_path: Path, orientation: list[float], step: tuple[float, float, float]
) -> None:
    """PS3.3 C.7.6.2.1.1: value by value, place by place."""

    def move(image: Dataset, k: int) -> None:
        image.ImagePositionPatient = list(np.array(ORIGIN_MM) + k * np.array(step))

    write_series(tmp_path, change=move, ImageOrientationPatient=orientation)
    volume = read(tmp_path)
    k, row, column = np.indices((5, 4, 3))
    across, down = np.array(orientation[:3]) * 1.5, np.array(orientation[3:]) * 2.0
    places = np.array(ORIGIN_MM) + sum(
        index[..., None] * np.array(vector) for index, vector in ((k, step), (row, down), (column, across))
    )
    indices = volume.grid.to_index(places[..., ::-1])
    np.testing.assert_allclose(indices, np.rint(indices), atol=1e-6)
    found = volume.voxels[tuple(np.moveaxis(np.rint(indices).astype(int), -1, 0))]
    np.testing.assert_array_equal(found, ramp().astype(int) - 1024)


def test_a_writer_can_put_the_voxels_back_as_columns_rows_slices(tmp_path: Path) -> None:
    write_series(tmp_path)
    volume = read(tmp_path)
    back, affine = to_source(volume.voxels, volume.grid, volume.source)
    np.testing.assert_array_equal(back, (ramp().astype(int) - 1024).transpose(2, 1, 0))
    np.testing.assert_allclose(np.diag(affine), (1.5, 2.0, 3.0, 1.0))
    assert volume.source.format is SourceFormat.DICOM
    assert volume.source.orientation == "LPS"


def test_pet_is_in_suv_and_tells_how(tmp_path: Path) -> None:
    slopes = [1, 0.5, 2, 3, 4]
    write_series(tmp_path, "PT", change=lambda image, k: setattr(image, "RescaleSlope", slopes[k]))
    volume = read(tmp_path)
    assert (volume.modality, volume.unit, volume.voxels.dtype) == (Modality.PET, Unit.SUVBW, np.float32)
    np.testing.assert_allclose(volume.voxels, ramp() * np.array(slopes)[:, None, None] * SUV_FACTOR, rtol=1e-6)
    suv = volume.provenance.suv
    assert suv is not None
    assert suv.factor_range == pytest.approx((SUV_FACTOR, SUV_FACTOR))
    assert suv.path == "BQML, decay corrected to START, by series time"
    assert suv.inputs["weight_kg"] == WEIGHT_KG
    assert suv.inputs["dose_bq"] == DOSE_BQ
    assert suv.inputs["uptake_s"] == UPTAKE_S
    assert volume.provenance.warnings == ()


def test_factors_follow_the_slices_into_their_order(tmp_path: Path) -> None:
    """Philips' factor of each slice, in a series that is stored from head to feet."""

    def philips(image: Dataset, k: int) -> None:
        image.ImagePositionPatient = [*ORIGIN_MM[:2], -BETWEEN_SLICES_MM * k]
        image.add_new(0x70531000, "DS", str(0.5 * (k + 1)))

    write_series(tmp_path, "PT", change=philips, Units="CNTS")
    factors = 0.5 * np.arange(1, 6)[:, None, None]
    volume = read(tmp_path)
    np.testing.assert_allclose(volume.voxels, (ramp() * factors)[::-1])
    assert volume.provenance.suv is not None
    assert volume.provenance.suv.factor_range == (0.5, 2.5)


@pytest.mark.parametrize(
    ("tags", "named"),
    [
        ({"PatientWeight": None}, "PatientWeight (0010,1030)"),
        ({"CorrectedImage": ["NORM"]}, "ATTN and DECY"),
        ({"SeriesTime": "", "AcquisitionTime": ""}, "AcquisitionTime (0008,0032)"),
        ({"RadiopharmaceuticalInformationSequence": None}, "RadionuclideTotalDose (0018,1074)"),
    ],
)
def test_pet_without_suv_is_read_in_becquerels_and_tells_why(
    tmp_path: Path, tags: dict[str, object], named: str
) -> None:
    write_series(tmp_path, "PT", **tags)
    volume = read(tmp_path)
    assert volume.unit is Unit.BQML
    np.testing.assert_array_equal(volume.voxels, ramp())
    suv = volume.provenance.suv
    assert suv is not None
    assert suv.factor_range is None
    assert named in suv.refused
    assert volume.provenance.warnings == (f"{suv.refused}; the values are in Bq/ml",)
    with pytest.raises(SuvRefused) as error:
        read(tmp_path, unit=Unit.SUVBW)
    assert str(error.value) == suv.refused


def test_pet_in_counts_without_factors_has_no_unit(tmp_path: Path) -> None:
    write_series(tmp_path, "PT", Units="CNTS")
    volume = read(tmp_path)
    assert volume.unit is Unit.NONE
    assert "in the file's own units (CNTS)" in volume.provenance.warnings[0]
    with pytest.raises(UnknownUnit, match=r"Units .*CNTS.*no way to Bq/ml"):
        read(tmp_path, unit=Unit.BQML)


def test_pet_whose_images_contradict_each_other_is_read_without_suv(tmp_path: Path) -> None:
    write_series(tmp_path, "PT", change=lambda image, k: put(image, PatientWeight=70 + k))
    volume = read(tmp_path)
    assert volume.unit is Unit.BQML
    assert "PatientWeight (0010,1030) differs" in volume.provenance.warnings[0]
    write_series(tmp_path / "mixed", "PT", change=lambda image, k: put(image, Units="BQML" if k else "CNTS"))
    assert read(tmp_path / "mixed").unit is Unit.NONE


def test_becquerels_are_given_where_they_are_asked_for(tmp_path: Path) -> None:
    write_series(tmp_path, "PT")
    volume = read(tmp_path, unit=Unit.BQML)
    assert volume.unit is Unit.BQML
    np.testing.assert_array_equal(volume.voxels, ramp())
    assert volume.provenance.suv is None


def test_a_users_weight_takes_the_place_of_a_missing_one(tmp_path: Path) -> None:
    write_series(tmp_path, "PT", PatientWeight=None)
    volume = read(tmp_path, overrides=SuvOverrides(weight_kg=WEIGHT_KG))
    np.testing.assert_allclose(volume.voxels, ramp() * SUV_FACTOR, rtol=1e-6)
    assert volume.provenance.suv is not None
    assert volume.provenance.suv.overrides == {"weight_kg": WEIGHT_KG}


def test_suv_warnings_name_the_series(tmp_path: Path) -> None:
    write_series(tmp_path, "PT", change=lambda image, _: tracer(image, RadionuclideTotalDose=368.08))
    (warning,) = read(tmp_path).provenance.warnings
    assert warning.startswith("PT series 1 (")
    assert "taken as MBq" in warning


def test_a_grid_whose_slices_are_not_the_files_keeps_no_files(tmp_path: Path) -> None:
    """Exports refer to the images that the slices were; an interpolated slice was none."""
    files = write_series(tmp_path, count=6)
    assert read(tmp_path).source.files == tuple(files)
    files[3].unlink()
    volume = read(tmp_path, on_irregular=OnIrregular.RESAMPLE)
    assert volume.source.files == ()
    assert volume.provenance.geometry == (
        "regridded on request: 6 slices 3.000 mm apart from 5 images; 1 interpolated, at z = -21.0 mm"
    )
    np.testing.assert_array_equal(volume.voxels, ramp(6) - 1024)  # the ramp is linear
    assert volume.voxels.dtype == np.float32


def test_factors_of_the_slices_come_before_interpolating(tmp_path: Path) -> None:
    """Between two slices lies the mean of their values, not of what was stored."""
    files = write_series(tmp_path, "PT", change=lambda image, k: put(image, RescaleSlope=k + 1))
    files[1].unlink()
    volume = read(tmp_path, unit=Unit.BQML, on_irregular=OnIrregular.RESAMPLE)
    np.testing.assert_allclose(volume.voxels[1], (stored(0) + 3.0 * stored(2)) / 2)


def test_mr_has_no_unit(tmp_path: Path) -> None:
    write_series(tmp_path, "MR")
    volume = read(tmp_path)
    assert (volume.modality, volume.unit) == (Modality.MR, Unit.NONE)


def test_nothing_of_the_patient_reaches_a_volume_or_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "SMITH_JOHN"
    write_series(folder, "PT", PatientWeight=None)
    volume = read(folder)
    shown = repr((volume.name, volume.source, volume.provenance))
    write_series(folder, "PT", count=1, ImagePositionPatient=None)
    with pytest.raises(IrregularSeries) as error:
        read(folder)
    for secret in (PATIENT, "SMITH", "4711", ROOT, "1950"):
        assert secret not in shown
        assert secret not in str(error.value)
