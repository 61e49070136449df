"""Organs as layers: the labels, and the scores in units of their organ; and labels layers as organs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from grisaille.core.labels import Labels
from grisaille.core.organ import THRESHOLDS
from grisaille.core.result import Result
from grisaille.core.study import Study
from grisaille.core.volume import Volume
from grisaille.desktop.appearance import look_of_organ_z
from grisaille.desktop.layers import PROVENANCE, SCORES_OF, add_labels, labels_from
from grisaille.desktop.twin import put
from grisaille.methods.catalog import title

ORGANS_OF = "grisaille_organs_of"
"""Metadata key: the patient's Volume of which a labels layer shows the organs found by thresholds."""


def organ_labels_from(layer: Any, volumes: Sequence[Volume] = ()) -> Labels:
    """The organs of a labels layer on their true grid, by the layer's name.

    Names are those that its labels came with; else those of a column ``name`` among its features, by ``index`` or
    ``label``.

    Raises
    ------
    InputError
        If a plain layer lies on none of ``volumes``.
    GridMismatch
        If the layer was moved in the viewer.
    """
    labels = labels_from(layer, volumes)
    names = labels.names or _names(layer)
    return replace(labels, names=names, source=replace(labels.source, name=_called(layer)))


def show_organs(viewer: Any, result: Result, study: Study) -> Any:
    """A layer of the scores in units of their organ, over the patient; the labels layer of the organs is returned.

    The plain scores are hidden the first time: two maps over each other would be read as one. Labels by thresholds get
    a layer of their own; others are on the screen already, and are returned if they still are.
    """
    organs = result.organ_map
    if organs is None:
        return None
    selected = viewer.layers.selection.active
    called = study.main.name or study.main.modality.key.upper()
    if organs.made_of == THRESHOLDS:
        labels = next((one for one in viewer.layers if one.metadata.get(ORGANS_OF) is study.main), None)
        if labels is None:
            labels = add_labels(viewer, organs.labels, name=f"organs, {called}")
            labels.metadata[ORGANS_OF] = study.main
            labels.contour, labels.opacity = 1, 0.5
    else:
        labels = next((one for one in viewer.layers if _called(one) == organs.made_of), None)
    others = [one for one in viewer.layers if one.metadata.get(SCORES_OF) is study.main]
    name = f"{title(result.provenance.method)} organ z, {called}"
    scores = Volume(organs.z, organs.labels.grid, name=name, source=result.anomaly.source)
    marks = {PROVENANCE: result.provenance, SCORES_OF: study.main}
    _, is_new = put(viewer, scores, look_of_organ_z(), marks, len(viewer.layers))
    if is_new:
        for other in others:
            other.visible = False
    if selected in viewer.layers:
        viewer.layers.selection.active = selected
    return labels


def _called(layer: Any) -> str:
    return f"layer {layer.name!r}"


def _names(layer: Any) -> Mapping[int, str]:
    """By label number, from the features of a layer."""
    table = layer.features
    number = next((key for key in ("index", "label") if key in table), None)
    if number is None or "name" not in table:
        return {}
    return {int(one): str(name) for one, name in zip(table[number], table["name"], strict=True) if one == one}
