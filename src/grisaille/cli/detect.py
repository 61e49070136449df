"""``grisaille detect``: one study or many through one method, a folder of results each."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from grisaille.cli import options
from grisaille.cli.console import Console
from grisaille.cli.organs import OrganOrder, add_organ_flags, write_reference
from grisaille.core.config import knobs
from grisaille.core.errors import Cancelled, GrisailleError, OutputError
from grisaille.core.run import Run
from grisaille.core.safe_write import require_place

if TYPE_CHECKING:
    from grisaille.core.organ_reference import OrganReference
    from grisaille.core.study import Study
    from grisaille.methods.base import Method


@dataclass(frozen=True)
class Row:
    """How one study ended: ``error`` is empty where it went well."""

    study: str
    out: str
    findings: int
    seconds: float
    error: str = ""


def add_detect(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Flags of ``grisaille detect``, the settings of the method named among ``arguments`` included."""
    parser.add_argument(
        "studies", nargs="*", type=Path, metavar="STUDY", help="DICOM folder, or folder of CT and PET files"
    )
    parser.add_argument("--ct", type=Path, metavar="FILE", help="instead of STUDY: the CT")
    parser.add_argument("--pet", type=Path, metavar="FILE", help="instead of STUDY: the PET")
    parser.add_argument("--method", required=True, metavar="REF", help="mvg, mvg/phantom, or a file made by train")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="with several studies, one folder each in it"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there already")
    parser.add_argument("--json", action="store_true", help="print the outcome of each study for programs")
    group = parser.add_argument_group("threshold")
    group.add_argument(
        "--false-positives", type=float, default=1.0, metavar="N", help="allowed on healthy tissue (1.0)"
    )
    group.add_argument(
        "--per",
        choices=("scan", "voxel", "organ"),
        default="scan",
        help="findings a scan, or share of voxels; with --top and --organs, organ: the share of each organ (scan)",
    )
    group.add_argument(
        "--top",
        type=float,
        metavar="SHARE",
        help="instead: the most anomalous share of the body, or with --per organ of each organ, 0 to 1",
    )
    add_organ_flags(parser)
    options.add_study_flags(parser)
    options.add_run_flags(parser)
    _add_settings(parser, arguments)
    parser.set_defaults(command=_detect, refuse=parser.error)


def _add_settings(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument("--method")
    ref = peek.parse_known_args(arguments)[0].method
    if ref is None:
        parser.epilog = f"With --method REF, --help lists the settings of that method too. {parser.epilog}"
        return
    from grisaille.flows.load import method_name
    from grisaille.methods.catalog import config_class

    try:
        name = method_name(ref)
    except GrisailleError:  # said when the model is loaded
        return
    settings = knobs(config_class(name))
    free, fixed = ([one for one in settings if one.after_fit is wanted] for wanted in (True, False))
    options.add_knobs(parser, free, f"settings of {name}")
    options.add_knobs(
        parser, fixed, f"settings of {name} that its fit rests on: refused unless they are those of the fit"
    )


def _detect(given: argparse.Namespace, console: Console) -> int:
    from grisaille.flows.detect import asked_for
    from grisaille.flows.load import load_method

    if bool(given.studies) == bool(given.ct or given.pet):
        given.refuse("give either STUDY folders, or one study by --ct and --pet")
    if given.per == "organ" and (given.top is None or not given.organs):
        given.refuse("--per organ needs --top and --organs")
    asked_for(given.false_positives, given.per, given.top)
    require_place(given.out)
    if given.out.is_dir() and any(given.out.iterdir()) and not given.overwrite:
        raise OutputError(f"{given.out} is not empty; choose another --out, or --overwrite to replace what is there")
    order = OrganOrder.of(given)
    method = load_method(
        given.method,
        weights=given.weights,
        allow_download=given.allow_download,
        settings=options.settings_of(given),
    )
    order.require_fits(method)
    run = console.listen(options.run_of(given))
    rows, healthy = [], []
    for path, out in _places(given):
        row, told = _one(given, path, out, method, order, run)
        if row.error:
            console.error(f"{row.study}: {row.error}")
        rows.append(row)
        healthy += told
    if given.write_organ_reference and healthy:
        write_reference(healthy, given.write_organ_reference)
    if given.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    elif len(rows) > 1 or not rows[0].error:  # the error of the only study was said already
        print(_as_text(rows))
    return 1 if any(row.error for row in rows) else 0


def _places(given: argparse.Namespace) -> Iterator[tuple[Path | None, Path]]:
    """Each study and the folder of its result; studies of one name get numbers."""
    if len(given.studies) <= 1:
        yield (given.studies[0] if given.studies else None), given.out
        return
    taken: set[str] = set()
    for path in given.studies:
        name = path.resolve().name.partition(".")[0]
        numbered = (f"{name}_{number}" if number > 1 else name for number in range(1, len(given.studies) + 1))
        free = next(one for one in numbered if one not in taken)
        taken.add(free)
        yield path, given.out / free


def _one(
    given: argparse.Namespace, path: Path | None, out: Path, method: Method, order: OrganOrder, run: Run
) -> tuple[Row, list[OrganReference]]:
    """One study, from its files to its results; what goes wrong with it stays in its row.

    What its organs say to a reference comes with it, where one is to be made.
    """
    from grisaille.core.organ_reference import OrganReference
    from grisaille.flows.detect import detect
    from grisaille.io.results import write_result

    started = time.perf_counter()
    name = str(path or given.pet or given.ct)
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        run.note(f"{name}: {sentence}")

    said_run = replace(run, on_note=say)
    try:
        study = _read(given, path, run)
        organs = order.labels(study, path, len(given.studies) <= 1)
        result = detect(
            study,
            method,
            false_positives=given.false_positives,
            per=given.per,
            top=given.top,
            organs=organs,
            run=said_run,
        )
        result = order.followed(result, study, organs, said_run)
        write_result(result, out, overwrite=given.overwrite)
    except Cancelled:
        raise
    except GrisailleError as error:
        return Row(name, "", 0, _since(started), str(error)), []
    for warning in result.provenance.warnings:
        if warning not in said:
            say(warning)
    told = [OrganReference.of(result)] if given.write_organ_reference else []
    return Row(name, str(out), len(result.findings), _since(started)), told


def _read(given: argparse.Namespace, path: Path | None, run: Run) -> Study:
    from grisaille.io.study import read_study

    return read_study(
        path,
        ct=given.ct,
        pet=given.pet,
        pet_unit=given.pet_unit,
        ct_series=given.ct_series,
        pet_series=given.pet_series,
        frame=given.frame,
        on_irregular=given.on_irregular,
        run=run,
    )


def _as_text(rows: Sequence[Row]) -> str:
    wide = max(len(row.study) for row in rows)
    lines = [f"{'study'.ljust(wide)}  findings  seconds  result"]
    for row in rows:
        found, outcome = ("-", f"failed: {row.error}") if row.error else (str(row.findings), row.out)
        lines.append(f"{row.study.ljust(wide)}  {found:>8}  {row.seconds:7.1f}  {outcome}")
    return "\n".join(lines)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 2)
