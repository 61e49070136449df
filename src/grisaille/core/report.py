"""What an evaluation gives: how well a method finds lesions, beside plain thresholds, and what its promise is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grisaille.core.calibration import CalibrationSource
from grisaille.core.result import WeightsUsed


@dataclass(frozen=True)
class Score:
    """One way of marking lesions, over all scans.

    Parameters
    ----------
    name
        Of the method or the rule.
    threshold
        In words.
    is_oracle
        Whether its threshold was chosen by looking at the truth.
    dice_mean, dice_median, dice_error
        Over the scans with lesions; the error is the mean's standard error.
    false_positive_ml, false_negative_ml
        autoPET's: the first over all scans, the second over those with lesions.
    sensitivity
        Share of all lesions that are hit.
    false_positives
        Findings a scan that touch no lesion.
    voxel_ap
        Mean average precision over the voxels of a scan with lesions; no threshold enters it.
    scans, scans_with_lesions, lesions
        How many this row rests on: a rule may not apply everywhere.
    """

    name: str
    threshold: str
    is_oracle: bool
    dice_mean: float | None
    dice_median: float | None
    dice_error: float | None
    false_positive_ml: float | None
    false_negative_ml: float | None
    sensitivity: float | None
    false_positives: float | None
    voxel_ap: float | None
    scans: int
    scans_with_lesions: int
    lesions: int


@dataclass(frozen=True)
class OperatingPoint:
    """The method at one promise: lesions hit, and false positives a scan seen on the very same scans."""

    asked: float
    sensitivity: float | None
    dice_mean: float | None
    false_positives: float


@dataclass(frozen=True)
class Stratum:
    """Lesions of one kind: how many of them each way hits, and how well it outlines them.

    ``sensitivity`` and ``dice`` by the name of the way; the Dice is that of a lesion with all
    findings that touch it.
    """

    by: str
    group: str
    lesions: int
    sensitivity: Mapping[str, float]
    dice: Mapping[str, float]


@dataclass(frozen=True)
class Promise:
    """False positives asked for and made on healthy scans that took no part in fit or calibration.

    ``smallest`` is the rate below which the calibration promises nothing, the largest over the
    parts of the evaluation; ``error`` the standard error of ``observed``.
    """

    asked: float
    observed: float
    error: float | None
    ratio: float
    scans: int
    smallest: float


@dataclass(frozen=True)
class Cost:
    """Seconds that one step took each time, on average: on the clock, and of all CPU cores together."""

    step: str
    times: int
    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class ScanRow:
    """One scan at the main threshold, named by a pseudonym; ``error`` where it could not be measured."""

    scan: str
    patient: str
    is_healthy: bool
    lesions: int
    dice: float | None = None
    false_positive_ml: float | None = None
    false_negative_ml: float | None = None
    hit: int = 0
    false_positives: int = 0
    voxel_ap: float | None = None
    error: str = ""


@dataclass(frozen=True)
class DataFile:
    """A file that was read: of which scan, what it was, its content."""

    scan: str
    role: str
    bytes: int
    sha256: str


@dataclass(frozen=True, eq=False)
class Report:
    """An evaluation.

    Parameters
    ----------
    method, config, weights, models
        What was evaluated; ``models`` are the sha256 of the fitted or calibrated models, one a part.
    layout, folds, seed, false_positives
        On what, in how many parts, at which threshold for findings per healthy scan.
    how
        What was done with the healthy scans, in a sentence.
    promised_by
        On whom the promise was measured.
    scores
        The method first, then the rules it stands beside.
    missing
        Rows that are not there, with the reason.
    files
        Content of all data that was read; ``recipes`` say how scans came about that have no file.
    """

    method: str
    config: Mapping[str, Any]
    weights: tuple[WeightsUsed, ...]
    models: tuple[str, ...]
    layout: str
    folds: int
    seed: int
    false_positives: float
    how: str
    promised_by: CalibrationSource
    scores: tuple[Score, ...]
    points: tuple[OperatingPoint, ...]
    strata: tuple[Stratum, ...]
    promises: tuple[Promise, ...]
    costs: tuple[Cost, ...]
    scans: tuple[ScanRow, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: tuple[DataFile, ...] = ()
    recipes: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    versions: Mapping[str, str] = field(default_factory=dict)
    grisaille: str = ""
