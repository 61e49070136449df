"""A calibration as arrays and a plain header, and back: the same in the files of every method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.calibration import Calibration, CalibrationSource


def calibration_arrays(calibration: Calibration) -> Mapping[str, npt.NDArray[Any]]:
    """For a file; counts and shares in single precision."""
    rates = {"findings": calibration.findings, "voxels": calibration.voxels}
    return {"cuts": calibration.cuts, **{name: array.astype(np.float32) for name, array in rates.items()}}


def calibration_header(calibration: Calibration) -> dict[str, Any]:
    """What of it are no arrays."""
    return {
        "source": calibration.source.value,
        "body_voxels": calibration.body_voxels,
        "patients": calibration.patients,
    }


def calibration_from(arrays: Mapping[str, npt.NDArray[Any]], header: Mapping[str, Any]) -> Calibration:
    """The inverse of both."""
    source = CalibrationSource(header["source"])
    if source is CalibrationSource.NONE:
        return Calibration.none()
    return Calibration(
        source, arrays["cuts"], arrays["findings"], arrays["voxels"], header["body_voxels"], header["patients"]
    )
