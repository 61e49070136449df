"""What each cut costs on healthy scans: the promise behind the threshold slider."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.core.grid import Grid
from grisaille.imaging.findings import components
from grisaille.methods.scan_count import ScanCount, together

CUTS = np.geomspace(0.7, 300.0, 246)
"""Scores at which healthy scans are counted, 2.5 % apart; the same for all models, so that they compare."""

COUNTED_SHARE = 0.2
MOST_SHARE = 0.05
"""No cut marks more of healthy bodies than this; where more is marked, findings run together."""

FINEST_MM = 2.0
"""Maps are counted on voxels of at least this width; finer ones change no finding of half a millilitre."""


def count_scan(
    scores: npt.NDArray[np.float32], body: npt.NDArray[np.bool_], grid: Grid, smallest_ml: float, patient: str
) -> ScanCount:
    """Count on ``grid`` what the method's ``label`` would make at each of ``CUTS``.

    Cuts that mark more than ``COUNTED_SHARE`` of the body are not counted.
    """
    inside = np.sort(scores[body])
    share = (inside.size - np.searchsorted(inside, CUTS, side="left")) / max(inside.size, 1)
    findings = np.where(share > COUNTED_SHARE, np.inf, 0.0)
    box = tuple(slice(there.min(), there.max() + 1) for there in np.nonzero(body)) if inside.size else ()
    within = np.where(body[box], scores[box], -np.inf)
    for number in np.flatnonzero((share > 0) & (share <= COUNTED_SHARE)):
        sizes = np.bincount(components(within >= CUTS[number]).ravel())[1:]
        findings[number] = np.count_nonzero(sizes * grid.voxel_ml >= smallest_ml * (1 - 1e-9))
    return ScanCount(findings, share, int(inside.size), patient)


def calibration(counts: Iterable[ScanCount], source: CalibrationSource) -> Calibration:
    """The promise that these scans allow; no promise of no scans."""
    scans = list(counts)
    if not scans:
        return Calibration.none()
    voxels = np.stack([scan.voxels for scan in scans]).astype(np.float32).astype(np.float64)
    findings = np.stack([scan.findings for scan in scans])
    few = np.isfinite(findings).all(axis=0) & (voxels.mean(axis=0) <= MOST_SHARE)
    start = int(np.argmax(few)) if few.any() else len(CUTS) - 1
    used = np.flatnonzero(voxels.any(axis=0))
    # One cut more, that no healthy voxel reaches.
    end = max(min(int(used[-1]) + 2 if used.size else 1, len(CUTS)), start + 1)
    return together(scans, CUTS, slice(start, end), source)


def counting_grid(grid: Grid) -> Grid:
    """``grid``, or a coarser one over the same field where its voxels are finer than need be."""
    steps = [max(step, FINEST_MM) for step in grid.spacing_mm]
    return grid if steps == list(grid.spacing_mm) else grid.spaced(steps)
