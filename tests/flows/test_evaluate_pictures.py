"""An evaluation on plain pictures from folder to report: by a method whose score is how bright a picture is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

pytest.importorskip("sklearn")

from PIL import Image

from grisaille.core.errors import Cancelled, ConfigError, InputError, OutputError
from grisaille.core.picture_report import PictureMeasure
from grisaille.core.run import Run
from grisaille.flows.evaluate import evaluate
from grisaille.flows.evaluate_pictures import evaluate_pictures
from grisaille.flows.evaluation.plan import Plan
from grisaille.flows.layouts import pictures
from grisaille.flows.layouts.published_pictures import BRAIN_MRI
from grisaille.methods.picture_reader import PictureScore, Squares
from intensity_method import IntensityConfig, IntensityMethod


class BrightReader:
    """A map is the brightness of a picture's quarters, its score the brightest of them."""

    settings: ClassVar[tuple[str, ...]] = ("side",)
    side, rows = 16, 4
    departures = ("it is no network",)
    looked: ClassVar[list[float]] = []

    def scores(self, squares: Squares, run: Run) -> Iterator[PictureScore]:
        run.ran_on("cpu")
        for square in run.track(squares, "looking at pictures"):
            tokens = square.mean(axis=2).reshape(4, 4, 4, 4).mean(axis=(1, 3)).astype(np.float32) / 255
            self.looked.append(float(tokens.max()))
            yield PictureScore(float(tokens.max()), tokens)

    def smooth(self, tokens: np.ndarray) -> np.ndarray:
        return np.repeat(np.repeat(tokens, 4, axis=0), 4, axis=1)


@dataclass(frozen=True, eq=False)
class BrightMethod(IntensityMethod):
    @property
    def picture_reader(self) -> BrightReader:
        return BrightReader()


BRIGHT = BrightMethod(IntensityConfig())


@pytest.fixture(autouse=True)
def looked() -> list[float]:
    BrightReader.looked.clear()
    return BrightReader.looked


def put(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8)).save(path)


@pytest.fixture
def liver(tmp_path: Path) -> Path:
    """Four dark pictures, four with a bright square that their mask marks."""
    for number in range(8):
        picture, mask = np.full((32, 32), 20 + number), np.zeros((32, 32))
        if number >= 4:
            picture[8:16, 16:24], mask[8:16, 16:24] = 200 + number, 255
            put(tmp_path / f"Liver_AD/test/Ungood/label/{number}.png", mask)
        put(tmp_path / f"Liver_AD/test/{'Ungood' if number >= 4 else 'good'}/img/{number}.png", picture)
    return tmp_path / "Liver_AD"


def test_perfect_scores_have_perfect_figures_and_all_files_are_written(liver: Path, tmp_path: Path) -> None:
    report = evaluate_pictures(BRIGHT, liver, out=tmp_path / "out")
    assert [one.measure for one in report.figures] == list(PictureMeasure)
    assert all(one.value == pytest.approx(1, abs=0.01) for one in report.figures)
    assert {(one.healthy, one.abnormal) for one in report.figures} == {(4, 4)}
    assert [one.published for one in report.figures] == [0.762, None, 0.979, None, None]
    assert (report.data, report.side, report.rows, report.device) == ("LiverCT of BMAD", 16, 4, "cpu")
    record = json.loads((tmp_path / "out" / "report.json").read_text())
    assert record["figures"][0]["measure"] == "image AUROC"
    assert [one["is_abnormal"] for one in record["pictures"]] == [False] * 4 + [True] * 4
    assert len(record["files"]) == 12
    assert all(len(one["sha256"]) == 64 for one in record["files"])
    for name in ("report.md", "report.html"):
        page = (tmp_path / "out" / name).read_text()
        for said in ("97.9", "MVFA-AD", "it is no network", "16 x 16 pixels"):
            assert said in page
        assert "told by the folder's name" in page.replace("&#x27;", "'")
        assert "Liver_AD" not in page


def test_figures_are_those_of_the_scores_counted_by_hand(tmp_path: Path) -> None:
    for half, values in {"no": (10, 40, 90), "yes": (50, 80)}.items():
        for number, value in enumerate(values):
            put(tmp_path / f"set/{half}/{number}.png", np.full((20, 30), value))
    auroc, ap, *others = evaluate_pictures(BRIGHT, tmp_path / "set", out=tmp_path / "out").figures
    assert auroc.value == pytest.approx(4 / 6)
    assert ap.value == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert all(one.value is None and "no masks" in one.reason for one in others)
    assert "pixel AUROC is not there: the data set has no masks" in (tmp_path / "out" / "report.md").read_text()


