"""napari's File > Save: labels and volumes back on the grid, and in the order, of their source."""

from __future__ import annotations

from typing import Any

import napari
from napari.layers import Layer

from grisaille.desktop.layers import labels_from, volume_from, volumes_in
from grisaille.io.labels import write_labels
from grisaille.io.volumes import write_volume


def save_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a Labels layer; a plain one gets the grid of the open volume that it was painted on.

    Raises
    ------
    GrisailleError
        With a sentence, if its place is not known or the file cannot be written whole.
    """
    viewer = napari.current_viewer()
    layer = Layer.create(data, attributes, "labels")
    write_labels(labels_from(layer, volumes_in(viewer) if viewer is not None else ()), path)
    return [path]


def save_image(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an Image layer of a volume, on its true grid, with the sidecar that says what it measures.

    Raises
    ------
    GrisailleError
        With a sentence, if it was not opened with grisaille or cannot be written whole.
    """
    write_volume(volume_from(Layer.create(data, attributes, "image")), path)
    return [path]
