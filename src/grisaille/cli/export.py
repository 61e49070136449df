"""``grisaille export``: results out in the formats that hospitals keep."""

from __future__ import annotations

import argparse
from pathlib import Path

from grisaille.cli.console import Console
from grisaille.cli.options import add_study_flags, add_suv_flags, suv_of
from grisaille.core.errors import ConfigError
from grisaille.core.run import Run

_FORMATS = "nifti, nrrd, seg, sr, rtstruct, csv, json, pm"


def add_export(parser: argparse.ArgumentParser) -> None:
    """Flags of ``grisaille export``."""
    parser.add_argument("thing", type=Path, metavar="RESULT_OR_LABELS", help="the folder of a result, or a label file")
    parser.add_argument("--like", type=Path, required=True, metavar="STUDY", help="the study that it was made on")
    parser.add_argument(
        "--format", required=True, metavar="FORMAT[,FORMAT]", help=f"{_FORMATS}; several, such as seg,sr, to a folder"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help="the file, or a folder for several")
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--identified", action="store_true", help="DICOM says whose it is, as the source does (this is the default)"
    )
    who.add_argument("--de-identified", action="store_true", help="DICOM under a pseudonym, with other UIDs, no dates")
    parser.add_argument("--labelmap", action="store_true", help="a SEG with one number a voxel; fewer programs read it")
    parser.add_argument("--include", metavar="IDS", help="only these findings, by number, such as 1,3")
    parser.add_argument(
        "--together", action="store_true", help="one segment a label, in however many pieces it is (else a piece each)"
    )
    parser.add_argument(
        "--edited", action="store_true", help="the labels of the result were painted on: measure them again"
    )
    parser.add_argument("--type", metavar="CODE,SCHEME,MEANING", help="what the findings are (108369006,SCT,Neoplasm)")
    parser.add_argument("--seg", type=Path, metavar="FILE", help="for sr on its own: the SEG that it refers to")
    parser.add_argument("--whole-map", action="store_true", help="for pm: the whole grid, not the box round the body")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    add_study_flags(parser)
    add_suv_flags(parser)
    parser.set_defaults(command=_export)


def _export(given: argparse.Namespace, console: Console) -> int:
    from grisaille.flows.export import ExportOptions, Format, Identity, export, told
    from grisaille.io.export.codes import NEOPLASM, Term
    from grisaille.io.export.formats import places
    from grisaille.io.export.segments import Choice
    from grisaille.io.study import read_study

    formats = Format.parse(given.format)
    identity = Identity.DEIDENTIFIED if given.de_identified else Identity.IDENTIFIED
    kind = Term.parse(given.type) if given.type else NEOPLASM
    options = ExportOptions(
        identity=identity,
        choice=Choice(_numbers(given.include), given.together, kind),
        labelmap=given.labelmap,
        whole_map=given.whole_map,
        seg=given.seg,
        overwrite=given.overwrite,
    )
    places(formats, given.out, given.overwrite)  # before the work: what cannot be written is said at once
    for sentence in told(formats, identity):
        console.say(sentence)
    run = console.listen(Run(on_note=console.say))
    study = read_study(
        given.like,
        pet_unit=given.pet_unit,
        ct_series=given.ct_series,
        pet_series=given.pet_series,
        frame=given.frame,
        on_irregular=given.on_irregular,
        suv=suv_of(given, 1),
        run=run,
    )
    for path in export(given.thing, given.out, formats, like=study, options=options, edited=given.edited, run=run):
        print(path)
    return 0


def _numbers(written: str | None) -> tuple[int, ...]:
    """Numbers written as ``1,3``."""
    if written is None:
        return ()
    try:
        return tuple(int(number) for number in written.split(",") if number.strip())
    except ValueError:
        raise ConfigError(f"--include is {written!r}, expected numbers of findings such as 1,3") from None
