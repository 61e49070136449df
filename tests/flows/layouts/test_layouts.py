"""Data sets of each layout, made up: what is found, who is whom, where the truth comes to lie."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from grisaille.core.errors import ConfigError, GridMismatch, InputError, NoImages, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.flows import samples
from grisaille.flows.layouts.exam import Layout
from grisaille.flows.layouts.found import find_exams
from grisaille.flows.layouts.memory import case_exams
from grisaille.flows.layouts.synthetic import Cohort, synthetic_exams
from grisaille.flows.layouts.truth import onto
from grisaille.io.labels import write_labels
from grisaille.io.volumes import write_volume
from phantoms import SMALL

GRID = Grid.from_spacing((8, 9, 10), 4.0)
FINE = Grid.from_spacing((16, 18, 20), 2.0, (-1.0, -1.0, -1.0))
"""The same field of view with voxels half as wide."""


def image(path: Path, grid: Grid = GRID, *, modality: Modality = Modality.PET) -> None:
    """An image file without a sidecar, as data sets have them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(0).gamma(2, 1, grid.shape).astype(np.float32)
    unit = Unit.HU if modality is Modality.CT else Unit.SUVBW
    write_volume(Volume(values - 1000 * (unit is Unit.HU), grid, modality, unit), path)
    path.with_name(path.name.replace(".nii.gz", ".json")).unlink()


