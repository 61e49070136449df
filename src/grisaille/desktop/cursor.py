"""What lies under the cursor: every visible volume's value with its unit, and the place in the patient."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.volume import Modality, Unit, Volume
from grisaille.desktop.layers import THING, TWIN_OF, WIPE_OF
from grisaille.desktop.world import lps_from_world

CURSOR_OVERLAY = "grisaille_cursor"
"""Name of the text among the canvas overlays."""

_PLACES = (("L", "R", 2), ("P", "A", 1), ("S", "I", 0))
_DECIMALS = dict.fromkeys(Unit, ".2f") | {Unit.HU: ".0f", Unit.BQML: ",.0f", Unit.NONE: ".4g"}


def values_at(volume: Volume, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """(...,) values of the voxels that hold (..., 3) points in LPS millimetres (z, y, x); NaN outside."""
    index = np.floor(volume.grid.to_index(points_mm) + 0.5).astype(int)
    inside = np.all((index >= 0) & (index < volume.grid.shape), axis=-1)
    z, y, x = np.moveaxis(np.where(inside[..., np.newaxis], index, 0), -1, 0)
    values: npt.NDArray[np.float64] = np.where(inside, volume.voxels[z, y, x].astype(np.float64), np.nan)
    return values


def place_text(point_mm: npt.ArrayLike) -> str:
    """A point in LPS millimetres (z, y, x) in letters: ``L 12.5  P 40.0  S 110.0 mm``."""
    point = np.asarray(point_mm, dtype=np.float64)
    parts = (f"{ahead if point[axis] >= 0 else behind} {abs(point[axis]):.1f}" for ahead, behind, axis in _PLACES)
    return "  ".join(parts) + " mm"


def value_text(name: str, value: float, unit: Unit) -> str:
    """``CT 40 HU``, ``PET 5.25 SUVbw``."""
    return f"{name} {value:{_DECIMALS[unit]}} {unit.value}".rstrip()


def cursor_text(viewer: Any) -> str:
    """Values of all visible volumes under the cursor, and its place in the patient, a line each.

    In 3D the point is the one that a MIP shows there: where the PET (or the topmost volume)
    is highest along the line of sight.
    """
    visible = _visible(viewer)
    if viewer.dims.ndim < 3 or not visible:
        return ""
    point = _brightest(viewer, visible) if viewer.dims.ndisplay == 3 else lps_from_world(viewer.cursor.position)
    if point is None:
        return ""
    kinds = [volume.modality for _, volume in visible]
    lines = []
    for layer, volume in visible:
        value = float(values_at(volume, point))
        if np.isfinite(value):
            is_one = volume.modality is not Modality.OTHER and kinds.count(volume.modality) == 1
            is_one = is_one and TWIN_OF not in layer.metadata
            lines.append(value_text(volume.modality.key.upper() if is_one else layer.name, value, volume.unit))
    return "\n".join([*lines, place_text(point)])


def attach_cursor(viewer: Any) -> None:
    """Write the values under the cursor into the corner of the canvas, for the life of the viewer."""
    from napari.components.overlays import TextOverlay

    overlays = viewer.canvas.overlays
    overlays[CURSOR_OVERLAY] = TextOverlay(position="top_left", font_size=11)

    def update(event: object = None) -> None:
        text = cursor_text(viewer)
        overlays[CURSOR_OVERLAY].text = text
        overlays[CURSOR_OVERLAY].visible = bool(text)

    viewer.cursor.events.position.connect(update)
    viewer.dims.events.ndisplay.connect(update)
    viewer.scene.camera.events.angles.connect(update)
    viewer.canvas.events.background_color_override.connect(update)  # other volumes are visible in the MIP
    viewer.layers.events.removed.connect(update)
    viewer.layers.events.inserted.connect(lambda event: event.value.events.visible.connect(update))
    for layer in viewer.layers:
        layer.events.visible.connect(update)


def _visible(viewer: Any) -> list[tuple[Any, Volume]]:
    """The layers in sight with their volumes; of a wipe both."""
    shown = [one for layer in viewer.layers if layer.visible for one in layer.metadata.get(WIPE_OF, (layer,))]
    things = [(layer, layer.metadata.get(THING)) for layer in shown]
    return [(layer, thing) for layer, thing in things if isinstance(thing, Volume)]


def _brightest(viewer: Any, visible: list[tuple[Any, Volume]]) -> npt.NDArray[np.float64] | None:
    """In LPS millimetres: where the volume that a MIP is read from is highest along the line of sight."""
    pets = [pair for pair in visible if pair[1].modality is Modality.PET]
    layer, volume = (pets or visible)[-1]
    direction = viewer.scene.camera.calculate_nd_view_direction(viewer.dims.ndim, viewer.dims.displayed)
    ends = layer.get_ray_intersections(viewer.cursor.position, direction, list(viewer.dims.displayed), world=True)
    if ends[0] is None or ends[1] is None:
        return None
    start, end = (lps_from_world(layer.data_to_world(index)) for index in ends)
    steps = int(np.linalg.norm(end - start) / min(volume.grid.spacing_mm) * 2) + 2
    points = np.linspace(start, end, steps)
    values = values_at(volume, points)
    if not np.isfinite(values).any():
        return None
    highest: npt.NDArray[np.float64] = points[np.nanargmax(values)]
    return highest
