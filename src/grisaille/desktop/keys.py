"""The keys of a panel: with modifiers only, as napari's labels layers take the bare letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any


class Key(StrEnum):
    """What a panel does at Ctrl+Alt and this letter."""

    RUN = "R"
    CANCEL = "X"
    NEXT_FINDING = "N"
    PREVIOUS_FINDING = "P"
    TWIN = "H"
    WIPE = "W"
    REPAINT = "B"
    UNDO_REPAINT = "Z"

    @property
    def shown(self) -> str:
        """As it stands on a button's tip."""
        return f"Ctrl+Alt+{self.value}"


def bind(viewer: Any, actions: Mapping[Key, Callable[[], None]]) -> None:
    """Do these ``actions`` at their keys, in place of any panel before."""
    for key, action in actions.items():
        viewer.bind_key(f"Control-Alt-{key.value}", _named(action), overwrite=True)


def unbind(viewer: Any) -> None:
    """Give the keys up."""
    for key in Key:
        viewer.bind_key(f"Control-Alt-{key.value}", None, overwrite=True)


def _named(action: Callable[[], None]) -> Callable[[Any], None]:
    """What napari calls for a key; it asks functions for their names, so ``partial`` will not do."""

    def press(viewer: Any) -> None:
        action()

    return press
