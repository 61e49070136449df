"""Menu commands that are not widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grisaille.core.errors import InputError
from grisaille.core.volume import Volume
from grisaille.desktop.layers import THING, labels_as_painted, labels_from, new_labels, volumes_in
from grisaille.desktop.measured_on import measured_on
from grisaille.desktop.review import review_of

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


def measure_labels(viewer: napari.viewer.Viewer) -> None:
    """Layers > Measure: findings of the selected labels on the open CT and PET, and from then on as they are painted.

    Volumes that are selected beside the labels are measured on, the others not.

    Raises
    ------
    InputError
        If no labels are selected, or several, or no volume is open.
    GridMismatch
        If a layer was moved in the viewer.
    """
    from napari.layers import Labels as LabelsLayer

    chosen = [layer for layer in viewer.layers.selection if isinstance(layer, LabelsLayer)]
    if len(chosen) != 1:
        many = f"{len(chosen)} labels layers are" if chosen else "no labels layer is"
        raise InputError(f"{many} selected; select the one to measure")
    layer = chosen[0]
    labels = labels_as_painted(layer)
    study = measured_on(labels, layer.name, viewer)
    if THING not in layer.metadata:
        labels_from(layer, tuple(study.volumes.values()))  # refuses one that was painted on none of them
    review_of(viewer).follow(layer, labels, study)
