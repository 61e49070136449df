"""The slices of a grid and where the viewer stands among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.grid import Axis, Grid
from grisaille.desktop.world import world_from_lps


@dataclass(frozen=True)
class SliceWalk:
    """Slices of a grid along one axis, as places on the viewer's axis of the same number.

    On an oblique grid a slice stands for the plane through its centre.
    """

    axis: Axis
    count: int
    first_world: float
    step_world: float

    @classmethod
    def along(cls, grid: Grid, axis: Axis) -> SliceWalk:
        """The slices of ``grid`` along ``axis``."""
        dimension = axis.dimension
        ends = np.repeat((np.asarray(grid.shape)[None] - 1) / 2, 2, axis=0)
        ends[:, dimension] = (0, 1)
        first, second = world_from_lps(grid.to_mm(ends))[:, dimension]
        return cls(axis, grid.shape[dimension], float(first), float(second - first))

    @property
    def runs_backwards(self) -> bool:
        """Whether the viewer's slider begins at the last slice."""
        return self.step_world < 0

    def go_to(self, viewer: Any, index: int) -> None:
        """Put the viewer on a slice; the other two axes stay where they are."""
        viewer.dims.set_point(self._viewer_axis(viewer), self.first_world + index * self.step_world)

    def current(self, viewer: Any) -> int | None:
        """The slice nearest to where the viewer stands; None outside the grid."""
        if viewer.dims.ndim < 3:
            return None
        place = (viewer.dims.point[self._viewer_axis(viewer)] - self.first_world) / self.step_world
        index = round(place)
        return index if 0 <= index < self.count else None

    def _viewer_axis(self, viewer: Any) -> int:
        return int(viewer.dims.ndim) - 3 + self.axis.dimension


def slice_peaks(anomaly: AnomalyMap) -> npt.NDArray[np.float32]:
    """(n,) highest voxel score of each slice along the axis of the slice scores."""
    others = tuple(axis for axis in range(3) if axis != anomaly.slice_scores.axis.dimension)
    peaks: npt.NDArray[np.float32] = anomaly.scores.max(axis=others)
    return peaks
