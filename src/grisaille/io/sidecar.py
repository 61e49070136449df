"""The small JSON beside an image that says what its numbers mean.

``CT.nii.gz`` has ``CT.json``: ``{"modality": "CT", "unit": "HU"}`` for a volume,
``{"names": {"1": "liver"}}`` for labels. JSON of other programs is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from grisaille.core.errors import UnreadableFile
from grisaille.core.safe_write import replacing
from grisaille.core.volume import Modality, Unit
from grisaille.io.image import stem_of

_LARGEST = 1 << 20

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True)
class Sidecar:
    """What the JSON says; None where it says nothing. ``names`` are those of labels."""

    modality: Modality | None = None
    unit: Unit | None = None
    names: Mapping[int, str] | None = field(default=None)


def sidecar_path(path: Path) -> Path:
    """Where the sidecar of an image lies."""
    return path.with_name(f"{stem_of(path)}.json")


def read_sidecar(path: Path) -> Sidecar:
    """What the sidecar of an image says; nothing where there is none.

    Raises
    ------
    UnreadableFile
        If it is damaged, or names a modality or unit that is not known.
    """
    beside = sidecar_path(path)
    if not beside.is_file():
        return Sidecar()
    try:
        if beside.stat().st_size > _LARGEST:
            raise ValueError
        content = json.loads(beside.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            return Sidecar()
        names = content.get("names")
        return Sidecar(
            modality=_choice(Modality, content, "modality", beside),
            unit=_choice(Unit, content, "unit", beside),
            names=None if names is None else {int(number): str(name) for number, name in names.items()},
        )
    except (ValueError, AttributeError, OSError, RecursionError) as error:
        raise UnreadableFile(f"{beside.name} beside {path.name} is not sound JSON; mend it or remove it") from error


def write_volume_sidecar(path: Path, modality: Modality, unit: Unit) -> None:
    """Say what the numbers of the image ``path`` mean."""
    _write(meaning_beside(path, modality, unit))


def meaning_beside(path: Path, modality: Modality, unit: Unit) -> dict[Path, bytes]:
    """The sidecar of ``write_volume_sidecar``, to be written together with the image (``replacing``)."""
    return _beside(path, {"modality": modality.value, "unit": unit.value})


def write_names(path: Path, names: Mapping[int, str]) -> None:
    """Keep the names of labels, which no image format can hold, beside the image ``path``."""
    _write(names_beside(path, names))


def names_beside(path: Path, names: Mapping[int, str]) -> dict[Path, bytes]:
    """The sidecar of ``write_names``, to be written together with the image (``replacing``)."""
    return _beside(path, {"names": {str(number): names[number] for number in sorted(names)}})


def parsed(kind: type[Choice], value: str) -> Choice | None:
    """The member that a user means by ``value``, whatever the case and the signs between; None if there is none."""
    plain = _plain(value)
    return next((member for member in kind if plain in (_plain(member.value), _plain(member.name))), None)


def _plain(value: str) -> str:
    return re.sub("[-/_]", "", value.lower())


def _choice(kind: type[Choice], content: Mapping[str, Any], key: str, beside: Path) -> Choice | None:
    if key not in content:
        return None
    choice = parsed(kind, str(content[key]))
    if choice is None:
        known = ", ".join(repr(member.value) for member in kind)
        raise UnreadableFile(f"{beside.name} gives the {key} {content[key]!r}, expected one of {known}; mend it")
    return choice


def _beside(path: Path, content: Mapping[str, Any]) -> dict[Path, bytes]:
    return {sidecar_path(path): (json.dumps(content, indent=1) + "\n").encode()}


def _write(beside: Mapping[Path, bytes]) -> None:
    for path, content in beside.items():
        with replacing(path) as temporary:
            temporary.write_bytes(content)
