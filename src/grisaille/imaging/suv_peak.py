"""SUVpeak: the mean SUV in the best placed sphere of 1 ml."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve

from grisaille.core.grid import Grid
from grisaille.imaging.regions import Region

PEAK_RADIUS_MM = (3000.0 / (4.0 * np.pi)) ** (1 / 3)
"""Radius of a sphere of 1 ml: 6.20 mm."""

_SUBSTEP_MM = 0.4

_WHOLE = 1 - 1e-6
"""Share of a sphere from which on it counts as whole: what a Fourier transform rounds."""


class Peak(NamedTuple):
    """SUVpeak of a finding.

    ``highest`` over all centres in it, ``at_max`` centred on its hottest voxel (the first of several);
    ``is_clipped`` if one of these two spheres leaves the image.
    """

    highest: float
    at_max: float
    is_clipped: bool


def suv_peak(suv: npt.NDArray[np.floating], region: Region, grid: Grid) -> Peak:
    """Largest mean SUV in a 1 ml sphere centred on any voxel of a finding, and that in the one on its hottest voxel.

    Voxels count with the share of them inside the sphere. The sphere may leave the finding;
    where it leaves the image, the mean is over what is inside. Centres lie on voxels: a Gaussian
    of 6 mm sigma on 4 mm voxels reads 3 % (peak on a voxel) to 15 % (between voxels) below its top.

    Parameters
    ----------
    suv
        (z, y, x) of ``grid``.
    region
        The finding on ``grid``, at least one voxel.

    Source: Wahl et al. 2009 (PERCIST); QIBA FDG-PET/CT profile.
    """
    weights = sphere_weights(grid.affine[:3, :3].tobytes())
    reach = np.asarray(weights.shape) // 2
    low = np.asarray(region.start) - reach
    high = low + region.mask.shape + 2 * reach
    inside = tuple(slice(max(0, a), min(size, b)) for a, b, size in zip(low, high, suv.shape, strict=True))
    margins = [(max(0, -a), max(0, b - size)) for a, b, size in zip(low, high, suv.shape, strict=True)]
    crop = np.pad(suv[inside].astype(np.float64), margins)
    means = fftconvolve(crop, weights, mode="valid")[region.mask]  # symmetric weights: convolution is correlation
    seen = np.ones_like(means)
    if np.any(margins):
        is_image = np.pad(np.ones_like(suv[inside], dtype=np.float64), margins)
        seen = fftconvolve(is_image, weights, mode="valid")[region.mask]
        means = means / seen
    best, hottest = int(means.argmax()), int(region.values(suv).argmax())
    is_clipped = bool(min(seen[best], seen[hottest]) < _WHOLE)
    return Peak(float(means[best]), float(means[hottest]), is_clipped)


@lru_cache(maxsize=32)
def sphere_weights(directions: bytes) -> npt.NDArray[np.float64]:
    """Share of each voxel inside a 1 ml sphere centred on the middle one, scaled to sum 1.

    Parameters
    ----------
    directions
        Bytes of the (3, 3) float64 part of a grid's affine: hashable, for the cache.

    Returns
    -------
    (z, y, x) of odd sizes.
    """
    matrix = np.frombuffer(directions).reshape(3, 3)
    reach = np.ceil(np.linalg.norm(np.linalg.inv(matrix), axis=1) * PEAK_RADIUS_MM - 0.5).astype(int).clip(0)
    parts = np.ceil(np.linalg.norm(matrix, axis=0) / _SUBSTEP_MM).astype(int)
    sizes = 2 * reach + 1
    # Each voxel is cut into parts[i] pieces along axis i; a piece across the surface counts in
    # part, by the distance of its centre: hard edges would miss the millilitre by 1 %.
    steps = [(np.arange(n * p) + 0.5) / p - n / 2 for n, p in zip(sizes, parts, strict=True)]
    squares = np.zeros([len(step) for step in steps])
    for row in matrix:
        place = row[0] * steps[0][:, None, None] + row[1] * steps[1][:, None] + row[2] * steps[2]
        squares += place**2
    edge_mm = (abs(np.linalg.det(matrix)) / parts.prod()) ** (1 / 3)
    pieces = np.clip((PEAK_RADIUS_MM - np.sqrt(squares)) / edge_mm + 0.5, 0.0, 1.0)
    shares = pieces.reshape(np.stack([sizes, parts], axis=1).ravel()).mean(axis=(1, 3, 5))
    weights: npt.NDArray[np.float64] = shares / shares.sum()
    weights.flags.writeable = False
    return weights
