"""From the figures of single scans to a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import grisaille
from grisaille.core.calibration import CalibrationSource
from grisaille.core.report import Cost, DataFile, OperatingPoint, Promise, Report, ScanRow, Score
from grisaille.core.result import SYNTHETIC_CAVEAT
from grisaille.core.run import Run
from grisaille.flows.evaluation.figures import Figures, Marked
from grisaille.flows.evaluation.measuring import ABOVE_2_5, ABOVE_4, LIVER, SHARE
from grisaille.flows.evaluation.plan import PROMISED, SENSITIVITY_AT, Plan
from grisaille.flows.evaluation.splits import Part
from grisaille.flows.evaluation.strata import strata
from grisaille.flows.evaluation.subject import Ready, Subject
from grisaille.flows.evaluation.tables import false_positives
from grisaille.flows.evaluation.work import Work
from grisaille.flows.layouts.exam import Exam, Layout
from grisaille.flows.versions import imported_versions

HIT_SHARE = 0.25
"""A lesion is hit where at least this share of its voxels is marked."""


@dataclass(frozen=True, eq=False)
class Measured:
    """An exam with its figures and the name of its picture, or why there are none."""

    exam: Exam
    figures: Figures | None
    error: str = ""
    picture: str = ""


@dataclass(frozen=True, eq=False)
class Oracle:
    """The best SUV threshold and what it marks, by the key of an exam."""

    threshold: float
    marks: Mapping[str, Marked]

    @property
    def name(self) -> str:
        """Of its row."""
        return f"ORACLE: best SUV threshold ({self.threshold:g})"


@dataclass(frozen=True, eq=False)
class Setting:
    """What was evaluated, on what, and how."""

    subject: Subject
    plan: Plan
    parts: tuple[Part, ...]
    readies: Sequence[Ready]
    layout: str
    run: Run
    has_lesion: Mapping[str, bool]

    @property
    def is_taught(self) -> bool:
        """Whether healthy exams were learned or calibrated from."""
        return any(part.teaching for part in self.parts)

    def rate(self, rate: float) -> str:
        """The name under which labels at a rate are kept."""
        return f"{rate:g}"


Ways = dict[str, list[tuple[Figures, Marked]]]


def sum_up(setting: Setting, measured: Sequence[Measured], oracle: Oracle | None, work: Work) -> Report:
    """The report of all scans together."""
    done = [one for one in measured if one.figures is not None]
    figures = [one.figures for one in done if one.figures is not None]
    main = setting.rate(setting.plan.false_positives)
    ways: Ways = {setting.subject.name: [(one, one.promised[main]) for one in figures if main in one.promised]}
    for name in (ABOVE_2_5, ABOVE_4, SHARE, LIVER):
        ways[name] = [(one, one.rules[name]) for one in figures if name in one.rules]
    if oracle is not None:
        ways[oracle.name] = [
            (one.figures, oracle.marks[one.exam.key]) for one in done if one.exam.key in oracle.marks and one.figures
        ]
    is_promising = bool(ways[setting.subject.name])
    return Report(
        method=setting.subject.name,
        config=setting.subject.config.to_mapping(),
        weights=setting.readies[0].method.weights,
        models=tuple(dict.fromkeys(ready.identity for ready in setting.readies)),
        layout=setting.layout,
        folds=len(setting.parts),
        seed=setting.run.seed,
        false_positives=setting.plan.false_positives,
        how=_how(setting),
        promised_by=_source(setting, figures),
        scores=tuple(_scores(setting, ways, figures, oracle)),
        points=tuple(_points(setting, figures)) if is_promising else (),
        strata=strata(ways, HIT_SHARE),
        promises=tuple(_promises(setting, done)),
        costs=tuple(_costs(setting, figures)),
        scans=tuple(_row(setting, one, main) for one in measured),
        missing=_missing(setting, figures, oracle, is_promising),
        notes=_notes(setting, figures),
        files=tuple(_files(measured, setting, work)),
        recipes={one.exam.key: one.exam.recipe for one in measured if one.exam.recipe},
        device=", ".join(dict.fromkeys(device for one in figures for device in one.devices)) or "cpu",
        versions=imported_versions(),
        grisaille=grisaille.__version__,
    )


def _how(setting: Setting) -> str:
    subject, parts = setting.subject, setting.parts
    teaching = [len({exam.patient for exam in part.teaching}) for part in parts]
    if setting.plan.is_quick:
        return f"quick: a few patients and the model of {subject.name} as it is; nothing was trained or calibrated"
    if not setting.is_taught:
        return f"the model of {subject.name} as it is: the data set has no healthy scans to calibrate it on"
    done = "trained and calibrated" if subject.fitted is None else "calibrated"
    span = f"{min(teaching)}" if min(teaching) == max(teaching) else f"{min(teaching)} to {max(teaching)}"
    times = "once" if len(parts) == 1 else f"in {len(parts)} parts by patient, each"
    whom = f"the scans without lesions of {span} patients, none of whom it was tested on"
    return f"{subject.name} was {done} {times} on {whom}"


def _source(setting: Setting, figures: Sequence[Figures]) -> CalibrationSource:
    """Phantoms are no patients, whoever calibrated on them."""
    if setting.layout == Layout.SYNTHETIC and setting.is_taught:
        return CalibrationSource.SYNTHETIC
    return CalibrationSource(figures[0].source)


def _scores(setting: Setting, ways: Ways, figures: Sequence[Figures], oracle: Oracle | None) -> Iterable[Score]:
    for name, marks in ways.items():
        is_method = name == setting.subject.name
        if not marks and not is_method:
            continue
        seen = [one.precision if is_method else one.suv_precision for one in figures]
        yield _score(
            name, _threshold(setting, name, marks), marks, _mean(seen), oracle is not None and name == oracle.name
        )


def _threshold(setting: Setting, name: str, marks: Sequence[tuple[Figures, Marked]]) -> str:
    if name == setting.subject.name:
        if not marks:
            return "none: never calibrated"
        return f"{false_positives(setting.plan.false_positives)} a healthy scan, from healthy scans only"
    used = sorted({round(mark.threshold, 2) for _, mark in marks if mark.threshold is not None})
    return f"SUV {used[0]:g}" if len(used) == 1 else f"SUV {used[0]:g} to {used[-1]:g}"


def _score(
    name: str, threshold: str, marks: Sequence[tuple[Figures, Marked]], precision: float | None, is_oracle: bool
) -> Score:
    dices = [mark.dice for _, mark in marks if mark.dice is not None]
    ill = [mark for one, mark in marks if one.lesions]
    covered = [share for mark in ill for share in mark.covered]
    return Score(
        name=name,
        threshold=threshold,
        is_oracle=is_oracle,
        dice_mean=_mean(dices),
        dice_median=float(np.median(dices)) if dices else None,
        dice_error=_error(dices),
        false_positive_ml=_mean([mark.false_positive_ml for _, mark in marks]),
        false_negative_ml=_mean([mark.false_negative_ml for mark in ill]),
        sensitivity=_share_hit(covered),
        false_positives=_mean([mark.false_positives for _, mark in marks]),
        voxel_ap=precision,
        scans=len(marks),
        scans_with_lesions=len(ill),
        lesions=len(covered),
    )


def _points(setting: Setting, figures: Sequence[Figures]) -> Iterable[OperatingPoint]:
    for rate in SENSITIVITY_AT:
        marks = [one.promised[setting.rate(rate)] for one in figures if one.promised]
        yield OperatingPoint(
            rate,
            _share_hit([share for mark in marks for share in mark.covered]),
            _mean([mark.dice for mark in marks]),
            float(np.mean([mark.false_positives for mark in marks])),
        )


def _promises(setting: Setting, done: Sequence[Measured]) -> Iterable[Promise]:
    healthy = [one.figures for one in done if not setting.has_lesion[one.exam.key] and one.figures]
    healthy = [one for one in healthy if one.promised]
    for rate in PROMISED if healthy else ():
        made = [float(one.promised[setting.rate(rate)].false_positives) for one in healthy]
        mean = float(np.mean(made))
        yield Promise(rate, mean, _error(made), mean / rate, len(made), max(one.smallest for one in healthy))


def _costs(setting: Setting, figures: Sequence[Figures]) -> Iterable[Cost]:
    made = [ready for ready in setting.readies if ready.wall_seconds is not None]
    step = "calibrate" if setting.subject.fitted is not None else "train and calibrate"
    if made:
        yield _cost(f"{step}, a part", [(one.wall_seconds or 0.0, one.cpu_seconds or 0.0) for one in made])
    yield _cost("score and mark, a scan", [(one.wall_seconds, one.cpu_seconds) for one in figures])


def _cost(step: str, seconds: Sequence[tuple[float, float]]) -> Cost:
    wall, cpu = np.mean(seconds, axis=0)
    return Cost(step, len(seconds), round(float(wall), 2), round(float(cpu), 2))


def _row(setting: Setting, one: Measured, main: str) -> ScanRow:
    exam, figures = one.exam, one.figures
    is_healthy = not setting.has_lesion[exam.key]
    if figures is None:
        return ScanRow(exam.key, exam.patient, is_healthy, 0, error=one.error)
    mark = figures.promised.get(main)
    if mark is None:
        return ScanRow(exam.key, exam.patient, is_healthy, len(figures.lesions), voxel_ap=figures.precision)
    return ScanRow(
        exam.key,
        exam.patient,
        is_healthy,
        len(figures.lesions),
        mark.dice,
        mark.false_positive_ml,
        mark.false_negative_ml if figures.lesions else None,
        sum(share >= HIT_SHARE for share in mark.covered),
        mark.false_positives,
        figures.precision,
    )


def _missing(setting: Setting, figures: Sequence[Figures], oracle: Oracle | None, is_promising: bool) -> dict[str, str]:
    missing = {}
    for name in (ABOVE_2_5, ABOVE_4, SHARE, LIVER):
        refused = Counter(one.refused[name] for one in figures if name in one.refused)
        for reason, count in refused.most_common(1):
            missing[name] = reason if count == len(figures) else f"{sum(refused.values())} scans left out: {reason}"
    if oracle is None:
        missing["ORACLE: best SUV threshold"] = "no scan with a lesion has a PET in SUV"
    if not is_promising:
        missing[f"{setting.subject.name} at a threshold"] = (
            "the model was never calibrated on healthy scans; give healthy studies (--healthy)"
        )
    if all(setting.has_lesion[exam.key] for part in setting.parts for exam in part.tested):
        missing["promised against observed"] = "no healthy scan is left to be tested"
    return missing


def _notes(setting: Setting, figures: Sequence[Figures]) -> tuple[str, ...]:
    """What the method said of scans, each sentence once with how often; and what the promise is worth."""
    counted = Counter(note for one in figures for note in one.notes)
    notes = [note if count == 1 else f"{note} ({count} scans)" for note, count in counted.most_common()]
    if _source(setting, figures) is CalibrationSource.SYNTHETIC and setting.layout != Layout.SYNTHETIC:
        notes.insert(0, SYNTHETIC_CAVEAT)
    return tuple(notes)


def _files(measured: Sequence[Measured], setting: Setting, work: Work) -> Iterable[DataFile]:
    taught = [exam for part in setting.parts for exam in part.teaching]
    exams = {exam.key: exam for exam in [*(one.exam for one in measured), *taught]}
    for key, exam in exams.items():
        for number, (role, path) in enumerate(exam.files.items(), start=1):
            # Names of a folder's own files may say who the patient is.
            named = role if role in ("ct", "pet", "truth") else f"file {number}"
            if path.is_file():
                yield DataFile(key, named, path.stat().st_size, work.sha256(path))


def _share_hit(covered: Sequence[float]) -> float | None:
    return float(np.mean([share >= HIT_SHARE for share in covered])) if covered else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _error(values: Sequence[float]) -> float | None:
    """Standard error of the mean."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
