"""The views a radiologist reads: three planes, 3D from the front, and the PET MIP."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from grisaille.core.volume import Modality, Volume
from grisaille.desktop.layers import THING
from grisaille.desktop.world import FROM_THE_FRONT, HEAD_UP

BEFORE_MIP = "grisaille_before_mip"
"""Metadata key: how a layer looked before the PET MIP was shown."""

OUTLINE = "grisaille_outline"
"""Metadata key: the width of a layer's label outlines in two dimensions."""

_ORIENTATION = ("towards", "down", "right")
"""napari's default, set again in case the user's settings differ: the world is made for it."""

_MARGIN = 0.08
"""Room around the picture for the letters, as a share of the canvas."""

_MIP_LOOK = {"visible": True, "colormap": "gray_r", "blending": "opaque", "opacity": 1.0, "rendering": "mip"}


class View(StrEnum):
    """What a button of the view bar shows."""

    AXIAL = "Axial"
    CORONAL = "Coronal"
    SAGITTAL = "Sagittal"
    SPACE = "3D"
    MIP = "MIP"


_ORDERS = {View.AXIAL: (0, 1, 2), View.CORONAL: (1, 0, 2), View.SAGITTAL: (2, 0, 1), View.SPACE: (0, 1, 2)}


def show_view(viewer: Any, view: View) -> None:
    """Turn the viewer to ``view``: radiological, head up, the whole patient in sight."""
    end_mip(viewer)
    in_space = view in (View.SPACE, View.MIP)
    extra = viewer.dims.ndim - 3
    order = _ORDERS[View.SPACE if in_space else view]
    viewer.dims.order = (*range(extra), *(extra + axis for axis in order))
    viewer.scene.camera.orientation = _ORIENTATION
    _draw_outlines(viewer, in_space)
    viewer.dims.ndisplay = 3 if in_space else 2
    if view is View.MIP:
        _begin_mip(viewer)
    if in_space:
        viewer.scene.camera.set_view_direction(FROM_THE_FRONT, HEAD_UP)
    viewer.fit_to_view(margin=_MARGIN)


def current_view(viewer: Any) -> View | None:
    """The view that the viewer is turned to; None if to another one."""
    if viewer.dims.ndisplay == 3:
        return View.MIP if is_mip(viewer) else View.SPACE
    extra = viewer.dims.ndim - 3
    order = tuple(axis - extra for axis in viewer.dims.order[extra:])
    return next((view for view in (View.AXIAL, View.CORONAL, View.SAGITTAL) if _ORDERS[view] == order), None)


def attach_views(viewer: Any) -> None:
    """Keep the views tidy however they are changed, for the life of the viewer.

    The MIP ends with 3D, and label outlines, which napari cannot draw in 3D and warns about,
    are drawn full there.
    """

    def update(event: object = None) -> None:
        in_space = viewer.dims.ndisplay == 3
        if not in_space:
            end_mip(viewer)
        _draw_outlines(viewer, in_space)

    viewer.dims.events.ndisplay.connect(update)
    viewer.layers.events.inserted.connect(update)


def is_mip(viewer: Any) -> bool:
    """Whether the PET MIP is shown."""
    return any(BEFORE_MIP in layer.metadata for layer in viewer.layers)


def has_pet(viewer: Any) -> bool:
    """Whether there is a PET to show as MIP."""
    return any(_is_pet(layer) for layer in viewer.layers)


def end_mip(viewer: Any) -> None:
    """Give every layer the look it had before the MIP."""
    if not is_mip(viewer):
        return
    for layer in viewer.layers:
        for name, value in layer.metadata.pop(BEFORE_MIP, {}).items():
            setattr(layer, name, value)
    viewer.canvas.background_color_override = None


def _begin_mip(viewer: Any) -> None:
    """PET black on white, seen through, and nothing else: the picture that reports begin with."""
    for layer in viewer.layers:
        look = _MIP_LOOK if _is_pet(layer) else {"visible": False}
        layer.metadata[BEFORE_MIP] = {name: getattr(layer, name) for name in look}
        for name, value in look.items():
            setattr(layer, name, value)
    viewer.canvas.background_color_override = "white"


def _is_pet(layer: Any) -> bool:
    thing = layer.metadata.get(THING)
    return isinstance(thing, Volume) and thing.modality is Modality.PET


def _draw_outlines(viewer: Any, in_space: bool) -> None:
    """Outlines in two dimensions, full labels in three; before the turn, napari has nothing to warn about."""
    for layer in viewer.layers:
        width = getattr(layer, "contour", 0)
        if in_space and width:
            layer.metadata[OUTLINE] = width
            layer.contour = 0
        elif not in_space and OUTLINE in layer.metadata:
            layer.contour = layer.metadata.pop(OUTLINE)
