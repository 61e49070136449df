"""How unlike healthy tissue each voxel is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import frozen, require_shape
from grisaille.core.calibration import Calibration
from grisaille.core.errors import ConfigError, InputError, ShapeError
from grisaille.core.grid import Axis, Grid
from grisaille.core.measure import SCORES, Measure
from grisaille.core.study import Study
from grisaille.core.volume import Source, Volume, read_only

BODY = "body"
"""Key of the body mask among the extras of an anomaly map."""

ORGANS = "organs"
"""Key of the organs' label numbers among the extras, where there is to be a threshold for each."""


@dataclass(frozen=True, eq=False)
class SliceScores:
    """One score a slice of the reference grid along ``axis``; (n,) float32."""

    axis: Axis
    values: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "axis", Axis(self.axis))
        object.__setattr__(self, "values", frozen(self.values, np.float32))


@dataclass(frozen=True, eq=False)
class AnomalyMap:
    """The scores of a study, before any threshold.

    Parameters
    ----------
    scores
        (z, y, x) float32, finite; higher is less like healthy tissue; 0 outside the body.
    slice_scores
        One score a slice.
    grid
        The study's reference grid.
    calibration
        What a cut through ``scores`` costs on healthy scans.
    healthy
        The healthy twin, each volume on the grid of its original, where the method paints one.
    extras
        What re-labelling needs; ``body`` is the mask of voxels that were judged.
    source
        The file order of the reference volume.
    measures
        What the method tells of each finding besides the score.
    incomplete
        In a few words, what of the study was not looked at yet; empty for a whole map.
    by_odds
        Whether scores are shares from 0 to 1, as of a softmax: how far they spread is then told of their log-odds,
        since next to 0 and 1 they hardly can.
    """

    scores: npt.NDArray[np.float32]
    slice_scores: SliceScores
    grid: Grid
    calibration: Calibration
    healthy: Study | None = None
    extras: Mapping[str, Volume] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    measures: tuple[Measure, ...] = ()
    incomplete: str = ""
    by_odds: bool = False

    def __post_init__(self) -> None:
        scores = frozen(self.scores, np.float32)
        require_shape(scores, self.grid.shape, "an anomaly map")
        if not np.isfinite(scores).all():
            raise InputError("an anomaly map holds NaN or infinite scores")
        slices = self.grid.shape[self.slice_scores.axis.dimension]
        if self.slice_scores.values.shape != (slices,):
            raise ShapeError(f"{self.slice_scores.values.size} slice scores for {slices} slices")
        missing = sorted({one.of for one in self.measures} - {SCORES, *self.extras})
        if missing:
            raise InputError(f"the anomaly map measures {', '.join(missing)}, which is not among its extras")
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "extras", read_only(self.extras))

    @property
    def body(self) -> npt.NDArray[np.bool_]:
        """(z, y, x) the voxels that were judged; all of them where no mask was kept."""
        if BODY not in self.extras:
            return np.ones(self.grid.shape, dtype=bool)
        return self.extras[BODY].voxels.astype(bool)

    @property
    def organs(self) -> npt.NDArray[np.uint16] | None:
        """(z, y, x) the number of the organ that each voxel lies in, 0 for none; None where no organs were given."""
        return np.asarray(self.extras[ORGANS].voxels, dtype=np.uint16) if ORGANS in self.extras else None

    def cut_of_share(self, share: float) -> float:
        """The score that this share of the judged voxels reaches; it promises nothing.

        Raises
        ------
        ConfigError
            If the share is not above 0 and at most 1.
        """
        if not 0 < share <= 1:
            raise ConfigError(f"the most anomalous share of the body is {share}, expected more than 0 and at most 1")
        scores = self.scores[self.body]
        return float(np.quantile(scores, 1 - share)) if scores.size else np.inf
