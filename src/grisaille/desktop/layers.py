"""Volumes and labels as napari layers, and back.

What a layer shows is kept, whole and on its true grid, in ``layer.metadata["grisaille"]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import InputError
from grisaille.core.finding import Finding
from grisaille.core.labels import Labels
from grisaille.core.result import Result
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Volume
from grisaille.desktop.appearance import Look, look_of, look_of_anomaly
from grisaille.desktop.world import PLACED_WITHIN_MM, display_grid, grid_of, placement, require_in_place
from grisaille.desktop.world import go_to as go_to
from grisaille.desktop.world import lps_from_world as lps_from_world
from grisaille.desktop.world import world_from_lps as world_from_lps
from grisaille.imaging.resample import resample
from grisaille.methods.catalog import title

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.layers import Labels as LabelsLayer

THING = "grisaille"
"""Metadata key: the Volume or Labels that a layer shows, on its true grid."""

SHOWN = "grisaille_shown"
"""Metadata key: the Volume as drawn; differs from the thing where it was resampled for display."""

PROVENANCE = "grisaille_provenance"
"""Metadata key: the Provenance of a result's layers."""

SIGNED = "z"
"""Key among the extras of an anomaly map: signed standard deviations from healthy."""

SCORES_OF = "grisaille_scores_of"
"""Metadata key: the patient's Volume that a layer judges, laid over it."""

TWIN_OF = "grisaille_twin_of"
"""Metadata key: the patient's Volume that a layer shows the healthy twin of."""

WIPE_OF = "grisaille_wipe_of"
"""Metadata key of a twin's layer during a wipe: the patient's layer and itself, of which it draws a part each."""

_MEASURES = ("volume_ml", "suv_max", "suv_mean", "hu_mean", "score")
"""Of a finding, told under the cursor."""

RESAMPLED = " (resampled for display)"


@dataclass(frozen=True)
class Shown:
    """The layers of a result."""

    anomaly: Image
    labels: LabelsLayer


# -- volumes --------------------------------------------------------------------------


def image_arguments(volume: Volume, look: Look | None = None) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """Data and keyword arguments of the Image layer of a volume."""
    shown = _drawable(volume)
    name = volume.name or volume.modality.key.upper()
    arguments = {
        "name": name if shown is volume else name + RESAMPLED,
        "metadata": {THING: volume, SHOWN: shown},
        **placement(shown.grid),
        **(look or look_of(volume)).arguments(),
    }
    return shown.voxels, arguments


def add_volume(viewer: Any, volume: Volume) -> Image:
    """A new Image layer of a volume, in its place; PET in colour where a CT is open."""
    from napari.layers import Image

    data, arguments = image_arguments(volume, look_of(volume, over_ct=has_ct(viewer)))
    return viewer.add_layer(Image(data, **arguments))


def add_study(viewer: Any, study: Study) -> tuple[Image, ...]:
    """A new Image layer for each volume of a study; PET on top."""
    return tuple(add_volume(viewer, volume) for volume in in_drawing_order(study))


def has_ct(viewer: Any) -> bool:
    """Whether a CT is open."""
    return any(volume.modality is Modality.CT for volume in volumes_in(viewer))


def in_drawing_order(study: Study) -> tuple[Volume, ...]:
    """The volumes of a study, those that glow over others last."""
    return tuple(sorted(study.volumes.values(), key=lambda volume: volume.modality is Modality.PET))


def volume_from(layer: Layer) -> Volume:
    """The volume that a layer shows, on its true grid.

    A layer whose data were replaced in the viewer gives those numbers on the grid drawn.

    Raises
    ------
    InputError
        If the layer was not made by grisaille: its place and unit are not known.
    GridMismatch
        If it was moved in the viewer.
    """
    volume, shown = layer.metadata.get(THING), layer.metadata.get(SHOWN)
    if not isinstance(volume, Volume) or not isinstance(shown, Volume):
        raise InputError(
            f"layer {layer.name!r} was not opened with grisaille, so its place in the patient and its unit are not "
            "known; open its file again and choose napari-grisaille"
        )
    require_in_place(layer, shown.grid)
    if layer.data is shown.voxels or WIPE_OF in layer.metadata:
        return volume
    return shown.with_voxels(np.array(layer.data))


