"""What the organs of healthy studies score: the ground on which a percentile stands."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grisaille.core.errors import InputError
from grisaille.core.result import Provenance, Result
from grisaille.core.volume import read_only


@dataclass(frozen=True)
class OrganReference:
    """The top score of each organ in healthy studies that one model scored.

    Parameters
    ----------
    method, weights
        The model by name and by the sha256 of its weights: scores of another are not comparable.
    edge_mm
        How deep the edge of each organ was left out.
    tops
        By organ name, ``Organ.score_top`` of each healthy study that has it, ascending.
    name
        Of the file, for messages.
    """

    method: str
    weights: tuple[str, ...]
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
            If the result has no organs.
        """
        if result.organ_map is None or not result.organs:
            raise InputError("this result has no organs, expected some to make a reference of; give organs to detect")
        tops = {organ.name: (organ.score_top,) for organ in result.organs}
        return cls(*_model(result.provenance), result.organ_map.edge_mm, tops)

    @classmethod
    def merged(cls, references: Sequence[OrganReference]) -> OrganReference:
        """The studies of several references in one.

        Raises
        ------
        InputError
            If there is none, or they are not all of one model and one edge.
        """
        kinds = {(one.method, one.weights, one.edge_mm) for one in references}
        if len(kinds) != 1:
            found = f"{len(kinds)} models or edges" if kinds else "no healthy study"
            raise InputError(f"a reference is made of studies scored in one way, found {found}; score them alike")
        tops: dict[str, tuple[float, ...]] = {}
        for one in references:
            for organ, values in one.tops.items():
                tops[organ] = tops.get(organ, ()) + values
        return cls(*kinds.pop(), tops)

    def percentile(self, organ: str, top: float) -> float | None:
        """The share of healthy studies, in percent, of which that ``organ`` surely scores below ``top``.

        The patient counts as one more study, so that n healthy ones never say more than ``100 n / (n + 1)``.
        None where the reference does not know the organ.
        """
        healthy = self.tops.get(organ)
        return None if healthy is None else 100.0 * bisect_left(healthy, top) / (len(healthy) + 1)

    def require_fits(self, made: Provenance, edge_mm: float) -> None:
        """Raise ``InputError`` unless scores made so, with that edge left out, can be compared with these."""
        if _model(made) != (self.method, self.weights):
            raise InputError(
                f"{self.name} was made by another model ({self.method}) than these scores ({made.method}); "
                "make it again with this one, from healthy studies"
            )
        if abs(edge_mm - self.edge_mm) > 1e-6:
            raise InputError(
                f"{self.name} left out {self.edge_mm:g} mm of each organ's edge, here it is {edge_mm:g} mm; "
                "ask for the same"
            )


def _model(made: Provenance) -> tuple[str, tuple[str, ...]]:
    return made.method, tuple(used.sha256 for used in made.weights)
