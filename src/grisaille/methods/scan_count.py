"""What healthy scans cost at each cut, and the calibration that they carry together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.core.grid import Grid
from grisaille.imaging.findings import components

COUNTED_SHARE = 0.2
MOST_SHARE = 0.05
"""No cut marks more of healthy bodies than this; where more is marked, findings run together."""

FINEST_MM = 2.0
"""Maps are counted on voxels of at least this width; finer ones change no finding of half a millilitre."""

Cuts = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScanCount:
    """One healthy scan at each of a method's cuts.

    Parameters
    ----------
    findings
        (k,) infinite where so much is marked that findings run together and were not counted.
    voxels
        (k,) share of the body marked.
    """

    findings: npt.NDArray[np.float64]
    voxels: npt.NDArray[np.float64]
    body_voxels: int
    patient: str


def count_scan(
    scores: npt.NDArray[np.float32],
    body: npt.NDArray[np.bool_],
    grid: Grid,
    smallest_ml: float,
    patient: str,
    cuts: Cuts,
) -> ScanCount:
    """Count on ``grid`` the components that each of (k,) ``cuts`` leaves of a healthy scan.

    Cuts that mark more than ``COUNTED_SHARE`` of the body are not counted.
    """
    inside = np.sort(scores[body])
    share = (inside.size - np.searchsorted(inside, cuts, side="left")) / max(inside.size, 1)
    findings = np.where(share > COUNTED_SHARE, np.inf, 0.0)
    box = tuple(slice(there.min(), there.max() + 1) for there in np.nonzero(body)) if inside.size else ()
    within = np.where(body[box], scores[box], -np.inf)
    for number in np.flatnonzero((share > 0) & (share <= COUNTED_SHARE)):
        sizes = np.bincount(components(within >= cuts[number]).ravel())[1:]
        findings[number] = np.count_nonzero(sizes * grid.voxel_ml >= smallest_ml * (1 - 1e-9))
    return ScanCount(findings, share, int(inside.size), patient)


def calibration_of(counts: Sequence[ScanCount], cuts: Cuts, source: CalibrationSource) -> Calibration:
    """The promise that scans counted at these cuts allow; no promise of no scans."""
    if not counts:
        return Calibration.none()
    voxels = np.stack([scan.voxels for scan in counts]).astype(np.float32).astype(np.float64)
    findings = np.stack([scan.findings for scan in counts])
    few = np.isfinite(findings).all(axis=0) & (voxels.mean(axis=0) <= MOST_SHARE)
    start = int(np.argmax(few)) if few.any() else len(cuts) - 1
    used = np.flatnonzero(voxels.any(axis=0))
    # One cut more, that no healthy voxel reaches.
    end = max(min(int(used[-1]) + 2 if used.size else 1, len(cuts)), start + 1)
    return together(counts, cuts, slice(start, end), source)


def counting_grid(grid: Grid) -> Grid:
    """``grid``, or a coarser one over the same field where its voxels are finer than need be."""
    steps = [max(step, FINEST_MM) for step in grid.spacing_mm]
    return grid if steps == list(grid.spacing_mm) else grid.spaced(steps)


def subsets(keys: Sequence[str]) -> list[tuple[str, ...]]:
    """Each key alone, then all together: what a study of a cohort may have."""
    ordered = sorted(keys)
    return [(key,) for key in ordered] + ([tuple(ordered)] if len(ordered) > 1 else [])


def together(counts: Sequence[ScanCount], cuts: Cuts, used: slice, source: CalibrationSource) -> Calibration:
    """The calibration of these scans at the cuts ``used`` of all (k,) ``cuts``; shares in single precision."""
    return Calibration(
        source,
        cuts[used],
        np.stack([scan.findings[used] for scan in counts]),
        np.stack([scan.voxels[used] for scan in counts]).astype(np.float32).astype(np.float64),
        sum(scan.body_voxels for scan in counts),
        len({scan.patient for scan in counts}),
    )
