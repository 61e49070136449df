"""What a threshold costs on healthy tissue: one currency for every method."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import frozen, require_shape
from grisaille.core.errors import ConfigError, InputError


class CalibrationSource(StrEnum):
    """On whom the promise was measured."""

    PATIENTS = "patients"
    SYNTHETIC = "synthetic"
    NONE = "none"


class Per(StrEnum):
    """What a threshold is asked in.

    ``SCAN``: findings on a healthy scan. ``VOXEL``: share of healthy voxels marked.
    ``SHARE``: the most anomalous share of this body, ``ORGAN``: that of each organ of it; both promise nothing.
    """

    SCAN = "scan"
    VOXEL = "voxel"
    SHARE = "share"
    ORGAN = "organ"

    @property
    def is_share(self) -> bool:
        """Whether the cut comes from the patient's own scores, and not from a calibration."""
        return self in (Per.SHARE, Per.ORGAN)


@dataclass(frozen=True, eq=False)
class Calibration:
    """False positives of a method on healthy scans that it was not fitted on.

    Parameters
    ----------
    source
        ``none`` holds no scans; the arrays are then empty.
    cuts
        (k,) scores, ascending; no healthy voxel reaches the last one.
    findings
        (p, k) findings that the method's ``label`` makes on each of p healthy scans at each cut.
    voxels
        (p, k) share of each scan's body at or above each cut.
    body_voxels
        Voxels of all the bodies together.
    patients
        Distinct people among the p scans.
    """

    source: CalibrationSource
    cuts: npt.NDArray[np.float64]
    findings: npt.NDArray[np.float64]
    voxels: npt.NDArray[np.float64]
    body_voxels: int = 0
    patients: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", CalibrationSource(self.source))
        for name in ("cuts", "findings", "voxels"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))
        require_shape(self.voxels, self.findings.shape, "a calibration's voxel shares")
        if self.findings.ndim != 2 or self.findings.shape[1:] != self.cuts.shape:
            raise InputError("a calibration holds one count for each scan and cut")
        if np.any(np.diff(self.cuts) < 0):
            raise InputError("a calibration's cuts ascend")
        if self.source is not CalibrationSource.NONE and not self.findings.size:
            raise InputError("a calibration needs at least one healthy scan, or the source 'none'")

    @classmethod
    def none(cls) -> Calibration:
        """No healthy scan was seen: no promise can be made."""
        empty = np.empty((0, 0))
        return cls(CalibrationSource.NONE, np.empty(0), empty, empty)

    @property
    def scans(self) -> int:
        """Healthy scans behind the promise."""
        return len(self.findings)

    def expected(self, per: Per) -> npt.NDArray[np.float64]:
        """(k,) upper estimate of the rate at each cut, never rising with the cut.

        The mean over the scans, or, where that is more, one more false positive than was seen on
        one more scan (or voxel), as in conformal prediction: with p scans no rate below
        1 / (p + 1) can be promised.
        """
        if per is Per.SCAN:
            seen, trials = self.findings.mean(axis=0), self.scans
        else:
            seen, trials = self.voxels.mean(axis=0), self.body_voxels
        rates = np.maximum(seen, (seen * trials + 1) / (trials + 1))
        falling: npt.NDArray[np.float64] = np.maximum.accumulate(rates[::-1])[::-1]
        return falling

    def smallest(self, per: Per) -> float:
        """The smallest rate that these scans can promise."""
        if self.source is CalibrationSource.NONE or per.is_share:
            return 0.0
        return float(self.expected(per)[-1])

    def cut(self, asked: float, per: Per) -> float:
        """The lowest score at which the expected rate is at most ``asked``.

        Below ``smallest(per)`` the highest cut is given: more cannot be promised.

        Raises
        ------
        ConfigError
            If there is nothing to promise from, or ``per`` is a share of the body or of organs.
        """
        per = Per(per)
        if self.source is CalibrationSource.NONE:
            raise ConfigError(
                "this model was never calibrated on healthy scans, so false positives cannot be promised; "
                "give the most anomalous share of the body instead (top), or calibrate it"
            )
        if per.is_share:
            raise ConfigError("a share of the body or of organs is cut from its own scores, not from a calibration")
        if not asked > 0:
            raise ConfigError(f"false positives per {per.value} is {asked}, expected a number above 0")
        enough = np.flatnonzero(self.expected(per) <= asked)
        return float(self.cuts[enough[0]] if enough.size else self.cuts[-1])
