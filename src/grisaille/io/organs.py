"""The organs of a result to disk, and the reference of healthy ones to disk and back."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from grisaille.core.errors import UnreadableFile
from grisaille.core.organ import ORGAN_COLUMNS, Organ
from grisaille.core.organ_reference import OrganReference
from grisaille.core.result import Scoring
from grisaille.core.safe_write import replacing
from grisaille.io.image import path_of, require_file
from grisaille.io.table import cell, write_table

FORMAT = 2
"""1 did not say the settings that the scores were made with."""

_LARGEST = 1 << 26


def write_organs_csv(organs: Sequence[Organ], path: str | os.PathLike[str]) -> None:
    """Write the organs as a table, a row each in their order; the columns are the fields of ``Organ``.

    Raises
    ------
    OutputError
        If it cannot be written whole.
    """
    rows = [[cell(getattr(organ, name)) for name in ORGAN_COLUMNS] for organ in organs]
    write_table([list(ORGAN_COLUMNS), *rows], path_of(path))


def write_organ_reference(reference: OrganReference, path: str | os.PathLike[str]) -> None:
    """Write a reference as JSON.

    Raises
    ------
    OutputError
        If it cannot be written whole.
    """
    content = {
        "format": FORMAT,
        "method": reference.scoring.method,
        "weights": list(reference.scoring.weights),
        "settings": dict(reference.scoring.settings),
        "edge_mm": reference.edge_mm,
        "organs": {name: list(tops) for name, tops in sorted(reference.tops.items())},
    }
    with replacing(path_of(path), makes_folder=True) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_organ_reference(path: str | os.PathLike[str]) -> OrganReference:
    """The inverse of ``write_organ_reference``.

    Raises
    ------
    UnreadableFile
        If there is no such file or it holds no reference.
    """
    file = path_of(path)
    require_file(file)
    try:
        if file.stat().st_size > _LARGEST:
            raise ValueError
        content = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_number)
        if content["format"] != FORMAT:
            raise ValueError
        reference = OrganReference(
            scoring=Scoring(
                str(content["method"]), tuple(str(one) for one in content["weights"]), dict(content["settings"])
            ),
            edge_mm=float(content["edge_mm"]),
            tops={str(name): tuple(float(top) for top in tops) for name, tops in content["organs"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnreadableFile(
            f"{file.name} holds no organ reference of format {FORMAT}; make one with detect --write-organ-reference"
        ) from error
    return replace(reference, name=file.name)


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number")
