"""What each cut costs on healthy scans: the promise behind the threshold slider."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.methods.autopaint.candidates import Mask
from grisaille.methods.autopaint.loop import FURTHEST
from grisaille.methods.autopaint.painting import Floats
from grisaille.methods.scan_count import ScanCount, together

CUTS = np.geomspace(1.0, 1.1 * FURTHEST, 50)
"""Scores at which healthy scans are counted, 8.5 % apart; none reaches the last."""

COUNTED_SHARE = 0.01
"""No cut that more than this of a healthy body reaches is counted: where more is marked, findings run together."""


def count(scores: Floats, body: Mask, mark: Callable[[float], npt.NDArray[np.uint16]], patient: str) -> ScanCount:
    """What the method's own ``mark`` makes of a healthy scan at each cut."""
    inside = np.sort(scores[body])
    reach = (inside.size - np.searchsorted(inside, CUTS, side="left")) / max(inside.size, 1)
    findings = np.where(reach > COUNTED_SHARE, np.inf, 0.0)
    voxels = np.where(reach > COUNTED_SHARE, 1.0, 0.0)
    for number in np.flatnonzero((reach > 0) & (reach <= COUNTED_SHARE)):
        labels = mark(float(CUTS[number]))
        findings[number] = int(labels.max(initial=0))
        voxels[number] = np.float32(np.count_nonzero(labels) / inside.size)
    return ScanCount(findings, voxels, int(inside.size), patient)


def calibration(counts: Sequence[ScanCount], source: CalibrationSource) -> Calibration:
    """The promise that these scans allow; no promise of no scans."""
    if not counts:
        return Calibration.none()
    findings = np.stack([scan.findings for scan in counts])
    counted = np.flatnonzero(np.isfinite(findings).all(axis=0))
    marking = np.flatnonzero(findings.any(axis=0))
    start = int(counted[0])
    # One cut more, at which nothing is marked.
    end = min(max(int(marking[-1]) + 2 if marking.size else 0, start + 1), len(CUTS))
    return together(counts, CUTS, slice(start, end), source)
