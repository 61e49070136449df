"""Menu commands that are not widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grisaille.core.errors import InputError
from grisaille.core.volume import Volume
from grisaille.desktop.layers import THING, new_labels, volumes_in

if TYPE_CHECKING:
    import napari.viewer


def new_labels_on_volume(viewer: napari.viewer.Viewer) -> None:
    """File > New Layer: empty labels on the grid of the selected volume, or of the topmost one.

    Raises
    ------
    InputError
        If no volume is open.
    """
    chosen = [layer.metadata.get(THING) for layer in viewer.layers.selection]
    volumes = [thing for thing in chosen if isinstance(thing, Volume)] or list(volumes_in(viewer))
    if not volumes:
        raise InputError("there is no volume to paint on; open a CT or a PET with grisaille first")
    new_labels(viewer, volumes[-1])
