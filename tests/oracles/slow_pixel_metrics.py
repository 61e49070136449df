"""Pixel figures of many pictures as their definitions read: every cut, every region, every pair in turn."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def regions(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """Parts whose pixels touch by sides or corners."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    found = []
    while left:
        waiting = [left.pop()]
        part = set(waiting)
        while waiting:
            y, x = waiting.pop()
            for near in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if near in left:
                    left.remove(near)
                    part.add(near)
                    waiting.append(near)
        found.append(part)
    return found


def aupro(maps: np.ndarray, masks: np.ndarray, cuts: int = 200, largest: float = 0.3) -> float:
    """Trapezoids under mean overlap over the share of healthy pixels above a cut, of the cuts with less than
    ``largest``; the shares are stretched to 0 to 1."""
    parts = [(number, part) for number, mask in enumerate(masks) for part in regions(mask)]
    low, high = float(maps.min()), float(maps.max())
    points = []
    for cut in (low + (high - low) * step / cuts for step in range(cuts)):
        above = maps > cut
        overlap = np.mean([np.mean([above[number][place] for place in part]) for number, part in parts])
        wrong = above[~masks].mean()
        if wrong < largest:
            points.append((wrong, overlap))
    points.sort()
    shares = [share for share, _ in points]
    total = 0.0
    for (left, low_), (right, high_) in pairwise(points):
        total += (right - left) * (low_ + high_) / 2
    return total / (shares[-1] - shares[0])


def auroc(scores: np.ndarray, marked: np.ndarray) -> float:
    """The chance that a marked one scores higher than another; ties count half."""
    ours, others = scores[marked][:, None], scores[~marked][None]
    return float(np.mean((ours > others) + 0.5 * (ours == others)))
