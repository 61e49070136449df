"""What a report says, as titled tables of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from grisaille.core.calibration import CalibrationSource
from grisaille.core.report import Report, Score

HIT = "A lesion is hit where at least a quarter of its voxels is marked."
_DEFINITIONS = (
    "Dice: over all voxels of a scan with lesions. FPV and FNV: volumes of marked parts that touch no lesion, over "
    "all scans, and of lesion parts that nothing marked touches, over scans with lesions (autoPET; parts joined by "
    "faces and edges). False positives: findings that touch no lesion. Voxel AP: average precision of the scores over "
    "the body's voxels, mean over scans with lesions; of SUV itself in the rows of thresholds.",
    HIT,
    "Plain thresholds leave out what is smaller than the method's smallest finding. 41 % is of the scan's largest SUV. "
    "Liver: 1.5 times the mean plus two standard deviations of a 3 cm sphere in healthy liver (PERCIST), in SUV by "
    "body weight. ORACLE: the threshold with the best mean Dice on these very scans, which nobody could have known.",
)


@dataclass(frozen=True)
class Block:
    """A titled part of the page."""

    title: str
    texts: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    has_pictures: bool = False


def blocks(report: Report) -> Iterator[Block]:
    """In the order of reading."""
    yield Block("How", tuple(_how(report)))
    measured = sum(not one.error for one in report.scans)
    yield Block("Lesions found", (), _SCORE_HEADER, tuple(_score_row(score, measured) for score in report.scores))
    if report.points:
        yield Block(
            "Lesion sensitivity by false positives",
            ("Thresholds from healthy scans; beside what was asked stands what was seen on all tested scans. " + HIT,),
            ("asked a healthy scan", "seen a scan", "sensitivity", "mean Dice"),
            tuple(
                (f"{one.asked:g}", number(one.false_positives), number(one.sensitivity), number(one.dice_mean))
                for one in report.points
            ),
        )
    if report.promises:
        yield _promises(report)
    yield from _strata(report)
    yield Block(
        "Pictures",
        (
            "Green: truth; red: found. From the front (PET: the largest value along each ray), then the axial slice "
            "with most lesion, of a PET/CT also on the CT; the patient's left is on the right.",
        ),
        has_pictures=True,
    )
    yield _scans(report)
    yield _costs(report)
    if report.missing:
        yield Block("Rows that are not there", tuple(f"{name}: {reason}." for name, reason in report.missing.items()))
    if report.notes:
        yield Block("What was said on the way", report.notes)
    yield Block("Definitions", _DEFINITIONS)
    yield Block("What this rests on", tuple(_rests_on(report)))


def number(value: float | None) -> str:
    """Three digits; a dash where there is nothing."""
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def false_positives(count: float) -> str:
    """In words."""
    return f"{count:g} false positive{'s' * (count != 1)}"


_SCORE_HEADER = (
    "marked by",
    "threshold",
    "mean Dice",
    "standard error",
    "median Dice",
    "FPV ml",
    "FNV ml",
    "sensitivity",
    "false positives a scan",
    "voxel AP",
)


def _how(report: Report) -> Iterator[str]:
    yield f"{report.how[0].upper()}{report.how[1:]}."
    tested = [one for one in report.scans if not one.error]
    healthy = sum(one.is_healthy for one in tested)
    lesions = sum(one.lesions for one in tested)
    yield (
        f"{len(tested)} scans of {len({one.patient for one in tested})} patients were measured: "
        f"{len(tested) - healthy} with {lesions} lesions, {healthy} without."
    )
    failed = len(report.scans) - len(tested)
    if failed:
        yield f"{failed} scans could not be measured; their reasons stand below."
    words = {
        CalibrationSource.PATIENTS: "patients",
        CalibrationSource.SYNTHETIC: "synthetic patients",
        CalibrationSource.NONE: "nobody",
    }
    yield f"The promise of false positives was measured on {words[report.promised_by]}."


def _score_row(score: Score, measured: int) -> tuple[str, ...]:
    measures = (
        score.dice_mean,
        score.dice_error,
        score.dice_median,
        score.false_positive_ml,
        score.false_negative_ml,
        score.sensitivity,
        score.false_positives,
        score.voxel_ap,
    )
    name = score.name if score.scans in (0, measured) else f"{score.name} ({score.scans} of {measured} scans)"
    return name, score.threshold, *map(number, measures)


def _promises(report: Report) -> Block:
    smallest = report.promises[0].smallest
    return Block(
        "Promised against observed",
        (
            f"On {report.promises[0].scans} scans without lesions that took no part in training or calibration. "
            f"The calibration's scans carry no promise below {smallest:.2g}.",
        ),
        ("promised a scan", "observed", "standard error", "observed / promised"),
        tuple(
            (f"{one.asked:g}", number(one.observed), number(one.error), number(one.ratio)) for one in report.promises
        ),
    )


def _strata(report: Report) -> Iterator[Block]:
    names = [score.name for score in report.scores if score.lesions]
    for by in dict.fromkeys(one.by for one in report.strata):
        rows = tuple(
            (one.group, str(one.lesions), *(_pair(one.sensitivity.get(name), one.dice.get(name)) for name in names))
            for one in report.strata
            if one.by == by
        )
        text = "Sensitivity, and in brackets the mean Dice of a lesion with all findings that touch it."
        yield Block(f"Lesions by {by}", (text,), (by, "lesions", *names), rows)


def _pair(sensitivity: float | None, dice: float | None) -> str:
    return "-" if sensitivity is None or dice is None else f"{sensitivity:.2f} ({dice:.2f})"


def _scans(report: Report) -> Block:
    header: tuple[str, ...] = (
        "scan",
        "lesions",
        "hit",
        "false positives",
        "Dice",
        "FPV ml",
        "FNV ml",
        "voxel AP",
        "error",
    )
    rows: tuple[tuple[str, ...], ...] = tuple(
        (
            one.scan,
            str(one.lesions),
            str(one.hit),
            str(one.false_positives),
            *map(number, (one.dice, one.false_positive_ml, one.false_negative_ml, one.voxel_ap)),
            one.error,
        )
        for one in report.scans
    )
    has_errors = any(one.error for one in report.scans)
    if not has_errors:
        header, rows = header[:-1], tuple(row[:-1] for row in rows)
    return Block("Scans", (f"At {false_positives(report.false_positives)} a healthy scan.",), header, rows)


def _costs(report: Report) -> Block:
    rows = tuple(
        (one.step, str(one.times), f"{one.wall_seconds:.1f}", f"{one.cpu_seconds:.1f}") for one in report.costs
    )
    return Block("Cost", (), ("step", "times", "seconds", "CPU-seconds"), rows)


def _rests_on(report: Report) -> Iterator[str]:
    parts = f"{report.folds} part{'s' * (report.folds > 1)}"
    yield f"grisaille {report.grisaille}, seed {report.seed}, {parts}, {report.device}."
    yield "Versions: " + listed(report.versions.items()) + "."
    yield "Weights (sha256): " + (listed((one.name, one.sha256) for one in report.weights) or "none") + "."
    yield "Models (sha256 of all they rest on): " + ", ".join(report.models) + "."
    yield "Settings: " + listed(report.config.items()) + "."
    if report.files:
        yield f"Data: {len(report.files)} files; sha256 of each in report.json."
    if report.recipes:
        yield f"Data: {len(report.recipes)} synthetic scans; how each is made in report.json."


def listed(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and values in a row."""
    return ", ".join(f"{name} {value}" for name, value in pairs)
