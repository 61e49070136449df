"""A trained AutoPaint as arrays and a plain header, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import ConfigError, DamagedWeights, InputError
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.norms import Norms
from grisaille.methods.kept_calibrations import calibration_arrays, calibration_from, calibration_header
from grisaille.weights.bundle import Bundle

if TYPE_CHECKING:
    from grisaille.methods.autopaint.method import AutoPaint

Arrays = dict[str, npt.NDArray[Any]]


def write_state(method: AutoPaint) -> Bundle:
    """The network, the norms and the promise."""
    from grisaille.methods.autopaint.inpainter import arrays

    kept: Arrays = {}
    if method.network is not None:
        kept |= _below("network", arrays(method.network, half=True))
    for key, one in method.norms.items():
        kept |= _below(f"norms/{key}", one.arrays())
    for key, promise in method.calibrations.items():
        kept |= _below(f"calibration/{key}", calibration_arrays(promise))
    header = {
        "config": method.config.to_mapping(),
        "modalities": list(method.trained_on),
        "patients": method.patients,
        "measured_with": dict(method.measured_with),
        "muscle": dict(method.muscle),
        "adapted": method.adapted,
        "norms": list(method.norms),
        "calibrations": {key: calibration_header(one) for key, one in method.calibrations.items()},
    }
    return Bundle(kept, header)


def read_state(bundle: Bundle) -> dict[str, Any]:
    """The fields of a trained ``AutoPaint``; the inverse of ``write_state``.

    Raises
    ------
    WeightsMismatch
        If the network is of another shape.
    DamagedWeights
        If parts are missing or do not fit each other.
    """
    from grisaille.methods.autopaint.inpainter import load

    header = bundle.header
    try:
        config = AutoPaintConfig.from_mapping(header["config"])
        network = _part(bundle, "network")
        return {
            "config": config,
            "network": load(config, network) if network else None,
            "trained_on": tuple(str(key) for key in header["modalities"]),
            "norms": {key: Norms.from_arrays(_part(bundle, f"norms/{key}")) for key in header["norms"]},
            "calibrations": {
                key: calibration_from(_part(bundle, f"calibration/{key}"), about)
                for key, about in header["calibrations"].items()
            },
            "patients": int(header["patients"]),
            "muscle": {key: float(value) for key, value in header.get("muscle", {}).items()},
            "adapted": int(header.get("adapted", 0)),
            "measured_with": {name: float(value) for name, value in header["measured_with"].items()},
        }
    except KeyError as error:
        raise DamagedWeights(
            f"the model lacks {error}; it was cut or written by another program; copy it again"
        ) from error
    except (TypeError, ValueError, AttributeError, InputError, ConfigError) as error:
        raise DamagedWeights(
            f"the model holds what cannot be read ({error}); it was written by another program or version; "
            "copy or train it again"
        ) from error


def _below(folder: str, arrays: Any) -> Arrays:
    return {f"{folder}/{name}": np.asarray(array) for name, array in arrays.items()}


def _part(bundle: Bundle, folder: str) -> Arrays:
    start = f"{folder}/"
    return {name.removeprefix(start): array for name, array in bundle.arrays.items() if name.startswith(start)}
