"""A part of a result painted over again, where a person asks for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.errors import InputError
from grisaille.core.former import Former
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.imaging.findings import components
from grisaille.methods.base import Repaintable


@dataclass(frozen=True, eq=False)
class Repainted:
    """The map after it, what it was before, and the volume of what was asked for."""

    anomaly: AnomalyMap
    former: Former
    region_ml: float


def repaint(
    study: Study, anomaly: AnomalyMap, method: Repaintable, region: npt.NDArray[np.bool_], run: Run | None = None
) -> Repainted:
    """Paint a region over again.

    Parameters
    ----------
    study, anomaly
        As the method scored the one and gave the other.
    region
        (z, y, x) on the grid of ``anomaly``; the method adds its margin.

    Raises
    ------
    InputError
        If there is nothing of the body in the region, or the map is another method's.
    """
    after = method.repaint(study, anomaly, region, run or Run())
    return Repainted(after, Former.of(anomaly, after), int(np.count_nonzero(region)) * anomaly.grid.voxel_ml)


def asked_region(labels: Labels, before: Labels, number: int | None = None) -> npt.NDArray[np.bool_]:
    """What a person points at: everything marked that hangs together with what was painted on since ``before``.

    A stroke on a part of a lesion means the lesion: painted in part, it would be filled from its own
    rest. What was erased is no stroke.

    Parameters
    ----------
    labels, before
        On one grid.
    number
        The label meant where nothing was painted.

    Raises
    ------
    InputError
        If nothing was painted, and no label is meant.
    """
    marked = labels.voxels > 0
    strokes = marked & (labels.voxels != before.voxels)
    if strokes.any():
        parts = components(marked)
        touched = np.zeros(int(parts.max()) + 1, dtype=bool)
        touched[parts[strokes]] = True
        of_strokes: npt.NDArray[np.bool_] = touched[parts]
        return of_strokes
    region: npt.NDArray[np.bool_] = labels.voxels == (number or 0)
    if not number or not region.any():
        raise InputError("nothing was painted yet; paint on the labels where to repaint, or choose a finding")
    return region