def volumes_in(viewer: Any) -> tuple[Volume, ...]:
    """The true volumes behind the layers of a viewer, from bottom to top."""
    things = (layer.metadata.get(THING) for layer in viewer.layers)
    return tuple(thing for thing in things if isinstance(thing, Volume))


def _drawable(volume: Volume) -> Volume:
    grid = display_grid(volume.grid)
    if grid is volume.grid:
        return volume
    return resample(volume, grid)


# -- labels ---------------------------------------------------------------------------


def labels_arguments(
    labels: Labels, name: str, findings: Sequence[Finding] = ()
) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """Data, which can be painted on, and keyword arguments of the Labels layer of labels."""
    shown = _drawn(labels)
    arguments = {
        "name": name if shown is labels else name + RESAMPLED,
        "metadata": {THING: labels},
        "features": feature_table(labels, findings),
        "opacity": 0.8,
        **placement(shown.grid),
    }
    return np.array(shown.voxels), arguments


def add_labels(viewer: Any, labels: Labels, findings: Sequence[Finding] = (), name: str = "findings") -> LabelsLayer:
    """A new Labels layer, in its place, that tells each finding's measures under the cursor."""
    from napari.layers import Labels as LabelsLayer

    data, arguments = labels_arguments(labels, name, findings)
    layer = LabelsLayer(data, **arguments)
    layer.contour = 2
    return viewer.add_layer(layer)


def new_labels(viewer: Any, volume: Volume) -> LabelsLayer:
    """An empty Labels layer on the grid of a volume, to paint on."""
    empty = Labels(np.zeros(volume.grid.shape, np.uint16), volume.grid, source=volume.source)
    return add_labels(viewer, empty, name=f"labels on {volume.name or volume.modality.key.upper()}")


def labels_from(layer: LabelsLayer, volumes: Sequence[Volume] = ()) -> Labels:
    """The labels of a layer on their true grid, as they were painted.

    Labels drawn on a resampled display go back to the true grid: voxels whose label was
    changed take the new one, the others keep theirs bit for bit. A plain layer gets the grid
    of the one of ``volumes`` that it was painted on.

    Raises
    ------
    InputError
        If a plain layer lies on none of ``volumes``.
    GridMismatch
        If the layer was moved in the viewer.
    """
    labels = layer.metadata.get(THING)
    painted = np.array(layer.data)
    if not isinstance(labels, Labels):
        return _placed(Labels(painted, grid_of(layer)), volumes, layer.name)
    drawn = _drawn(labels)
    require_in_place(layer, drawn.grid)
    if drawn is labels:
        return replace(labels, voxels=painted)
    return replace(labels, voxels=_repainted(labels, drawn, painted))


def labels_as_painted(layer: LabelsLayer) -> Labels:
    """As ``labels_from``, but a plain layer keeps the grid that it was painted on."""
    if isinstance(layer.metadata.get(THING), Labels):
        return labels_from(layer)
    return Labels(np.array(layer.data), grid_of(layer))


def is_feature_table(features: Any) -> bool:
    """Whether the features of a layer are none, or those of ``feature_table``."""
    return set(features.columns) <= {"index", "name", *_MEASURES}


def feature_table(labels: Labels, findings: Sequence[Finding]) -> dict[str, list[Any]]:
    """One row a label number, for the features of a Labels layer; the first finding of a number stands for it."""
    by_label: dict[int, Finding] = {}
    for finding in findings:
        by_label.setdefault(finding.label, finding)
    rows = [by_label.get(number) for number in labels.ids]
    table: dict[str, list[Any]] = {"index": list(labels.ids)}
    if labels.names:
        table["name"] = [labels.names.get(number, "") for number in labels.ids]
    for column in _MEASURES:
        values = [getattr(row, column) if row is not None else None for row in rows]
        if any(value is not None for value in values):
            table[column] = [np.nan if value is None else round(value, 2) for value in values]
    return table


