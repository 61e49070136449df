"""The values that a user may enter where a PET series lacks them or has them wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, time
from typing import Any

from grisaille.core.errors import ConfigError
from grisaille.imaging.body_norms import Sex
from grisaille.imaging.pet_series import PetSeries


@dataclass(frozen=True)
class Entry:
    """How one value is asked for.

    Parameters
    ----------
    name
        The field of ``SuvOverrides``.
    flag
        On the command line.
    words
        What it is.
    expected
        What a user has to write, its bounds included.
    value_of
        From what was written to the field's value; raises ``ValueError`` if it is none.
    """

    name: str
    flag: str
    words: str
    expected: str
    value_of: Callable[[str], Any]


@dataclass(frozen=True)
class SuvOverrides:
    """Values that a user enters in place of the file's; None leaves the file's.

    Parameters
    ----------
    weight_kg
        2 to 400.
    dose_bq
        Activity given, 1e5 to 1e11.
    injected
        When, by the scanner's clock and without time zone. A time of day alone is on the day of the
        scan or, if that would be after it, on the day before.
    height_m
        0.3 to 2.5.
    sex
        M, F or O.
    half_life_s
        30 to 1e6.

    Raises
    ------
    ConfigError
        If a value is not plausible.
    """

    weight_kg: float | None = None
    dose_bq: float | None = None
    injected: datetime | time | None = None
    height_m: float | None = None
    sex: Sex | str | None = None
    half_life_s: float | None = None

    def __post_init__(self) -> None:
        for name, (low, high, unit) in _BOUNDS.items():
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
                raise ConfigError(f"{name} is {value!r}, expected {low:g} to {high:g} {unit}; check the value")
            object.__setattr__(self, name, float(value))
        if self.sex is not None:
            try:
                object.__setattr__(self, "sex", Sex(str(self.sex).upper()))
            except ValueError:
                raise ConfigError(f"sex is {self.sex!r}, expected {_SEXES}") from None
        if self.injected is not None:
            if not isinstance(self.injected, datetime | time):
                raise ConfigError(f"injected is {self.injected!r}, expected a datetime or a time")
            if self.injected.tzinfo is not None:
                raise ConfigError("injected has a time zone, expected the scanner's own clock without one")

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the values that are there."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) is not None)

    def record(self) -> dict[str, float | str]:
        """Those given, by name, as plain values; of the injection the time of day, since dates are the patient's."""
        return {name: _plain(getattr(self, name)) for name in self.given}

    def replacing(self, series: PetSeries) -> tuple[str, ...]:
        """Those given in place of a value that the series has, and that is another one."""
        tracer = series.tracer
        written = {
            "weight_kg": series.weight,
            "dose_bq": tracer.dose,
            "injected": _like(self.injected, tracer.started or tracer.start_time),
            "height_m": series.height,
            "sex": series.sex,
            "half_life_s": tracer.half_life_s,
        }
        return tuple(name for name in self.given if written[name] and written[name] != getattr(self, name))

    def onto(self, series: PetSeries) -> PetSeries:
        """The series with these values in place of its own."""
        tracer = series.tracer
        if self.dose_bq is not None:
            tracer = replace(tracer, dose=self.dose_bq)
        if self.half_life_s is not None:
            tracer = replace(tracer, half_life_s=self.half_life_s)
        if isinstance(self.injected, datetime):
            tracer = replace(tracer, started=self.injected, start_time=None)
        elif self.injected is not None:
            tracer = replace(tracer, started=None, start_time=self.injected)
        return replace(
            series,
            weight=series.weight if self.weight_kg is None else self.weight_kg,
            height=series.height if self.height_m is None else self.height_m,
            sex=series.sex if self.sex is None else str(self.sex),
            tracer=tracer,
        )


_BOUNDS = {
    "weight_kg": (2.0, 400.0, "kg"),
    "dose_bq": (1e5, 1e11, "Bq"),
    "height_m": (0.3, 2.5, "m"),
    "half_life_s": (30.0, 1e6, "s"),
}
_SEXES = "M, F or O"


def _number(name: str, per_unit: float = 1.0) -> Callable[[str], float]:
    def value_of(written: str) -> float:
        value = float(written) * per_unit
        low, high, _ = _BOUNDS[name]
        if not math.isfinite(value) or not low <= value <= high:
            raise ValueError
        return value

    return value_of


def _moment(written: str) -> datetime | time:
    """``10:15``, ``10:15:30`` or ``2025-01-31 10:15``."""
    is_bare = "-" not in written
    value = time.fromisoformat(written) if is_bare else datetime.fromisoformat(written)
    if value.tzinfo is not None or (is_bare and ":" not in written):
        raise ValueError
    return value


def _sex(written: str) -> Sex:
    return Sex(written.upper())


ENTRIES = {
    entry.name: entry
    for entry in (
        Entry("weight_kg", "--weight-kg", "weight of the patient", "2 to 400 kg", _number("weight_kg")),
        Entry("height_m", "--height-m", "height of the patient", "0.3 to 2.5 m", _number("height_m")),
        Entry("sex", "--sex", "sex of the patient", _SEXES, _sex),
        Entry("dose_bq", "--dose-mbq", "activity injected", "0.1 to 100000 MBq", _number("dose_bq", 1e6)),
        Entry(
            "injected",
            "--injection-time",
            "time of the injection by the scanner's clock",
            "HH:MM, or YYYY-MM-DD HH:MM",
            _moment,
        ),
        Entry("half_life_s", "--half-life-s", "half-life of the nuclide", "30 to 1000000 s", _number("half_life_s")),
    )
}
"""By field, in the order in which they are asked for."""


def entered(written: Mapping[str, str]) -> SuvOverrides:
    """The overrides that a user wrote, by field, each as its entry expects it.

    Raises
    ------
    ConfigError
        If something written is no such value.
    """
    values = {}
    for name, words in written.items():
        entry = ENTRIES[name]
        try:
            values[name] = entry.value_of(words.strip())
        except ValueError:
            raise ConfigError(f"the {entry.words} is {words!r}, expected {entry.expected} ({entry.flag})") from None
    return SuvOverrides(**values)


def _like(entered: datetime | time | None, written: datetime | time | None) -> datetime | time | None:
    """What was written, or what was entered where only a date makes them differ."""
    bare = [one.time() if isinstance(one, datetime) else one for one in (entered, written)]
    is_dated = isinstance(entered, datetime) and isinstance(written, datetime)
    return entered if bare[0] == bare[1] and not is_dated else written


def _plain(value: Any) -> float | str:
    if isinstance(value, datetime):
        value = value.time()
    return value.isoformat() if isinstance(value, time) else str(value) if isinstance(value, str) else float(value)
