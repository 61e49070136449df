"""What every method promises: the one interface of panel, command line and scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.calibration import Per
from grisaille.core.config import Config
from grisaille.core.labels import Labels
from grisaille.core.result import WeightsUsed
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.weights.bundle import Bundle
from grisaille.weights.store import WeightsFile


class Method(Protocol):
    """A way to tell what is not healthy; frozen, every step gives a new one.

    ``name`` is how catalog, command line and panel know it; ``config_class`` its settings;
    ``learns_around_lesions`` whether a case may hold lesions if its truth says where.
    """

    name: ClassVar[str]
    config_class: ClassVar[type[Config]]
    learns_around_lesions: ClassVar[bool]

    @property
    def config(self) -> Config:
        """The settings it was made with."""
        ...

    @property
    def modalities(self) -> tuple[str, ...]:
        """Keys (``ct``, ``pet``) of what it knows; a study needs one of them at least."""
        ...

    @property
    def weights(self) -> tuple[WeightsUsed, ...]:
        """The files its scores rest on."""
        ...

    @classmethod
    def required_weights(cls, config: Config) -> tuple[str, ...]:
        """Names of the weights cards that a method of these settings needs, the shipped ones included."""
        ...

    @classmethod
    def create(cls, config: Config, files: Mapping[str, WeightsFile]) -> Self:
        """A method that has seen no patient yet; ``files`` are those of ``required_weights``."""
        ...

    def fit(self, cases: Sequence[Case], run: Run) -> Self:
        """A new method that learned these healthy cases, calibrated by leaving patients out."""
        ...

    def calibrate(self, cases: Sequence[Case], run: Run) -> Self:
        """A new method whose promise was measured on these healthy cases, none of which it was fitted on."""
        ...

    def score(self, study: Study, run: Run) -> AnomalyMap:
        """All network work on a study, at the method's working default."""
        ...

    def label(self, anomaly: AnomalyMap, false_positives: float, per: Per) -> Labels:
        """Threshold and components: pure, without network or torch; fast enough for a slider.

        With ``per`` a share, ``false_positives`` is the most anomalous share of the body; that of each organ
        is no method's affair (``flows.detect``).
        """
        ...

    def state(self) -> Bundle:
        """Everything but the backbone files, as arrays and a plain header."""
        ...

    @classmethod
    def from_state(cls, bundle: Bundle, files: Mapping[str, WeightsFile]) -> Self:
        """The inverse of ``state``; refuses files of another backbone.

        ``files`` are those of ``required_weights`` and the one that the bundle was read from, by
        their names: all of them are ``weights`` from then on.
        """
        ...


@runtime_checkable
class Resumable(Protocol):
    """A method whose fit takes so long that it goes on where it was broken off."""

    def fit_in(self, folder: Path, cases: Sequence[Case], run: Run) -> Method:
        """As ``fit``; what is left in ``folder`` by a fit of the same cases and settings is gone on with."""
        ...


@runtime_checkable
class Refining(Protocol):
    """A method whose first, coarse map is there long before its last."""

    def refine(self, study: Study, run: Run) -> Iterator[AnomalyMap]:
        """Ever finer maps; the last one is what ``score`` gives, and those before say in their ``incomplete`` why."""
        ...


@runtime_checkable
class Repaintable(Protocol):
    """A method that paints a healthy twin, and paints a part of it again where a person asks for it."""

    def repaint(self, study: Study, anomaly: AnomalyMap, region: npt.NDArray[np.bool_], run: Run) -> AnomalyMap:
        """A result with ``region``, and the margin that the method gives its candidates, painted over again.

        Parameters
        ----------
        study, anomaly
            As ``score`` was given the one and gave the other, or this did.
        region
            (z, y, x) on the grid of ``anomaly``.

        Returns
        -------
        The same bits outside the region and its margin, and the same measures and calibration.
        """
        ...
