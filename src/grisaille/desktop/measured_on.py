"""Which of the open volumes labels are measured on that no run made."""

from __future__ import annotations

from typing import Any

from grisaille.core.errors import InputError
from grisaille.core.labels import Labels
from grisaille.core.study import Study
from grisaille.core.volume import Volume
from grisaille.desktop.layers import PROVENANCE, THING, TWIN_OF, volume_from
from grisaille.io.labels import SAME_PLACE


def measured_on(labels: Labels, name: str, viewer: Any) -> Study:
    """One volume of each modality, as its layer is now; what a method made is none.

    Those that are selected, or all. Of several PETs or CTs the one of the labels' series, else one on their grid, else
    one in the frame of reference of that, else the topmost; those in another frame of reference are left out.

    Raises
    ------
    InputError
        If none is open.
    GridMismatch
        If one of them was moved in the viewer.
    """
    images = [layer for layer in viewer.layers if _is_patients(layer)]
    if not images:
        raise InputError(f"no CT or PET is open to measure {name!r} on; open the images that it was made on")
    chosen = [layer for layer in images if layer in viewer.layers.selection] or images
    home: Volume = max(reversed(chosen), key=lambda layer: _fit(labels, layer)).metadata[THING]
    here = [layer for layer in chosen if not _are_apart(layer.metadata[THING], home)]
    by_fit = sorted(here, key=lambda layer: _fit(labels, layer))  # of equals the topmost comes last, and stays
    picked = {layer.metadata[THING].modality.key: layer for layer in by_fit}
    return Study({key: volume_from(layer) for key, layer in picked.items()})


def _is_patients(layer: Any) -> bool:
    return isinstance(layer.metadata.get(THING), Volume) and not {PROVENANCE, TWIN_OF} & layer.metadata.keys()


def _fit(labels: Labels, layer: Any) -> tuple[bool, bool]:
    volume: Volume = layer.metadata[THING]
    is_series = bool(labels.source.series) and volume.source.series == labels.source.series
    return is_series, volume.grid.is_close(labels.grid, SAME_PLACE * min(volume.grid.spacing_mm))


def _are_apart(one: Volume, other: Volume) -> bool:
    frames = {one.provenance.frame_of_reference, other.provenance.frame_of_reference}
    return len(frames) == 2 and all(frames)
