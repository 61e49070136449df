"""A report of ``grisaille evaluate`` as one line of a table."""

from __future__ import annotations

from typing import Any

import grisaille as gr


def row_of(report: gr.Report) -> dict[str, Any]:
    """The method's figures over all scans."""
    ours = report.scores[0]
    seconds = [one.cpu_seconds for one in report.costs if one.step.startswith("score")]
    outshone = [one.sensitivity[ours.name] for one in report.strata if one.group.startswith("no hotter")]
    return {
        "mean Dice": ours.dice_mean,
        "standard error": ours.dice_error,
        "median Dice": ours.dice_median,
        "sensitivity": ours.sensitivity,
        "of lesions no hotter than what is beside them": outshone[0] if outshone else None,
        "false positives a scan": ours.false_positives,
        "voxel AP": ours.voxel_ap,
        "CPU-s a scan": seconds[0] if seconds else None,
    }
