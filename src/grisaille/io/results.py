"""A result as a folder of files: images, a table for people, a record for machines."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.calibration import CalibrationSource, Per
from grisaille.core.finding import FINDING_COLUMNS, Finding
from grisaille.core.organ import OrganMap
from grisaille.core.result import RESEARCH_USE, SYNTHETIC_CAVEAT, Provenance, Result
from grisaille.core.safe_write import replacing, replacing_folder
from grisaille.io.image import path_of
from grisaille.io.labels import write_labels
from grisaille.io.nifti import write_nifti
from grisaille.io.organs import write_organs_csv
from grisaille.io.table import cell, write_table
from grisaille.io.unsheared import SAID, is_refused, straight_array, straight_labels, straight_volume
from grisaille.io.volumes import write_volume

RESULT_FILES = (
    "anomaly.nii.gz",
    "labels.nii.gz",
    "labels.json",
    "healthy_pet.nii.gz",
    "healthy_pet.json",
    "healthy_ct.nii.gz",
    "healthy_ct.json",
    "findings.csv",
    "organs.csv",
    "organ_z.nii.gz",
    "organ_labels.nii.gz",
    "organ_labels.json",
    "result.json",
)
"""Every name that a result may have: an older result's are removed where a new one has none."""


def write_result(result: Result, out_dir: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write the files of a result: all of them, or none.

    Parameters
    ----------
    out_dir
        A new or empty folder.
    overwrite
        Replace the files of an older result in it; files of other names stay.

    Raises
    ------
    OutputError
        If the folder holds something and ``overwrite`` is not set, or something cannot be written.
    """
    anomaly = result.anomaly
    with replacing_folder(path_of(out_dir), overwrite=overwrite, owned=RESULT_FILES) as folder:
        _write_scores(anomaly.scores, anomaly, folder / "anomaly.nii.gz")
        write_labels(straight_labels(result.labels), folder / "labels.nii.gz")
        for key, volume in (anomaly.healthy.volumes if anomaly.healthy else {}).items():
            write_volume(straight_volume(volume), folder / f"healthy_{key}.nii.gz")
        write_findings_csv(result.findings, folder / "findings.csv", result.provenance)
        if result.organ_map is not None:
            write_organs_csv(result.organs, folder / "organs.csv")
            _write_scores(result.organ_map.z, anomaly, folder / "organ_z.nii.gz")
            write_labels(straight_labels(result.organ_map.labels), folder / "organ_labels.nii.gz")
        _write_json(result_json(result), folder / "result.json")


def _write_scores(scores: npt.NDArray[np.float32], anomaly: AnomalyMap, path: Path) -> None:
    values, grid = straight_array(scores, anomaly.grid, anomaly.source)
    write_nifti(values, grid, anomaly.source, path)


def findings_rows(findings: Iterable[Finding]) -> list[list[str]]:
    """One row a finding, its cells as text in the order of ``FINDING_COLUMNS``, safe for a spreadsheet.

    Real numbers have six digits; what does not apply is empty.
    """
    return [[cell(getattr(finding, name)) for name in FINDING_COLUMNS] for finding in findings]


def write_findings_csv(
    findings: Sequence[Finding], path: str | os.PathLike[str], made: Provenance | None = None
) -> None:
    """Write the findings as a table; a column says what the threshold's promise is worth, and the method's own follow.

    Parameters
    ----------
    made
        How the labels came about; None where no threshold made them.

    Raises
    ------
    OutputError
        If it cannot be written whole.
    """
    promise = "" if made is None else _promise(made)
    extras = tuple(dict.fromkeys(name for finding in findings for name in finding.extra))
    rows = [[*FINDING_COLUMNS, "calibration", *extras]]
    for finding, row in zip(findings, findings_rows(findings), strict=True):
        rows.append([*row, promise, *(cell(finding.extra.get(name)) for name in extras)])
    write_table(rows, path_of(path))


def result_json(result: Result) -> dict[str, Any]:
    """The record of a result, as plain values that JSON can hold."""
    made, anomaly = result.provenance, result.anomaly
    calibration = {
        "source": made.calibration_source,
        "patients": made.calibration_patients,
        "per": made.asked.per,
        "asked": made.asked.amount,
    }
    if made.calibration_source is CalibrationSource.SYNTHETIC and not made.asked.per.is_share:
        calibration["caveat"] = SYNTHETIC_CAVEAT
    record: dict[str, Any] = _plain(
        {
            "grisaille": made.grisaille,
            "notice": RESEARCH_USE,
            "method": made.method,
            "config": made.config,
            "weights": [asdict(used) for used in made.weights],
            "device": made.device,
            "seed": made.seed,
            "study": {
                "series": [{"modality": key, "uid": uid} for key, uid in made.series.items()],
                "grid": made.grid,
            },
            "suv": made.suv,
            "calibration": calibration,
            "slice_scores": {"axis": anomaly.slice_scores.axis, "values": anomaly.slice_scores.values},
            "findings": [_record(finding) for finding in result.findings],
            "organs": [asdict(organ) for organ in result.organs],
            "organ_map": _organ_map(result.organ_map),
            "measures": {measure.name: measure.help for measure in anomaly.measures},
            "warnings": made.warnings + ((SAID,) if is_refused(anomaly.grid, anomaly.source) else ()),
            "seconds": made.seconds,
            "versions": made.versions,
        }
    )
    return record


def _record(finding: Finding) -> dict[str, Any]:
    return {one.name: getattr(finding, one.name) for one in fields(finding)}


def _organ_map(organs: OrganMap | None) -> dict[str, Any] | None:
    """How the organs came about; None where none were asked for."""
    if organs is None:
        return None
    return {"labels": organs.made_of, "edge_mm": organs.edge_mm, "reference": organs.reference or None}


def _promise(made: Provenance) -> str:
    """On whom the promise was measured that the labels rest on; a share of the body or of organs promises nothing."""
    if made.asked.per.is_share:
        of = "each organ" if made.asked.per is Per.ORGAN else "the body"
        return f"{CalibrationSource.NONE.value}: the most anomalous {made.asked.amount:.6g} of {of}"
    caveat = f": {SYNTHETIC_CAVEAT}" if made.calibration_source is CalibrationSource.SYNTHETIC else ""
    return f"{made.calibration_source.value}{caveat}"


def _write_json(record: Mapping[str, Any], path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Enums, numpy numbers, tuples and mappings as JSON has them; what is not finite becomes null."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
