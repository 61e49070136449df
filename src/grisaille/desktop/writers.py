"""napari's File > Save: labels and volumes back on the grid, and in the order, of their source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from napari.layers import Layer

from grisaille.core.errors import InputError
from grisaille.core.run import Run
from grisaille.desktop.ask import ask_identity
from grisaille.desktop.editing import watch_behind
from grisaille.desktop.layers import labels_from, volume_from, volumes_in
from grisaille.io.export.whose import Identity
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


def save_segmentation(
    path: str,
    data: Any,
    attributes: dict[str, Any],
    ask: Callable[[], Identity | None] = ask_identity,
) -> list[str]:
    """Write a Labels layer as a DICOM SEG of the series that it lies on, with its provenance beside it.

    Parameters
    ----------
    ask
        Whether the file says whose it is; None where the question was dismissed, and nothing is written then.
        By default a dialog where a window is shown, and else the file is identified as its source is.

    Raises
    ------
    GrisailleError
        With a sentence, if the layer lies on no DICOM series that is open, or the file cannot be written whole.
    """
    from grisaille.flows.export import ExportOptions, Format, gather, write

    identity = ask()
    if identity is None:
        return []
    viewer = napari.current_viewer()
    volumes = volumes_in(viewer) if viewer is not None else ()
    layer = Layer.create(data, attributes, "labels")
    watch = watch_behind(layer)
    run = Run()
    if watch is not None and watch.study is not None and watch.layer.data is data:
        material = gather(watch.as_result()(), watch.study)
    else:
        labels = labels_from(layer, volumes)
        on = [one for one in volumes if one.source.files and one.grid.is_close(labels.grid)]
        if not on:
            raise InputError(
                f"layer {layer.name!r} lies on no DICOM series that is open, so a DICOM SEG has no images to refer to; "
                "open its series, or save it as .nii.gz or .nrrd"
            )
        material = gather(labels, on[0])
    options = ExportOptions(identity=identity, overwrite=True)  # napari's dialog has asked about a file that is there
    write(material, {Format.SEG: Path(path)}, options, run)
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
