"""Whether two grids have a place in common, however they are turned."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import GridMismatch
from grisaille.core.grid import Grid
from grisaille.core.study import Study

_HARDLY_MM = 1e-6
"""What two fields of view have to share; grids that only touch share nothing."""


def overlap(one: Grid, other: Grid) -> bool:
    """Whether the fields of view, from voxel edge to voxel edge, of two grids share a place.

    Two parallelepipeds are apart just where a plane lies between them, and then one does that is
    parallel to a face of one of them or to an edge of each (theorem of the separating axis).
    """
    first, second = _corners_mm(one), _corners_mm(other)
    for axis in _candidates(one, other):
        near, far = first @ axis, second @ axis
        if min(near.max(), far.max()) - max(near.min(), far.min()) < _HARDLY_MM:
            return False
    return True


def require_overlap(study: Study) -> None:
    """Raise ``GridMismatch`` if a study's CT and PET have no place in common."""
    ct, pet = study.ct, study.pet
    if ct is not None and pet is not None and not overlap(ct.grid, pet.grid):
        raise GridMismatch(
            f"the CT ({ct.grid}) and the PET ({pet.grid}) have no place in common; give two of one examination"
        )


def _candidates(one: Grid, other: Grid) -> npt.NDArray[np.float64]:
    """(n, 3) unit normals of the planes that may part them."""
    edges = [grid.directions.T for grid in (one, other)]
    normals = [np.cross(rows[i], rows[j]) for rows in edges for i, j in ((0, 1), (1, 2), (2, 0))]
    normals += [np.cross(row, column) for row in edges[0] for column in edges[1]]
    lengths = np.linalg.norm(normals, axis=1)
    is_one = lengths > 1e-9  # parallel edges span no plane
    candidates: npt.NDArray[np.float64] = np.asarray(normals)[is_one] / lengths[is_one, None]
    return candidates


def _corners_mm(grid: Grid) -> npt.NDArray[np.float64]:
    ends = [(-0.5, size - 0.5) for size in grid.shape]
    return grid.to_mm(np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(8, 3))
