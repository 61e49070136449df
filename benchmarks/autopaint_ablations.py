"""What each part of AutoPaint is worth: networks trained equally long, and the loop with a part left out.

    python benchmarks/autopaint_ablations.py [--work DIR] [--only NAME ...]

Synthetic torsos; every network learns for as many CPU-seconds. Every row is calibrated on the same healthy
patients and tested on the same patients with lesions, none of whom was trained on. A command that was broken off
goes on where it stopped; figures of all rows that are finished are in results/autopaint_ablations.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from reporting.rows import row_of
from reporting.tables import markdown, write

import grisaille as gr
from grisaille import phantom
from grisaille.core.run import Run
from grisaille.core.study import Case
from grisaille.flows.evaluate import evaluate
from grisaille.flows.load import load_method, save_method
from grisaille.flows.make_autopaint import healthy_patients
from grisaille.methods.autopaint.config import AutoPaintConfig, CtShown
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.frame_cache import FrameCache
from grisaille.methods.autopaint.measuring import drawing, measure
from grisaille.methods.autopaint.method import AutoPaint
from grisaille.methods.autopaint.painting import Hole, Kept, Painter, Patch
from grisaille.methods.autopaint.trimming import learn

WORK = Path(tempfile.gettempdir()) / "grisaille_autopaint_ablations"
PAIR = "ct+pet"
_TOOK = "seconds.json"
TAUGHT_SEED, SICK_SEED, EXAM_SEED = 20262, 20263, 8100
TAUGHT, SICK, CALIBRATING, TESTED = 24, 5, 4, 6
"""Patients; a fifth of those taught have lesions that nobody labelled, in the rows that say so."""
BASE = AutoPaintConfig(width=16, steps=700)
"""Some seven minutes of one core; the table says how long each training took."""


class UnscaledPainter(Painter):
    """A painter that is as sure everywhere."""

    def paint(
        self, frame: Frame, holes: Sequence[Hole], run: Run, what: str, kept: Kept | None = None
    ) -> Iterator[Patch]:
        """As ``Painter.paint``, each scale 1."""
        for patch in super().paint(frame, holes, run, what, kept):
            yield replace(patch, log_scale=np.zeros_like(patch.log_scale))


class Unscaled(AutoPaint):
    """AutoPaint that does not use the predicted scale."""

    def painter(self) -> Painter:
        """Its network, whose scales are not looked at."""
        return UnscaledPainter(super().painter().network, self.config)


@dataclass(frozen=True)
class Row:
    """A network, by what it was trained with, and what is changed when it is used."""

    name: str
    network: str = "base"
    used: Mapping[str, Any] = field(default_factory=dict)
    method: type[AutoPaint] = AutoPaint


NETWORKS: Mapping[str, Mapping[str, Any]] = {
    "base": {},
    "not mirrored": {"mirrored": False},
    "2D": {"flat": True, "steps": 500},  # one takes 1.4 times as long
    "axial": {"axial": True},
    "contaminated": {},
    "contaminated, trimmed": {"trim": 0.01},
    "not placed": {"placed": False},
}
ROWS = (
    Row("base"),
    Row("predicted scale off", method=Unscaled),
    Row("no repaint round", used={"rounds": 0}),
    Row("one size of cubes, 48 mm", used={"cells_mm": (48.0,)}),
    Row("one mode: CT shown", used={"ct_shown": CtShown.ALWAYS}),
    Row("one mode: CT hidden", used={"ct_shown": CtShown.NEVER}),
    Row("two passes", used={"passes": 2}),
    Row("no mirror image", "not mirrored"),
    Row("2D", "2D"),
    Row("axial coordinate", "axial"),
    Row("no place in the cross-section", "not placed"),
    Row("a fifth of the patients sick", "contaminated"),
    Row("a fifth of the patients sick, trimmed", "contaminated, trimmed"),
)


def main() -> None:
    """Train what is missing, measure what is missing, print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=WORK, help="keeps networks and figures of finished rows")
    parser.add_argument("--only", nargs="+", choices=[row.name for row in ROWS], help="these rows alone")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    run = Run(device="cpu", threads=given.threads, seed=1)
    wanted = [row for row in ROWS if given.only is None or row.name in given.only]
    for row in wanted:
        print(row.name, row_of(_report(row, given.work, run)), flush=True)
    table = [
        {"row": row.name, **row_of(_report(row, given.work, run)), "training CPU-s": _seconds(row.network, given.work)}
        for row in ROWS
        if row in wanted or (given.work / "rows" / row.name / "report.json").is_file()
    ]
    print(markdown(table))
    about = {"taught": TAUGHT, "calibrating": CALIBRATING, "tested": TESTED}
    print(write("autopaint_ablations", {**about, "rows": table}))


