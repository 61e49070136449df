"""What was measured on one scan, as it lies on the disk until the evaluation is whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class LesionFacts:
    """One true lesion.

    ``region`` is empty where nobody said it. ``is_outshone``: whether tissue within 3 cm of it is as
    hot or hotter, so that no threshold parts them; None without a PET.
    """

    volume_ml: float
    suv_max: float | None
    region: str
    is_outshone: bool | None


@dataclass(frozen=True)
class Marked:
    """One way of marking one scan: ``covered`` and ``lesion_dice`` by lesion, in the order of their numbers."""

    dice: float | None
    false_positive_ml: float
    false_negative_ml: float
    false_positives: int
    covered: tuple[float, ...]
    lesion_dice: tuple[float, ...]
    threshold: float | None = None


@dataclass(frozen=True)
class Figures:
    """One scan.

    Parameters
    ----------
    lesions
        By ascending number.
    promised
        Marked by the method, by false positives a healthy scan as text.
    rules
        Marked by plain rules, by name.
    refused
        Rules that cannot be applied here, with the reason.
    precision, suv_precision
        Average precision over voxels, of the method's scores and of SUV.
    dice_curve
        Of the SUV thresholds tried, where there is a PET and a lesion.
    """

    lesions: tuple[LesionFacts, ...]
    promised: Mapping[str, Marked]
    rules: Mapping[str, Marked]
    refused: Mapping[str, str]
    precision: float | None
    suv_precision: float | None
    dice_curve: tuple[float, ...] | None
    wall_seconds: float
    cpu_seconds: float
    source: str
    smallest: float
    devices: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default_factory=tuple)


def record_of(figures: Figures | Marked) -> dict[str, Any]:
    """For JSON."""
    return asdict(figures)


def figures_from(record: Mapping[str, Any]) -> Figures:
    """The inverse of ``record_of`` after JSON."""
    curve = record["dice_curve"]
    return Figures(
        **{
            **record,
            "lesions": tuple(LesionFacts(**one) for one in record["lesions"]),
            "promised": {name: marked_from(one) for name, one in record["promised"].items()},
            "rules": {name: marked_from(one) for name, one in record["rules"].items()},
            "dice_curve": None if curve is None else tuple(curve),
            "devices": tuple(record["devices"]),
            "notes": tuple(record["notes"]),
        }
    )


def marked_from(record: Mapping[str, Any]) -> Marked:
    """From JSON."""
    return Marked(
        **{**record, "covered": tuple(record["covered"]), "lesion_dice": tuple(record["lesion_dice"])},
    )
