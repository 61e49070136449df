"""The verdict on the places of slices: what makes a volume, and what is wrong with what does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from scipy.spatial.transform import Rotation

from dicom_builder import BETWEEN_SLICES_MM, ORIGIN_MM, build_image, save, write_series
from grisaille.core.errors import IrregularSeries
from grisaille.core.volume import OnIrregular
from grisaille.io.dicom.geometry import Stack, stack
from grisaille.io.dicom.phases import frames_of
from grisaille.io.dicom.scan import scan


def verdict(folder: Path) -> Stack:
    (series,) = scan(folder).series
    return stack(series)


def refusal(folder: Path) -> str:
    with pytest.raises(IrregularSeries) as error:
        verdict(folder)
    assert str(error.value).startswith("CT series 1 (")
    return str(error.value)


def at(offsets_mm: list[float], direction: tuple[float, float, float] = (0, 0, 1)) -> Callable[[Dataset, int], None]:
    """Move slice k to ``offsets_mm[k]`` along a direction from the origin."""

    def move(image: Dataset, k: int) -> None:
        image.ImagePositionPatient = [
            start + offsets_mm[k] * part for start, part in zip(ORIGIN_MM, direction, strict=True)
        ]

    return move


def test_an_axial_series_has_columns_rows_and_slices_along_x_y_and_z(tmp_path: Path) -> None:
    write_series(tmp_path)
    found = verdict(tmp_path)
    expected = np.diag([1.5, 2.0, 3.0, 1.0])
    expected[:3, 3] = ORIGIN_MM
    np.testing.assert_allclose(found.affine, expected, atol=1e-12)
    assert found.order == (0, 1, 2, 3, 4)
    assert found.verdict == "regular"
    assert found.warnings == ()


def test_order_comes_from_the_places_and_not_from_names_or_numbers(tmp_path: Path) -> None:
    offsets = [9.0, 0.0, 12.0, 3.0, 6.0]
    write_series(tmp_path, change=at(offsets))
    assert verdict(tmp_path).order == (1, 3, 4, 0, 2)


def test_spacing_comes_from_the_places_and_not_from_the_thickness(tmp_path: Path) -> None:
    write_series(tmp_path, SliceThickness=5.0, SpacingBetweenSlices=7.0)
    assert verdict(tmp_path).affine[2, 2] == pytest.approx(BETWEEN_SLICES_MM)


@pytest.mark.parametrize(
    ("orientation", "normal"),
    [
        ([1, 0, 0, 0, 1, 0], (0, 0, 1)),
        ([0, 1, 0, 0, 0, -1], (-1, 0, 0)),  # sagittal
        ([1, 0, 0, 0, 0, -1], (0, 1, 0)),  # coronal
        ([-1, 0, 0, 0, 1, 0], (0, 0, -1)),
        ([0.8, 0.6, 0, 0, 0, -1], (-0.6, 0.8, 0)),  # oblique
    ],
)
def test_every_voxel_lies_where_dicom_puts_it(
    tmp_path: Path, orientation: list[float], normal: tuple[float, float, float]
) -> None:
    """PS3.3 C.7.6.2.1.1, worked out voxel by voxel."""
    write_series(tmp_path, change=at([0, -3, -6, -9, -12], normal), ImageOrientationPatient=orientation)
    (series,) = scan(tmp_path).series
    found = stack(series)
    assert found.order == (4, 3, 2, 1, 0)
    for position, index in enumerate(found.order):
        header = series.slices[index]
        assert header.position is not None
        for row in (0, 3):
            for column in (0, 2):
                place = np.array(header.position) + 1.5 * column * np.array(orientation[:3])
                place += 2.0 * row * np.array(orientation[3:])
                np.testing.assert_allclose(found.affine @ (column, row, position, 1), [*place, 1], atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(yaw=st.floats(-3, 3), pitch=st.floats(-1.5, 1.5), roll=st.floats(-3, 3), step=st.floats(0.3, 9))
def test_spacing_and_rotation_are_found_at_any_angle(
    tmp_path_factory: pytest.TempPathFactory, yaw: float, pitch: float, roll: float, step: float
) -> None:
    axes = Rotation.from_euler("zyx", [yaw, pitch, roll]).as_matrix()
    folder = tmp_path_factory.mktemp("rotated")
    row, column, normal = axes.T
    write_series(
        folder,
        count=3,
        ImageOrientationPatient=[f"{part:.10f}" for part in (*row, *column)],
        change=lambda image, k: setattr(
            image, "ImagePositionPatient", [f"{part:.8f}" for part in np.array(ORIGIN_MM) + k * step * normal]
        ),
    )
    np.testing.assert_allclose(verdict(folder).affine[:3, :3], axes * (1.5, 2.0, step), atol=1e-6)


def test_directions_a_little_off_are_made_orthonormal(tmp_path: Path) -> None:
    write_series(tmp_path, ImageOrientationPatient=[1.0004, 0, 0, 0.0003, 0.9996, 0])
    np.testing.assert_allclose(np.diag(verdict(tmp_path).affine)[:3], [1.5, 2.0, 3.0], rtol=1e-6)


@pytest.mark.parametrize("orientation", [[1.1, 0, 0, 0, 1, 0], [1, 0, 0, 0.1, 1, 0], [0, 0, 0, 0, 0, 0]])
def test_directions_that_are_none_are_refused(tmp_path: Path, orientation: list[float]) -> None:
    write_series(tmp_path, ImageOrientationPatient=orientation)
    assert "not two unit vectors at right angles" in refusal(tmp_path)


def test_jitter_of_places_is_read_with_a_note(tmp_path: Path) -> None:
    """As in a real whole-body PET: one gap of 3.19 among 3.27 mm."""
    write_series(tmp_path, change=at([0.0, 3.27, 6.46, 9.73, 13.0]))
    assert verdict(tmp_path).verdict == "regular; places deviate by up to 0.040 mm from even spacing of 3.250 mm"


def test_missing_slices_are_named_by_index_and_place(tmp_path: Path) -> None:
    write_series(tmp_path, change=at([0.0, 3.0, 9.0, 12.0, 21.0]))
    message = refusal(tmp_path)
    assert "3 slices missing: index 2 at z = -24.0 mm, index 5 at z = -15.0 mm, index 6 at z = -12.0 mm" in message
    assert "(between CT1_001.dcm and CT1_002.dcm and at other places)" in message
    assert "expected 8 slices 3.00 mm apart" in message


def test_many_missing_slices_are_counted(tmp_path: Path) -> None:
    write_series(tmp_path, change=at([0.0, 3.0, 6.0, 9.0, 39.0]))
    assert "9 slices missing: index 4 at z = -18.0 mm," in refusal(tmp_path)
    assert "and 5 more" in refusal(tmp_path)


def test_missing_slices_of_a_sagittal_series_are_placed_along_x(tmp_path: Path) -> None:
    write_series(
        tmp_path,
        change=at([0, -3, -6, -12, -15], (-1, 0, 0)),
        ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
    )
    assert "1 slice missing: index 2 at x = -1.0 mm" in refusal(tmp_path)


def test_uneven_spacing_names_the_place_where_it_breaks(tmp_path: Path) -> None:
    write_series(tmp_path, change=at([0.0, 3.0, 6.0, 11.0, 16.0]))
    message = refusal(tmp_path)
    assert "uneven spacing, gaps of 3.00 to 5.00 mm" in message
    assert "between CT1_" in message
    assert "z = " in message


def test_a_single_gap_too_wide_is_uneven(tmp_path: Path) -> None:
    write_series(tmp_path, change=at([0.0, 3.0, 6.2, 9.2, 12.2]))
    message = refusal(tmp_path)
    assert "uneven spacing, gaps of 3.00 to 3.20 mm" in message
    assert "between CT1_001.dcm and CT1_002.dcm (slices 1 and 2, z = -27.0 mm and z = -23.8 mm)" in message


@pytest.mark.parametrize("degrees", [15.0, -5.0, 0.2])
def test_a_tilted_gantry_is_read_with_its_shear_and_says_its_angle(tmp_path: Path, degrees: float) -> None:
    slant = float(np.tan(np.radians(degrees)))
    write_series(tmp_path, change=at([0, 3, 6, 9, 12], (0, slant, 1)))
    found = verdict(tmp_path)
    np.testing.assert_allclose(found.affine[:3, 2], (0, 3 * slant, 3), atol=1e-6)
    assert found.verdict == f"regular; tilted by {abs(degrees):.1f} degrees, the shear is kept"
    (warning,) = found.warnings
    assert f"shifted by {abs(3 * slant):.2f} mm against the next; nothing was resampled" in warning


def test_slices_of_a_tilted_series_are_interpolated_along_their_slant(tmp_path: Path) -> None:
    write_series(tmp_path, change=at([0, 3, 9, 12, 15], (0, 0.2, 1)))
    (series,) = scan(tmp_path).series
    found = stack(series, OnIrregular.RESAMPLE)
    np.testing.assert_allclose(found.affine[:3, 2], (0, 0.6, 3), atol=1e-6)
    assert found.regrid is not None
    np.testing.assert_allclose(found.regrid.lower + found.regrid.share, [0, 1, 1.5, 2, 3, 4])
    assert found.regrid.interpolated == (2,)


def test_a_tilt_within_measure_is_read(tmp_path: Path) -> None:
    write_series(tmp_path, change=at([0, 3, 6, 9, 12], (0, float(np.tan(np.radians(0.05))), 1)))
    assert verdict(tmp_path).verdict == "regular"


def test_a_slice_beside_the_others_is_named(tmp_path: Path) -> None:
    def move(image: Dataset, k: int) -> None:
        if k == 2:
            image.ImagePositionPatient = [ORIGIN_MM[0] + 8, ORIGIN_MM[1], ORIGIN_MM[2] + 6]

    write_series(tmp_path, change=move)
    assert "CT1_002.dcm lies" in refusal(tmp_path)
    assert "mm beside the line of the other slices" in refusal(tmp_path)


def test_several_images_at_every_place_are_phases(tmp_path: Path) -> None:
    write_series(tmp_path, count=6, change=at([0.0, 3.0, 6.0, 0.0, 3.0, 6.0]))
    (series,) = scan(tmp_path).series
    with pytest.raises(IrregularSeries, match=r"2 images at each of 3 places .*none of TemporalPositionIdentifier"):
        frames_of(series)


def test_two_images_at_one_place_are_named(tmp_path: Path) -> None:
    write_series(tmp_path, change=at([0.0, 3.0, 3.0, 6.0, 9.0]))
    assert "CT1_001.dcm and CT1_002.dcm lie at the same place" in refusal(tmp_path)
    assert "(1 places have several)" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("tags", "complaint"),
    [
        ({"ImagePositionPatient": None}, "has no ImagePositionPatient (0020,0032)"),
        ({"ImagePositionPatient": [1, 2]}, "has an unreadable ImagePositionPatient (0020,0032)"),
        ({"ImageOrientationPatient": None}, "has no ImageOrientationPatient (0020,0037)"),
        ({"PixelSpacing": None, "ImagerPixelSpacing": [1, 1]}, "has no PixelSpacing (0028,0030)"),
        ({"PixelSpacing": "1,5\\1,5 "}, "has an unreadable PixelSpacing (0028,0030)"),
        ({"FrameOfReferenceUID": ""}, "has another frame of reference than the other 4 images"),
        (
            {"ImageOrientationPatient": [1, 0.00015, 0, 0, 1, 0]},
            "has another orientation than the other 4 images",
        ),
    ],
)
@pytest.mark.parametrize("odd", [0, 3])
def test_the_one_odd_file_is_named(tmp_path: Path, tags: dict[str, object], complaint: str, odd: int) -> None:
    files = write_series(tmp_path)
    image = build_image("CT", odd, **tags)
    save(image, files[odd])
    assert f": {files[odd].name} {complaint}" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("tags", "difference"),
    [
        ({"PixelSpacing": [5, 5]}, "another pixel spacing"),
        ({"FrameOfReferenceUID": "1.2.3"}, "another frame of reference"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "another orientation"),
        ({"Rows": 2}, "another size (2 x 3 pixels)"),
        ({"NumberOfFrames": 12}, "several frames in one file"),
    ],
)
def test_the_one_odd_file_is_set_apart_and_where_it_is_missed_both_are_said(
    tmp_path: Path, tags: dict[str, object], difference: str
) -> None:
    files = write_series(tmp_path)
    save(build_image("CT", 3, **tags), files[3])
    message = refusal(tmp_path)
    assert "1 slice missing: index 3 at z = -21.0 mm" in message
    assert message.endswith(f"set 1 image of the series apart from its slices: CT1_003.dcm ({difference})")


def test_most_of_a_volume_is_not_invented(tmp_path: Path) -> None:
    write_series(tmp_path, change=at([0.0, 3.0, 6.0, 9.0, 900.0]))
    (series,) = scan(tmp_path).series
    with pytest.raises(IrregularSeries, match="5 images over 900 mm, expected about 301; most of the volume"):
        stack(series, OnIrregular.RESAMPLE)


def test_phases_that_lie_a_little_apart_are_not_interpolated_into_each_other(tmp_path: Path) -> None:
    write_series(tmp_path, count=6, change=at([0.0, 3.0, 6.0, 0.02, 3.02, 6.02]))
    (series,) = scan(tmp_path).series
    for how in OnIrregular:
        with pytest.raises(IrregularSeries, match=r"CT1_000\.dcm and CT1_003\.dcm lie only 0\.020 mm apart \(z = -30"):
            stack(series, how)


@pytest.mark.parametrize("spacing", [[0, 1], [1, -1]])
def test_a_pixel_spacing_that_is_none_is_refused(tmp_path: Path, spacing: list[float]) -> None:
    write_series(tmp_path, PixelSpacing=spacing)
    assert "expected two positive distances" in refusal(tmp_path)


def test_a_single_slice_is_as_far_from_the_next_as_it_is_thick(tmp_path: Path) -> None:
    write_series(tmp_path, count=1)
    found = verdict(tmp_path)
    assert found.affine[2, 2] == 5.0
    assert found.verdict == "a single slice, as thick as SliceThickness"
    assert "its thickness of 5 mm was taken as the spacing" in found.warnings[0]


@pytest.mark.parametrize("thickness", [None, 0, "wide"])
def test_a_single_slice_of_no_thickness_is_refused(tmp_path: Path, thickness: object) -> None:
    write_series(tmp_path, count=1, SliceThickness=thickness)
    assert "single slice without SliceThickness" in refusal(tmp_path)


def test_two_slices_make_a_volume(tmp_path: Path) -> None:
    write_series(tmp_path, count=2)
    assert verdict(tmp_path).verdict == "regular"


def test_slices_missing_at_an_end_leave_a_gap_in_the_numbering(tmp_path: Path) -> None:
    write_series(tmp_path, change=lambda image, k: setattr(image, "InstanceNumber", (1, 2, 3, 4, 7)[k]))
    assert "2 instance numbers missing between 1 and 7" in verdict(tmp_path).warnings[0]


@pytest.mark.parametrize("number", [None, 3])
def test_images_without_numbers_of_their_own_say_nothing(tmp_path: Path, number: int | None) -> None:
    write_series(tmp_path, InstanceNumber=number)
    assert verdict(tmp_path).warnings == ()
