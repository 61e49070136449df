"""Organs: how unlike healthy tissue each one is, in numbers and in its own units."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import frozen, require_shape
from grisaille.core.labels import Labels

THRESHOLDS = "thresholds"
"""What organs are said to be made of that no label image brought."""


@dataclass(frozen=True)
class Organ:
    """One organ of a result, a row of the organ table.

    Scores are those of its voxels that the method judged, its edge left out where that was asked for.
    One z is one standard deviation of the organ's own scores, ``(score - median) / (1.4826 MAD)``;
    where they are too few or too even to tell it, that of the other organs, and ``borrowed`` says so.

    The top component is the first part of the organ that hangs together over about 1 ml as a cut is lowered
    from the highest score: one voxel of noise is none. ``z_top`` is its mean z, by which organs are ranked;
    what it lacks to 1 ml counts as z 0. ``score_top`` is its mean score, the centroid its own in LPS millimetres.

    ``volume_ml`` is measured where the labels were drawn. ``percentile`` is among healthy studies, None without a
    reference that knows the organ; SUV without a PET in SUVbw and HU without a CT are None.
    """

    id: int
    name: str
    volume_ml: float
    z_top: float
    z_max: float
    percentile: float | None
    score_mean: float
    score_p95: float
    score_p99: float
    score_max: float
    score_top: float
    top_ml: float
    centroid_l_mm: float
    centroid_p_mm: float
    centroid_s_mm: float
    suv_max: float | None
    suv_mean: float | None
    hu_mean: float | None
    borrowed: bool = False


ORGAN_COLUMNS: tuple[str, ...] = tuple(one.name for one in fields(Organ))
"""Columns of ``organs.csv``, in order."""


@dataclass(frozen=True, eq=False)
class OrganMap:
    """The organs of a result in space.

    Parameters
    ----------
    labels
        On the grid of the anomaly map.
    z
        (z, y, x) float32: each voxel's score in the units of its organ; 0 outside organs and where nothing was judged.
    edge_mm
        How deep the edge of each organ was left out of its statistics.
    made_of
        Where the labels came from: the name of a file or layer, or ``THRESHOLDS``.
    reference
        Name of the reference cohort's file, or empty.
    """

    labels: Labels
    z: npt.NDArray[np.float32]
    edge_mm: float = 0.0
    made_of: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        z = frozen(self.z, np.float32)
        require_shape(z, self.labels.grid.shape, "an organ anomaly map")
        object.__setattr__(self, "z", z)