def _drawn(labels: Labels) -> Labels:
    grid = display_grid(labels.grid)
    if grid is labels.grid:
        return labels
    return resample(labels, grid)


def _repainted(labels: Labels, drawn: Labels, painted: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The voxels of ``labels`` after ``drawn``, its resampled picture, was painted over to ``painted``."""
    before = resample(drawn, labels.grid).voxels
    after = resample(Labels(painted, drawn.grid), labels.grid).voxels
    voxels = np.where(after != before, after, labels.voxels)
    # At the rim of a label the nearest drawn voxel may show its neighbour: a rim goes when its label goes.
    rim = np.argwhere((labels.voxels > 0) & (labels.voxels != before) & (after == before))
    own = labels.voxels[tuple(rim.T)][:, np.newaxis]
    nearest = np.round(drawn.grid.to_index(labels.grid.to_mm(rim))).astype(int)
    around = nearest[:, np.newaxis] + np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), axis=-1).reshape(27, 3)
    z, y, x = np.moveaxis(np.clip(around, 0, np.asarray(drawn.grid.shape) - 1), -1, 0)
    was = (drawn.voxels[z, y, x] == own).any(axis=1)
    still = (painted[z, y, x] == own).any(axis=1)
    gone = tuple(rim[was & ~still].T)
    voxels[gone] = after[gone]
    return voxels


def _placed(plain: Labels, volumes: Sequence[Volume], name: str) -> Labels:
    """Plain labels on the grid of the volume that they were painted on; the finest one where several would do."""
    for volume in volumes:
        if plain.grid.is_close(display_grid(volume.grid), PLACED_WITHIN_MM):
            on_grid = plain.voxels if volume.grid.is_axis_aligned else resample(plain, volume.grid).voxels
            return Labels(on_grid, volume.grid, source=volume.source)
    painted_mm = plain.grid.to_mm(np.argwhere(plain.voxels))
    for volume in sorted(volumes, key=lambda one: one.grid.voxel_ml):
        index = volume.grid.to_index(painted_mm)
        if np.all((index > -0.5) & (index < np.asarray(volume.grid.shape) - 0.5)):
            return Labels(resample(plain, volume.grid).voxels, volume.grid, source=volume.source)
    raise InputError(
        f"labels layer {name!r} was not painted on a volume that grisaille opened, so its place in the patient is not "
        "known; open the volume with napari-grisaille, select it, and make a new labels layer on it"
    )


# -- results --------------------------------------------------------------------------


def show(viewer: Any, result: Result, study: Study) -> Shown:
    """A result as two new layers: the anomaly scores and the findings, on the study's reference grid."""
    from napari.layers import Image

    data, arguments = anomaly_arguments(result, study)
    image = viewer.add_layer(Image(data, **arguments))
    labels = add_labels(viewer, result.labels, result.findings, name=f"{title(result.provenance.method)} findings")
    labels.metadata[PROVENANCE] = result.provenance
    return Shown(image, labels)


def anomaly_arguments(result: Result, study: Study) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """Data and keyword arguments of the Image layer of a result's scores."""
    anomaly = result.anomaly
    method = result.provenance.method
    name = f"{title(method)} anomaly, {study.main.name or study.main.modality.key.upper()}"
    scores = Volume(anomaly.scores, anomaly.grid, name=name, source=anomaly.source)
    marked = anomaly.scores[result.labels.voxels > 0]
    floor = 0.5 * float(marked.min()) if marked.size else float(np.median(anomaly.scores[anomaly.body]))
    data, arguments = image_arguments(scores, look_of_anomaly(anomaly.scores, floor))
    arguments["metadata"][PROVENANCE] = result.provenance
    arguments["metadata"][SCORES_OF] = study.main
    arguments["visible"] = SIGNED not in anomaly.extras  # the same, without its sign
    return data, arguments
