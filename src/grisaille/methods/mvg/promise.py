"""What each cut costs on healthy scans: the promise behind the threshold slider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.core.grid import Grid
from grisaille.imaging.findings import label_above

CUTS = np.geomspace(0.3, 100.0, 240)
"""Scores at which healthy scans are counted, 2.5 % apart; the same for all models, so that they compare."""

FINEST_MM = 2.0
"""Maps are counted on voxels of at least this width; finer ones change no finding of half a millilitre."""


@dataclass(frozen=True, eq=False)
class ScanCount:
    """One healthy scan: findings and share of the body at or above each of ``CUTS``."""

    findings: npt.NDArray[np.float64]
    voxels: npt.NDArray[np.float64]
    body_voxels: int
    patient: str

    @classmethod
    def of(
        cls, scores: npt.NDArray[np.float32], body: npt.NDArray[np.bool_], grid: Grid, smallest_ml: float, patient: str
    ) -> Self:
        """Count on ``grid`` what the method's ``label`` would make at each cut."""
        inside = np.sort(scores[body])
        above = inside.size - np.searchsorted(inside, CUTS, side="left")
        findings = np.zeros(len(CUTS))
        box = tuple(slice(there.min(), there.max() + 1) for there in np.nonzero(body)) if inside.size else ()
        for number in np.flatnonzero(above * grid.voxel_ml >= smallest_ml * (1 - 1e-9)):
            if above[number]:
                labels = label_above(
                    scores[box], CUTS[number], body[box], smallest_ml=smallest_ml, voxel_ml=grid.voxel_ml
                )  # fmt: skip
                findings[number] = labels.max()
        return cls(findings, above / max(inside.size, 1), int(inside.size), patient)


def calibration(counts: Iterable[ScanCount], source: CalibrationSource) -> Calibration:
    """The promise that these scans allow; no promise of no scans."""
    scans = list(counts)
    if not scans:
        return Calibration.none()
    voxels = np.stack([scan.voxels for scan in scans])
    used = np.flatnonzero(voxels.any(axis=0))
    # One cut more, that no healthy voxel reaches.
    end = min(int(used[-1]) + 2 if used.size else 1, len(CUTS))
    return Calibration(
        source,
        CUTS[:end],
        np.stack([scan.findings[:end] for scan in scans]),
        voxels[:, :end],
        sum(scan.body_voxels for scan in scans),
        len({scan.patient for scan in scans}),
    )


def calibration_arrays(calibration: Calibration) -> Mapping[str, npt.NDArray[Any]]:
    """For a file."""
    return {"cuts": calibration.cuts, "findings": calibration.findings, "voxels": calibration.voxels}


def calibration_from(arrays: Mapping[str, npt.NDArray[Any]], header: Mapping[str, Any]) -> Calibration:
    """The inverse of ``calibration_arrays``."""
    source = CalibrationSource(header["source"])
    if source is CalibrationSource.NONE:
        return Calibration.none()
    return Calibration(
        source, arrays["cuts"], arrays["findings"], arrays["voxels"], header["body_voxels"], header["patients"]
    )


def counting_grid(grid: Grid) -> Grid:
    """``grid``, or a coarser one over the same field where its voxels are finer than need be."""
    steps = [max(step, FINEST_MM) for step in grid.spacing_mm]
    return grid if steps == list(grid.spacing_mm) else grid.spaced(steps)
