"""``grisaille train``: a method fitted on one's own healthy studies."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grisaille.cli import options
from grisaille.cli.console import Console
from grisaille.core.errors import InputError, OutputError
from grisaille.core.run import Run

if TYPE_CHECKING:
    from grisaille.core.study import Case, Study


def add_train(parser: argparse.ArgumentParser) -> None:
    """Flags of ``grisaille train``: one subcommand a method, with all its settings."""
    from grisaille.methods.catalog import config_class, names

    methods = parser.add_subparsers(title="methods", metavar="METHOD", dest="method", required=True)
    for name in names():
        text = f"fit {name}; a list that begins with a minus needs an equals sign: --ct-windows=-1000,500"
        one = methods.add_parser(name, help=f"fit {name}", description=text, epilog=parser.epilog)
        one.add_argument("studies", nargs="+", type=Path, metavar="STUDY", help="a study without lesions")
        one.add_argument("--out", required=True, type=Path, metavar="FILE", help="the model is written there")
        one.add_argument("--overwrite", action="store_true", help="replace a model that is there already")
        options.add_study_flags(one)
        options.add_run_flags(one)
        options.add_knobs(one, config_class(name), f"settings of {name}")
    parser.set_defaults(command=_train)


def _train(given: argparse.Namespace, console: Console) -> int:
    from grisaille.flows.load import find_weights
    from grisaille.flows.train import train
    from grisaille.methods.catalog import config_class

    if given.out.exists() and not given.overwrite:
        raise OutputError(f"{given.out} exists; choose another --out, or --overwrite to replace it")
    config = config_class(given.method).from_mapping(options.settings_of(given))
    files = find_weights(given.method, config, weights=given.weights, allow_download=given.allow_download)
    run = console.listen(options.run_of(given))
    cases = _cases(given, run)
    train(given.method, cases, out=given.out, config=config, files=files, run=run)
    people = len({case.patient for case in cases})
    print(f"{given.method} fitted on {len(cases)} studies of {people} people, written to {given.out}")
    return 0


def _cases(given: argparse.Namespace, run: Run) -> Sequence[Case]:
    """Cases that read their study when asked; each is read once now, so that a bad one fails first."""
    from grisaille.core.study import Case

    cases = []
    for number, path in enumerate(run.track(given.studies, "reading studies")):
        try:
            study = _read(given, path)
        except InputError as error:
            raise type(error)(f"{path}: {error}") from error
        patient = study.patient or f"study {number}"
        cases.append(Case(lambda path=path: _read(given, path), patient, healthy=True))  # type: ignore[misc]
    return cases


def _read(given: argparse.Namespace, path: Path) -> Study:
    from grisaille.io.study import read_study

    return read_study(path, pet_unit=given.pet_unit, ct_series=given.ct_series, pet_series=given.pet_series)
