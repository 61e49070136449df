"""A result out of its folder, as far as an export needs it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from grisaille.core.calibration import CalibrationSource, Per
from grisaille.core.errors import UnreadableFile
from grisaille.core.finding import Finding
from grisaille.core.result import Asked, Provenance, WeightsUsed

LABELS, SCORES, RECORD = "labels.nii.gz", "anomaly.nii.gz", "result.json"
_LARGEST = 1 << 28


@dataclass(frozen=True, eq=False)
class Recorded:
    """Where the images of a result lie, its record as ``result.json`` has it, and its findings."""

    labels: Path
    scores: Path
    record: Mapping[str, Any]
    findings: tuple[Finding, ...]


def recorded_in(path: Path) -> Recorded | None:
    """The result that a folder, or the label file in it, belongs to; None if there is none.

    Raises
    ------
    UnreadableFile
        If ``result.json`` is damaged.
    """
    folder = path if path.is_dir() else path.parent
    if not (folder / RECORD).is_file() or not (path.is_dir() or path.name == LABELS):
        return None
    beside = folder / RECORD
    try:
        if beside.stat().st_size > _LARGEST:
            raise ValueError
        record = json.loads(beside.read_text(encoding="utf-8"))
        findings = tuple(_finding(one) for one in record["findings"])
        made_by(record)
    except (ValueError, TypeError, KeyError, AttributeError, OSError, RecursionError) as error:
        raise UnreadableFile(
            f"{RECORD} in {folder.name} is not the record of a result; detect again, or export {LABELS} "
            "from another folder"
        ) from error
    return Recorded(folder / LABELS, folder / SCORES, record, findings)


def made_by(record: Mapping[str, Any]) -> Provenance:
    """How a result came about, of its record.

    Raises
    ------
    LookupError, TypeError, ValueError
        If it is no record of a result.
    """
    calibration, study = record["calibration"], record.get("study") or {}
    return Provenance(
        grisaille=str(record["grisaille"]),
        method=str(record["method"]),
        config=record.get("config") or {},
        weights=tuple(WeightsUsed(str(used["name"]), str(used["sha256"])) for used in record.get("weights") or ()),
        device=str(record.get("device", "")),
        seed=int(record.get("seed") or 0),
        series={str(one["modality"]): str(one["uid"]) for one in study.get("series") or ()},
        grid=str(study.get("grid", "")),
        suv=record.get("suv"),
        calibration_source=CalibrationSource(calibration["source"]),
        calibration_patients=int(calibration.get("patients") or 0),
        asked=Asked(float(calibration["asked"]), Per(calibration["per"])),
        versions=record.get("versions") or {},
    )


def _finding(stored: Mapping[str, Any]) -> Finding:
    """A finding as it was written; a measure that the file of an older version does not have is as if not measured."""
    asked = [one for one in fields(Finding) if one.default is MISSING and one.default_factory is MISSING]
    known: dict[str, Any] = {one.name: stored.get(one.name) for one in asked}
    known |= {one.name: stored[one.name] for one in fields(Finding) if stored.get(one.name) is not None}
    known["edited"] = bool(known.get("edited"))
    if not (
        isinstance(known["id"], int) and isinstance(known["label"], int) and isinstance(known["tracking_uid"], str)
    ):
        raise ValueError("a finding has a number, a label and a tracking id")
    return Finding(**known)
