"""Organs measured the plain way: sorted lists, and a cut that is lowered step by step.

Used by tests/imaging/test_organs.py to check the fast versions.
"""

from __future__ import annotations

import numpy as np

from oracles.slow_findings import flood_fill


def median(values):
    """Of a list of numbers."""
    ranked = sorted(values)
    half = len(ranked) // 2
    return ranked[half] if len(ranked) % 2 else (ranked[half - 1] + ranked[half]) / 2


def units(values):
    """Median and 1.4826 times the median absolute deviation."""
    middle = median(values)
    return middle, 1.4826 * median([abs(value - middle) for value in values])


def top_parts(scores, inside, voxels):
    """All parts, as sets of (z, y, x), that the highest cut gives which makes one of at least ``voxels``."""
    voxels = min(voxels, max(len(part) for part in flood_fill(inside, 26)))
    for cut in sorted(set(scores[inside].tolist()), reverse=True):
        parts = [part for part in flood_fill(inside & (scores >= cut), 26) if len(part) >= voxels]
        if parts:
            return [part for part in parts if len(part) == max(map(len, parts))]
    raise AssertionError


def deep(mask, spacing_mm, edge_mm):
    """Voxels further than ``edge_mm`` from every voxel of the image that is not in the mask."""
    outside = np.argwhere(~mask)
    kept = np.zeros_like(mask)
    for place in np.argwhere(mask):
        gaps = [np.linalg.norm((place - other) * spacing_mm) for other in outside]
        kept[tuple(place)] = not gaps or min(gaps) > edge_mm
    return kept
