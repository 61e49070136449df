"""Findings measured the plain way: loops over voxels, nothing shared with grisaille but numpy.

Used by tests/imaging/test_findings.py to check the fast versions.
"""

from __future__ import annotations

import itertools
import math

import numpy as np


def flood_fill(mask, connectivity):
    """Components as a set of frozensets of (z, y, x), joined only where the values are equal."""
    reach = {6: 1, 18: 2, 26: 3}[connectivity]
    steps = [d for d in itertools.product((-1, 0, 1), repeat=3) if 0 < sum(map(abs, d)) <= reach]
    left = {tuple(int(i) for i in place) for place in np.argwhere(mask)}
    found = set()
    while left:
        seed = left.pop()
        part, open_ = {seed}, [seed]
        while open_:
            here = open_.pop()
            for step in steps:
                there = tuple(a + b for a, b in zip(here, step, strict=True))
                if there in left and mask[there] == mask[here]:
                    left.remove(there)
                    part.add(there)
                    open_.append(there)
        found.add(frozenset(part))
    return found


def place(affine, index):
    """Millimetres (z, y, x) of an index."""
    return [sum(affine[r][c] * index[c] for c in range(3)) + affine[r][3] for r in range(3)]


def axes(voxels, affine):
    """Long and short axis over the axial slices: every pair of edge midpoints is tried."""
    best = (0.0, 0.0)
    for z in {v[0] for v in voxels}:
        points = [
            np.array(place(affine, (z, y + dy, x + dx)))
            for zz, y, x in voxels
            if zz == z
            for dy, dx in ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5))
        ]
        normal = np.cross(np.array(affine)[:3, 1], np.array(affine)[:3, 2])
        normal /= np.linalg.norm(normal)
        pairs = [(np.linalg.norm(a - b), a - b) for a, b in itertools.combinations(points, 2)]
        longest = max(length for length, _ in pairs)
        for length, step in pairs:
            if length > longest - 1e-6:
                across = np.cross(normal, step / length)
                reach = [float(p @ across) for p in points]
                short = max(reach) - min(reach)
                if longest > best[0] + 1e-6 or (longest > best[0] - 1e-6 and short > best[1]):
                    best = (float(longest), short)
    return best


def sphere_shares(affine, radius_mm, part_mm):
    """Share inside a sphere at the origin of each voxel near it, by the chords of lines along x.

    The lines of a voxel lie no farther apart than ``part_mm``; a chord is where |start + t x|^2 <= radius^2.
    """
    columns = np.array(affine)[:3, :3]
    reach = 1 + max(math.ceil(radius_mm * np.linalg.norm(row)) for row in np.linalg.inv(columns))
    counts = [math.ceil(np.linalg.norm(column) / part_mm) for column in columns.T[:2]]
    sub = np.array(list(itertools.product(*([(i + 0.5) / parts - 0.5 for i in range(parts)] for parts in counts))))
    x = columns[:, 2]
    shares = {}
    for k, j, i in itertools.product(range(-reach, reach + 1), repeat=3):
        start = (sub + np.array([k, j])) @ columns[:, :2].T
        middle = -(start @ x) / (x @ x)
        left = middle**2 - ((start**2).sum(axis=1) - radius_mm**2) / (x @ x)
        half = np.sqrt(np.maximum(left, 0.0))
        length = np.minimum(middle + half, i + 0.5) - np.maximum(middle - half, i - 0.5)
        share = float(np.mean(np.maximum(length, 0.0)))
        if share:
            shares[(k, j, i)] = share
    return shares


def peak(suv, voxels, shares):
    """Largest weighted mean over the centres; what lies outside the image does not count."""
    means = []
    for centre in voxels:
        total = weight = 0.0
        for step, share in shares.items():
            there = tuple(a + b for a, b in zip(centre, step, strict=True))
            if all(0 <= i < n for i, n in zip(there, suv.shape, strict=True)):
                total += share * float(suv[there])
                weight += share
        means.append(total / weight)
    return max(means)


def nearest(index):
    """The voxel that holds a fractional index; what lies between two belongs to the upper one."""
    return tuple(math.floor(float(i) + 0.5 + 1e-6) for i in index)


def inside(voxels, affine, shape, other_affine):
    """Voxels of another grid whose centres lie in one of ``voxels``; where none, those that hold their centres."""
    back = np.linalg.inv(np.array(affine))
    found = set()
    for index in itertools.product(*map(range, shape)):
        here = back @ [*place(other_affine, index), 1.0]
        if nearest(here[:3]) in voxels:
            found.add(index)
    if not found:
        there = np.linalg.inv(np.array(other_affine))
        for voxel in voxels:
            index = nearest((there @ [*place(affine, voxel), 1.0])[:3])
            if all(0 <= i < n for i, n in zip(index, shape, strict=True)):
                found.add(index)
    return found
