"""The views a radiologist reads: three planes, 3D from the front, and the PET MIP."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from grisaille.core.volume import Modality, Unit, Volume
from grisaille.desktop.appearance import ALONE, look_of
from grisaille.desktop.layers import THING, TWIN_OF, has_ct
from grisaille.desktop.world import FROM_THE_FRONT, HEAD_UP

BEFORE = "grisaille_before_3d"
"""Metadata key: what a layer looked like in two dimensions, as far as 3D changed it."""

_ORIENTATION = ("towards", "down", "right")
"""napari's default, set again in case the user's settings differ: the world is made for it."""

_MARGIN = 0.08
"""Room around the picture for the letters, as a share of the canvas."""

_MIP_LOOK = {"colormap": "gray_r", "blending": "opaque", "opacity": 1.0, "rendering": "mip"}
_SKELETON = {"contrast_limits": (-200.0, 1000.0)}
"""In 3D a soft-tissue window would show every ray that meets bone as white."""


class View(StrEnum):
    """What a button of the view bar shows."""

    AXIAL = "Axial"
    CORONAL = "Coronal"
    SAGITTAL = "Sagittal"
    SPACE = "3D"
    MIP = "MIP"


_IN_SPACE = (View.SPACE, View.MIP)
_ORDERS = {View.AXIAL: (0, 1, 2), View.CORONAL: (1, 0, 2), View.SAGITTAL: (2, 0, 1)}


def show_view(viewer: Any, view: View) -> None:
    """Turn the viewer to ``view``: radiological, head up, the whole patient in sight."""
    if view in _IN_SPACE:
        # Before the turn: napari warns of label outlines, which it cannot draw in 3D.
        _dress(viewer, view)
    extra = viewer.dims.ndim - 3
    viewer.dims.order = (*range(extra), *(extra + axis for axis in _ORDERS.get(view, (0, 1, 2))))
    viewer.scene.camera.orientation = _ORIENTATION
    viewer.dims.ndisplay = 3 if view in _IN_SPACE else 2
    if view in _IN_SPACE:
        viewer.scene.camera.set_view_direction(FROM_THE_FRONT, HEAD_UP)
    else:
        _dress(viewer, view)
    viewer.fit_to_view(margin=_MARGIN)


def current_view(viewer: Any) -> View | None:
    """The view that the viewer is turned to; None if to another one."""
    if viewer.dims.ndisplay == 3:
        return View.MIP if _is_mip(viewer) else View.SPACE
    extra = viewer.dims.ndim - 3
    order = tuple(axis - extra for axis in viewer.dims.order[extra:])
    return next((view for view, planes in _ORDERS.items() if planes == order), None)


def attach_views(viewer: Any) -> None:
    """Dress the layers for two or three dimensions, however the viewer is turned, and PET for the CT below it."""

    def update(event: object = None) -> None:
        _fuse(viewer)
        if viewer.dims.ndisplay == 2:
            _dress(viewer, View.AXIAL)
        elif not _is_mip(viewer):
            _dress(viewer, View.SPACE)

    viewer.dims.events.ndisplay.connect(update)
    viewer.layers.events.inserted.connect(update)


def has_pet(viewer: Any) -> bool:
    """Whether there is a PET to show as MIP."""
    return any(_is_pet(layer) for layer in viewer.layers)


def is_visible(layer: Any) -> bool:
    """Whether a layer is shown, or will be after the MIP that has hidden it."""
    return bool(layer.metadata.get(BEFORE, {}).get("visible", layer.visible))


def set_visible(layer: Any, visible: bool) -> None:
    """Show or hide a layer: at once, or after the MIP where that has hidden it."""
    before = layer.metadata.get(BEFORE, {})
    if "visible" in before:
        before["visible"] = visible
    else:
        layer.visible = visible


def _dress(viewer: Any, view: View) -> None:
    """Give every layer the look of a view, and back what it looked like before where the view does not ask."""
    changes = []
    is_pet_in_sight = any(layer.visible and _is_pet(layer) for layer in viewer.layers)
    for layer in viewer.layers:
        before = layer.metadata.pop(BEFORE, {})
        look = _look(layer, view)
        is_forced = not is_pet_in_sight and TWIN_OF not in layer.metadata
        if view is View.MIP and _is_pet(layer) and (is_forced or "visible" in before):
            look |= {"visible": True}
        kept = {name: before.get(name, getattr(layer, name)) for name in look}
        if kept:
            layer.metadata[BEFORE] = kept
        changes.append((layer, {**before, **look}))
    # Only now, when all looks are kept: layers may be linked, and one that is dressed changes the other.
    for layer, change in changes:
        for name, value in change.items():
            setattr(layer, name, value)
    viewer.canvas.background_color_override = "white" if view is View.MIP else None


def _fuse(viewer: Any) -> None:
    """Once a CT is open, give a PET that was alone its colours, and its place above the CT."""
    if not has_ct(viewer):
        return
    pets = [layer for layer in viewer.layers if _is_pet(layer) and BEFORE not in layer.metadata]
    for layer in [one for one in pets if one.colormap.name == ALONE]:
        look = look_of(layer.metadata[THING])
        for name in ("colormap", "blending", "opacity"):
            setattr(layer, name, getattr(look, name))
        highest = max(i for i, other in enumerate(viewer.layers) if _is(other, Modality.CT))
        if viewer.layers.index(layer) < highest:
            viewer.layers.move(viewer.layers.index(layer), highest + 1)


def _look(layer: Any, view: View) -> dict[str, Any]:
    """What a view changes in a layer: label outlines are full in 3D; a MIP is PET black on white, alone."""
    if view not in _IN_SPACE:
        return {}
    look: dict[str, Any] = {"contour": 0} if hasattr(layer, "contour") else {}
    if view is View.MIP:
        return look | (_MIP_LOOK if _is_pet(layer) else {"visible": False})
    thing = layer.metadata.get(THING)
    return look | (_SKELETON if isinstance(thing, Volume) and thing.unit is Unit.HU else {})


def _is_mip(viewer: Any) -> bool:
    return any(_is_pet(layer) and "colormap" in layer.metadata.get(BEFORE, {}) for layer in viewer.layers)


def _is_pet(layer: Any) -> bool:
    return _is(layer, Modality.PET)


def _is(layer: Any, modality: Modality) -> bool:
    thing = layer.metadata.get(THING)
    return isinstance(thing, Volume) and thing.modality is modality
