"""What a detection gives, and enough to run it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.burden import Burden
from grisaille.core.calibration import CalibrationSource, Per
from grisaille.core.finding import Finding
from grisaille.core.labels import Labels
from grisaille.core.organ import Organ, OrganMap

RESEARCH_USE = "Research use only. Not a medical device; not for diagnosis or treatment decisions."

SYNTHETIC_CAVEAT = "calibrated on synthetic phantoms: the promise does not hold for this scanner"


@dataclass(frozen=True)
class WeightsUsed:
    """A weights file by name and full sha256."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Scoring:
    """What scores rest on: the method, the sha256 of its weights, and the settings that scores depend on."""

    method: str
    weights: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Asked:
    """The threshold that was asked for: ``amount`` false positives ``per`` scan or voxel, or a share."""

    amount: float
    per: Per


@dataclass(frozen=True, eq=False)
class Provenance:
    """Enough to run a detection again and to explain its numbers.

    ``device`` is what the networks really ran on: ``cuda:0, cpu`` where memory ran out on the way,
    ``cpu`` where there was no network. ``series`` are the pseudonyms of the study's series by
    modality key; ``suv`` is how SUV came about; ``seconds`` by stage; ``versions`` by package;
    ``scored_with`` is what of ``config`` the scores depend on.
    """

    grisaille: str
    method: str
    config: Mapping[str, Any]
    weights: tuple[WeightsUsed, ...]
    device: str
    seed: int
    series: Mapping[str, str]
    grid: str
    suv: Mapping[str, Any] | None
    calibration_source: CalibrationSource
    calibration_patients: int
    asked: Asked
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    scored_with: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scoring(self) -> Scoring:
        """What the scores rest on."""
        return Scoring(self.method, tuple(used.sha256 for used in self.weights), self.scored_with)


@dataclass(frozen=True, eq=False)
class Result:
    """Scores, labels, findings, and how they came about.

    ``organs``, the most anomalous first, and their map are there where organs were asked for; they rest on the scores
    alone, so another threshold leaves them as they are. ``burden`` is None until the findings are measured.
    """

    anomaly: AnomalyMap
    labels: Labels
    findings: tuple[Finding, ...]
    provenance: Provenance
    organs: tuple[Organ, ...] = ()
    organ_map: OrganMap | None = None
    burden: Burden | None = None
