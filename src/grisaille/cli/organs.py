"""Flags that ask for organs, and the organs that they mean."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grisaille.core.errors import InputError, OutputError
from grisaille.core.organ import THRESHOLDS
from grisaille.core.safe_write import require_place

if TYPE_CHECKING:
    from grisaille.core.labels import Labels
    from grisaille.core.organ_reference import OrganReference
    from grisaille.core.result import Result
    from grisaille.core.run import Run
    from grisaille.core.study import Study
    from grisaille.methods.base import Method


def add_organ_flags(parser: argparse.ArgumentParser) -> None:
    """Flags for a table of organs."""
    group = parser.add_argument_group("organs")
    group.add_argument(
        "--organs",
        metavar="FILE",
        help="rank organs: a label image (TotalSegmentator's, or any), or 'thresholds' for body, lung, bone and air; "
        "with several studies the name of a file in each",
    )
    group.add_argument(
        "--organ-edge", type=float, default=0.0, metavar="MM", help="leave out the edge of each organ so deep (0)"
    )
    group.add_argument(
        "--organ-reference", type=Path, metavar="FILE", help="healthy studies to compare with: gives percentiles"
    )
    group.add_argument(
        "--write-organ-reference", type=Path, metavar="FILE", help="make such a file of the studies given, all healthy"
    )


@dataclass(frozen=True)
class OrganOrder:
    """The organs asked for, if any."""

    organs: str | None
    edge_mm: float
    reference: OrganReference | None

    @classmethod
    def of(cls, given: argparse.Namespace) -> OrganOrder:
        """What the flags say; what cannot come to a good end is refused before the work."""
        if not given.organs and (given.organ_reference or given.write_organ_reference or given.organ_edge):
            given.refuse("--organ-edge, --organ-reference and --write-organ-reference need --organs")
        if given.write_organ_reference is not None:
            _require_free(given.write_organ_reference, given.overwrite)
        reference = None
        if given.organ_reference is not None:
            from grisaille.io.organs import read_organ_reference

            reference = read_organ_reference(given.organ_reference)
        if given.organs and given.organs != THRESHOLDS and len(given.studies) > 1 and Path(given.organs).is_absolute():
            raise InputError(
                f"{Path(given.organs).name} cannot be the organs of {len(given.studies)} studies; "
                "give the name of a file that lies in the folder of each"
            )
        return cls(given.organs, given.organ_edge, reference)

    def require_fits(self, method: Method) -> None:
        """Raise ``InputError`` unless scores of this method can be compared with the reference, if there is one."""
        from grisaille.core.result import Scoring

        if self.reference is not None:
            hashes = tuple(used.sha256 for used in method.weights)
            self.reference.require_fits(Scoring(method.name, hashes, method.config.scoring()), self.edge_mm)

    def labels(self, study: Study, path: Path | None, is_only: bool) -> Labels | None:
        """The organs of a study, which lies at ``path``; None where none were asked for."""
        if not self.organs:
            return None
        if self.organs == THRESHOLDS:
            from grisaille.imaging.threshold_organs import threshold_organs

            return threshold_organs(study)
        from grisaille.io.labels import read_labels

        inside = None if path is None else (path if path.is_dir() else path.parent) / self.organs
        beside = inside is not None and (inside.is_file() or not is_only)
        return read_labels(inside if inside is not None and beside else self.organs)

    def followed(self, result: Result, study: Study, organs: Labels | None, run: Run) -> Result:
        """The result of a study with its organs ranked as asked, if there are any."""
        if organs is None:
            return result
        from grisaille.flows.organs import with_organs

        return with_organs(result, study, organs, reference=self.reference, edge_mm=self.edge_mm, run=run)


def _require_free(path: Path, may_replace: bool) -> None:
    require_place(path.parent)
    if path.exists() and not may_replace:
        raise OutputError(f"{path.name} is there already; give another name, or --overwrite to replace it")


def write_reference(references: Sequence[OrganReference], path: Path) -> None:
    """Make one file of what healthy studies say."""
    from grisaille.core.organ_reference import OrganReference
    from grisaille.io.organs import write_organ_reference

    write_organ_reference(OrganReference.merged(references), path)
