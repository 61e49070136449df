"""The scores at which MVG's healthy scans are counted, and the promise that follows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.core.grid import Grid
from grisaille.methods import scan_count
from grisaille.methods.scan_count import ScanCount

CUTS = np.geomspace(0.7, 300.0, 246)
"""2.5 % apart; the same for all models, so that they compare."""


def count_scan(
    scores: npt.NDArray[np.float32], body: npt.NDArray[np.bool_], grid: Grid, smallest_ml: float, patient: str
) -> ScanCount:
    """Count on ``grid`` what the method's ``label`` would make at each of ``CUTS``."""
    return scan_count.count_scan(scores, body, grid, smallest_ml, patient, CUTS)


def calibration(counts: Iterable[ScanCount], source: CalibrationSource) -> Calibration:
    """The promise that these scans allow; no promise of no scans."""
    return scan_count.calibration_of(list(counts), CUTS, source)
