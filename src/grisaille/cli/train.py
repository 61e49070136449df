"""``grisaille train``: a method fitted on one's own healthy studies."""

from __future__ import annotations

import argparse
from pathlib import Path

from grisaille.cli import options
from grisaille.cli.console import Console
from grisaille.core.config import knobs
from grisaille.core.errors import OutputError


def add_train(parser: argparse.ArgumentParser) -> None:
    """Flags of ``grisaille train``: one subcommand a method, with all its settings."""
    from grisaille.methods.catalog import config_class, names

    methods = parser.add_subparsers(title="methods", metavar="METHOD", dest="method", required=True)
    for name in names():
        text = f"fit {name}; a list that begins with a minus needs an equals sign: --ct-windows=-1000,500"
        one = methods.add_parser(name, help=f"fit {name}", description=text, epilog=parser.epilog)
        one.add_argument(
            "studies", nargs="+", type=Path, metavar="STUDY", help="a study without lesions, or with their masks"
        )
        one.add_argument("--out", required=True, type=Path, metavar="FILE", help="the model is written there")
        one.add_argument("--overwrite", action="store_true", help="replace a model that is there already")
        one.add_argument(
            "--lesions", metavar="NAME", help="file in each STUDY that masks its lesions; a study without it is healthy"
        )
        one.add_argument(
            "--work", type=Path, metavar="DIR", help="keeps what is done: the same command goes on there after a kill"
        )
        options.add_study_flags(one)
        options.add_run_flags(one)
        options.add_knobs(one, knobs(config_class(name)), f"settings of {name}")
    parser.set_defaults(command=_train)


def _train(given: argparse.Namespace, console: Console) -> int:
    from grisaille.flows.cases import healthy_cases
    from grisaille.flows.load import find_weights
    from grisaille.flows.train import train
    from grisaille.methods.catalog import config_class

    if given.out.exists() and not given.overwrite:
        raise OutputError(f"{given.out} exists; choose another --out, or --overwrite to replace it")
    config = config_class(given.method).from_mapping(options.settings_of(given))
    files = find_weights(given.method, config, weights=given.weights, allow_download=given.allow_download)
    run = console.listen(options.run_of(given))
    cases = healthy_cases(
        given.studies,
        pet_unit=given.pet_unit,
        ct_series=given.ct_series,
        pet_series=given.pet_series,
        lesions=given.lesions,
        run=run,
    )
    train(given.method, cases, out=given.out, config=config, files=files, work=given.work, run=run)
    people = len({case.patient for case in cases})
    print(f"{given.method} fitted on {len(cases)} studies of {people} people, written to {given.out}")
    return 0
