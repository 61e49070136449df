"""Letters at the edges of the canvas: which way the patient lies in the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.desktop.layers import THING
from grisaille.desktop.world import lps_from_world

_LETTERS = (("S", "I"), ("P", "A"), ("L", "R"))
"""For each of z, y, x in LPS: towards its end, towards its start."""

_OBLIQUE = 0.35
"""A second letter is written where a direction leans at least 20 degrees that way."""

_EDGES = {"right": "middle_right", "left": "middle_left", "top": "top_center", "bottom": "bottom_center"}
_KEY = "grisaille_{}"


def direction_letters(direction_lps: npt.ArrayLike) -> str:
    """The letters of a direction (z, y, x), the strongest first: ``L``, or ``LA`` where it leans."""
    direction = np.asarray(direction_lps, dtype=np.float64)
    direction = direction / np.linalg.norm(direction)
    strongest = np.argsort(-np.abs(direction), kind="stable")
    return "".join(_LETTERS[axis][int(direction[axis] < 0)] for axis in strongest if abs(direction[axis]) >= _OBLIQUE)


def edge_letters(viewer: Any) -> dict[str, str]:
    """What stands at the right, left, top and bottom edge of the picture."""
    right, up = _right_and_up(viewer)
    return {
        "right": direction_letters(right),
        "left": direction_letters(-right),
        "top": direction_letters(up),
        "bottom": direction_letters(-up),
    }


def attach_letters(viewer: Any) -> None:
    """Keep the letters at the edges of the canvas for the life of the viewer.

    They are hidden while nothing of grisaille is there: of other layers the orientation is not known.
    """
    from napari.components.overlays import TextOverlay

    overlays = viewer.canvas.overlays
    for edge, position in _EDGES.items():
        overlays[_KEY.format(edge)] = TextOverlay(position=position, font_size=14)

    def update(event: object = None) -> None:
        known = viewer.dims.ndim >= 3 and any(THING in layer.metadata for layer in viewer.layers)
        letters = edge_letters(viewer) if known else {}
        for edge in _EDGES:
            overlay = overlays[_KEY.format(edge)]
            overlay.text = letters.get(edge, "")
            overlay.visible = known

    for emitter in (
        viewer.dims.events.order,
        viewer.dims.events.ndisplay,
        viewer.scene.camera.events.angles,
        viewer.scene.camera.events.orientation,
        viewer.layers.events.inserted,
        viewer.layers.events.removed,
    ):
        emitter.connect(update)
    update()


def _right_and_up(viewer: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Directions in LPS (z, y, x) that run to the right and up in the picture."""
    dims, camera = viewer.dims, viewer.scene.camera
    displayed = list(dims.displayed)
    right, up = np.zeros(dims.ndim), np.zeros(dims.ndim)
    if dims.ndisplay == 3:
        up[displayed] = camera.up_direction
        # napari calls the frame of the displayed axes, in their order, right- or left-handed.
        hand = 1.0 if str(camera.handedness) == "right" else -1.0
        right[displayed] = hand * np.cross(camera.view_direction, camera.up_direction)
    else:
        _, vertical, horizontal = camera.orientation
        up[displayed[0]] = -1.0 if str(vertical) == "down" else 1.0
        right[displayed[1]] = 1.0 if str(horizontal) == "right" else -1.0
    return lps_from_world(right), lps_from_world(up)
