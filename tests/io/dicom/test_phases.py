"""Several images at one place: told apart, listed, chosen, and each read by its own headers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from dicom_builder import DOSE_BQ, HALF_LIFE_S, PATIENT, WEIGHT_KG, put, stored, write_series
from grisaille.core.errors import IrregularSeries, SeveralFrames, UnsuitableVolume
from grisaille.core.volume import Unit
from grisaille.io.dicom.series import frames_of, read_series, scan
from grisaille.io.study import read_study, read_volume
from series_files import COUNT, phases

Change = Callable[[Dataset, int], None]


def says(folder: Path) -> list[str]:
    (series,) = scan(folder).series
    return [frame.says for frame in frames_of(series)]


def tagged(**tags: tuple[Any, ...]) -> Change:
    """Element by element, the value of each phase."""
    return lambda image, phase: put(image, **{keyword: values[phase] for keyword, values in tags.items()})


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({"TemporalPositionIdentifier": (2, 1)}, ["temporal position 1", "temporal position 2"]),
        ({"FrameReferenceTime": (1500, 90000)}, ["frame reference time 1.5 s", "frame reference time 90 s"]),
        ({"AcquisitionNumber": (3, 4)}, ["acquisition 3", "acquisition 4"]),
        ({"AcquisitionTime": ("110000", "110035")}, ["acquired 0 s after the first", "acquired 35 s after the first"]),
        (
            {"AcquisitionDate": ("20250101", "20250102"), "AcquisitionTime": ("235950", "000010")},
            ["acquired 0 s after the first", "acquired 20 s after the first"],
        ),
        ({"TriggerTime": (0, 400)}, ["trigger time 0 ms", "trigger time 400 ms"]),
        # Earlier in the list, but of one value: the next is asked.
        ({"TemporalPositionIdentifier": (1, 1), "TriggerTime": (0, 400)}, ["trigger time 0 ms", "trigger time 400 ms"]),
        (
            {"FrameReferenceTime": (1, "x"), "TriggerTime": (0, 400)},
            ["trigger time 0 ms", "trigger time 400 ms"],
        ),
    ],
)
def test_phases_are_told_apart_by_the_first_tag_that_does(
    tmp_path: Path, tags: dict[str, tuple[Any, ...]], told: list[str]
) -> None:
    phases(tmp_path, "CT", tagged(**tags))
    assert says(tmp_path) == told
    first = read_volume(tmp_path, frame=0)
    second = read_volume(tmp_path, frame=1)
    swapped = tags.get("TemporalPositionIdentifier") == (2, 1)
    np.testing.assert_array_equal(np.abs(second.voxels - first.voxels), 1000)
    assert bool(second.voxels[0, 0, 0] < first.voxels[0, 0, 0]) is swapped
    assert second.name.endswith(f", frame 1 ({told[1]})")
    assert second.grid == first.grid


def test_a_tag_of_more_values_than_images_at_a_place_is_passed_over(tmp_path: Path) -> None:
    """As beds of a gated PET, each with a time of its own."""

    def change(image: Dataset, k: int) -> None:
        put(image, FrameReferenceTime=1000 * (k % COUNT // 6 + 2 * (k // COUNT)), TriggerTime=400 * (k // COUNT))
        image.ImagePositionPatient = [0, 0, 3 * (k % COUNT)]

    write_series(tmp_path, count=2 * COUNT, change=change)
    assert says(tmp_path) == ["trigger time 0 ms", "trigger time 400 ms"]


def test_a_tag_that_mixes_phases_up_is_passed_over(tmp_path: Path) -> None:
    """Two values, but both images of a place bear one of them."""

    def change(image: Dataset, k: int) -> None:
        put(image, AcquisitionNumber=k % COUNT // 6, TriggerTime=400 * (k // COUNT))
        image.ImagePositionPatient = [0, 0, 3 * (k % COUNT)]

    write_series(tmp_path, count=2 * COUNT, change=change)
    assert says(tmp_path) == ["trigger time 0 ms", "trigger time 400 ms"]


def test_the_frames_are_listed_without_the_patient_and_without_a_time_of_day(tmp_path: Path) -> None:
    phases(tmp_path, "CT", tagged(AcquisitionTime=("110000", "110035")))
    with pytest.raises(SeveralFrames) as told:
        read_volume(tmp_path)
    assert told.value.frames == ("frame 0: acquired 0 s after the first", "frame 1: acquired 35 s after the first")
    assert str(told.value).endswith(
        "2 images at each of 12 places (phases, gates or time frames), expected one: frame 0: acquired 0 s after the "
        "first; frame 1: acquired 35 s after the first; choose one with frame= (--frame)"
    )
    for secret in (PATIENT, "4711", "1100", "11:00"):
        assert secret not in str(told.value)


def test_many_frames_are_counted(tmp_path: Path) -> None:
    def change(image: Dataset, k: int) -> None:
        image.ImagePositionPatient = [0, 0, 3 * (k % 2)]
        put(image, TemporalPositionIdentifier=k // 2)

    write_series(tmp_path, count=40, change=change)
    with pytest.raises(SeveralFrames, match=r"frame 11: temporal position 11; and 8 more; choose") as told:
        read_volume(tmp_path)
    assert len(told.value.frames) == 20


@pytest.mark.parametrize("frame", [2, -1])
def test_a_frame_that_is_not_there_is_refused(tmp_path: Path, frame: int) -> None:
    phases(tmp_path, "CT", tagged(AcquisitionNumber=(1, 2)))
    with pytest.raises(UnsuitableVolume, match=f"2 images at each place, so frame {frame} is not there; choose one"):
        read_volume(tmp_path, frame=frame)


def test_the_only_frame_may_be_named_as_that_of_a_file(tmp_path: Path) -> None:
    write_series(tmp_path)
    assert read_volume(tmp_path, frame=0).provenance.geometry == "regular"


def test_places_with_different_numbers_of_images_are_no_phases(tmp_path: Path) -> None:
    phases(tmp_path, "CT", tagged(AcquisitionNumber=(1, 2)))
    sorted(tmp_path.iterdir())[-1].unlink()
    with pytest.raises(IrregularSeries, match=r"lie at the same place.*\(11 places have several\)"):
        read_volume(tmp_path)


def test_a_frame_is_numbered_as_the_scanner_counted_all_and_no_number_is_missed(tmp_path: Path) -> None:
    def change(image: Dataset, phase: int) -> None:
        put(image, AcquisitionNumber=phase, InstanceNumber=2 * int(image.ImagePositionPatient[2]) + phase)

    phases(tmp_path, "CT", change)
    assert read_volume(tmp_path, frame=1).provenance.warnings == ()


def test_suv_of_a_frame_is_that_of_its_own_headers(tmp_path: Path) -> None:
    """ADMIN in one, and a slope, a dose of its own: each frame is as if it had come alone."""

    def change(image: Dataset, phase: int) -> None:
        put(image, TemporalPositionIdentifier=phase + 1, RescaleSlope=1 + phase, DecayCorrection="START")
        put(image, SeriesTime="110000", AcquisitionTime=f"11{10 * phase:02d}00")
        if phase:
            put(image, DecayCorrection="ADMIN")

    phases(tmp_path, "PT", change)
    first, second = (read_volume(tmp_path, frame=frame) for frame in (0, 1))
    assert first.unit is second.unit is Unit.SUVBW
    stored_ = np.stack([stored(k) for k in range(COUNT)]).astype(float)
    injected = WEIGHT_KG * 1000 / DOSE_BQ
    np.testing.assert_allclose(first.voxels, stored_ * injected * 2 ** (3600 / HALF_LIFE_S), rtol=1e-6)
    np.testing.assert_allclose(second.voxels, (stored_ + 1000) * 2 * injected, rtol=1e-6)
    assert second.provenance.suv is not None
    assert "ADMIN" in second.provenance.suv.path


def test_a_study_is_never_of_four_dimensions(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", "CT", count=COUNT)
    phases(tmp_path / "pet", "PT", tagged(TemporalPositionIdentifier=(1, 2)))
    with pytest.raises(SeveralFrames, match="PT series 1 "):
        read_study(tmp_path)
    whole = read_study(tmp_path, frame=1)
    one_by_one = read_study(ct=tmp_path / "ct", pet=tmp_path / "pet", frame=1)
    for study in (whole, one_by_one):
        assert study.ct is not None
        assert study.pet is not None
        np.testing.assert_array_equal(study.ct.voxels[3], stored(3) - 1024)
        assert study.pet.name.endswith("frame 1 (temporal position 2)")
    with pytest.raises(UnsuitableVolume, match=r"PT series 1 .* so frame 2 is not there"):
        read_study(tmp_path, frame=2)
    with pytest.raises(UnsuitableVolume, match=r"CT series 1 .*one image at each place, so frame 2 is not there"):
        read_study(tmp_path / "ct", frame=2)


def test_one_place_may_have_several_images(tmp_path: Path) -> None:
    def change(image: Dataset, k: int) -> None:
        image.ImagePositionPatient = [0, 0, 0]
        put(image, TemporalPositionIdentifier=k)

    write_series(tmp_path, count=3, change=change)
    (series,) = scan(tmp_path).series
    assert read_series(series, frame=2).voxels.shape[0] == 1


@pytest.mark.parametrize(("series_time", "by"), [("110000", "series time"), ("111500", "earliest acquisition time")])
def test_every_time_frame_was_corrected_to_the_start_of_the_first(tmp_path: Path, series_time: str, by: str) -> None:
    def change(image: Dataset, phase: int) -> None:
        put(image, AcquisitionTime=f"11{10 * phase:02d}00", AcquisitionNumber=phase + 1, SeriesTime=series_time)

    phases(tmp_path, "PT", change, count=3)
    for frame in range(3):
        suv = read_volume(tmp_path, frame=frame).provenance.suv
        assert suv is not None
        assert suv.path.endswith(by)
        assert suv.inputs["uptake_s"] == 3600
