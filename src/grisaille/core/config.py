"""Settings: every knob written once, with its bounds, unit and a sentence of help.

A method's config is a frozen dataclass derived from ``Config`` whose fields are made by
``knob``. The panel's form, the command line's flags and the TOML file are all made from
``knobs(TheConfig)``.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum, StrEnum
from typing import Any, Self

from grisaille.core.errors import ConfigError


@dataclass(frozen=True)
class Knob:
    """One setting, as a form, a flag or a file would show it.

    ``kind`` is bool, int, float, str, a StrEnum, or tuple for a list of ``element`` values;
    ``optional`` knobs may also be None. ``advanced`` knobs are folded away at first. Knobs that a
    fit does not rest on, ``after_fit``, may be changed on a fitted method. Knobs with ``spares_scores``
    change what is marked, or how fast, and no score.
    """

    name: str
    kind: type
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    advanced: bool = False
    after_fit: bool = False
    spares_scores: bool = False
    optional: bool = False
    element: type | None = None


def knob(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    advanced: bool = False,
    after_fit: bool = False,
    spares_scores: bool = False,
) -> Any:
    """A dataclass field that carries what a form, a flag or a file needs to know of it."""
    return field(
        default=default,
        metadata={
            "help": help,
            "low": low,
            "high": high,
            "unit": unit,
            "advanced": advanced,
            "after_fit": after_fit,
            "spares_scores": spares_scores,
        },
    )


@dataclass(frozen=True)
class Config:
    """Base of the methods' settings; derived classes are checked when they are made.

    Raises
    ------
    ConfigError
        If a value is of the wrong kind or out of its bounds.
    """

    def __post_init__(self) -> None:
        for one in knobs(type(self)):
            object.__setattr__(self, one.name, _checked(one, getattr(self, one.name)))

    @property
    def required_weights(self) -> tuple[str, ...]:
        """Names of the weights cards of the networks that a method of these settings rests on."""
        return ()

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Settings from plain values, as read from TOML or JSON; unknown names are refused."""
        known = {one.name for one in knobs(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"unknown setting {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """Plain values that JSON and TOML can hold; the inverse of ``from_mapping``."""
        return {one.name: _plain(getattr(self, one.name)) for one in knobs(type(self))}

    def scoring(self) -> dict[str, Any]:
        """Plain values of the settings that scores depend on: made with others, they are not comparable."""
        values = self.to_mapping()
        return {one.name: values[one.name] for one in knobs(type(self)) if not one.spares_scores}


def knobs(config: type[Config]) -> tuple[Knob, ...]:
    """The settings of a config class, in the order written."""
    hints = typing.get_type_hints(config)
    return tuple(_read(one, hints[one.name]) for one in fields(config) if "help" in one.metadata)


def _read(one: Any, hint: Any) -> Knob:
    optional, element = False, None
    if typing.get_origin(hint) is types.UnionType:
        optional = type(None) in hint.__args__
        hint = next(part for part in hint.__args__ if part is not type(None))
    if typing.get_origin(hint) is tuple:
        element, hint = typing.get_args(hint)[0], tuple
    default = None if one.default is MISSING else one.default
    return Knob(one.name, hint, default, optional=optional, element=element, **one.metadata)


def _checked(one: Knob, value: Any) -> Any:
    if value is None and one.optional:
        return None
    if one.kind is tuple and one.element is not None:
        items = value if isinstance(value, (list, tuple)) else (value,)
        return tuple(_bounded(one, _converted(one, one.element, item)) for item in items)
    return _bounded(one, _converted(one, one.kind, value))


def _converted(one: Knob, wanted: Any, value: Any) -> Any:
    try:
        if issubclass(wanted, StrEnum):
            return wanted(value)
        if wanted is bool and not isinstance(value, bool):
            raise ValueError
        if wanted is int and (isinstance(value, bool) or int(value) != value):
            raise ValueError
        return wanted(value)
    except (ValueError, TypeError):
        choices = f"one of {', '.join(wanted)}" if issubclass(wanted, StrEnum) else f"a value of type {wanted.__name__}"
        raise ConfigError(f"{one.name} is {value!r}, expected {choices}") from None


def _bounded(one: Knob, value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        below = one.low is not None and not value >= one.low
        above = one.high is not None and not value <= one.high
        if below or above:
            unit = f" {one.unit}" if one.unit else ""
            raise ConfigError(f"{one.name} is {value}{unit}, expected from {one.low} to {one.high}{unit}")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
