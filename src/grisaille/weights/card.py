"""A card per weights file: what it is, where it comes from, under which licence."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources


class CardKind(StrEnum):
    """What a weights file holds."""

    BACKBONE = "backbone"
    """A network that methods use as it is, made by others or on synthetic pictures."""

    METHOD = "method"
    """A fitted method that grisaille wrote."""


@dataclass(frozen=True)
class Card:
    """One weights file.

    ``file`` is its path below a weights folder; ``sha256`` in full, empty where the file was
    never seen here and is known by its own hash only; ``bytes`` 0 where unknown. ``package``
    is the folder inside an installed package that holds it, ``hub`` a Hugging Face repository.
    ``source_sha256`` is the hash of the authors' own file where ours is converted from it.
    """

    name: str
    version: str
    kind: CardKind
    file: str
    sha256: str
    licence: str
    source: str
    intended_use: str
    bytes: int = 0
    package: str = ""
    hub: str = ""
    hub_file: str = "model.safetensors"
    source_sha256: str = ""

    @property
    def is_pinned(self) -> bool:
        """Whether the hash that the file must have is known."""
        return bool(self.sha256)


def cards() -> Mapping[str, Card]:
    """All cards by name, in the order of cards.toml."""
    text = resources.files("grisaille.weights").joinpath("cards.toml").read_text("utf-8")
    return {
        name: Card(name=name, **{**table, "kind": CardKind(table["kind"])})
        for name, table in tomllib.loads(text).items()
    }
