"""What there is to export: labels on their volume's grid, their findings, and how they came about."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import GridMismatch, InputError
from grisaille.core.finding import Finding
from grisaille.core.labels import Labels
from grisaille.core.result import Result
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Volume
from grisaille.imaging.findings import find_findings
from grisaille.imaging.resample import resample
from grisaille.io.dicom.label_files import label_file, likely_volumes
from grisaille.io.export.recorded import Recorded, recorded_in
from grisaille.io.export.segments import Maker
from grisaille.io.image import path_of
from grisaille.io.labels import SAME_PLACE, read_labels
from grisaille.methods.catalog import title

StrPath = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Material:
    """What an export is made of, whatever its format.

    ``labels`` lie on the grid of ``volume``, and ``findings`` are theirs. ``record`` is that of the result, None where
    a person made the labels. ``scores`` and ``body`` are those of the anomaly map, where there is one on this grid.
    """

    labels: Labels
    volume: Volume
    findings: tuple[Finding, ...]
    record: Mapping[str, Any] | None = None
    scores: npt.NDArray[np.float32] | None = None
    body: npt.NDArray[np.bool_] | None = None

    @property
    def plain_findings(self) -> list[dict[str, Any]]:
        """The findings as JSON has them."""
        return [_plain(one) for one in self.findings]

    @property
    def maker(self) -> Maker | None:
        """The method that made the labels."""
        if self.record is None:
            return None
        weights = [
            f"{used.get('name', '')} sha256 {used.get('sha256', '')}" for used in self.record.get("weights") or ()
        ]
        asked = self.record.get("calibration") or {}
        settings = {"weights": "; ".join(weights)} if weights else {}
        if asked.get("asked") is not None:
            settings["threshold"] = f"{asked['asked']} per {asked.get('per')}, calibrated on {asked.get('source')}"
        return Maker(title(str(self.record["method"])), str(self.record.get("grisaille") or "unknown"), settings)


def gather(
    thing: Result | Labels | StrPath, like: Study | Volume | StrPath, *, edited: bool = False, run: Run | None = None
) -> Material:
    """What there is to export; see ``export``."""
    study = _study(like, run)
    if isinstance(thing, Result):
        from grisaille.io.results import result_json

        labels, volume = _placed(thing.labels, study)
        anomaly = thing.anomaly
        return Material(labels, volume, thing.findings, result_json(thing), anomaly.scores, anomaly.body)
    if isinstance(thing, Labels):
        labels, volume = _placed(thing, study)
        return _by_hand(labels, volume, study)
    path = path_of(thing)
    recorded = recorded_in(path)
    if recorded is None:
        if path.is_dir():
            raise InputError(f"{path.name} holds no result.json, so it is no result; give its folder, or a label file")
        labels, volume = _read(path, study, run)
        return _by_hand(labels, volume, study)
    labels, volume = _read(recorded.labels, study, run)
    return _recorded(recorded, labels, volume, study, edited)


def _study(like: Study | Volume | StrPath, run: Run | None) -> Study:
    if isinstance(like, Study):
        return like
    if isinstance(like, Volume):
        return Study.of(like)
    from grisaille.io.study import read_study

    return read_study(like, run=run)


def _candidates(study: Study) -> list[Volume]:
    """The volumes of a study, first the one that results usually lie on; those of a tilted one are written straight."""
    volumes = sorted(study.volumes.values(), key=lambda volume: volume is not study.main)
    return volumes + [resample(one, one.grid.orthogonal()) for one in volumes if not one.grid.is_orthogonal]


def _placed(labels: Labels, study: Study) -> tuple[Labels, Volume]:
    """Labels on exactly the grid of the volume that they lie on."""
    for volume in _candidates(study):
        if labels.grid.is_close(volume.grid, tolerance_mm=SAME_PLACE * min(volume.grid.spacing_mm)):
            return Labels(labels.voxels, volume.grid, labels.names, volume.source), volume
    raise _elsewhere(f"the labels lie on {labels.grid}", study)


def _read(path: Path, study: Study, run: Run | None) -> tuple[Labels, Volume]:
    """The labels of a file on the volume that they fit; contours fit many, so those that the file names go first."""
    found = None if path.is_dir() else label_file(path)
    candidates = _candidates(study)
    likely = [] if found is None else likely_volumes(found, candidates)
    for volume in [*likely, *(one for one in candidates if one not in likely)]:
        try:
            labels = read_labels(path, like=volume)
        except GridMismatch:
            continue
        for warning in labels.warnings:
            (run or Run()).note(warning)
        return replace(labels, source=volume.source), volume
    raise _elsewhere(f"{path.name} lies on none of the grids", study)


def _elsewhere(found: str, study: Study) -> GridMismatch:
    grids = "; ".join(f"{volume.modality.value} {volume.grid}" for volume in _candidates(study))
    return GridMismatch(
        f"{found}, expected one of the study's: {grids}. Labels are not resampled for an export: give the series that "
        "they were made on, or detect again on it"
    )


def _by_hand(labels: Labels, volume: Volume, study: Study) -> Material:
    return Material(labels, volume, find_findings(labels, study))


def _recorded(recorded: Recorded, labels: Labels, volume: Volume, study: Study, edited: bool) -> Material:
    from grisaille.io.files import read_file

    scores = read_file(recorded.scores).voxels.astype(np.float32) if recorded.scores.is_file() else None
    if scores is not None and scores.shape != volume.grid.shape:
        scores = None
    findings, record = recorded.findings, dict(recorded.record)
    if edited:
        findings = _measured_again(recorded, labels, study, scores)
        record["findings"] = [_plain(one) for one in findings]
    return Material(labels, volume, findings, record, scores, None if scores is None else scores != 0)


def _measured_again(
    recorded: Recorded, labels: Labels, study: Study, scores: npt.NDArray[np.float32] | None
) -> tuple[Finding, ...]:
    """The findings of painted labels; those that are as the method made them stay as they were recorded."""
    from grisaille.core.anomaly import AnomalyMap, SliceScores
    from grisaille.core.calibration import Calibration
    from grisaille.core.grid import Axis

    anomaly = None
    if scores is not None:
        slices = SliceScores(Axis.AXIAL, scores.max(axis=(1, 2)))
        anomaly = AnomalyMap(scores, slices, labels.grid, Calibration.none())
    before = {one.tracking_uid: one for one in recorded.findings}
    connectivity = recorded.findings[0].connectivity if recorded.findings else 26
    return tuple(
        replace(before[one.tracking_uid], id=one.id, label=one.label)
        if one.tracking_uid in before
        else replace(one, edited=True)
        for one in find_findings(labels, study, anomaly, connectivity=connectivity)
    )


def _plain(finding: Finding) -> dict[str, Any]:
    return {one.name: getattr(finding, one.name) for one in fields(finding)} | {"extra": dict(finding.extra)}
