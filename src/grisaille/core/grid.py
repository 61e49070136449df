"""Where voxels lie in the patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import frozen
from grisaille.core.errors import InputError, ShapeError

AXIS_ALIGNED_TOLERANCE = 1e-4
"""Largest direction cosine off the axes that still counts as straight (0.006 degrees)."""

ORTHOGONAL_TOLERANCE = 1e-3
"""Largest cosine between two index axes that still counts as a right angle (0.06 degrees)."""

Spacing = tuple[float, float, float]


class Axis(StrEnum):
    """The plane that slices along an index axis show."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"

    @property
    def dimension(self) -> int:
        """Index axis (z, y, x) that steps from one slice to the next."""
        return tuple(Axis).index(self)


@dataclass(frozen=True, eq=False)
class Grid:
    """Places of the voxels of a volume: z, y, x throughout, in millimetres LPS.

    Parameters
    ----------
    shape
        Voxels along z, y, x.
    affine
        (4, 4) float64, from index (z, y, x) of a voxel's centre to patient LPS
        millimetres listed (z, y, x), that is superior, posterior, left.

    Raises
    ------
    ShapeError
        If the shape is not three positive sizes or the affine is not 4 x 4.
    InputError
        If the affine is singular or not finite.
    """

    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = tuple(int(size) for size in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise ShapeError(f"a grid has three positive sizes (z, y, x), found {shape}")
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4):
            raise ShapeError(f"a grid's affine is 4 x 4, found {affine.shape}")
        if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
            raise InputError("the affine is singular or not finite: the voxels have no place in millimetres")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", frozen(affine))

    @classmethod
    def from_spacing(
        cls,
        shape: Sequence[int],
        spacing_mm: float | Sequence[float],
        origin_mm: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> Grid:
        """A grid along the patient's axes; spacing and origin are listed z, y, x."""
        affine = np.eye(4)
        affine[:3, :3] = np.diag(np.broadcast_to(np.asarray(spacing_mm, dtype=np.float64), 3))
        affine[:3, 3] = origin_mm
        z, y, x = shape
        return cls((z, y, x), affine)

    @property
    def spacing_mm(self) -> Spacing:
        """Distance between neighbouring voxel centres along z, y, x."""
        z, y, x = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def origin_mm(self) -> Spacing:
        """Centre of voxel (0, 0, 0)."""
        z, y, x = self.affine[:3, 3]
        return float(z), float(y), float(x)

    @property
    def directions(self) -> npt.NDArray[np.float64]:
        """(3, 3); column i is the unit vector (z, y, x) along index axis i."""
        columns: npt.NDArray[np.float64] = self.affine[:3, :3] / np.asarray(self.spacing_mm)
        return columns

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape))

    @property
    def is_axis_aligned(self) -> bool:
        """Whether the index axes run along the patient's, ascending: no rotation, shear or flip."""
        return bool(np.abs(self.directions - np.eye(3)).max() <= AXIS_ALIGNED_TOLERANCE)

    @property
    def is_orthogonal(self) -> bool:
        """Whether the index axes stand at right angles on each other: no shear, as a tilted gantry leaves it."""
        return bool(np.abs(self.directions.T @ self.directions - np.eye(3)).max() <= ORTHOGONAL_TOLERANCE)

    def to_mm(self, indices: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(..., 3) indices (z, y, x) to (..., 3) LPS millimetres (z, y, x)."""
        points = np.asarray(indices, dtype=np.float64)
        return points @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(..., 3) LPS millimetres (z, y, x) to (..., 3) fractional indices; inverse of ``to_mm``."""
        offsets = np.asarray(points_mm, dtype=np.float64) - self.affine[:3, 3]
        return offsets @ np.linalg.inv(self.affine[:3, :3]).T

    def corners_mm(self) -> npt.NDArray[np.float64]:
        """(8, 3) centres of the corner voxels."""
        ends = [(0, size - 1) for size in self.shape]
        return self.to_mm(np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(8, 3))

    def is_close(self, other: Grid, tolerance_mm: float = 1e-3) -> bool:
        """Whether every voxel of both grids lies at the same place within ``tolerance_mm``."""
        if self is other:
            return True
        return self.shape == other.shape and bool(np.abs(self.corners_mm() - other.corners_mm()).max() <= tolerance_mm)

    def spaced(self, spacing_mm: float | Sequence[float]) -> Grid:
        """A grid over the same field of view, edge to edge, with another spacing (z, y, x)."""
        wanted = np.broadcast_to(np.asarray(spacing_mm, dtype=np.float64), 3)
        step = wanted / np.asarray(self.spacing_mm)
        shape = np.maximum(1, np.round(np.asarray(self.shape) / step)).astype(int)
        first = (np.asarray(self.shape) - 1) / 2 - (shape - 1) / 2 * step
        affine = np.array(self.affine)
        affine[:3, :3] *= step
        affine[:3, 3] = self.to_mm(first)
        return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)

    def orthogonal(self) -> Grid:
        """A grid without shear around this one, on which its slices lie as they are; itself where it has none.

        The two axes of the slices stay, pixel on pixel in the first slice; the third becomes their
        normal, with the distance between the planes. To resample onto it moves values within their
        slices only.
        """
        if self.is_orthogonal:
            return self
        across = self._slice_axis()
        first, second = (axis for axis in range(3) if axis != across)
        columns = self.directions
        directions = np.empty((3, 3))
        directions[:, first] = columns[:, first]
        normal = np.cross(columns[:, first], columns[:, second])
        directions[:, across] = normal / np.linalg.norm(normal) * np.sign(normal @ columns[:, across])
        other = columns[:, second] - (columns[:, second] @ columns[:, first]) * columns[:, first]
        directions[:, second] = other / np.linalg.norm(other)
        linear = directions * (directions * self.affine[:3, :3]).sum(axis=0)
        corners = (self.corners_mm() - self.affine[:3, 3]) @ np.linalg.inv(linear).T
        low, high = np.floor(corners.min(axis=0) + 1e-6), np.ceil(corners.max(axis=0) - 1e-6)
        affine = np.eye(4)
        affine[:3, :3] = linear
        affine[:3, 3] = self.affine[:3, 3] + linear @ low
        z, y, x = (high - low + 1).astype(int)
        return Grid((int(z), int(y), int(x)), affine)

    def _slice_axis(self) -> int:
        """The axis that leans: the other two are most nearly at right angles; of several, the coarsest."""
        angles = np.abs(self.directions.T @ self.directions)

        def order(axis: int) -> tuple[float, float]:
            first, second = (one for one in range(3) if one != axis)
            return round(float(angles[first, second]), 6), -round(self.spacing_mm[axis], 6)

        return min(range(3), key=order)

    def cropped(self, start: Sequence[int], shape: Sequence[int]) -> Grid:
        """The grid of ``array[start : start + shape]``; ``start`` may be negative (padding)."""
        affine = np.array(self.affine)
        affine[:3, 3] = self.to_mm(start)
        z, y, x = shape
        return Grid((z, y, x), affine)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grid):
            return NotImplemented
        return self.shape == other.shape and np.array_equal(self.affine, other.affine)

    def __hash__(self) -> int:
        return hash((self.shape, self.affine.tobytes()))

    def __str__(self) -> str:
        sizes = " x ".join(str(size) for size in self.shape)
        steps = " x ".join(f"{step:.2f}" for step in self.spacing_mm)
        place = ", ".join(f"{value:.1f}" for value in self.origin_mm)
        tilt = "" if self.is_axis_aligned else ", oblique"
        return f"{sizes} voxels of {steps} mm at ({place}) mm (z, y, x){tilt}"
