"""napari's world, and where things lie in it.

The only place that knows it: (-z, y, x) in LPS millimetres, that is inferior, posterior,
left. In it napari's default camera shows axial, coronal and sagittal slices the
radiological way with the head up, and 3D unmirrored. The sign is in a layer's scale and
translate; its data are the voxels themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import GridMismatch
from grisaille.core.grid import Grid

if TYPE_CHECKING:
    from napari.layers import Layer

PLACED_WITHIN_MM = 1e-3
"""How far a layer may lie from where it was put before it counts as moved."""

FROM_THE_FRONT = (0.0, 1.0, 0.0)
"""The world direction of someone facing the patient: towards posterior."""

HEAD_UP = (-1.0, 0.0, 0.0)
"""The world direction of the patient's head."""

_SIGNS = np.array([-1.0, 1.0, 1.0])


def world_from_lps(points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """(..., 3) LPS millimetres (z, y, x) to (..., 3) world coordinates (-z, y, x)."""
    world: npt.NDArray[np.float64] = np.asarray(points_mm, dtype=np.float64) * _SIGNS
    return world


def lps_from_world(points: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """(..., 3) world coordinates to (..., 3) LPS millimetres (z, y, x); extra leading axes are dropped."""
    points_mm: npt.NDArray[np.float64] = np.asarray(points, dtype=np.float64)[..., -3:] * _SIGNS
    return points_mm


def display_grid(grid: Grid) -> Grid:
    """The grid on which napari can draw: ``grid`` itself where it runs along the patient's axes.

    Else the box along the patient's axes around the field of view, at the same spacing:
    napari draws oblique slices in the wrong place (napari issue 2616).
    """
    if grid.is_axis_aligned:
        return grid
    half = np.asarray(grid.shape) / 2.0
    reach = np.abs(grid.affine[:3, :3]) @ half
    centre = grid.to_mm(half - 0.5)
    spacing = np.asarray(grid.spacing_mm)
    shape = np.ceil(2 * reach / spacing - 1e-6).astype(int)
    origin = centre - (shape - 1) / 2 * spacing
    return Grid.from_spacing(shape.tolist(), spacing.tolist(), origin.tolist())


def placement(grid: Grid) -> dict[str, Any]:
    """The keyword arguments that put a layer of an axis-aligned grid in its place."""
    return {
        "scale": tuple(np.diag(grid.affine)[:3] * _SIGNS),
        "translate": tuple(world_from_lps(grid.origin_mm)),
        "units": ("mm", "mm", "mm"),
        "axis_labels": ("z", "y", "x"),
    }


def grid_of(layer: Layer) -> Grid:
    """Where the voxels of a 3D layer lie, from its scale and translate.

    Raises
    ------
    GridMismatch
        If the layer is not 3D or was rotated, sheared or given an affine in the viewer.
    """
    if len(layer.data.shape) != 3 or layer.ndim != 3:
        raise GridMismatch(f"layer {layer.name!r} has {layer.ndim} dimensions, expected the three of a volume")
    straight = np.allclose(layer.rotate, np.eye(3)) and np.allclose(layer.shear, 0)
    if not straight or not np.allclose(layer.affine.affine_matrix, np.eye(4)):
        raise GridMismatch(
            f"layer {layer.name!r} was turned or sheared in the viewer, so its voxels no longer lie where they were "
            "measured; undo the transform (Layers > Transform > reset)"
        )
    affine = np.eye(4)
    affine[:3, :3] = np.diag(np.asarray(layer.scale) * _SIGNS)
    affine[:3, 3] = lps_from_world(layer.translate)
    z, y, x = layer.data.shape
    return Grid((z, y, x), affine)


def go_to(viewer: Any, point_mm: Sequence[float]) -> None:
    """Show the slices through a point in LPS millimetres (z, y, x), moving the camera if it is out of sight."""
    world = world_from_lps(point_mm)
    axes = range(viewer.dims.ndim - 3, viewer.dims.ndim)
    viewer.dims.set_point(list(axes), world.tolist())
    in_all = np.concatenate([np.asarray(viewer.dims.point[:-3]), world])
    wanted = in_all[list(viewer.dims.displayed)]
    centre = np.asarray(viewer.scene.camera.center)[-len(wanted) :]
    reach_mm = 0.48 * min(viewer.canvas.size) / viewer.scene.camera.zoom
    if np.abs(wanted - centre).max() > reach_mm:
        viewer.scene.camera.center = tuple(np.concatenate([np.zeros(3 - len(wanted)), wanted]))


def require_in_place(layer: Layer, grid: Grid) -> None:
    """Raise ``GridMismatch`` unless the voxels of ``layer`` still lie on ``grid``."""
    if not grid_of(layer).is_close(grid, PLACED_WITHIN_MM):
        raise GridMismatch(
            f"layer {layer.name!r} was moved, scaled or given data of another shape in the viewer; it lies at "
            f"{grid_of(layer)}, expected {grid}: undo that or open it again"
        )
