"""Lesions by size, uptake and place: what each way hits, and how well it outlines them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from grisaille.core.report import Stratum
from grisaille.flows.evaluation.figures import Figures, LesionFacts, Marked

_SIZES_ML = (1.0, 5.0, 20.0)
_SUVS = (2.5, 4.0, 6.5)
"""The last is below which the public moving-disc pipeline sees nothing."""

Ways = Mapping[str, Sequence[tuple[Figures, Marked]]]


def strata(ways: Ways, hit_share: float) -> tuple[Stratum, ...]:
    """One row a group of lesions; groups without a lesion are left out.

    Parameters
    ----------
    ways
        By name, the scans that each way could be applied to.
    hit_share
        Of a lesion that has to be covered.
    """
    rows = []
    for by, group_of in _BY.items():
        found: dict[str, dict[str, list[tuple[float, float]]]] = {}
        for name, marks in ways.items():
            for figures, mark in marks:
                for lesion, share, dice in zip(figures.lesions, mark.covered, mark.lesion_dice, strict=True):
                    if group := group_of(lesion):
                        found.setdefault(group, {}).setdefault(name, []).append((share, dice))
        rows += [_row(by, group, found[group], hit_share) for group in sorted(found)]
    return tuple(rows)


def _row(by: str, group: str, seen: Mapping[str, list[tuple[float, float]]], hit_share: float) -> Stratum:
    return Stratum(
        by,
        group.partition("\t")[2] or group,
        max(len(lesions) for lesions in seen.values()),
        {name: float(np.mean([share >= hit_share for share, _ in lesions])) for name, lesions in seen.items()},
        {name: float(np.mean([dice for _, dice in lesions])) for name, lesions in seen.items()},
    )


def _between(value: float, edges: Sequence[float], unit: str) -> str:
    """The group of a value; what stands before the tab puts groups in order."""
    at = int(np.searchsorted(edges, value, side="right"))
    if at == 0:
        return f"0\tbelow {edges[0]:g}{unit}"
    if at == len(edges):
        return f"{at}\t{edges[-1]:g}{unit} and more"
    return f"{at}\t{edges[at - 1]:g} to {edges[at]:g}{unit}"


def _size(lesion: LesionFacts) -> str:
    return _between(lesion.volume_ml, _SIZES_ML, " ml")


def _suv(lesion: LesionFacts) -> str:
    return "" if lesion.suv_max is None else _between(lesion.suv_max, _SUVS, "")


def _outshone(lesion: LesionFacts) -> str:
    if lesion.is_outshone is None:
        return ""
    return "no hotter than tissue within 3 cm" if lesion.is_outshone else "hotter than all within 3 cm"


def _region(lesion: LesionFacts) -> str:
    return lesion.region


_BY: Mapping[str, Callable[[LesionFacts], str]] = {
    "size": _size,
    "SUVmax": _suv,
    "uptake beside it": _outshone,
    "region": _region,
}
