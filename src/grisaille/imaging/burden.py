"""All findings of a label image added up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grisaille.core.burden import Burden
from grisaille.core.finding import Finding
from grisaille.core.labels import Labels
from grisaille.imaging.feret import largest_distance, row_ends


def burden_of(findings: Sequence[Finding], labels: Labels | None, *, connectivity: int = 26) -> Burden:
    """Number, volume, total lesion glycolysis, hottest uptake and spread of all findings.

    Volume and distances are those of the mask as it was drawn, on its own grid. A distance needs
    two findings: of one there is none, which is not 0.

    Parameters
    ----------
    findings
        As ``find_findings`` measured them on ``labels``, with this ``connectivity``.
    labels
        For the distance between voxels, which is None without them.
    """
    tlg = [one.tlg for one in findings if one.tlg is not None]
    hottest = [one.suv_max for one in findings if one.suv_max is not None]
    is_spread = len(findings) > 1
    centroids = np.array([(one.centroid_s_mm, one.centroid_p_mm, one.centroid_l_mm) for one in findings])
    return Burden(
        findings=len(findings),
        volume_ml=float(sum(one.volume_ml for one in findings)),
        tlg=float(sum(tlg)) if tlg else None,
        suv_max=max(hottest, default=None),
        dmax_mm=largest_distance(centroids) if is_spread else None,
        dmax_voxels_mm=_reach_mm(labels) if is_spread and labels is not None else None,
        connectivity=connectivity,
    )


def _reach_mm(labels: Labels) -> float:
    """Largest distance between the centres of two marked voxels."""
    return largest_distance(labels.grid.to_mm(row_ends(labels.voxels > 0)))
