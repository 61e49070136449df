"""AutoPaint on scans unlike those it learned from, and the published loop of moving discs on the same network.

    python benchmarks/autopaint_robustness.py [--work DIR] [--model FILE] [--only NAME ...]

Synthetic patients with lesions that no model was trained on. The model and its thresholds stay as they are; the
published loop, which has other scores, is calibrated on healthy patients of its own. Its loop without gates takes
minutes a patient, so it is measured on chests, beside the other two. A command that was broken off goes on where
it stopped.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from reporting.rows import row_of
from reporting.tables import markdown, write

from grisaille import phantom
from grisaille.core.anomaly import AnomalyMap
from grisaille.core.calibration import Calibration
from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.flows.evaluate import evaluate
from grisaille.flows.layouts.exam import Exam, Opened
from grisaille.flows.layouts.synthetic import Cohort, synthetic_exams
from grisaille.flows.layouts.truth import onto
from grisaille.flows.load import load_method, save_method
from grisaille.methods.autopaint.config import Preset
from grisaille.methods.autopaint.measuring import drawing
from grisaille.methods.autopaint.method import AutoPaint
from grisaille.methods.autopaint.published import promise as published
from grisaille.methods.autopaint.published.counting import CountingPainter

WORK = Path(tempfile.gettempdir()) / "grisaille_autopaint_robustness"
PAIR = "ct+pet"
SEED = 0
TESTED = 10
CHESTS, CALIBRATING = 5, 4
SHIFT_MM, FACTOR = 12.0, 1.3
STEP_MM = 40.0
"""Of the loop without gates: twice the usual, half the time, and every slice is still judged."""

Change = Callable[[Study, np.random.Generator], Study]


def shifted(study: Study, rng: np.random.Generator) -> Study:
    """The CT moved by up to ``SHIFT_MM`` along each axis, as after a breath or a turn."""
    affine = study.ct.grid.affine.copy()
    affine[:3, 3] += rng.uniform(-SHIFT_MM, SHIFT_MM, 3)
    return Study({**study.volumes, "ct": replace(study.ct, grid=Grid(study.ct.grid.shape, affine))}, study.patient)


def scaled(study: Study, _: np.random.Generator) -> Study:
    """A scanner that reads SUV ``FACTOR`` times as high."""
    pet = study.pet.with_voxels(study.pet.voxels * np.float32(FACTOR))
    return Study({**study.volumes, "pet": pet}, study.patient)


def alone(key: str, study: Study, _: np.random.Generator) -> Study:
    """One modality."""
    return Study({key: study.volumes[key]}, study.patient)


class Counted(AutoPaint):
    """AutoPaint whose passes through the network are counted in ``PAINTERS``."""

    def painter(self) -> CountingPainter:
        """Its network, ready to paint."""
        painter = CountingPainter(super().painter().network, self.config)
        PAINTERS.append(painter)
        return painter


class Ungated(Counted):
    """The published loop without its gates: discs cover the whole body."""

    def score(self, study: Study, run: Run) -> AnomalyMap:
        """As ``AutoPaint.score``."""
        promise = self.calibrations.get(PAIR, Calibration.none())
        return published.scored(self.painter(), study, self.config, promise, run, gates=False, step_mm=STEP_MM)

    def calibrate(self, cases: tuple[Case, ...], run: Run) -> Ungated:
        """The promise of this loop."""
        painter = self.painter()
        promises = published.promises(painter, self.config, cases, run, gates=False, step_mm=STEP_MM, only={PAIR})
        return replace(self, calibrations=promises, measured_with=drawing(self.config))


PAINTERS: list[CountingPainter] = []


@dataclass(frozen=True)
class Row:
    """What is scanned, how it is changed, and which loop looks at it."""

    name: str
    station: phantom.Station = phantom.Station.TORSO
    change: Change | None = None
    method: type[Counted] = Counted
    preset: Preset = Preset.GRISAILLE


GATED, UNGATED = "published loop, its gates", "published loop, no gates"
CHEST, PUBLISHED = phantom.Station.CHEST, Preset.PUBLISHED
ROWS = (
    Row("as scanned"),
    Row(f"CT shifted by up to {SHIFT_MM:g} mm", change=shifted),
    Row(f"SUV x {FACTOR:g}", change=scaled),
    Row("PET alone", change=partial(alone, "pet")),
    Row("CT alone", change=partial(alone, "ct")),
    Row(GATED, preset=PUBLISHED),
    Row("chests: as scanned", CHEST),
    Row(f"chests: {GATED}", CHEST, preset=PUBLISHED),
    Row(f"chests: {UNGATED}", CHEST, method=Ungated, preset=PUBLISHED),
)


def main() -> None:
    """Measure what is missing, print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=WORK, help="keeps figures of finished rows")
    parser.add_argument("--model", default="autopaint/phantom")
    parser.add_argument("--only", nargs="+", choices=[row.name for row in ROWS], help="these rows alone")
    given = parser.parse_args()
    for row in ROWS:
        if given.only is None or row.name in given.only:
            print(row.name, _measured(row, given.work, given.model), flush=True)
    table = [_measured(row, given.work, given.model) for row in ROWS if _kept(row, given.work).is_file()]
    print(markdown(table))
    about = {"model": given.model, "tested": {"torsos": TESTED, "chests": CHESTS}, "calibrating": CALIBRATING}
    print(write("autopaint_robustness", {**about, "rows": table}))


