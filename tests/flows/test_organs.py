"""Organs of a result, whatever the method: what is added, said and refused, and percentiles among healthy studies."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from fake_method import FakeConfig
from fake_painter import FakePainter
from grisaille.core.calibration import Per
from grisaille.core.errors import Cancelled, ConfigError, InputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.organ import ORGAN_COLUMNS
from grisaille.core.organ_reference import OrganReference
from grisaille.core.result import Asked
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.core.volume import Modality, Source, Unit, Volume
from grisaille.flows.detect import detect, relabel
from grisaille.flows.organs import add_to_reference, with_organs
from grisaille.imaging.threshold_organs import threshold_organs
from grisaille.io.labels import read_labels
from grisaille.io.nifti import read_nifti
from grisaille.io.organs import read_organ_reference, write_organ_reference
from grisaille.io.results import result_json, write_result
from grisaille.methods import catalog
from intensity_method import IntensityConfig, IntensityMethod

SHAPE = (12, 16, 20)
GRID = Grid.from_spacing(SHAPE, 4.0)
METHOD = IntensityMethod(IntensityConfig(), mean=2.0, std=0.3)


def study_of(seed, hot=0.0):
    voxels = np.random.default_rng(seed).normal(2, 0.3, SHAPE).astype(np.float32)
    voxels[:, :3] = 0
    voxels[4:7, 8:11, 14:17] += hot
    return Study.of(Volume(voxels, GRID, Modality.PET, Unit.SUVBW, name="PET"))


def organs_of(names=(), voxels=None):
    if voxels is None:
        voxels = np.ones(SHAPE, np.uint16)
        voxels[..., 10:] = 2
    return Labels(voxels, GRID, dict(names), Source(name="organs.nii.gz"))


NAMED = organs_of({1: "right", 2: "left"})


def result_of(seed, hot=0.0, organs=NAMED, **given):
    study = study_of(seed, hot)
    return with_organs(detect(study, METHOD, top=0.01), study, organs, **given)


def test_a_result_has_no_organs_unless_they_are_asked_for():
    result = detect(study_of(0), METHOD, top=0.01)
    assert result.organs == ()
    assert result.organ_map is None


@pytest.mark.parametrize("method", [METHOD, FakePainter()])
def test_any_method_gets_its_organs(method):
    study = study_of(0, hot=7)
    if isinstance(method, FakePainter):
        study = Study.of(study.pet, Volume(study.pet.voxels * 50, GRID, Modality.CT, Unit.HU, name="CT"))
    before = detect(study, method, top=0.01)
    result = with_organs(before, study, NAMED)
    assert [organ.name for organ in result.organs] == ["left", "right"]
    first = result.organs[0]
    index = GRID.to_index([first.centroid_s_mm, first.centroid_p_mm, first.centroid_l_mm])
    assert np.abs(index - (5, 9, 15)).max() <= 1
    assert result.organ_map is not None
    assert result.organ_map.z.shape == SHAPE
    assert result.anomaly is before.anomaly
    assert result.findings == before.findings
    assert "organs" in result.provenance.seconds


def test_another_threshold_leaves_the_organs():
    result = result_of(0, hot=7)
    again = relabel(result, study_of(0, hot=7), METHOD, 0.05, Per.SHARE)
    assert again.organs is result.organs
    assert again.organ_map is result.organ_map


def test_what_is_to_be_known_of_the_organs_is_said_once_and_kept():
    voxels = np.zeros(SHAPE, np.uint16)
    voxels[:, 5:] = 17
    voxels[:, 0] = 3  # air, not judged
    notes = []
    result = result_of(0, organs=organs_of(voxels=voxels), run=Run(on_note=notes.append))
    assert len(notes) == 2
    assert notes[0] == "organs.nii.gz has no names for 2 of its 2 organs (3, 17); they go by their numbers"
    assert notes[1].endswith("have no row: organ 3")
    assert result.provenance.warnings[-2:] == tuple(notes)
    assert [organ.name for organ in result.organs] == ["organ 17"]


def test_it_can_be_cancelled():
    with pytest.raises(Cancelled):
        result_of(0, run=Run(is_cancelled=lambda: True))


def test_thresholds_name_themselves():
    study = study_of(0)
    result = with_organs(detect(study, METHOD, top=0.01), study, threshold_organs(study))
    assert [organ.name for organ in result.organs] == ["body"]
    assert result.organ_map is not None
    assert result.organ_map.made_of == "thresholds"


# --- a threshold of each organ


def by_organ(method=METHOD, share=0.008, **given):
    study = study_of(0, hot=7)
    if isinstance(method, FakePainter):
        study = Study.of(study.pet, Volume(study.pet.voxels * 50, GRID, Modality.CT, Unit.HU, name="CT"))
    return study, detect(study, method, top=share, per="organ", organs=NAMED, **given)


@pytest.mark.parametrize("method", [METHOD, FakePainter(FakeConfig(smallest_ml=0.0))])
def test_whatever_the_method_each_organ_is_cut_by_its_own_scores(method):
    study, result = by_organ(method)
    whole = detect(study, method, top=0.008)
    right = NAMED.voxels == 1
    assert not (whole.labels.voxels[right] > 0).any(), "else this test shows nothing: the hot organ takes it all"
    for number in (1, 2):
        judged = (NAMED.voxels == number) & result.anomaly.body
        marked = judged & (result.labels.voxels > 0)
        assert 1 <= np.count_nonzero(marked) <= 0.008 * np.count_nonzero(judged) + 1
    first = result.labels.voxels == 1
    assert result.anomaly.scores[first].max() == result.anomaly.scores.max()  # numbered as ever
    assert {one.label for one in result.findings} == set(result.labels.ids)
    assert result.provenance.asked == Asked(0.008, Per.ORGAN)
    assert np.array_equal(result.anomaly.scores, whole.anomaly.scores)


def test_a_calibrated_method_promises_nothing_for_a_share_of_organs():
    method = replace(METHOD, config=IntensityConfig(smallest_ml=0.5)).calibrate(
        [Case(lambda seed=seed: study_of(seed), f"patient {seed}", healthy=True) for seed in range(3)], Run()
    )
    _, result = by_organ(method)
    assert result.provenance.warnings == ()
    assert result_json(result)["calibration"]["per"] == "organ"
    assert min(one.volume_ml for one in result.findings) >= 0.5  # the smallest that the method leaves


def test_another_share_of_each_organ_is_relabelled_without_the_organs_given_again():
    study, result = by_organ()
    again = relabel(result, study, METHOD, 0.05, Per.ORGAN)
    assert np.array_equal(again.labels.voxels, by_organ(share=0.05)[1].labels.voxels)
    assert relabel(again, study, METHOD, 0.02, Per.SHARE).provenance.asked == Asked(0.02, Per.SHARE)


def test_the_table_of_findings_says_of_what_the_share_is(tmp_path):
    write_result(by_organ()[1], tmp_path / "out")
    with (tmp_path / "out" / "findings.csv").open(newline="") as file:
        assert {row["calibration"] for row in csv.DictReader(file)} == {"none: the most anomalous 0.008 of each organ"}


@pytest.mark.parametrize(
    ("given", "says"),
    [({"top": 0.02}, "lacks organs"), ({"organs": NAMED}, "lacks a share"), ({}, "lacks a share and organs")],
)
def test_a_threshold_of_each_organ_without_share_or_organs_is_refused(given, says):
    with pytest.raises(ConfigError, match=says):
        detect(study_of(0), METHOD, per="organ", **given)
    with pytest.raises(ConfigError, match="needs organs"):
        relabel(detect(study_of(0), METHOD, top=0.01), study_of(0), METHOD, 0.01, Per.ORGAN)


def test_organs_that_lie_elsewhere_are_refused_before_the_work():
    far = replace(NAMED, grid=Grid.from_spacing(SHAPE, 4.0, (900, 0, 0)))
    with pytest.raises(InputError, match=r"organs\.nii\.gz lies on"):
        detect(study_of(0), METHOD, top=0.01, organs=far, run=Run(is_cancelled=lambda: True))


# --- files


def test_the_files_of_the_organs_agree_with_the_result(tmp_path):
    result = result_of(0, hot=7)
    write_result(result, tmp_path / "out")
    with (tmp_path / "out" / "organs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == ORGAN_COLUMNS
    assert [row["name"] for row in rows] == ["left", "right"]
    assert float(rows[0]["z_top"]) == pytest.approx(result.organs[0].z_top, rel=1e-5)
    assert rows[0]["percentile"] == ""
    assert np.array_equal(read_nifti(tmp_path / "out" / "organ_z.nii.gz").voxels, result.organ_map.z)
    labels = read_labels(tmp_path / "out" / "organ_labels.nii.gz")
    assert labels.names == NAMED.names
    assert np.array_equal(labels.voxels, NAMED.voxels)
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert [organ["name"] for organ in record["organs"]] == ["left", "right"]
    assert record["organ_map"] == {"labels": "organs.nii.gz", "edge_mm": 0.0, "reference": None}


def test_a_result_without_organs_takes_the_files_of_an_older_one_away(tmp_path):
    result = result_of(0)
    write_result(result, tmp_path / "out")
    write_result(replace(result, organs=(), organ_map=None), tmp_path / "out", overwrite=True)
    assert not list((tmp_path / "out").glob("organ*"))


# --- the reference


@pytest.fixture(scope="module")
def reference():
    return OrganReference.merged([OrganReference.of(result_of(seed)) for seed in range(9)])


def test_percentiles_are_counted_among_healthy_studies_the_patient_included(reference):
    result = result_of(99, hot=7, reference=reference)
    left, right = result.organs
    assert left.percentile == 90.0  # above all nine
    below = sum(top < right.score_top for top in reference.tops["right"])
    assert right.percentile == 10 * below
    assert result.organ_map.reference == reference.name


def test_a_healthy_study_of_the_reference_is_not_above_itself(reference):
    for seed in range(9):
        assert all(organ.percentile <= 80.0 for organ in result_of(seed, reference=reference).organs)


def test_an_organ_that_the_reference_does_not_know_has_no_percentile(reference):
    result = result_of(99, organs=organs_of({1: "right", 2: "spleen"}), reference=reference)
    assert {organ.name: organ.percentile is None for organ in result.organs} == {"right": False, "spleen": True}


def test_a_reference_comes_back_from_its_file_as_it_was(reference, tmp_path):
    write_organ_reference(reference, tmp_path / "healthy.json")
    assert read_organ_reference(tmp_path / "healthy.json") == replace(reference, name="healthy.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 2, "method": "mvg"}', "\x00"])
def test_a_file_that_is_no_reference_is_refused_by_name(tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(UnreadableFile, match=r"other\.json"):
        read_organ_reference(tmp_path / "other.json")


def test_a_reference_of_another_model_or_edge_is_refused(reference):
    with pytest.raises(InputError, match="made by another model"):
        result_of(99, reference=replace(reference, scoring=replace(reference.scoring, weights=("ab",))))
    with pytest.raises(InputError, match="ask for the same"):
        result_of(99, reference=reference, edge_mm=4.0)


def test_a_reference_made_with_other_settings_is_refused_with_those_that_differ(reference):
    sides = replace(reference.scoring, settings={**reference.scoring.settings, "side": "above", "windows": [0.0, 10.0]})
    with pytest.raises(InputError, match=r"side is above, here both; windows is 0, 10, here 0, 30; take its settings"):
        result_of(99, reference=replace(reference, scoring=sides))


def test_what_changes_no_score_is_no_other_setting(reference):
    study = study_of(99)
    others = replace(METHOD, config=replace(METHOD.config, smallest_ml=2.0))
    result = with_organs(detect(study, others, top=0.01), study, NAMED, reference=reference)
    assert all(organ.percentile is not None for organ in result.organs)


@pytest.mark.parametrize("name", catalog.names())
def test_of_each_method_the_smallest_finding_or_the_batch_is_no_setting_of_its_scores(name):
    config = catalog.config_class(name)()
    spared = set(config.to_mapping()) - set(config.scoring())
    assert spared
    assert spared <= {"batch", "smallest_ml", "delineation"}


def test_a_map_that_is_not_whole_is_no_healthy_study():
    result = result_of(0)
    with pytest.raises(InputError, match="incomplete"):
        OrganReference.of(replace(result, anomaly=replace(result.anomaly, incomplete="every 2nd slice only")))


def test_studies_scored_in_different_ways_make_no_reference(reference):
    with pytest.raises(InputError, match="found 2 models, settings or edges"):
        OrganReference.merged([reference, replace(reference, edge_mm=3.0)])
    with pytest.raises(InputError, match="found no healthy study"):
        OrganReference.merged([])
    with pytest.raises(InputError, match="has no organs"):
        OrganReference.of(detect(study_of(0), METHOD, top=0.01))


def test_healthy_studies_are_added_to_a_file_one_by_one_and_each_once(tmp_path, reference):
    file = tmp_path / "healthy.json"
    for seed in range(9):
        assert add_to_reference(result_of(seed), file).studies == seed + 1
    assert read_organ_reference(file) == replace(reference, name="healthy.json")
    before = file.read_bytes()
    with pytest.raises(InputError, match=r"healthy\.json holds a study with these very scores already"):
        add_to_reference(result_of(3), file)
    with pytest.raises(InputError, match="ask for the same"):
        add_to_reference(result_of(10, edge_mm=4.0), file)
    assert file.read_bytes() == before


def test_a_file_that_is_no_reference_is_not_written_over(tmp_path):
    (tmp_path / "notes.json").write_text("mine")
    with pytest.raises(UnreadableFile, match=r"notes\.json"):
        add_to_reference(result_of(0), tmp_path / "notes.json")
    assert (tmp_path / "notes.json").read_text() == "mine"
