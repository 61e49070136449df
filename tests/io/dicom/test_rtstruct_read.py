"""RTSTRUCT as labels: pixel centres inside the contours, on the slices where they were drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from dicom_builder import BETWEEN_SLICES_MM, ORIGIN_MM, PATIENT, ROOT, write_series
from grisaille.core.errors import GridMismatch, InputError, NoImages, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.volume import Volume, VolumeProvenance
from grisaille.imaging.resample import resample
from grisaille.io.dicom.label_files import label_file, likely_volumes
from grisaille.io.labels import read_labels
from grisaille.io.study import read_volume
from labels_builder import contour_of, write_contours

X, Y, Z = ORIGIN_MM
STEP = BETWEEN_SLICES_MM
Points = Sequence[tuple[float, float, float]]


@pytest.fixture
def ct(tmp_path: Path) -> Volume:
    """5 slices of 4 x 3 pixels of 2 x 1.5 mm, 3 mm apart."""
    write_series(tmp_path / "ct", "CT")
    return read_volume(tmp_path / "ct")


def box(z: float, rows: tuple[float, float] = (0, 3), columns: tuple[float, float] = (0, 2)) -> Points:
    """A rectangle a quarter of a pixel round the centres from the first to the last row and column."""
    low, high = X + 1.5 * (columns[0] - 0.25), X + 1.5 * (columns[1] + 0.25)
    top, bottom = Y + 2 * (rows[0] - 0.25), Y + 2 * (rows[1] + 0.25)
    return [(low, top, z), (high, top, z), (high, bottom, z), (low, bottom, z)]


def test_centres_inside_are_marked_on_the_slice_where_the_contour_lies(tmp_path: Path, ct: Volume) -> None:
    path = write_contours(tmp_path / "a.dcm", {"mass": [box(Z + STEP * 2, (1, 2), (1, 2))]})
    labels = read_labels(path, like=ct)
    wanted = np.zeros((5, 4, 3), np.uint16)
    wanted[2, 1:3, 1:3] = 1
    assert np.array_equal(labels.voxels, wanted)
    assert (labels.grid, labels.names, labels.warnings) == (ct.grid, {1: "mass"}, ())
    assert labels.source is ct.source


def test_contours_within_contours_are_holes(tmp_path: Path, ct: Volume) -> None:
    path = write_contours(tmp_path / "a.dcm", {"ring": [box(Z), box(Z, (1, 2), (1, 1))]})
    voxels = read_labels(path, like=ct).voxels[0]
    assert voxels.sum() == 10
    assert not voxels[1:3, 1].any()


def test_where_regions_overlap_the_smaller_stands_and_each_can_be_had_whole(tmp_path: Path, ct: Volume) -> None:
    inner, outer = box(Z, (1, 2), (1, 2)), box(Z)
    path = write_contours(tmp_path / "a.dcm", {"mass": [inner], "edema": [outer]})
    both = read_labels(path, like=ct)
    assert np.bincount(both.voxels.ravel())[1:].tolist() == [4, 8]
    assert both.names == {1: "mass", 2: "edema"}
    (warning,) = both.warnings
    assert "mass and edema overlap in 4 voxels, which are given to mass" in warning
    for wanted in ("edema", 2, "2"):
        alone = read_labels(path, like=ct, rois=[wanted])
        assert np.bincount(alone.voxels.ravel())[1:].tolist() == [0, 12]
        assert (alone.names, alone.warnings) == ({2: "edema"}, ())
    assert read_labels(path, like=ct, rois="mass").ids == (1,)
    with pytest.raises(InputError, match=r"a\.dcm: ROI liver is not there; there are 1 \(mass\), 2 \(edema\)"):
        read_labels(path, like=ct, rois=["liver"])


def test_without_a_volume_there_is_nothing_to_lay_it_on(tmp_path: Path) -> None:
    path = write_contours(tmp_path / "a.dcm", {"mass": [box(Z)]})
    with pytest.raises(InputError, match=r"a\.dcm is an RTSTRUCT.*like="):
        read_labels(path)


def test_another_frame_of_reference_is_refused_unless_it_names_the_series(tmp_path: Path, ct: Volume) -> None:
    stranger = write_contours(tmp_path / "a.dcm", {"mass": [box(Z)]}, frame=f"{ROOT}.66", series=f"{ROOT}.67")
    with pytest.raises(GridMismatch, match=r"a\.dcm lies in another frame of reference than CT series 1"):
        read_labels(stranger, like=ct)
    own = write_contours(tmp_path / "b.dcm", {"mass": [box(Z)]}, frame=f"{ROOT}.66")
    labels = read_labels(own, like=ct)
    assert labels.voxels.sum() == 12
    assert "another frame of reference" in labels.warnings[0]
    # A bare grid, and a volume without a frame, cannot be checked.
    assert read_labels(stranger, like=ct.grid).warnings == ()
    bare = Volume(ct.voxels, ct.grid, name="CT")
    assert "CT names no frame of reference" in read_labels(stranger, like=bare).warnings[0]


def test_of_several_frames_the_regions_of_the_volumes_own_are_taken(tmp_path: Path, ct: Volume) -> None:
    def move(plan: Dataset) -> None:
        plan.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = f"{ROOT}.66"

    path = write_contours(tmp_path / "a.dcm", {"here": [box(Z)], "there": [box(Z)]}, change=move)
    labels = read_labels(path, like=ct)
    assert labels.ids == (1,)
    assert labels.warnings == ("ROI there lies in another frame of reference and was left out",)


def test_a_contour_off_its_slice_is_moved_there_and_told(tmp_path: Path, ct: Volume) -> None:
    near = write_contours(tmp_path / "near.dcm", {"mass": [box(Z + STEP + 0.04)]})
    assert read_labels(near, like=ct).warnings == ()
    off = write_contours(tmp_path / "off.dcm", {"mass": [box(Z + STEP + 1.2)]})
    labels = read_labels(off, like=ct)
    assert labels.voxels[1].all()
    assert labels.warnings == ("ROI mass: its contours lie up to 1.20 mm off the slices; they were moved there",)


def test_planes_between_the_slices_are_left_out_and_never_toggle_each_other(tmp_path: Path, ct: Volume) -> None:
    planes = [box(Z + step) for step in np.arange(0, 6.1, 1.0)]
    labels = read_labels(write_contours(tmp_path / "a.dcm", {"mass": planes}), like=ct)
    assert labels.voxels[:3].all()
    assert not labels.voxels[3:].any()
    assert labels.warnings == ("ROI mass: 4 of its 7 planes lie between slices 3.00 mm apart and were left out",)


def test_contours_too_far_apart_for_the_slices_are_refused_but_on_their_own_series(tmp_path: Path, ct: Volume) -> None:
    sparse = {"mass": [box(Z), box(Z + 2 * STEP), box(Z + 4 * STEP)]}
    own = read_labels(write_contours(tmp_path / "own.dcm", sparse), like=ct)
    assert own.voxels[::2].all()
    assert "lie 6.00 mm apart, the slices 3.00 mm" in own.warnings[0]
    other = write_contours(tmp_path / "other.dcm", sparse, series=f"{ROOT}.67")
    with pytest.raises(GridMismatch, match=r"contours of other\.dcm lie 6\.00 mm apart.*resample"):
        read_labels(other, like=ct)
    # Two lone slices may be two lone lesions.
    two = write_contours(tmp_path / "two.dcm", {"mass": sparse["mass"][:2]}, series=f"{ROOT}.67")
    assert "lie 6.00 mm apart" in read_labels(two, like=ct).warnings[0]


def test_contours_across_the_slices_are_refused(tmp_path: Path, ct: Volume) -> None:
    tilted = [(x, y, z + (y - Y)) for x, y, z in box(Z + STEP)]
    path = write_contours(tmp_path / "a.dcm", {"mass": [tilted]})
    with pytest.raises(GridMismatch, match=r"a\.dcm: the contours of ROI mass lie across the slices"):
        read_labels(path, like=ct)


def test_contours_in_sagittal_planes_are_taken_along_them(tmp_path: Path, ct: Volume) -> None:
    x = X + 1.5
    sagittal = [(x, Y - 0.5, Z - 0.5), (x, Y + 6.5, Z - 0.5), (x, Y + 6.5, Z + 6.5), (x, Y - 0.5, Z + 6.5)]
    labels = read_labels(write_contours(tmp_path / "a.dcm", {"mass": [sagittal]}), like=ct)
    wanted = np.zeros((5, 4, 3), np.uint16)
    wanted[:3, :, 1] = 1
    assert np.array_equal(labels.voxels, wanted)


def test_oblique_grids_are_met_in_their_own_slices(tmp_path: Path, ct: Volume) -> None:
    angle = np.deg2rad(20)
    affine = np.array(ct.grid.affine)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine[:3, :3] = turn @ affine[:3, :3]
    grid = Grid(ct.grid.shape, affine)
    corners = grid.to_mm([(2, 0.75, 0.75), (2, 0.75, 2.25), (2, 2.25, 2.25), (2, 2.25, 0.75)])[:, ::-1]
    labels = read_labels(write_contours(tmp_path / "a.dcm", {"mass": [corners.tolist()]}), like=grid)
    wanted = np.zeros((5, 4, 3), np.uint16)
    wanted[2, 1:3, 1:3] = 1
    assert np.array_equal(labels.voxels, wanted)


def test_what_the_volume_cuts_off_is_told_and_what_misses_it_is_refused(tmp_path: Path, ct: Volume) -> None:
    path = write_contours(tmp_path / "a.dcm", {"mass": [box(Z - 3), box(Z), box(Z + 3)]})
    labels = read_labels(path, like=ct)
    assert labels.voxels[:2].all()
    assert labels.warnings == ("ROI mass reaches beyond the volume and is cut off there (1 of its planes lie outside)",)
    wide = read_labels(write_contours(tmp_path / "w.dcm", {"mass": [box(Z, (0, 9))]}), like=ct)
    assert wide.voxels.sum() == 12
    assert "reaches beyond" in wide.warnings[0]
    gone = write_contours(tmp_path / "g.dcm", {"mass": [box(Z + 100)]})
    with pytest.raises(GridMismatch, match=r"contours of g\.dcm enclose no voxel"):
        read_labels(gone, like=ct)


def test_points_and_open_lines_are_left_out_with_a_note(tmp_path: Path, ct: Volume) -> None:
    def add(plan: Dataset) -> None:
        contours = plan.ROIContourSequence[0].ContourSequence
        contours.append(contour_of(box(Z + 3), "OPEN_PLANAR"))
        contours.append(contour_of([(X, Y, Z)], "POINT"))
        contours.append(contour_of([(X, Y, Z)]))
        plan.ROIContourSequence[1].ContourSequence = []

    path = write_contours(tmp_path / "a.dcm", {"mass": [box(Z)], "none": []}, change=add)
    labels = read_labels(path, like=ct)
    assert labels.voxels.sum() == 12
    assert labels.warnings == (
        "ROI mass: left out 3 contours, points or open lines: they enclose nothing",
        "ROI none has no closed contour and was left out",
    )


def test_numbers_that_no_label_has_are_given_anew(tmp_path: Path, ct: Volume) -> None:
    def renumber(plan: Dataset) -> None:
        plan.StructureSetROISequence[0].ROINumber = plan.ROIContourSequence[0].ReferencedROINumber = 70000

    path = write_contours(tmp_path / "a.dcm", {"mass": [box(Z)], "more": [box(Z + 3)]}, change=renumber)
    labels = read_labels(path, like=ct)
    assert labels.names == {1: "mass", 2: "more"}
    assert "numbered from 1" in labels.warnings[0]


def set_data(plan: Dataset, data: Any) -> None:
    plan.ROIContourSequence[0].ContourSequence[0].ContourData = data


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plan: set_data(plan, ["1"] * 10), "10 coordinates"),
        (lambda plan: setattr(plan.StructureSetROISequence[1], "ROINumber", 1), "ROINumber of their own"),
        (lambda plan: setattr(plan, "StructureSetROISequence", []), "has no ROI"),
    ],
)
def test_damage_is_told_by_the_files_name_and_never_the_patients(
    tmp_path: Path, ct: Volume, change: Any, said: str
) -> None:
    path = write_contours(tmp_path / "a.dcm", {"mass": [box(Z)], "more": []}, change=change)
    with pytest.raises(UnreadableFile, match=said) as caught:
        read_labels(path, like=ct)
    assert "a.dcm" in str(caught.value)
    assert PATIENT.split("^")[0] not in str(caught.value)


def test_a_truncated_file_is_refused(tmp_path: Path, ct: Volume) -> None:
    path = write_contours(tmp_path / "a.dcm", {"mass": [box(Z)]})
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(UnreadableFile, match=r"a\.dcm"):
            read_labels(path, like=ct)


def test_a_folder_with_one_is_enough_and_with_two_is_asked_back(tmp_path: Path, ct: Volume) -> None:
    path = write_contours(tmp_path / "ct" / "a.dcm", {"mass": [box(Z)]})
    assert read_labels(tmp_path / "ct", like=ct).ids == (1,)
    (tmp_path / "ct" / "b.dcm").write_bytes(path.read_bytes())
    with pytest.raises(NoImages, match=r"ct holds 2 DICOM SEG or RTSTRUCT files: a\.dcm, b\.dcm, expected one"):
        read_labels(tmp_path / "ct", like=ct)


@pytest.mark.real_data
def test_the_tumour_of_a_real_whole_body_pet_has_its_known_voxels(real_data: Path) -> None:
    patient = real_data / "sarcoma" / "STS_001"
    pet = read_volume(patient / "wholebody_pet_dicom")
    labels = read_labels(patient / "wholebody_rtstruct.dcm", like=pet)
    assert labels.names == {1: "GTV_Mass", 2: "GTV_Edema"}
    mass = pet.voxels[labels.voxels == 1]
    assert mass.size == 5095
    assert (round(float(mass.mean()), 2), round(float(mass.max()), 1)) == (2.56, 7.9)
    edema = read_labels(patient / "wholebody_rtstruct.dcm", like=pet, rois=["GTV_Edema"])
    assert (edema.voxels > 0).sum() == 8058
    assert (edema.voxels[labels.voxels == 1] > 0).all()
    finer = resample(pet, pet.grid.spaced((1.0, 4.69, 4.69)))
    with pytest.raises(GridMismatch, match=r"3\.\d\d mm apart"):
        read_labels(patient / "wholebody_rtstruct.dcm", like=finer.grid)


def test_one_stack_of_several_in_a_series_is_still_of_the_series_that_is_named(tmp_path: Path, ct: Volume) -> None:
    path = write_contours(tmp_path / "a.dcm", {"mass": [box(Z)]})
    found = label_file(path)
    assert found is not None
    assert found.names(ct)
    stack = replace(ct, source=replace(ct.source, series=f"{ct.source.series}-2"), provenance=VolumeProvenance())
    assert likely_volumes(found, [stack]) == [stack]
