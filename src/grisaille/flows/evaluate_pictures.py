"""How well a method's scores part abnormal pictures and pixels from healthy ones, on plain pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import grisaille
from grisaille.core.errors import ConfigError
from grisaille.core.picture_report import PictureFigure, PictureReport, PictureRow
from grisaille.core.report import DataFile
from grisaille.core.run import Run
from grisaille.core.safe_write import require_place
from grisaille.flows.evaluation.picture_measuring import Look, Taken, figures
from grisaille.flows.evaluation.plan import Plan
from grisaille.flows.evaluation.subject import Subject, subject_of
from grisaille.flows.evaluation.work import Work
from grisaille.flows.evaluation.writing import write_picture_report
from grisaille.flows.layouts.exam import Layout
from grisaille.flows.layouts.pictures import PictureSet, find_pictures
from grisaille.flows.versions import imported_versions
from grisaille.methods.base import Method
from grisaille.methods.picture_reader import PictureReader, SeesPictures

_HEEDED = ("settings", "weights", "allow_download", "overwrite")
"""What of a plan means anything here."""


def evaluate_pictures(
    method: Method | str | Path, data: str | Path, *, out: str | Path, plan: Plan | None = None, run: Run | None = None
) -> PictureReport:
    """Score every picture of a data set, measure, and write a report; nothing is trained or calibrated.

    An evaluation that was broken off goes on where it was when it is asked for again.

    Parameters
    ----------
    method
        One that looks at pictures, which AnomalyCLIP does: fitted, the name of a model
        (``anomalyclip/mvtec``) or its file.
    data
        The folder of the pictures, laid out as ``find_pictures`` knows it.
    out
        The folder of report.json, report.md and report.html.
    plan
        Its settings, weights and whether a report is replaced; nothing else of it means anything here.

    Raises
    ------
    ConfigError
        If the method does not look at pictures, or was asked for what pictures do not have.
    InputError
        If no pictures are found, or all that can be read are healthy or all are abnormal.
    OutputError
        If ``out`` holds something else.
    """
    plan, run, out = plan or Plan(), run or Run(), Path(out).expanduser()
    require_place(out)
    _require_heeded(plan)
    found = find_pictures(Path(data).expanduser())
    subject = subject_of(method, replace(plan, is_quick=True))
    assert subject.fitted is not None
    reader = _reader(subject.fitted, plan)
    about = {"method": [subject.name, subject.identity], "data": [Layout.PICTURES.value, str(data)], "seed": run.seed}
    work = Work.begun(out, about, overwrite=plan.overwrite)
    heard: list[str] = [found.remark] if found.remark else []
    look = Look(reader, subject.identity, work, _listening(run, heard))
    taken = look.take(found.exams)
    for one in taken:
        if one.error:
            run.note(f"a picture could not be measured: {one.error}")
    report = replace(_summed_up(subject, found, look, taken, run), notes=tuple(dict.fromkeys(heard)))
    write_picture_report(report, out)
    return report


def _summed_up(subject: Subject, found: PictureSet, look: Look, taken: Sequence[Taken], run: Run) -> PictureReport:
    assert subject.fitted is not None
    figured, by = _beside(figures(taken, look.reader, run), found, taken)
    return PictureReport(
        method=subject.name,
        config=subject.config.to_mapping(),
        weights=subject.fitted.weights,
        model=subject.identity,
        data=found.known.name if found.known else "",
        published_by=by,
        side=look.reader.side,
        rows=look.reader.rows,
        seed=run.seed,
        figures=figured,
        pictures=tuple(_row(one) for one in taken),
        departures=look.reader.departures,
        files=tuple(_files(taken, look.work)),
        device=", ".join(dict.fromkeys(look.devices)),
        versions=imported_versions(),
        grisaille=grisaille.__version__,
    )


def _listening(run: Run, heard: list[str]) -> Run:
    """The same run; what it tells is kept in ``heard`` too."""

    def note(sentence: str) -> None:
        heard.append(sentence)
        run.note(sentence)

    return replace(run, on_note=note)


def _require_heeded(plan: Plan) -> None:
    usual = Plan()
    idle = [
        one.name.removeprefix("is_").replace("_", "-")
        for one in fields(Plan)
        if one.name not in _HEEDED and getattr(plan, one.name) != getattr(usual, one.name)
    ]
    if idle:
        raise ConfigError(
            f"{', '.join(idle)} was given, but on pictures nothing is trained, calibrated or cut at a threshold; "
            "leave it out"
        )


def _reader(method: Method, plan: Plan) -> PictureReader:
    if not isinstance(method, SeesPictures):
        raise ConfigError(
            f"{method.name} looks at volumes in millimetres, which pictures do not have; evaluate AnomalyCLIP on them "
            "(anomalyclip/mvtec or a file of its prompts)"
        )
    reader: PictureReader = method.picture_reader
    idle = sorted(set(plan.settings) - set(reader.settings))
    if idle:
        raise ConfigError(
            f"{', '.join(idle)} means nothing on pictures, which are looked at whole; leave it out (those that do are "
            f"{', '.join(reader.settings)})"
        )
    return reader


def _beside(
    figured: Sequence[PictureFigure], found: PictureSet, taken: Sequence[Taken]
) -> tuple[tuple[PictureFigure, ...], str]:
    """The published figures beside ours, and whose they are; none where pictures are missing from ours."""
    if found.known is None or any(one.error for one in taken):
        return tuple(figured), ""
    known = found.known
    return tuple(replace(one, published=known.figures.get(one.measure)) for one in figured), known.by


def _row(one: Taken) -> PictureRow:
    return PictureRow(one.exam.key, one.exam.is_abnormal, None if one.score is None else one.score.whole, one.error)


def _files(taken: Sequence[Taken], work: Work) -> list[DataFile]:
    roles = [(one, role, path) for one in taken for role, path in (("picture", one.exam.path), ("mask", one.exam.mask))]
    return [
        DataFile(one.exam.key, role, path.stat().st_size, work.sha256(path))
        for one, role, path in roles
        if path is not None and not one.error
    ]
