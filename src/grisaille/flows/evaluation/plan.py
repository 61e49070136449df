"""How an evaluation is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grisaille.core.calibration import Per
from grisaille.core.errors import ConfigError
from grisaille.flows.detect import asked_for

PROMISED = (0.5, 1.0, 2.0)
"""False positives a scan at which promise and outcome are compared."""

SENSITIVITY_AT = (1.0, 2.0, 4.0)
"""False positives a scan at which lesions hit are counted."""


@dataclass(frozen=True)
class Plan:
    """How an evaluation is done.

    Parameters
    ----------
    healthy
        A folder of healthy studies, beside those of the data set.
    folds
        Parts into which patients are split; 1 tests all patients with lesions and a third of the
        others once. 5 by default, 1 for synthetic patients.
    is_quick
        A few patients, the shipped model of a name, nothing trained or calibrated.
    false_positives
        Findings a healthy scan at which Dice and volumes are measured.
    settings
        Knobs to change: of the fit for a method's name, of what may change after it for a model.
    weights, allow_download
        The backbone's file; whether it may be fetched.
    pet_unit
        Of PET files that do not say it.
    overwrite
        Whether the report of another evaluation may be replaced.
    """

    healthy: Path | None = None
    folds: int | None = None
    is_quick: bool = False
    false_positives: float = 1.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    weights: Path | None = None
    allow_download: bool = False
    pet_unit: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        asked_for(self.false_positives, Per.SCAN)
        if self.folds is not None and self.folds < 1:
            raise ConfigError(f"{self.folds} folds were asked for, expected 1 or more")
        if self.is_quick and self.folds is not None:
            raise ConfigError("a quick evaluation trains nothing, so it has no folds; leave one of the two out")

    @property
    def rates(self) -> tuple[float, ...]:
        """All false positives a scan at which a scan is marked."""
        return tuple(sorted({*PROMISED, *SENSITIVITY_AT, self.false_positives}))
