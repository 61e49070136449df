"""How well a method finds lesions, beside plain thresholds, and what its promise is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from grisaille.core.errors import Cancelled, ConfigError, GrisailleError, InputError
from grisaille.core.report import Report
from grisaille.core.run import Run
from grisaille.core.safe_write import require_place
from grisaille.core.study import Case
from grisaille.flows.evaluation.figures import Marked, figures_from, marked_from, record_of
from grisaille.flows.evaluation.measuring import Asked, marked_above, measure
from grisaille.flows.evaluation.plan import Plan
from grisaille.flows.evaluation.splits import Part, few, split
from grisaille.flows.evaluation.subject import Ready, Subject, make_ready, subject_of
from grisaille.flows.evaluation.summary import Measured, Oracle, Setting, sum_up
from grisaille.flows.evaluation.work import Work, hash_of
from grisaille.flows.evaluation.writing import write_report
from grisaille.flows.layouts.exam import Exam, Layout
from grisaille.flows.layouts.found import find_exams
from grisaille.flows.layouts.memory import case_exams
from grisaille.imaging.suv_rules import TRIED
from grisaille.methods.base import Method

_FORM = 1
"""Counted up when figures on the disk change their meaning."""


def evaluate(
    method_or_name: Method | str | Path,
    data: str | Path | Sequence[Case | Exam] | None = None,
    *,
    layout: Layout | str | None = None,
    out: str | Path,
    plan: Plan | None = None,
    run: Run | None = None,
) -> Report:
    """Split a data set by patient, train or calibrate, detect, measure, and write a report.

    An evaluation that was broken off goes on where it was when it is asked for again.

    Parameters
    ----------
    method_or_name
        A method's name, which is then trained on the healthy studies of each part; or a fitted
        method, the name of a model (``mvg/phantom``) or its file, which is calibrated on them, where
        there are any.
    data, layout
        The folder of a data set and its layout; no folder for ``synthetic``; or, without a
        layout, cases, all with a truth or known to be healthy, or exams, which may know organs too.
    out
        The folder of report.json, report.md and report.html.
    plan
        How it is done.

    Raises
    ------
    ConfigError
        If what was asked makes no sense, or nobody healthy is there to learn from.
    InputError
        If no case is found, none has a lesion, or none can be measured.
    OutputError
        If ``out`` holds something else.
    """
    plan, run, out = plan or Plan(), run or Run(), Path(out).expanduser()
    require_place(out)
    subject = subject_of(method_or_name, plan)
    exams, titled = _exams(data, layout, plan, run)
    about = {
        "method": [subject.name, subject.identity],
        "data": titled + ([str(data)] if isinstance(data, str | Path) else []),
        "healthy": plan.healthy and str(plan.healthy),
        "folds": "quick" if plan.is_quick else plan.folds,
        "false_positives": plan.false_positives,
        "seed": run.seed,
    }
    work = Work.begun(out, about, overwrite=plan.overwrite)
    exams, parts, has_lesion = _planned(exams, titled, subject, plan, work, run)
    measured, readies = _through(parts, subject, plan, work, run)
    if not any(one.figures for one in measured):
        raise InputError(f"no case could be measured; the first: {measured[0].error}")
    oracle = _oracle(measured, _smallest(subject), work, run)
    setting = Setting(subject, plan, parts, readies, titled[0], run, has_lesion)
    report = sum_up(setting, measured, oracle, work)
    write_report(report, out, {one.exam.key: work.folder / one.picture for one in measured if one.figures})
    return report


def _exams(
    data: str | Path | Sequence[Case | Exam] | None, layout: Layout | str | None, plan: Plan, run: Run
) -> tuple[tuple[Exam, ...], list[str]]:
    """The exams, and how the data set is called."""
    if data is not None and not isinstance(data, str | Path):
        if layout is not None or plan.healthy is not None:
            raise ConfigError("cases were given, which have no layout and no folder of healthy studies; leave them out")
        return case_exams(data), ["cases"]
    try:
        known = Layout(str(layout))
    except ValueError:
        raise ConfigError(f"layout is {str(layout)!r}, expected one of {', '.join(Layout)}") from None
    if known is Layout.PICTURES:
        raise ConfigError(
            "pictures are no studies and have a report of their own; call grisaille.flows.evaluate_pictures for them"
        )
    exams = find_exams(
        known,
        None if data is None else Path(data).expanduser(),
        healthy=plan.healthy,
        pet_unit=plan.pet_unit,
        is_quick=plan.is_quick,
        run=run,
    )
    return exams, [known.value]


def _planned(
    exams: tuple[Exam, ...], titled: list[str], subject: Subject, plan: Plan, work: Work, run: Run
) -> tuple[tuple[Exam, ...], tuple[Part, ...], Mapping[str, bool]]:
    """Which exams are used, in which parts, and which hold lesions."""
    if len({exam.key for exam in exams}) != len(exams):
        raise ConfigError("two cases have the same name; give --data and --healthy folders of different names")
    has_lesion = {exam.key: work.look(exam) for exam in run.track(exams, "looking for lesions in the truth")}
    work.keep_files()
    if not any(has_lesion.values()):
        raise InputError(f"none of {len(exams)} cases has a lesion in its truth, so there is nothing to be found")
    if plan.is_quick:
        exams = few(exams, has_lesion, run.seed)
    is_taught = not plan.is_quick and not all(has_lesion.values())
    if not is_taught and (plan.is_quick or subject.fitted is not None):
        return exams, (Part((), exams),), has_lesion
    folds = 1 if plan.folds is None and titled == [Layout.SYNTHETIC.value] else plan.folds
    return exams, split(exams, has_lesion, folds, run.seed), has_lesion


def _through(
    parts: tuple[Part, ...], subject: Subject, plan: Plan, work: Work, run: Run
) -> tuple[list[Measured], list[Ready]]:
    """Every tested exam through the method of its part."""
    asked = Asked(plan.rates, plan.false_positives, _smallest(subject))
    measured, readies = [], []
    for number, part in enumerate(parts, start=1):
        ready = make_ready(subject, part, plan, work, run)
        work.keep_files()
        readies.append(ready)
        what = "evaluating studies" if len(parts) == 1 else f"evaluating studies of part {number} of {len(parts)}"
        measured += [_measured(exam, ready, asked, work, run) for exam in run.track(part.tested, what)]
        work.keep_files()
    return measured, readies


def _measured(exam: Exam, ready: Ready, asked: Asked, work: Work, run: Run) -> Measured:
    """One exam, from the work folder where it was finished before; what goes wrong with it stays with it."""
    try:
        rests_on = [_FORM, ready.identity, work.exam_hash(exam), asked.rates, asked.smallest_ml, asked.shown, run.seed]
        name = f"scan-{hash_of(rests_on)[:16]}"
        known = work.record(f"{name}.json")
        if known is not None and (work.folder / f"{name}.png").is_file():
            return Measured(exam, figures_from(known), picture=f"{name}.png")
        figures, png = measure(exam.open(), ready.method, asked, run)
    except Cancelled:
        raise
    except GrisailleError as error:
        run.note(f"a study could not be measured: {error}")
        return Measured(exam, None, str(error))
    work.keep_bytes(f"{name}.png", png)
    work.keep(f"{name}.json", record_of(figures))
    return Measured(exam, figures, picture=f"{name}.png")


def _oracle(measured: Sequence[Measured], smallest_ml: float, work: Work, run: Run) -> Oracle | None:
    """The one SUV threshold with the best mean Dice, chosen by looking at the truth of the very same scans."""
    curves = [one.figures.dice_curve for one in measured if one.figures and one.figures.dice_curve]
    if not curves:
        return None
    mean = np.mean(curves, axis=0)
    best = float(TRIED[int(mean.argmax())])
    marks: dict[str, Marked] = {}
    with_pet = [one for one in measured if one.figures and one.figures.rules]
    for one in run.track(with_pet, "marking at the best SUV threshold"):
        name = f"oracle-{hash_of([_FORM, work.exam_hash(one.exam), best, smallest_ml])[:16]}.json"
        known = work.record(name)
        if known is None:
            mark = marked_above(one.exam.open(), best, smallest_ml)
            work.keep(name, record_of(mark))
        else:
            mark = marked_from(known)
        marks[one.exam.key] = mark
    return Oracle(best, marks)


def _smallest(subject: Subject) -> float:
    """Findings smaller than this are left out by plain rules as by the method."""
    return float(subject.config.to_mapping().get("smallest_ml", 0.0))
