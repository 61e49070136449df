"""An evaluation from data to report: who is tested on what, what is counted, and going on where it was."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

import grisaille as gr
from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.core.errors import Cancelled, ConfigError, InputError, MissingWeights, OutputError
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.flows.evaluate import evaluate
from grisaille.flows.evaluation.plan import Plan
from grisaille.flows.evaluation.splits import few, split
from grisaille.flows.layouts.exam import Exam
from grisaille.flows.load import save_method
from grisaille.methods import catalog
from intensity_method import IntensityConfig, IntensityMethod, Side

GRID = Grid.from_spacing((10, 16, 16), 4.0)


@dataclass(frozen=True, eq=False)
class Watched(IntensityMethod):
    """Counts what it is asked to do."""

    asked = []  # noqa: RUF012 - shared on purpose

    def fit(self, cases, run):
        self.asked.append(("fit", frozenset(case.patient for case in cases)))
        return super().fit(cases, run)

    def calibrate(self, cases, run):
        self.asked.append(("calibrate", frozenset(case.patient for case in cases)))
        return super().calibrate(cases, run)

    def score(self, study, run):
        self.asked.append(("score", study.patient))
        return super().score(study, run)


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    monkeypatch.setattr(catalog, "names", lambda: ("intensity",))
    monkeypatch.setattr(catalog, "method_class", lambda name: Watched)
    monkeypatch.setattr(catalog, "config_class", lambda name: IntensityConfig)
    Watched.asked.clear()
    return Watched.asked


def a_case(number: int, lesion_suv: float = 0.0, patient: str = "") -> Case:
    """A box of tissue of SUV 2 with, if asked, a lesion of 3 x 3 x 3 voxels (1.728 ml)."""
    patient = patient or f"person {number}"
    voxels = np.random.default_rng(number).normal(2, 0.2, GRID.shape).astype(np.float32)
    voxels[:, :3] = 0
    truth = np.zeros(GRID.shape, np.uint16)
    if lesion_suv:
        voxels[4:7, 8:11, 8:11], truth[4:7, 8:11, 8:11] = lesion_suv, 1
    study = Study.of(Volume(voxels, GRID, Modality.PET, Unit.SUVBW, name="PET"), patient=patient)
    return Case(lambda: study, patient, Labels(truth, GRID, {1: "box lesion"}), healthy=not lesion_suv)


COHORT = [*(a_case(number) for number in range(6)), a_case(10, 9.0), a_case(11, 9.0)]
ABOVE = Plan(folds=2, settings={"side": Side.ABOVE})


def fitted() -> IntensityMethod:
    return Watched(IntensityConfig(side=Side.ABOVE)).fit(COHORT[:4], Run())


def test_a_perfect_case_has_perfect_figures_and_all_files_are_written(tmp_path):
    report = evaluate("intensity", COHORT, out=tmp_path / "out", plan=ABOVE)
    method, *rules = report.scores
    assert (method.name, method.sensitivity, method.false_negative_ml) == ("intensity", 1, 0)
    assert method.dice_mean == pytest.approx(1, abs=0.05)  # a voxel more may be above the promised cut
    assert method.voxel_ap == pytest.approx(1)
    assert (method.scans, method.scans_with_lesions, method.lesions) == (8, 2, 2)
    assert [score.name for score in rules][:2] == ["SUV > 2.5", "SUV > 4"]
    assert rules[1].dice_mean == 1
    assert rules[-1].is_oracle
    assert not method.is_oracle
    assert [one.asked for one in report.promises] == [0.5, 1, 2]
    assert report.promises[0].scans == 6
    assert "liver (PERCIST)" in report.missing
    assert {(one.by, one.group) for one in report.strata} >= {("region", "box"), ("size", "1 to 5 ml")}
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written["scores"][0]["dice_mean"] == method.dice_mean
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/png;base64,") >= 2
    assert "http" not in page
    assert "Dice" in (tmp_path / "out" / "report.md").read_text()


def test_nobody_is_tested_with_a_method_that_learned_from_him(tmp_path, asked):
    evaluate("intensity", COHORT, out=tmp_path, plan=ABOVE)
    taught: frozenset[str] = frozenset()
    tested = []
    for what, who in asked:
        if what == "fit":
            taught = who
            fitting = True
        elif what == "score" and who not in taught:
            tested.append(who)
            fitting = False
        elif what == "score":
            assert fitting  # the fit itself scores those it leaves out
    assert sorted(tested) == sorted(case.patient for case in COHORT)
    ill = {"person 10", "person 11"}
    assert not any(who & ill for what, who in asked if what == "fit")


def test_an_evaluation_that_was_cancelled_goes_on_where_it_was(tmp_path, asked):
    whole = evaluate("intensity", COHORT, out=tmp_path / "whole", plan=ABOVE)
    scored = sum(what == "score" for what, _ in asked)
    asked.clear()
    stop = Run(is_cancelled=lambda: sum(what == "score" for what, _ in asked) > scored // 2)
    with pytest.raises(Cancelled):
        evaluate("intensity", COHORT, out=tmp_path / "broken", plan=ABOVE, run=stop)
    assert not (tmp_path / "broken" / "report.json").exists()
    before = len(asked)
    again = evaluate("intensity", COHORT, out=tmp_path / "broken", plan=ABOVE)
    assert 0 < len(asked) - before < scored
    assert again.scores == whole.scores
    assert again.promises == whole.promises
    asked.clear()
    assert evaluate("intensity", COHORT, out=tmp_path / "broken", plan=ABOVE).scans == whole.scans
    assert asked == []


def test_a_long_training_goes_on_in_its_folder_which_is_gone_at_the_end(tmp_path, monkeypatch):
    folders = []

    class Long(Watched):
        def fit_in(self, folder, cases, run):
            folders.append(folder)
            done = folder / "steps"
            if not done.exists():
                done.write_text("half")
                raise Cancelled
            return self.fit(cases, run)

    monkeypatch.setattr(catalog, "method_class", lambda name: Long)
    once = replace(ABOVE, folds=1)
    with pytest.raises(Cancelled):
        evaluate("intensity", COHORT, out=tmp_path, plan=once)
    assert (folders[0] / "steps").read_text() == "half"
    report = evaluate("intensity", COHORT, out=tmp_path, plan=once)
    assert folders[0] == folders[1]
    assert not folders[0].exists()
    assert report.costs[0].step == "train and calibrate, a part"


def test_changed_data_or_settings_are_measured_anew(tmp_path, asked):
    evaluate(fitted(), COHORT[4:], out=tmp_path, plan=Plan(folds=2))
    asked.clear()
    changed = [*COHORT[4:-1], a_case(11, 8.0)]
    evaluate(fitted(), changed, out=tmp_path, plan=Plan(folds=2))
    assert [who for what, who in asked if what == "score" and who == "person 11"] == ["person 11"]


def test_another_evaluation_in_the_same_place_is_refused_unless_asked_for(tmp_path):
    evaluate("intensity", COHORT, out=tmp_path / "out", plan=ABOVE)
    with pytest.raises(OutputError, match="another folds"):
        evaluate("intensity", COHORT, out=tmp_path / "out", plan=replace(ABOVE, folds=3))
    evaluate("intensity", COHORT, out=tmp_path / "out", plan=replace(ABOVE, folds=3, overwrite=True))
    with pytest.raises(InputError):  # an evaluation that never began stands in nobody's way
        evaluate("intensity", COHORT[:4], out=tmp_path / "begun", plan=ABOVE)
    evaluate("intensity", COHORT, out=tmp_path / "begun", plan=replace(ABOVE, folds=3))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="not empty"):
        evaluate("intensity", COHORT, out=tmp_path / "mine", plan=ABOVE)


def test_a_fitted_method_is_calibrated_on_healthy_patients_it_is_not_tested_on(tmp_path, asked):
    report = evaluate(fitted(), COHORT, out=tmp_path, plan=Plan(folds=1))
    calibrated = [who for what, who in asked if what == "calibrate"]
    assert len(calibrated) == 1
    tested = {one.patient for one in report.scans}
    assert len(tested) == 4
    assert {"person 10", "person 11"} <= tested
    assert not calibrated[0] & tested
    assert "was calibrated once" in report.how


def test_a_model_goes_as_it_is_where_nobody_is_healthy(tmp_path, asked):
    save_method(fitted(), tmp_path / "model.safetensors")
    asked.clear()
    report = evaluate(tmp_path / "model.safetensors", COHORT[6:], out=tmp_path / "out")
    assert not [what for what, _ in asked if what != "score"]
    assert report.promises == ()
    assert "promised against observed" in report.missing
    assert report.promised_by is CalibrationSource.PATIENTS


def test_a_method_without_a_promise_is_judged_by_its_scores_alone(tmp_path):
    method = replace(fitted(), calibration=Calibration.none())
    report = evaluate(method, COHORT[6:], out=tmp_path)
    assert report.scores[0].dice_mean is None
    assert report.scores[0].voxel_ap == pytest.approx(1)
    assert report.points == ()
    assert "never calibrated" in report.missing["intensity at a threshold"]


def test_a_case_that_cannot_be_measured_is_a_row_and_the_others_go_on(tmp_path):
    blank = Study.of(Volume(np.ones(GRID.shape), GRID, Modality.PET, Unit.SUVBW, name="PET"))
    cases = [*COHORT[6:], Case(lambda: blank, "blank", Labels(np.zeros(GRID.shape, np.uint16), GRID), healthy=False)]
    report = evaluate(fitted(), cases, out=tmp_path, plan=Plan(is_quick=True))
    assert [bool(one.error) for one in report.scans] == [False, False, True]
    assert "holds 1 everywhere" in report.scans[2].error
    assert report.scores[0].scans == 2


@pytest.mark.parametrize(
    ("method", "cases", "plan", "error", "said"),
    [
        ("intensity", COHORT[:4], ABOVE, InputError, "none of 4 cases has a lesion"),
        ("intensity", COHORT[6:], ABOVE, ConfigError, "learns from healthy studies and this data set has none"),
        ("intensity", COHORT, replace(ABOVE, folds=9), ConfigError, "8 patients cannot be split into 9"),
        ("nothing", COHORT, Plan(), MissingWeights, "nothing"),
        ("intensity", COHORT, Plan(settings={"colour": 1}), ConfigError, "unknown setting colour"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, method, cases, plan, error, said):
    with pytest.raises(error, match=said):
        evaluate(method, cases, out=tmp_path, plan=plan)


def test_a_plan_that_contradicts_itself_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no folds"):
        Plan(is_quick=True, folds=3)
    with pytest.raises(ConfigError, match="0 folds"):
        Plan(folds=0)
    with pytest.raises(ConfigError, match="threshold"):
        Plan(false_positives=0)
    with pytest.raises(ConfigError, match="layout is 'nowhere'"):
        gr.evaluate("intensity", tmp_path, layout="nowhere", out=tmp_path / "out")
    with pytest.raises(ConfigError, match="no layout"):
        gr.evaluate("intensity", COHORT, layout="folder", out=tmp_path / "out")


def exams(*patients: str) -> list[Exam]:
    return [Exam(f"{number}", who, lambda: None, lambda: None, lambda: True) for number, who in enumerate(patients)]


@pytest.mark.parametrize("folds", [2, 3, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_split_tests_every_exam_once_and_keeps_patients_whole(folds, seed):
    all_exams = exams(*"aabbccddeeffgg")
    has_lesion = {exam.key: exam.patient in "ab" and int(exam.name) % 2 == 0 for exam in all_exams}
    parts = split(all_exams, has_lesion, folds, seed)
    assert sorted(exam.name for part in parts for exam in part.tested) == sorted(exam.name for exam in all_exams)
    for part in parts:
        assert not {exam.patient for exam in part.teaching} & {exam.patient for exam in part.tested}
        assert not any(has_lesion[exam.key] for exam in part.teaching)
    assert parts[0].tested == split(all_exams, has_lesion, folds, seed)[0].tested


def test_a_few_are_patients_with_and_without_lesions_with_all_their_exams():
    all_exams = exams(*"abcdefghijklmnopqrst", "a")
    has_lesion = {exam.key: exam.patient < "h" for exam in all_exams}
    chosen = few(all_exams, has_lesion, 0)
    ill = {exam.patient for exam in chosen if has_lesion[exam.key]}
    assert (len(ill), len({exam.patient for exam in chosen} - ill)) == (4, 4)
    assert sum(exam.patient == "a" for exam in chosen) in (0, 2)
