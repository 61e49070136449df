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
    _add_clip_demo(methods)
    parser.set_defaults(command=_train)


def _add_clip_demo(methods: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = (
        "teach the small CLIP that ships with AnomalyCLIP anew, on captioned slices of synthetic patients alone; "
        "takes about an hour of two cores and 5 GB of memory"
    )
    one = methods.add_parser("clip-demo", help="teach the small CLIP that ships", description=text)
    one.add_argument("--out", required=True, type=Path, metavar="FILE", help="the network is written there")
    one.add_argument("--overwrite", action="store_true", help="replace a file that is there already")
    one.add_argument(
        "--work", type=Path, metavar="DIR", help="keeps what is done: the same command goes on there after a kill"
    )
    one.add_argument(
        "--patients", type=options.positive, metavar="N", help="synthetic patients (as the one that ships)"
    )
    one.add_argument("--steps", type=options.positive, metavar="N", help="of the teaching (as the one that ships)")
    one.add_argument("--seed", type=int, metavar="N", help="every random number comes from it (as the one that ships)")
    one.add_argument(
        "--threads",
        type=options.positive,
        default=2,
        metavar="N",
        help="CPU threads of the network (2); others round otherwise",
    )
    one.set_defaults(teaches=True)


def _teach(given: argparse.Namespace, console: Console) -> int:
    from grisaille.core.run import Run
    from grisaille.flows.make_clip_demo import PATIENTS, SEED, STEPS, make_clip_demo

    _require_free(given)
    seed, patients, steps = (
        plain if asked is None else asked
        for asked, plain in ((given.seed, SEED), (given.patients, PATIENTS), (given.steps, STEPS))
    )
    run = console.listen(Run(device="cpu", threads=given.threads, seed=seed))
    losses = make_clip_demo(given.out, patients, steps, work=given.work, run=run)
    print(f"the small CLIP was taught in {len(losses)} steps and written to {given.out}")
    return 0


def _require_free(given: argparse.Namespace) -> None:
    if given.out.exists() and not given.overwrite:
        raise OutputError(f"{given.out} exists; choose another --out, or --overwrite to replace it")


def _train(given: argparse.Namespace, console: Console) -> int:
    from grisaille.flows.cases import healthy_cases
    from grisaille.flows.load import find_weights
    from grisaille.flows.train import train
    from grisaille.methods.catalog import config_class

    if "teaches" in given:
        return _teach(given, console)
    _require_free(given)
    config = config_class(given.method).from_mapping(options.settings_of(given))
    files = find_weights(given.method, config, weights=given.weights, allow_download=given.allow_download)
    run = console.listen(options.run_of(given))
    cases = healthy_cases(
        given.studies,
        pet_unit=given.pet_unit,
        ct_series=given.ct_series,
        pet_series=given.pet_series,
        frame=given.frame,
        on_irregular=given.on_irregular,
        lesions=given.lesions,
        run=run,
    )
    train(given.method, cases, out=given.out, config=config, files=files, work=given.work, run=run)
    people = len({case.patient for case in cases})
    print(f"{given.method} fitted on {len(cases)} studies of {people} people, written to {given.out}")
    return 0
