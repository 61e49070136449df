"""What stands beside each export: how it came about, for a person who finds the file in ten years."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from grisaille.core.result import RESEARCH_USE
from grisaille.core.safe_write import replacing
from grisaille.core.volume import Volume
from grisaille.io.export.identity import own_stand_in
from grisaille.io.export.segments import Author, Segments
from grisaille.io.export.sources import Sources
from grisaille.io.export.whose import Identity

_OF_FINDINGS = ("findings", "slice_scores", "burden")
"""Of a result's record, what the export itself holds, and maybe less of it or measured again."""


def provenance_path(path: Path) -> Path:
    """Where the provenance of an export lies."""
    return path.with_name(f"{path.name}.provenance.json")


def write_json(record: Mapping[str, Any], path: Path) -> None:
    """Write a record of plain values.

    Raises
    ------
    OutputError
        If it cannot be written whole.
    """
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def provenance(
    *,
    kind: str,
    identity: Identity,
    segments: Segments,
    volume: Volume,
    sources: Sources | None,
    record: Mapping[str, Any] | None,
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """The record that stands beside an export.

    Parameters
    ----------
    kind
        Of the file.
    sources
        The images referred to, where the volume came from DICOM.
    record
        Of the result, as ``result.json``; None where the labels are a person's.
    """
    hidden = identity is Identity.DEIDENTIFIED
    named = naming(identity, sources)
    return {
        "notice": RESEARCH_USE,
        "export": {
            "format": kind,
            "identity": identity.value,
            "findings": [
                {"segment": one.number, "title": one.title, "tracking_uid": named(one.tracking_uid), "by": one.author}
                for one in segments.listed
            ],
            "edited": sum(one.author is Author.BOTH for one in segments.listed),
            "connectivity": segments.connectivity,
        },
        "source": {
            "series": named(volume.source.series),
            "images": len(volume.source.files),
            "images_sha256": "" if sources is None else _hash(sources),
            "modality": volume.modality.value,
            "unit": volume.unit.value,
            "geometry": volume.provenance.geometry,
            "suv": _suv(volume, hidden),
            "warnings": len(volume.provenance.warnings) if hidden else list(volume.provenance.warnings),
        },
        "result": None if record is None else shared(record, identity, sources, with_findings=False),
        "versions": dict(versions),
        "system": f"{platform.system()} {platform.machine()}",
    }


def naming(identity: Identity, sources: Sources | None) -> Callable[[str], str]:
    """How the ids of findings and series are told: as they are, or by stand-ins where nobody is to know them."""
    if sources is not None:
        return sources.tracking_uid
    return own_stand_in if identity is Identity.DEIDENTIFIED else str


def shared(
    record: Mapping[str, Any], identity: Identity, sources: Sources | None, *, with_findings: bool = True
) -> dict[str, Any]:
    """The record of a result as it may leave the house."""
    kept = {key: value for key, value in record.items() if with_findings or key not in _OF_FINDINGS}
    if identity is Identity.IDENTIFIED:
        return kept
    named = naming(identity, sources)
    # Warnings name files, whose names may be UIDs; weight, size and sex are the patient's.
    kept["warnings"] = len(record.get("warnings") or ())
    suv = record.get("suv")
    if isinstance(suv, Mapping):
        kept["suv"] = {key: value for key, value in suv.items() if key not in ("inputs", "overrides")}
    study = record.get("study")
    if isinstance(study, Mapping):
        series = [{**one, "uid": named(str(one.get("uid", "")))} for one in study.get("series", ())]
        kept["study"] = {**study, "series": series}
    if "findings" in kept:
        kept["findings"] = [{**one, "tracking_uid": named(one["tracking_uid"])} for one in kept["findings"]]
    return kept


def _suv(volume: Volume, hidden: bool) -> dict[str, Any] | None:
    suv = volume.provenance.suv
    if suv is None:
        return None
    told: dict[str, Any] = {"path": suv.path, "factor_range": suv.factor_range and list(suv.factor_range)}
    if not hidden:
        told |= {"inputs": dict(suv.inputs), "overrides": dict(suv.overrides)}
    return told


def _hash(sources: Sources) -> str:
    """Of the images' UIDs, as the export has them, in the order of their places."""
    return hashlib.sha256("\n".join(one.SOPInstanceUID for one in sources.images).encode()).hexdigest()