def labels(path: Path, places: dict[tuple[int, int, int], int], grid: Grid = GRID, names: dict | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.zeros(grid.shape, np.uint16)
    for place, number in places.items():
        voxels[place] = number
    write_labels(Labels(voxels, grid, names or {}), path)


def found(layout: Layout, data: Path | None, **others):
    settings = {"healthy": None, "pet_unit": None, "is_quick": False, "run": Run(), **others}
    return find_exams(layout, data, **settings)


def fdg_tree(root: Path) -> None:
    for study, places in {"PETCT_a/first": {(2, 2, 2): 1}, "PETCT_a/second": {}, "PETCT_b/only": {}}.items():
        image(root / study / "SUV.nii.gz")
        image(root / study / "CTres.nii.gz", modality=Modality.CT)
        image(root / study / "CT.nii.gz", FINE, modality=Modality.CT)
        labels(root / study / "SEG.nii.gz", places)


def test_autopet_studies_of_one_patient_stay_one_patient_and_an_empty_truth_is_a_negative(tmp_path):
    fdg_tree(tmp_path / "FDG-PET-CT-Lesions")
    exams = found(Layout.AUTOPET, tmp_path)
    assert [exam.look() for exam in exams] == [True, False, False]
    assert exams[0].patient == exams[1].patient != exams[2].patient
    assert not any("PETCT" in exam.patient + exam.key for exam in exams)
    opened = exams[0].open()
    assert opened.study.pet.unit is Unit.SUVBW
    assert opened.study.ct.grid.shape == GRID.shape  # CTres, not CT
    assert np.argwhere(opened.lesions.voxels).tolist() == [[2, 2, 2]]
    assert not exams[1].open().lesions.voxels.any()


def test_autopet_three_keeps_tracer_and_patient_of_a_name_together(tmp_path):
    for case in ("fdg_11aa_03-23-2003-NA-PET-CT", "fdg_11aa_04-01-2004-NA-PET-CT", "psma_11aa_2018-04-16"):
        image(tmp_path / "imagesTr" / f"{case}_0001.nii.gz")
        image(tmp_path / "imagesTr" / f"{case}_0000.nii.gz", modality=Modality.CT)
        labels(tmp_path / "labelsTr" / f"{case}.nii.gz", {(1, 1, 1): 1})
    (tmp_path / "imagesTr" / "._fdg_x_0001.nii.gz").write_bytes(b"left by another system")
    exams = found(Layout.AUTOPET, tmp_path)
    assert len(exams) == 3
    assert exams[0].patient == exams[1].patient != exams[2].patient
    study = exams[0].open().study
    assert study.ct.voxels.max() < 0 < study.pet.voxels.min()


@pytest.mark.parametrize("year", [2022, 2025])
def test_hecktor_lesions_are_the_parts_of_both_numbers_brought_from_the_ct_to_the_pet(tmp_path, year):
    images, truth = ("imagesTr", "labelsTr") if year == 2022 else ("CHUM-001", "CHUM-001")
    image(tmp_path / images / "CHUM-001__PT.nii.gz")
    image(tmp_path / images / "CHUM-001__CT.nii.gz", FINE, modality=Modality.CT)
    node = {(12, z, y): 2 for z in (4, 5) for y in (4, 5)}
    labels(tmp_path / truth / "CHUM-001.nii.gz", {(5, 5, 5): 1, (3, 15, 2): 2, **node}, FINE)
    (exam,) = found(Layout.HECKTOR, tmp_path)
    lesions = exam.open().lesions
    assert lesions.grid == exam.load().reference
    assert sorted(lesions.names[number] for number in lesions.ids) == ["GTVn", "GTVn", "GTVp"]
    assert len(lesions.ids) == 3  # one is a single fine voxel between the coarse ones


def msd_tree(root: Path, names: dict[str, str], modality: str = "CT") -> Path:
    image(root / "imagesTr" / "liver_0.nii.gz", modality=Modality.CT)
    labels(root / "labelsTr" / "liver_0.nii.gz", {(1, 1, 1): 1, (1, 1, 2): 2, (5, 5, 5): 2})
    (root / "dataset.json").write_text(json.dumps({"modality": {"0": modality}, "labels": names}))
    return root


def test_decathlon_labels_that_name_a_lesion_are_lesions_and_the_others_organs(tmp_path):
    (exam,) = found(Layout.MSD, msd_tree(tmp_path, {"0": "background", "1": "liver", "2": "cancer"}))
    opened = exam.open()
    assert opened.study.pet is None
    assert np.argwhere(opened.lesions.voxels).tolist() == [[1, 1, 2], [5, 5, 5]]
    assert len(opened.lesions.ids) == 2
    assert [opened.organs.names[number] for number in opened.organs.ids] == ["liver"]


@pytest.mark.parametrize(
    ("names", "modality", "said"),
    [({"1": "spleen"}, "CT", "spleen; expected one that names"), ({"1": "tumour"}, "MRI", "MRI, expected CT")],
)
def test_a_decathlon_task_without_lesions_or_ct_is_refused(tmp_path, names, modality, said):
    with pytest.raises(UnsuitableVolume, match=said):
        found(Layout.MSD, msd_tree(tmp_path, names, modality))


def study_folder(folder: Path, places: dict | None = None, names: dict | None = None) -> Path:
    image(folder / "SUV.nii.gz")
    if places is not None:
        labels(folder / "lesions.nii.gz", places, names=names)
    return folder


def test_a_folder_takes_lesions_beside_the_images_and_healthy_ones_without(tmp_path):
    study_folder(tmp_path / "data" / "one", {(1, 1, 1): 3, (1, 1, 2): 7}, {3: "lung"})
    study_folder(tmp_path / "data" / "two", {(1, 1, 1): 1, (5, 5, 5): 1})
    study_folder(tmp_path / "well" / "one")
    exams = found(Layout.FOLDER, tmp_path / "data", healthy=tmp_path / "well", pet_unit="suvbw")
    assert [exam.look() for exam in exams] == [True, True, False]
    assert len({exam.key for exam in exams}) == len({exam.patient for exam in exams}) == 3
    assert exams[0].open().lesions.ids == (3, 7)  # numbered already
    assert exams[0].open().lesions.names[3] == "lung"
    assert len(exams[1].open().lesions.ids) == 2  # taken apart
    assert not exams[2].open().lesions.voxels.any()


def test_lesions_that_lie_elsewhere_than_the_images_are_refused(tmp_path):
    study_folder(tmp_path / "one")
    labels(tmp_path / "one" / "lesions.nii.gz", {(1, 1, 1): 1}, Grid.from_spacing((4, 4, 4), 4.0, (900, 0, 0)))
    (exam,) = found(Layout.FOLDER, tmp_path, pet_unit="suvbw")
    with pytest.raises(GridMismatch, match="outside the study's images"):
        exam.open()


def test_the_samples_are_a_data_set_with_organs():
    sample = samples.path("oblique")
    exams = {exam.name.rpartition("/")[2]: exam for exam in found(Layout.FOLDER, sample.parent)}
    opened = exams["oblique"].open()
    assert opened.lesions.grid == opened.organs.grid == opened.study.reference
    inside = opened.organs.voxels[opened.lesions.voxels == opened.lesions.ids[0]]
    assert opened.organs.names[int(np.bincount(inside).argmax())] == "liver"
    assert [exams[name].look() for name in ("petct_lesions_2", "petct_healthy_1", "dicom_station")] == [
        True,
        False,
        True,
    ]


def test_a_study_given_as_healthy_must_not_have_lesions(tmp_path):
    study_folder(tmp_path / "data" / "one")
    study_folder(tmp_path / "well" / "two", {(1, 1, 1): 1})
    with pytest.raises(ConfigError, match="two has lesions marked"):
        found(Layout.FOLDER, tmp_path / "data", healthy=tmp_path / "well", pet_unit="suvbw")


def test_a_study_that_cannot_be_read_is_named_before_anything_begins(tmp_path):
    study_folder(tmp_path / "one")
    with pytest.raises(InputError, match=r"one: .*does not say its unit"):
        found(Layout.FOLDER, tmp_path)


@pytest.mark.parametrize("layout", [Layout.AUTOPET, Layout.HECKTOR, Layout.MSD, Layout.FOLDER])
def test_where_no_case_is_found_it_is_said_what_was_looked_for(tmp_path, layout):
    with pytest.raises(NoImages, match="looked for"):
        found(layout, tmp_path)
    with pytest.raises(NoImages):
        found(layout, tmp_path / "nowhere")


def test_a_case_without_its_truth_is_named(tmp_path):
    fdg_tree(tmp_path)
    (tmp_path / "PETCT_a" / "first" / "SEG.nii.gz").unlink()
    with pytest.raises(NoImages, match=r"first/SEG\.nii\.gz is not there"):
        found(Layout.AUTOPET, tmp_path)


def test_synthetic_patients_come_from_the_seed_alone_and_keep_their_places(tmp_path):
    with pytest.raises(ConfigError, match="leave --data"):
        found(Layout.SYNTHETIC, tmp_path)
    with pytest.raises(ConfigError, match="needs the folder"):
        found(Layout.AUTOPET, None)
    small = Cohort(healthy=2, with_lesions=1, scan=SMALL)
    exams, again, other = (synthetic_exams(small, seed) for seed in (3, 3, 4))
    assert [exam.recipe for exam in exams] == [exam.recipe for exam in again] != [exam.recipe for exam in other]
    assert [exam.look() for exam in exams] == [False, False, True]
    assert len({exam.patient for exam in exams}) == 3
    opened = exams[2].open()
    assert np.array_equal(opened.study.pet.voxels, exams[2].load().pet.voxels)
    assert opened.organs.grid == opened.lesions.grid == opened.study.reference
    assert "liver" in opened.organs.names.values()
    assert all(name.endswith(" lesion") for name in opened.lesions.names.values())


def test_cases_need_a_truth_or_to_be_known_as_healthy():
    study = Study.of(Volume(np.ones(GRID.shape), GRID, Modality.PET, Unit.SUVBW))
    with pytest.raises(ConfigError, match="case 1 of 1 has no truth"):
        case_exams([Case(lambda: study, "a")])
    with pytest.raises(ConfigError, match="no case"):
        case_exams([])
    (exam,) = case_exams([Case(lambda: study, "a", healthy=True)])
    assert not exam.look()
    assert exam.open().lesions.grid == GRID


def test_a_lesion_between_coarse_voxels_keeps_one_and_one_outside_is_left_out():
    voxels = np.zeros(FINE.shape, np.uint16)
    voxels[7, 7, 7], voxels[0, 0, 0] = 1, 2
    coarse = Grid.from_spacing((2, 2, 2), 8.0, (8.0, 8.0, 8.0))
    assert onto(Labels(voxels, FINE), coarse).ids == (1,)
