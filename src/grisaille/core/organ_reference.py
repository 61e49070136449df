"""What the organs of healthy studies score: the ground on which a percentile stands."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from grisaille.core.errors import InputError
from grisaille.core.result import Result, Scoring
from grisaille.core.volume import read_only


@dataclass(frozen=True)
class OrganReference:
    """The top score of each organ in healthy studies that one model scored, with one group of settings.

    Parameters
    ----------
    scoring
        What the scores rest on: those of another model or other settings are not comparable.
    edge_mm
        How deep the edge of each organ was left out.
    tops
        By organ name, ``Organ.score_top`` of each healthy study that has it, ascending.
    name
        Of the file, for messages.
    """

    scoring: Scoring
    edge_mm: float
    tops: Mapping[str, tuple[float, ...]] = field(hash=False)
    name: str = "the reference"

    def __post_init__(self) -> None:
        tops = {organ: tuple(sorted(float(top) for top in tops)) for organ, tops in self.tops.items() if len(tops)}
        object.__setattr__(self, "tops", read_only(tops))

    @classmethod
    def of(cls, result: Result) -> OrganReference:
        """What one healthy study says.

        Raises
        ------
        InputError
            If the result has no organs, or not all of the study was looked at.
        """
        if result.organ_map is None or not result.organs:
            raise InputError("this result has no organs, expected some to make a reference of; give organs to detect")
        if result.anomaly.incomplete:
            raise InputError(
                f"this result is incomplete ({result.anomaly.incomplete}), expected the whole map of a healthy study; "
                "run again to its end"
            )
        tops = {organ.name: (organ.score_top,) for organ in result.organs}
        return cls(result.provenance.scoring, result.organ_map.edge_mm, tops)

    @classmethod
    def merged(cls, references: Sequence[OrganReference]) -> OrganReference:
        """The studies of several references in one, by the name of the first.

        Raises
        ------
        InputError
            If there is none, or they are not all of one model, group of settings and edge.
        """
        kinds: list[tuple[Scoring, float]] = []
        for one in references:
            if (kind := (one.scoring, one.edge_mm)) not in kinds:
                kinds.append(kind)
        if len(kinds) != 1:
            found = f"{len(kinds)} models, settings or edges" if kinds else "no healthy study"
            raise InputError(f"a reference is made of studies scored in one way, found {found}; score them alike")
        tops: dict[str, tuple[float, ...]] = {}
        for one in references:
            for organ, values in one.tops.items():
                tops[organ] = tops.get(organ, ()) + values
        return cls(*kinds[0], tops, references[0].name)

    @property
    def studies(self) -> int:
        """How many healthy studies have the organ that most of them have."""
        return max(map(len, self.tops.values()), default=0)

    def holds(self, other: OrganReference) -> bool:
        """Whether every top of ``other`` is among these, as those of a study are that was added before."""
        return all(set(tops) <= set(self.tops.get(organ, ())) for organ, tops in other.tops.items())

    def percentile(self, organ: str, top: float) -> float | None:
        """The share of healthy studies, in percent, of which that ``organ`` surely scores below ``top``.

        The patient counts as one more study, so that n healthy ones never say more than ``100 n / (n + 1)``.
        None where the reference does not know the organ.
        """
        healthy = self.tops.get(organ)
        return None if healthy is None else 100.0 * bisect_left(healthy, top) / (len(healthy) + 1)

    def require_fits(self, made: Scoring, edge_mm: float) -> None:
        """Raise ``InputError`` unless scores made so, with that edge left out, can be compared with these."""
        own = self.scoring
        if (made.method, made.weights) != (own.method, own.weights):
            raise InputError(
                f"{self.name} was made by another model ({own.method}) than these scores ({made.method}); "
                "make it again with this one, from healthy studies"
            )
        differing = _differing(own.settings, made.settings)
        if differing:
            raise InputError(
                f"{self.name} was made with other settings than these scores: {differing}; "
                "take its settings, or make it again with these, from healthy studies"
            )
        if abs(edge_mm - self.edge_mm) > 1e-6:
            raise InputError(
                f"{self.name} left out {self.edge_mm:g} mm of each organ's edge, here it is {edge_mm:g} mm; "
                "ask for the same"
            )


@dataclass(frozen=True)
class Ranking:
    """How organs are ranked: how deep their edges are left out, and the healthy studies compared with, if any."""

    edge_mm: float = 0.0
    reference: OrganReference | None = None

    def refusal(self, made: Scoring) -> str:
        """Why the reference is not comparable with scores made so; empty where it is, or there is none."""
        if self.reference is not None:
            try:
                self.reference.require_fits(made, self.edge_mm)
            except InputError as error:
                return str(error)
        return ""

    def fitting(self, made: Scoring) -> Ranking:
        """This, without a reference that does not fit scores made so."""
        return replace(self, reference=None) if self.refusal(made) else self


def _differing(own: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Each setting that is another, with both values."""
    names = [name for name in dict.fromkeys((*own, *here)) if own.get(name) != here.get(name)]
    return "; ".join(f"{name} is {_shown(own.get(name))}, here {_shown(here.get(name))}" for name in names)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "none"
    return "not set" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
