"""What lies under the cursor: every visible volume's value with its unit, and the place in the patient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.volume import Modality, Unit, Volume
from grisaille.desktop.layers import THING
from grisaille.desktop.world import lps_from_world

CURSOR_OVERLAY = "grisaille_cursor"
"""Name of the text among the canvas overlays."""

_PLACES = (("L", "R", 2), ("P", "A", 1), ("S", "I", 0))
_DECIMALS = {Unit.HU: ".0f", Unit.SUVBW: ".2f", Unit.BQML: ",.0f", Unit.NONE: ".4g"}


def value_at(volume: Volume, point_mm: npt.ArrayLike) -> float | None:
    """The value of the voxel that holds a point in LPS millimetres (z, y, x); None outside."""
    index = np.floor(volume.grid.to_index(point_mm) + 0.5).astype(int)
    if np.any(index < 0) or np.any(index >= volume.grid.shape):
        return None
    return float(volume.voxels[tuple(index)])


def place_text(point_mm: npt.ArrayLike) -> str:
    """A point in LPS millimetres (z, y, x) in letters: ``L 12.5  P 40.0  S 110.0 mm``."""
    point = np.asarray(point_mm, dtype=np.float64)
    parts = (f"{ahead if point[axis] >= 0 else behind} {abs(point[axis]):.1f}" for ahead, behind, axis in _PLACES)
    return "  ".join(parts) + " mm"


def value_text(name: str, value: float, unit: Unit) -> str:
    """``CT 40 HU``, ``PET 5.25 SUVbw``."""
    return f"{name} {value:{_DECIMALS[unit]}} {unit.value}".rstrip()


def cursor_text(viewer: Any) -> str:
    """Values of all visible volumes under the cursor and its place in the patient, on two lines.

    In 3D the point is the one that a MIP shows there: where the PET (or the topmost volume)
    is highest along the line of sight.
    """
    if viewer.dims.ndim < 3 or not any(True for _ in _visible(viewer)):
        return ""
    point = _brightest(viewer) if viewer.dims.ndisplay == 3 else lps_from_world(viewer.cursor.position)
    if point is None:
        return ""
    values = ((layer.name, value_at(volume, point), volume.unit) for layer, volume in _visible(viewer))
    texts = [value_text(name, value, unit) for name, value, unit in values if value is not None]
    return "    ".join(texts) + "\n" + place_text(point)


def attach_cursor(viewer: Any) -> None:
    """Write the values under the cursor into the corner of the canvas, for the life of the viewer."""
    from napari.components.overlays import TextOverlay

    overlays = viewer.canvas.overlays
    overlays[CURSOR_OVERLAY] = TextOverlay(position="bottom_left", font_size=11)

    def update(event: object = None) -> None:
        text = cursor_text(viewer)
        overlays[CURSOR_OVERLAY].text = text
        overlays[CURSOR_OVERLAY].visible = bool(text)

    viewer.cursor.events.position.connect(update)
    viewer.dims.events.ndisplay.connect(update)
    viewer.layers.events.removed.connect(update)


def _visible(viewer: Any) -> Iterator[tuple[Any, Volume]]:
    for layer in viewer.layers:
        thing = layer.metadata.get(THING)
        if layer.visible and isinstance(thing, Volume):
            yield layer, thing


def _brightest(viewer: Any) -> npt.NDArray[np.float64] | None:
    """In LPS millimetres: where the volume that a MIP is read from is highest along the line of sight."""
    visible = list(_visible(viewer))
    pets = [pair for pair in visible if pair[1].modality is Modality.PET]
    layer, volume = (pets or visible)[-1]
    displayed = list(viewer.dims.displayed)
    direction = viewer.scene.camera.calculate_nd_view_direction(viewer.dims.ndim, viewer.dims.displayed)
    start, end = layer.get_ray_intersections(viewer.cursor.position, direction, displayed, world=True)
    if start is None or end is None:
        return None
    steps = int(np.ceil(2 * np.linalg.norm(np.asarray(end) - np.asarray(start)))) + 2
    along = np.linspace(start, end, steps)
    points = lps_from_world(np.array([layer.data_to_world(index) for index in along]))
    inside = [point for point in points if value_at(volume, point) is not None]
    if not inside:
        return None
    highest: npt.NDArray[np.float64] = max(inside, key=lambda point: value_at(volume, point) or 0.0)
    return highest
