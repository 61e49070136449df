"""Prompts and what was promised with them as arrays and a plain header, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from grisaille.core.calibration import Calibration
from grisaille.core.errors import ConfigError, DamagedWeights, InputError, WeightsMismatch
from grisaille.methods.anomalyclip.config import AnomalyClipConfig
from grisaille.methods.anomalyclip.prompts import Prompts
from grisaille.methods.kept_calibrations import calibration_arrays, calibration_from, calibration_header
from grisaille.weights.bundle import Bundle

METHOD = "anomalyclip"


@dataclass(frozen=True, eq=False)
class State:
    """What a file of AnomalyCLIP holds: all but the backbone.

    Parameters
    ----------
    fingerprint
        Of the backbone; empty where the prompts were converted without it at hand.
    learned_from
        Where the prompts come from, in a few words.
    calibrations
        By the keys of the modalities joined by ``+``.
    measured_with
        Settings that scores depend on, as they were when the promise was measured.
    """

    config: AnomalyClipConfig
    prompts: Prompts
    fingerprint: str = ""
    learned_from: str = ""
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    measured_with: Mapping[str, Any] = field(default_factory=dict)

    def bundle(self) -> Bundle:
        """For ``weights.bundle.write_bundle``."""
        arrays = dict(self.prompts.arrays())
        for key, promise in self.calibrations.items():
            arrays |= {f"calibration/{key}/{name}": array for name, array in calibration_arrays(promise).items()}
        return Bundle(
            arrays,
            {
                "method": METHOD,
                "config": self.config.to_mapping(),
                "words": list(self.prompts.words),
                "fingerprint": self.fingerprint,
                "learned_from": self.learned_from,
                "calibrations": {key: calibration_header(one) for key, one in self.calibrations.items()},
                "measured_with": dict(self.measured_with),
            },
        )

    @classmethod
    def of(cls, bundle: Bundle) -> State:
        """The inverse of ``bundle``.

        Raises
        ------
        DamagedWeights
            If parts are missing or cannot be read.
        """
        header, arrays = bundle.header, bundle.arrays
        try:
            normal, abnormal = header["words"]
            return cls(
                AnomalyClipConfig.from_mapping(header["config"]),
                Prompts(arrays["context"], arrays["deep"], arrays["start"], (str(normal), str(abnormal))),
                str(header["fingerprint"]),
                str(header["learned_from"]),
                {key: calibration_from(_below(arrays, key), about) for key, about in header["calibrations"].items()},
                dict(header["measured_with"]),
            )
        except KeyError as error:
            raise DamagedWeights(
                f"the model lacks {error}; it was cut or written by another program; learn or convert it again"
            ) from error
        except (TypeError, ValueError, AttributeError, IndexError, InputError, ConfigError, WeightsMismatch) as error:
            raise DamagedWeights(
                f"the model holds what cannot be read ({error}); it was written by another program or version; "
                "learn or convert it again"
            ) from error


def _below(arrays: Mapping[str, Any], key: str) -> dict[str, Any]:
    start = f"calibration/{key}/"
    return {name.removeprefix(start): np.asarray(one) for name, one in arrays.items() if name.startswith(start)}