def _kept(row: Row, work: Path) -> Path:
    return work / f"{row.name}.json"


def _measured(row: Row, work: Path, model: str) -> dict[str, Any]:
    """From the work folder where it was finished before."""
    kept = _kept(row, work)
    if not kept.is_file():
        run = Run(device="cpu", threads=1, seed=SEED)
        method = _ready(row, work, model, run)
        ill = [_changed(one, row) for one in _exams(row)[1]]
        report = evaluate(method, ill, out=work / row.name, run=run)
        PAINTERS.clear()
        method.score(ill[0].load(), run)
        passes = sum(painter.evaluations for painter in PAINTERS)
        kept.write_text(json.dumps({"row": row.name, **row_of(report), "passes, first patient": passes}))
    measured: dict[str, Any] = json.loads(kept.read_text())
    return measured


def _ready(row: Row, work: Path, model: str, run: Run) -> Counted:
    """The model as it is; for the published loop, calibrated on healthy patients."""
    path = work / f"{row.name}.safetensors"
    fitted = load_method(path if path.is_file() else model)
    method = row.method(**{one.name: getattr(fitted, one.name) for one in fields(fitted) if one.init})
    if row.preset is Preset.GRISAILLE or path.is_file():
        return method
    asked = replace(method, config=replace(method.config, preset=row.preset))
    calibrated = asked.calibrate(tuple(one.as_healthy() for one in _exams(row)[0]), run)
    work.mkdir(parents=True, exist_ok=True)
    save_method(calibrated, path)
    return calibrated


def _exams(row: Row) -> tuple[tuple[Exam, ...], tuple[Exam, ...]]:
    """Healthy ones to calibrate on, and the ones to test."""
    tested = CHESTS if row.station is CHEST else TESTED
    exams = synthetic_exams(Cohort(CALIBRATING, tested, phantom.Scan(row.station, ct_spacing_mm=4.0)), SEED)
    return exams[:CALIBRATING], exams[CALIBRATING:]


def _changed(exam: Exam, row: Row) -> Exam:
    """The same patient by another scanner; the truth on the grid that is then the reference."""
    change = row.change
    if change is None:
        return exam
    seed = int.from_bytes(exam.key.encode()[:8], "little")

    def load() -> Study:
        return change(exam.load(), np.random.default_rng(seed))

    def opened() -> Opened:
        study, seen = load(), exam.open()
        return Opened(study, onto(seen.lesions, study.reference))

    return replace(exam, load=load, open=opened, recipe=f"{exam.recipe}, {row.name}")


if __name__ == "__main__":
    main()
