"""What healthy scans cost at each cut, and the calibration that they carry together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grisaille.core.calibration import Calibration, CalibrationSource


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


def together(
    counts: Sequence[ScanCount], cuts: npt.NDArray[np.float64], used: slice, source: CalibrationSource
) -> Calibration:
    """The calibration of these scans at the cuts ``used`` of all (k,) ``cuts``; shares in single precision."""
    return Calibration(
        source,
        cuts[used],
        np.stack([scan.findings[used] for scan in counts]),
        np.stack([scan.voxels[used] for scan in counts]).astype(np.float32).astype(np.float64),
        sum(scan.body_voxels for scan in counts),
        len({scan.patient for scan in counts}),
    )
