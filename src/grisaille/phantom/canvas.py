"""A grid on which tissues are painted, seen from the reference body."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Grid
from grisaille.phantom.fields import SmoothField
from grisaille.phantom.shapes import Point, Shape
from grisaille.phantom.tissues import Tissue

Array = npt.NDArray[np.float32]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Frame:
    """How one patient differs in size and form from the reference body.

    Parameters
    ----------
    scale
        Size along z, y, x; 1 is the reference.
    warp
        Smooth displacements along z, y, x.
    warp_mm
        Their standard deviation.
    """

    scale: Point
    warp: tuple[SmoothField, SmoothField, SmoothField]
    warp_mm: float

    @property
    def reach_mm(self) -> float:
        """No displacement is longer, but for one in a million."""
        return 4.5 * self.warp_mm


class Canvas:
    """Tissue numbers on a grid; what is painted later covers what was there.

    ``tissues`` is (z, y, x) uint8; the grid's axes must be straight.
    """

    def __init__(self, grid: Grid, frame: Frame) -> None:
        self.grid = grid
        self.frame = frame
        self.tissues = np.zeros(grid.shape, dtype=np.uint8)
        steps = [
            (origin + step * np.arange(size)) / scale
            for origin, step, size, scale in zip(grid.origin_mm, grid.spacing_mm, grid.shape, frame.scale, strict=True)
        ]
        self._lines = [line.astype(np.float32) for line in steps]
        self._places = [
            np.reshape(line, [-1 if axis == i else 1 for i in range(3)])
            + np.float32(frame.warp_mm) * field.on_lattice(*steps)
            for axis, (line, field) in enumerate(zip(self._lines, frame.warp, strict=True))
        ]

    def box(self, low: Sequence[float], high: Sequence[float]) -> Box | None:
        """The part of the grid that may hold reference places from ``low`` to ``high``; None if no part does."""
        reach = self.frame.reach_mm
        slices = []
        for line, start, stop in zip(self._lines, low, high, strict=True):
            first, last = np.searchsorted(line, (start - reach, stop + reach))
            if first == last:
                return None
            slices.append(slice(int(first), int(last)))
        return slices[0], slices[1], slices[2]

    def places(self, box: Box) -> tuple[Array, Array, Array]:
        """Reference coordinates z, y, x of the voxels in a box."""
        z, y, x = (place[box] for place in self._places)
        return z, y, x

    def field(self, field: SmoothField, box: Box) -> Array:
        """A smooth field's values in a box."""
        return field.on_lattice(*(line[part] for line, part in zip(self._lines, box, strict=True)))

    def inside(self, shape: Shape, limit: float = 1.0) -> tuple[Box, npt.NDArray[np.bool_]] | None:
        """The box of a shape and where in it the shape's field is at most ``limit``."""
        box = self.box(shape.low, shape.high)
        if box is None:
            return None
        return box, shape.field(*self.places(box)) <= np.float32(limit)

    def paint(self, shapes: Shape | Iterable[Shape], tissue: Tissue, over: Iterable[Tissue] | None = None) -> None:
        """Paint solids with a tissue, everywhere or only ``over`` some tissues."""
        allowed = _table(over)
        for shape in shapes if isinstance(shapes, Iterable) else (shapes,):
            found = self.inside(shape)
            if found is not None:
                box, mask = found
                self._fill(box, mask, tissue, allowed)

    def paint_where(
        self, box: Box, mask: npt.NDArray[np.bool_], tissue: Tissue, over: Iterable[Tissue] | None = None
    ) -> None:
        """Paint the voxels of a mask on a box."""
        self._fill(box, mask, tissue, _table(over))

    def _fill(
        self, box: Box, mask: npt.NDArray[np.bool_], tissue: Tissue, allowed: npt.NDArray[np.bool_] | None
    ) -> None:
        part = self.tissues[box]
        if allowed is not None:
            mask = mask & allowed[part]
        part[mask] = tissue


def _table(tissues: Iterable[Tissue] | None) -> npt.NDArray[np.bool_] | None:
    """(256,) whether a tissue number is one of ``tissues``."""
    if tissues is None:
        return None
    table: npt.NDArray[Any] = np.zeros(256, dtype=bool)
    table[[int(tissue) for tissue in tissues]] = True
    return table
