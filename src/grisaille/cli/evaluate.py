"""``grisaille evaluate``: how well a method finds lesions in a data set, as a report."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grisaille.cli import options
from grisaille.cli.console import Console
from grisaille.core.config import knobs
from grisaille.core.errors import ConfigError, GrisailleError
from grisaille.core.picture_report import PictureReport
from grisaille.core.report import Report
from grisaille.core.run import Run

if TYPE_CHECKING:
    from grisaille.flows.evaluation.plan import Plan

_TAKEN = {"folds"}
"""Settings of methods whose flag means the evaluation's own here; they keep their default."""

LAYOUTS = ("autopet", "hecktor", "msd", "folder", "synthetic", "pictures")


def add_evaluate(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Flags of ``grisaille evaluate``, the settings of the method named among ``arguments`` included."""
    parser.add_argument(
        "method",
        metavar="METHOD",
        help="mvg or autopaint: trained in each part; mvg/phantom or a file: taken as it is; on pictures: "
        "anomalyclip/mvtec or a file of its prompts",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="the data set; none for synthetic")
    parser.add_argument("--layout", required=True, choices=LAYOUTS, help="how the data set lies on the disk")
    parser.add_argument("--healthy", type=Path, metavar="DIR", help="healthy studies beside it, a folder each")
    parser.add_argument("--folds", type=int, metavar="N", help="parts by patient (5; 1 for synthetic)")
    parser.add_argument("--quick", action="store_true", help="a few patients and the shipped model; nothing is trained")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the report is written")
    parser.add_argument("--overwrite", action="store_true", help="replace the report of another evaluation")
    parser.add_argument(
        "--false-positives", type=float, default=1.0, metavar="N", help="a healthy scan, where Dice is measured (1.0)"
    )
    parser.add_argument("--pet-unit", choices=options.PET_UNITS, help="unit of PET files that do not say it")
    options.add_run_flags(parser)
    _add_settings(parser, arguments)
    parser.set_defaults(command=_evaluate)


def _add_settings(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    from grisaille.flows.load import method_name
    from grisaille.methods.catalog import config_class, names

    words = [word for word in arguments[arguments.index("evaluate") + 1 :] if not word.startswith("-")]
    ref = next((word for word in words if word in names()), words[0] if words else None)
    if ref is None:
        parser.epilog = f"With METHOD named, --help lists the settings of that method too. {parser.epilog}"
        return
    try:
        settings = [one for one in knobs(config_class(method_name(ref))) if one.name not in _TAKEN]
    except GrisailleError:  # said when the method is loaded
        return
    options.add_knobs(parser, settings, f"settings of {ref}; those of its fit are refused where nothing is trained")


def _evaluate(given: argparse.Namespace, console: Console) -> int:
    from grisaille.flows.evaluate import evaluate
    from grisaille.flows.evaluation.plan import Plan
    from grisaille.flows.layouts.exam import Layout

    plan = Plan(
        healthy=given.healthy,
        folds=given.folds,
        is_quick=given.quick,
        false_positives=given.false_positives,
        settings=options.settings_of(given),
        weights=given.weights,
        allow_download=given.allow_download,
        pet_unit=given.pet_unit,
        overwrite=given.overwrite,
    )
    run = console.listen(options.run_of(given))
    if given.layout == Layout.PICTURES:
        return _evaluate_pictures(given, plan, run)
    report = evaluate(given.method, given.data, layout=given.layout, out=given.out, plan=plan, run=run)
    print(_as_text(report))
    print(f"written to {given.out / 'report.html'}")
    return 1 if any(one.error for one in report.scans) else 0


def _evaluate_pictures(given: argparse.Namespace, plan: Plan, run: Run) -> int:
    from grisaille.flows.evaluate_pictures import evaluate_pictures

    if given.data is None:
        raise ConfigError("layout pictures needs the folder of its data; give it as --data")
    report = evaluate_pictures(given.method, given.data, out=given.out, plan=plan, run=run)
    print(_figures_as_text(report))
    print(f"written to {given.out / 'report.html'}")
    return 1 if any(one.error for one in report.pictures) else 0


def _figures_as_text(report: PictureReport) -> str:
    lines = ["measure       value  healthy  abnormal  published"]
    for one in report.figures:
        cells = [_cell(one.value, 6), str(one.healthy).rjust(7), str(one.abnormal).rjust(8), _cell(one.published, 9)]
        lines.append("  ".join([one.measure.value.ljust(11), *cells]))
    lines += [f"not as published: {sentence}" for sentence in report.departures]
    return "\n".join(lines)


def _as_text(report: Report) -> str:
    wide = max(len(score.name) for score in report.scores)
    lines = [f"{'marked by'.ljust(wide)}  mean Dice  sensitivity  false positives a scan  voxel AP"]
    for one in report.scores:
        cells = [
            _cell(one.dice_mean, 9),
            _cell(one.sensitivity, 11),
            _cell(one.false_positives, 22),
            _cell(one.voxel_ap, 8),
        ]
        lines.append("  ".join([one.name.ljust(wide), *cells]))
    lines += [
        f"false positives a healthy scan: {one.asked:g} promised, {one.observed:.2f} observed on {one.scans} scans"
        for one in report.promises
    ]
    return "\n".join(lines)


def _cell(value: float | None, width: int) -> str:
    return ("-" if value is None else f"{value:.3f}").rjust(width)
