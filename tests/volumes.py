"""Volumes made by hand, straight and oblique, whose every place is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from grisaille.core.grid import Grid
from grisaille.core.volume import Modality, Source, SourceFormat, Unit, Volume


def oblique_grid(shape: Sequence[int], spacing_mm: Sequence[float], degrees: Sequence[float] = (20, 10, 5)) -> Grid:
    """A grid turned about all three axes."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * np.asarray(spacing_mm)
    affine[:3, 3] = (-40.0, 15.0, -22.0)
    z, y, x = shape
    return Grid((z, y, x), affine)


def ball(grid: Grid, centre_mm: Sequence[float], radius_mm: float) -> np.ndarray:
    """(z, y, x) bool: the voxels whose centres lie in a ball."""
    indices = np.stack(np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij"), axis=-1)
    return np.linalg.norm(grid.to_mm(indices) - np.asarray(centre_mm), axis=-1) <= radius_mm


def ct_on(grid: Grid, name: str = "CT") -> Volume:
    """A CT whose values are all different, as far as int16 goes."""
    voxels = (np.arange(grid.size) % 3000 - 1000).astype(np.int16).reshape(grid.shape)
    return Volume(voxels, grid, Modality.CT, Unit.HU, name, Source(SourceFormat.NIFTI, name=name))


def pet_on(grid: Grid, name: str = "PET", unit: Unit = Unit.SUVBW) -> Volume:
    """A PET that rises from 0 to 10 (or, in Bq/ml, to 50 000) along the voxels."""
    top = 10.0 if unit is Unit.SUVBW else 50_000.0
    voxels = np.linspace(0, top, grid.size, dtype=np.float32).reshape(grid.shape)
    return Volume(voxels, grid, Modality.PET, unit, name, Source(SourceFormat.NIFTI, name=name))
