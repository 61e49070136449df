"""What a report on pictures says, as titled tables of text."""

from __future__ import annotations

from collections.abc import Iterator

from grisaille.core.picture_report import PictureFigure, PictureReport
from grisaille.flows.evaluation.tables import Block, listed

_DEFINITIONS = (
    "Image AUROC and AP: area under the ROC curve and average precision of one score a picture, from the class token "
    "alone. Pixel AUROC and AP: of all pixels of all maps, healthy pictures included; scores are counted in 51,200 "
    "steps.",
    "AUPRO: area under the mean overlap with each marked region (8-connected) over the share of healthy pixels that is "
    "marked too, at 200 evenly spaced cuts, where that share is below 0.3; the shares are then stretched to 0 to 1, as "
    "published.",
    "A score says which of two prompts is nearer. It is no probability.",
)


def picture_blocks(report: PictureReport) -> Iterator[Block]:
    """In the order of reading."""
    yield Block("How", tuple(_how(report)))
    yield _figures(report)
    failed = [one for one in report.pictures if one.error]
    if failed:
        rows = tuple((one.picture, "abnormal" if one.is_abnormal else "healthy", one.error) for one in failed)
        yield Block("Pictures that could not be measured", (), ("picture", "is", "error"), rows)
    if report.notes:
        yield Block("What was said on the way", report.notes)
    yield Block("Definitions", _DEFINITIONS)
    yield Block("What this rests on", tuple(_rests_on(report)))


def percent(value: float | None) -> str:
    """One digit, as papers print it; a dash where there is nothing."""
    return "-" if value is None else f"{100 * value:.1f}"


def _how(report: PictureReport) -> Iterator[str]:
    yield (
        f"Each picture was resized to {report.side} x {report.side} pixels whatever its shape (bicubic), in red, green "
        f"and blue; its map has {report.rows} x {report.rows} scores, enlarged and smoothed at {report.side} pixels. "
        "Nothing was trained, calibrated or chosen on these pictures."
    )
    measured = [one for one in report.pictures if not one.error]
    abnormal = sum(one.is_abnormal for one in measured)
    yield f"{len(measured)} pictures were measured: {abnormal} abnormal, {len(measured) - abnormal} healthy."
    if len(measured) < len(report.pictures):
        yield f"{len(report.pictures) - len(measured)} could not be measured; their reasons stand below."
    if report.departures:
        yield "Not as published: " + "; ".join(report.departures) + "."


def _figures(report: PictureReport) -> Block:
    header: tuple[str, ...] = ("measure", "value, %", "healthy pictures", "abnormal pictures")
    rows = tuple(_row(one) for one in report.figures)
    texts = tuple(f"{one.measure} is not there: {one.reason}." for one in report.figures if one.reason)
    if report.published_by:
        header += ("published, %",)
        rows = tuple((*row, percent(one.published)) for row, one in zip(rows, report.figures, strict=True))
        texts = (f"Published on {report.data} by {report.published_by}.", *texts)
    return Block("Figures", texts, header, rows)


def _row(one: PictureFigure) -> tuple[str, ...]:
    return one.measure.value, percent(one.value), str(one.healthy), str(one.abnormal)


def _rests_on(report: PictureReport) -> Iterator[str]:
    yield f"grisaille {report.grisaille}, seed {report.seed}, {report.device}."
    yield "Versions: " + listed(report.versions.items()) + "."
    yield "Weights (sha256): " + (listed((one.name, one.sha256) for one in report.weights) or "none") + "."
    yield f"Model (sha256 of all it rests on): {report.model}."
    yield "Settings: " + listed(report.config.items()) + "."
    yield f"Data: {len(report.files)} files; sha256 of each, and the score of each picture, in report.json."