def test_an_evaluation_that_was_cancelled_goes_on_where_it_was(liver: Path, tmp_path: Path, looked) -> None:
    whole = evaluate_pictures(BRIGHT, liver, out=tmp_path / "whole")
    looked.clear()
    with pytest.raises(Cancelled):
        evaluate_pictures(BRIGHT, liver, out=tmp_path / "out", run=Run(is_cancelled=lambda: len(looked) > 3))
    assert not (tmp_path / "out" / "report.json").exists()
    assert len(looked) == 4
    again = evaluate_pictures(BRIGHT, liver, out=tmp_path / "out")
    assert len(looked) == 8  # none is looked at twice
    assert (again.figures, again.pictures, again.device) == (whole.figures, whole.pictures, whole.device)


def test_what_cannot_be_read_is_a_row_and_nothing_published_stands_beside_the_rest(liver: Path, tmp_path: Path) -> None:
    (liver / "test/good/img/1.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    put(liver / "test/Ungood/label/6.png", np.zeros((32, 30)))
    report = evaluate_pictures(BRIGHT, liver, out=tmp_path / "out")
    errors = [one.error for one in report.pictures if one.error]
    assert len(errors) == 2
    assert "1.png" in errors[0]
    assert "the mask 6.png is 30 x 32 pixels, its picture 32 x 32" in errors[1]
    assert {(one.healthy, one.abnormal) for one in report.figures} == {(3, 3)}
    assert (report.published_by, {one.published for one in report.figures}) == ("", {None})
    assert "Pictures that could not be measured" in (tmp_path / "out" / "report.html").read_text()


def test_without_a_readable_healthy_picture_there_is_no_report(tmp_path: Path) -> None:
    put(tmp_path / "set/yes/1.png", np.zeros((9, 9)))
    put(tmp_path / "set/no/1.png", np.zeros((9, 9), np.uint8))
    (tmp_path / "set/no/1.png").write_text("no picture")
    with pytest.raises(InputError, match=r"no healthy picture could be read.*1\.png is no picture"):
        evaluate_pictures(BRIGHT, tmp_path / "set", out=tmp_path / "out")
    assert not (tmp_path / "out" / "report.json").exists()


def test_published_figures_stand_beside_a_whole_known_set(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pictures, "BRAIN_MRI", replace(BRAIN_MRI, healthy=1, abnormal=1))
    put(tmp_path / "set/no/1.png", np.zeros((9, 9)))
    put(tmp_path / "set/yes/1.png", np.ones((9, 9)))
    report = evaluate_pictures(BRIGHT, tmp_path / "set", out=tmp_path / "out")
    assert [one.published for one in report.figures] == [0.903, 0.922, None, None, None]
    assert "2310.18961" in report.published_by
    assert report.notes == ()


def test_another_evaluation_in_the_same_place_is_refused_unless_asked_for(liver: Path, tmp_path: Path) -> None:
    evaluate_pictures(BRIGHT, liver, out=tmp_path / "out")
    with pytest.raises(OutputError, match="another seed"):
        evaluate_pictures(BRIGHT, liver, out=tmp_path / "out", run=Run(seed=3))
    evaluate_pictures(BRIGHT, liver, out=tmp_path / "out", run=Run(seed=3), plan=Plan(overwrite=True))


@pytest.mark.parametrize(
    ("method", "plan", "said"),
    [
        (IntensityMethod(IntensityConfig()), Plan(), "intensity looks at volumes in millimetres"),
        (BRIGHT, Plan(healthy=Path("here")), "healthy was given, but on pictures nothing is trained"),
        (BRIGHT, Plan(folds=2, pet_unit="suvbw"), "folds, pet-unit was given"),
        (BRIGHT, Plan(is_quick=True), "quick was given"),
        (BRIGHT, Plan(false_positives=2), "false-positives was given"),
        (BRIGHT, Plan(settings={"smallest_ml": 1}), "settings were given with a method that has its own"),
    ],
)
def test_what_pictures_do_not_have_is_refused(liver: Path, tmp_path: Path, method, plan, said) -> None:
    with pytest.raises(ConfigError, match=said):
        evaluate_pictures(method, liver, out=tmp_path / "out", plan=plan)
    assert not (tmp_path / "out").exists()


def test_the_flow_of_studies_names_the_one_of_pictures(liver: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"call grisaille\.flows\.evaluate_pictures"):
        evaluate(BRIGHT, liver, layout="pictures", out=tmp_path / "out")
