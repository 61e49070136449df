"""Flags: those that every run has, and those made from a method's settings."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

from grisaille.core.config import Knob
from grisaille.core.run import Run
from grisaille.core.volume import OnIrregular

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_SETTING = "setting_"


def add_run_flags(parser: argparse.ArgumentParser) -> None:
    """Device, threads, seed and where weights may come from."""
    group = parser.add_argument_group("how it runs")
    group.add_argument("--device", type=_device, default="auto", help="auto, cpu, cuda, cuda:N or mps (auto)")
    group.add_argument("--threads", type=positive, metavar="N", help="CPU threads of the networks (all cores but one)")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="every random number comes from it (0)")
    group.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="keep there what a network saw, for a run with other settings (nothing)",
    )
    group.add_argument("--weights", metavar="FILE", help="the backbone's file, instead of looking for it")
    group.add_argument(
        "--allow-download", action="store_true", help="fetch a backbone that is not on this machine from its hub"
    )


def add_study_flags(parser: argparse.ArgumentParser) -> None:
    """What cannot be read from the files of a study."""
    group = parser.add_argument_group("how studies are read")
    group.add_argument("--pet-unit", choices=("suvbw", "bqml"), help="unit of a PET that does not say it")
    group.add_argument("--ct-series", metavar="S", help="which CT series of a folder, by UID or number")
    group.add_argument("--pet-series", metavar="S", help="which PET series of a folder, by UID or number")
    group.add_argument(
        "--frame", type=int, metavar="N", help="of several images at each place (phases, time frames), which; from 0"
    )
    group.add_argument(
        "--on-irregular",
        type=OnIrregular,
        choices=tuple(OnIrregular),
        default=OnIrregular.REFUSE,
        help="of missing or unevenly spaced slices: refuse, or resample onto even places (refuse)",
    )


def add_knobs(parser: argparse.ArgumentParser, settings: Iterable[Knob], title: str) -> None:
    """One flag a setting; only those given appear among the parsed arguments."""
    group = parser.add_argument_group(title)
    for one in settings:
        _add_knob(group, one)


def settings_of(given: argparse.Namespace) -> dict[str, Any]:
    """The settings that flags of ``add_knobs`` gave, by their names in the config."""
    return {name.removeprefix(_SETTING): value for name, value in vars(given).items() if name.startswith(_SETTING)}


def run_of(given: argparse.Namespace) -> Run:
    """Device, threads and seed that flags of ``add_run_flags`` gave."""
    return Run(device=given.device, threads=given.threads, seed=given.seed, cache=given.cache)


def _add_knob(group: argparse._ArgumentGroup, one: Knob) -> None:
    flag = f"--{one.name.replace('_', '-')}"
    words: dict[str, Any] = {"dest": _SETTING + one.name, "default": argparse.SUPPRESS, "help": _help(one)}
    if one.kind is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **words)
    elif one.kind is tuple:
        group.add_argument(flag, type=_several(one.element or str), metavar="A,B,...", **words)
    elif issubclass(one.kind, StrEnum):
        group.add_argument(flag, choices=[option.value for option in one.kind], **words)
    else:
        group.add_argument(flag, type=one.kind, metavar=one.unit.upper() or one.kind.__name__.upper(), **words)


def _help(one: Knob) -> str:
    unit = f" {one.unit}" if one.unit else ""
    span = "" if one.low is None or one.high is None else f"; {one.low:g} to {one.high:g}{unit}"
    text = f"{one.help}{span} ({_shown(one.default)})"
    return text.replace("%", "%%")  # argparse formats it


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_shown, value)) or "none"
    if value is None:
        return "automatic"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _several(element: type) -> Callable[[str], tuple[Any, ...]]:
    def values(text: str) -> tuple[Any, ...]:
        return tuple(element(part) for part in text.split(",") if part)

    values.__name__ = f"list of {element.__name__}"  # argparse names it when a value does not fit
    return values


def _device(text: str) -> str:
    if not _DEVICE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r}, expected auto, cpu, cuda, cuda:N or mps")
    return text


def positive(text: str) -> int:
    """A flag's whole number, 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}, expected 1 or more")
    return number
