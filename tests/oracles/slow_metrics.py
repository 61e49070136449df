"""Agreement of two segmentations voxel by voxel, with sets and a flood fill: slow, plain, independent."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

Voxel = tuple[int, ...]


def voxels(mask: np.ndarray) -> set[Voxel]:
    return {tuple(int(i) for i in place) for place in np.argwhere(mask)}


def parts(mask: np.ndarray, corners: int) -> Iterator[set[Voxel]]:
    """Connected parts; neighbours differ along at most ``corners`` axes: 2 is 18-connected, 3 is 26-connected."""
    steps = [step for step in itertools.product((-1, 0, 1), repeat=3) if 0 < sum(map(abs, step)) <= corners]
    left = voxels(mask)
    while left:
        waiting = [left.pop()]
        part = set(waiting)
        while waiting:
            z, y, x = waiting.pop()
            for dz, dy, dx in steps:
                near = (z + dz, y + dy, x + dx)
                if near in left:
                    left.remove(near)
                    part.add(near)
                    waiting.append(near)
        yield part


def dice(marked: np.ndarray, truth: np.ndarray) -> float:
    a, b = voxels(marked), voxels(truth)
    return 2 * len(a & b) / (len(a) + len(b))


def unmatched(mask: np.ndarray, other: np.ndarray, corners: int = 2) -> int:
    """Voxels of the parts of ``mask`` that ``other`` overlaps nowhere."""
    there = voxels(other)
    return sum(len(part) for part in parts(mask, corners) if not part & there)


def covered(marked: np.ndarray, lesions: np.ndarray) -> list[float]:
    there = voxels(marked)
    found = []
    for number in sorted(set(lesions.ravel()) - {0}):
        lesion = voxels(lesions == number)
        found.append(len(lesion & there) / len(lesion))
    return found


def lesion_dices(findings: np.ndarray, lesions: np.ndarray) -> list[float]:
    found = []
    for number in sorted(set(lesions.ravel()) - {0}):
        lesion = voxels(lesions == number)
        touching: set[Voxel] = set()
        for finding in set(findings.ravel()) - {0}:
            one = voxels(findings == finding)
            if one & lesion:
                touching |= one
        found.append(2 * len(lesion & touching) / (len(lesion) + len(touching)))
    return found


def average_precision(scores: list[float], truth: list[bool]) -> float:
    """Sum of precision times the step in recall, cut after cut; equal scores are cut together."""
    total, before = 0.0, 0.0
    for cut in sorted(set(scores), reverse=True):
        above = [true for score, true in zip(scores, truth, strict=True) if score >= cut]
        recall = sum(above) / sum(truth)
        total += (recall - before) * sum(above) / len(above)
        before = recall
    return total
