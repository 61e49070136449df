"""The organs of a result: which is least like healthy tissue, and where."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from grisaille.core.errors import InputError
from grisaille.core.labels import Labels
from grisaille.core.organ_names import named
from grisaille.core.organ_reference import OrganReference
from grisaille.core.result import Result
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.imaging.organs import find_organs
from grisaille.io.organs import read_organ_reference, write_organ_reference

_LISTED = 5


def with_organs(
    result: Result,
    study: Study,
    organs: Labels,
    *,
    reference: OrganReference | None = None,
    edge_mm: float = 0.0,
    run: Run | None = None,
) -> Result:
    """The result with a row for each organ, the most anomalous first, and the scores in units of their organ.

    Whatever the method: organs rest on the scores alone, as far as it judged the body.

    Parameters
    ----------
    study
        That the result is of.
    organs
        On any grid in the study's frame; ``imaging.threshold_organs.threshold_organs(study)`` makes some.
    reference
        Healthy studies that the same model scored; gives percentiles.
    edge_mm
        How deep the edge of each organ is left out of its statistics.

    Raises
    ------
    InputError
        If the organs are none or lie elsewhere, or the reference is of another model.
    """
    run, started = run or Run(), time.perf_counter()
    run.check_cancelled()
    called = organs.source.name or "the organ labels"
    labels, said = named(organs, called)
    if reference is not None:
        reference.require_fits(result.provenance.scoring, edge_mm)
    rows, organ_map = find_organs(result.anomaly, labels, study, edge_mm=edge_mm, called=called)
    if reference is not None:
        rows = tuple(replace(row, percentile=reference.percentile(row.name, row.score_top)) for row in rows)
        organ_map = replace(organ_map, reference=reference.name)
    seen = {row.id for row in rows}
    unseen = [name for number, name in labels.names.items() if number not in seen]
    if unseen:
        listed = ", ".join(unseen[:_LISTED]) + (" and more" if len(unseen) > _LISTED else "")
        said += (f"{len(unseen)} organs of {called} lie where nothing was scored and have no row: {listed}",)
    for sentence in said:
        run.note(sentence)
    made = result.provenance
    seconds = {**made.seconds, "organs": round(time.perf_counter() - started, 3)}
    warnings = tuple(dict.fromkeys((*made.warnings, *said)))
    provenance = replace(made, warnings=warnings, seconds=seconds)
    return replace(result, organs=rows, organ_map=organ_map, provenance=provenance)


def add_to_reference(result: Result, path: str | Path) -> OrganReference:
    """Put the organs of a healthy study into the reference at ``path``, or begin one; the reference as it is then.

    Raises
    ------
    InputError
        If the result has no organs or is incomplete, or the reference is of another model, other settings or another
        edge, or holds this study.
    UnreadableFile
        If the file that is there holds no reference; it stays as it is.
    OutputError
        If it cannot be written whole.
    """
    path, made = Path(path), OrganReference.of(result)
    if path.exists():
        there = read_organ_reference(path)
        there.require_fits(made.scoring, made.edge_mm)
        if there.holds(made):
            raise InputError(f"{path.name} holds a study with these very scores already; a study counts once")
        made = OrganReference.merged([there, made])
    write_organ_reference(made, path)
    return replace(made, name=path.name)