def _report(row: Row, work: Path, run: Run) -> gr.Report:
    method = _calibrated(row, work, run)
    return evaluate(method, _exams()[1], out=work / "rows" / row.name, run=run)


@cache
def _exams() -> tuple[tuple[Case, ...], tuple[Any, ...]]:
    """Healthy patients to calibrate on, and patients with lesions to test."""
    from grisaille.flows.layouts.synthetic import Cohort, synthetic_exams

    exams = synthetic_exams(Cohort(CALIBRATING, TESTED), EXAM_SEED)
    return tuple(one.as_healthy() for one in exams[:CALIBRATING]), exams[CALIBRATING:]


def _calibrated(row: Row, work: Path, run: Run) -> AutoPaint:
    path = work / "calibrated" / f"{row.name}.safetensors"
    if not path.is_file():
        method = _trained(row.network, work, run)
        method = _as(row.method, replace(method, config=replace(method.config, **row.used)))
        found = measure(method.painter(), method.config, _exams()[0], run, only={PAIR})
        path.parent.mkdir(parents=True, exist_ok=True)
        promised = {"norms": found.norms, "calibrations": found.calibrations, "measured_with": drawing(method.config)}
        save_method(replace(method, **promised), path)
    return _as(row.method, load_method(path))


def _as(kind: type[AutoPaint], method: AutoPaint) -> AutoPaint:
    return kind(**{one.name: getattr(method, one.name) for one in fields(method) if one.init})


def _trained(name: str, work: Path, run: Run) -> AutoPaint:
    from grisaille.methods.autopaint.inpainter import load

    config = replace(BASE, **NETWORKS[name])
    frames = FrameCache(work / "frames", config).keeping(_taught(sick=name.startswith("contaminated")), run)
    folder = work / "networks" / name
    started = time.process_time()
    arrays = learn(frames, (), config, run, folder=folder)
    if not (folder / _TOOK).is_file():  # else it was complete, and taken as it is
        (folder / _TOOK).write_text(json.dumps(time.process_time() - started))
    rounded = {one: array.astype(np.float16) for one, array in arrays.items()}
    return AutoPaint(config, network=load(config, rounded), trained_on=("pet", "ct"), patients=len(frames))


def _seconds(name: str, work: Path) -> float | None:
    """What the training took, less than that where it was broken off."""
    took = work / "networks" / name / _TOOK
    return float(json.loads(took.read_text())) if took.is_file() else None


def _taught(*, sick: bool) -> tuple[Case, ...]:
    """Torsos to learn from; of the last few nobody said that they are sick."""
    healthy = healthy_patients(TAUGHT, TAUGHT_SEED, phantom.Station.TORSO)
    if not sick:
        return healthy
    scan = phantom.Scan(arms=phantom.Arms.RANDOM, ct_spacing_mm=4.0)
    unlabelled = phantom.cohort(SICK, SICK_SEED, lesions=True, scan=scan)
    return healthy[:-SICK] + tuple(Case(one.load, one.patient, healthy=True) for one in unlabelled)


if __name__ == "__main__":
    main()
