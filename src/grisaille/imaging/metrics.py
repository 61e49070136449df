"""How well a segmentation and its scores agree with a truth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import require_shape
from grisaille.core.packages import require
from grisaille.imaging.findings import components

AUTOPET_CONNECTIVITY = 18
"""Neighbours that join voxels in the autoPET challenge's own evaluation."""

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.unsignedinteger]


def dice(marked: Mask, truth: Mask) -> float | None:
    """Twice the overlap by the sum of both, 0 to 1; None where there is nothing to find.

    Parameters
    ----------
    marked, truth
        (z, y, x) of one shape.
    """
    require_shape(marked, truth.shape, "a segmentation to compare")
    wanted = np.count_nonzero(truth)
    if not wanted:
        return None
    return 2.0 * np.count_nonzero(marked & truth) / (np.count_nonzero(marked) + wanted)


def unmatched_ml(mask: Mask, other: Mask, voxel_ml: float, connectivity: int = AUTOPET_CONNECTIVITY) -> float:
    """Volume of those connected components of ``mask`` that ``other`` overlaps nowhere, in millilitres.

    Of marked against true voxels this is autoPET's false-positive volume, of true against marked
    its false-negative volume. Source: Gatidis et al., autoPET challenge 2022, evaluation.
    """
    parts = components(mask, connectivity)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    sizes[parts[other]] = 0
    return float(sizes.sum()) * voxel_ml


def false_findings(findings: Numbers, truth: Mask) -> int:
    """How many of the numbered findings overlap no true voxel.

    Parameters
    ----------
    findings
        (z, y, x) 0 where there is none.
    """
    present = np.bincount(findings.ravel()) > 0
    present[0] = False
    present[findings[truth]] = False
    return int(np.count_nonzero(present))


def covered_shares(marked: Mask, lesions: Numbers) -> npt.NDArray[np.float64]:
    """Share of each lesion's voxels that are marked, by ascending lesion number.

    Parameters
    ----------
    lesions
        (z, y, x) 0 where there is none.

    Returns
    -------
    (n,) 0 to 1, one for each number that occurs.
    """
    sizes = np.bincount(lesions.ravel())
    hits = np.bincount(lesions[marked], minlength=len(sizes))
    there = np.flatnonzero(sizes[1:]) + 1
    shares: npt.NDArray[np.float64] = hits[there] / sizes[there]
    return shares


def lesion_dices(findings: Numbers, lesions: Numbers) -> npt.NDArray[np.float64]:
    """Dice of each lesion with all findings that touch it, by ascending lesion number.

    A finding that touches several lesions counts whole for each of them.

    Returns
    -------
    (n,) 0 to 1; 0 for a lesion that nothing touches.
    """
    sizes, spread = np.bincount(lesions.ravel()), np.bincount(findings.ravel())
    both = (lesions > 0) & (findings > 0)
    pairs, overlaps = np.unique(np.stack([lesions[both], findings[both]]), axis=1, return_counts=True)
    there = np.flatnonzero(sizes[1:]) + 1
    shared, touching = np.zeros(len(sizes)), np.zeros(len(sizes))
    np.add.at(shared, pairs[0], overlaps)
    np.add.at(touching, pairs[0], spread[pairs[1]])
    dices: npt.NDArray[np.float64] = 2 * shared[there] / (sizes[there] + touching[there])
    return dices


def average_precision(scores: npt.NDArray[np.floating], truth: Mask, judged: Mask) -> float | None:
    """Area under precision over recall of the judged voxels and the true ones; None where nothing is true.

    Parameters
    ----------
    scores, truth, judged
        (z, y, x) of one shape.

    Raises
    ------
    MissingDependency
        If scikit-learn is not installed.
    """
    if not truth.any():
        return None
    require("sklearn")
    from sklearn.metrics import average_precision_score

    counted = judged | truth
    return float(average_precision_score(truth[counted], scores[counted]))
