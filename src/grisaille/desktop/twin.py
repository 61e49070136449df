"""What a method painted, as layers: the healthy twin of each volume, and how far the patient is from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from grisaille.core.result import Provenance, Result
from grisaille.core.study import Study
from grisaille.core.volume import Volume
from grisaille.desktop.appearance import Look, look_of, look_of_signed
from grisaille.desktop.layers import PROVENANCE, SCORES_OF, SIGNED, THING, TWIN_OF, has_ct, image_arguments
from grisaille.methods.catalog import title

if TYPE_CHECKING:
    from napari.layers import Image

DRESS = ("colormap", "contrast_limits", "gamma", "opacity", "blending", "interpolation2d", "rendering")
"""What twin and patient have in common, whichever of the two is changed: else they could not be compared."""


@dataclass(frozen=True)
class Pair:
    """A volume of the patient and its healthy twin, as layers."""

    patient: Image
    twin: Image

    @property
    def volume(self) -> Volume:
        """The patient's."""
        volume: Volume = self.patient.metadata[THING]
        return volume


def pairs_in(viewer: Any) -> tuple[Pair, ...]:
    """The patient's volumes that have a twin, in the order of the layers; the newest twin of each."""
    twins = {id(layer.metadata[TWIN_OF]): layer for layer in viewer.layers if TWIN_OF in layer.metadata}
    found = ((layer, twins.get(id(layer.metadata.get(THING)))) for layer in viewer.layers)
    return tuple(Pair(one, twin) for one, twin in found if twin is not None and one.data.shape == twin.data.shape)


def show_twin(viewer: Any, result: Result, study: Study) -> None:
    """Healthy twin (hidden, above its original) and signed difference of a result, as far as the method made them.

    They go into the layers of the same method's last run on this study where those are still there.
    """
    from napari.experimental import link_layers

    selected = viewer.layers.selection.active
    anomaly = result.anomaly
    for key, painted in (anomaly.healthy.volumes if anomaly.healthy is not None else {}).items():
        volume = study.volumes[key]
        twin = replace(painted, name=f"healthy {_called(volume)}")
        original = next((layer for layer in viewer.layers if layer.metadata.get(THING) is volume), None)
        place = len(viewer.layers) if original is None else viewer.layers.index(original) + 1
        marks = {PROVENANCE: result.provenance, TWIN_OF: volume}
        layer, is_new = put(viewer, twin, look_of(volume, over_ct=has_ct(viewer)), marks, place)
        if is_new and original is not None:
            layer.visible = False
            wear(layer, original)
            link_layers([original, layer], DRESS)
    if SIGNED in anomaly.extras:
        name = f"{title(result.provenance.method)} z, {_called(study.main)}"
        marks = {PROVENANCE: result.provenance, SCORES_OF: study.main}
        put(viewer, replace(anomaly.extras[SIGNED], name=name), look_of_signed(), marks, len(viewer.layers))
    if selected in viewer.layers:
        viewer.layers.selection.active = selected


def wear(layer: Image, original: Image) -> None:
    """Dress ``layer`` as ``original`` is."""
    for name in DRESS:
        setattr(layer, name, getattr(original, name))


def _called(volume: Volume) -> str:
    return volume.name or volume.modality.key.upper()


def put(viewer: Any, volume: Volume, look: Look, marks: dict[str, Any], place: int) -> tuple[Image, bool]:
    """The layer that shows ``volume``, and whether it is new: one of its name and ``marks`` takes the voxels in."""
    from napari.layers import Image

    data, arguments = image_arguments(volume, look)
    arguments["metadata"] |= marks
    for layer in viewer.layers:
        if layer.name == arguments["name"] and all(_is_same(layer.metadata.get(key), marks[key]) for key in marks):
            layer.data = data
            layer.metadata.update(arguments["metadata"])
            return layer, False
    layer = Image(data, **arguments)
    viewer.layers.insert(place, layer)
    return layer, True


def _is_same(one: Any, other: Any) -> bool:
    """Runs of one method are the same to the eye; volumes only if they are one."""
    if isinstance(one, Provenance) and isinstance(other, Provenance):
        return one.method == other.method
    return one is other
