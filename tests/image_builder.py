"""Small image files in every orientation, written by other libraries than grisaille's writers."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

ORIENTATIONS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]
"""All 48: file axis a runs along LPS axis order[a], with signs[a]."""


def affine_of(order: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    """(4, 4) to LPS (x, y, z), of numbers that float32 holds exactly."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis in range(3):
        affine[order[axis], axis] = signs[axis] * (0.75, 1.125, 3.25)[axis]
    affine[:3, 3] = (-12.5, 45.625, 78.875)
    return affine


def oblique(seed: int) -> np.ndarray:
    """(4, 4) to LPS (x, y, z) with any rotation, in numbers that float32 holds exactly."""
    draw = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.random(random_state=seed).as_matrix() * draw.uniform(0.5, 5, 3)
    affine[:3, 3] = draw.uniform(-400, 400, 3)
    return affine.astype(np.float32).astype(np.float64)


def numbers(shape: tuple[int, ...] = (3, 4, 5), dtype: Any = np.int16) -> np.ndarray:
    """An array whose every voxel has a value of its own."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def save_nifti(path: Path, array: np.ndarray, affine_lps: np.ndarray | None = None, **codes: int) -> Path:
    """Written by nibabel; ``sform`` and ``qform`` are their codes."""
    affine = np.diag([-1.0, -1, 1, 1]) @ (np.eye(4) if affine_lps is None else affine_lps)
    image = nib.Nifti1Image(array, affine, dtype=array.dtype)
    image.set_sform(affine, code=codes.get("sform", 1))
    image.set_qform(affine, code=codes.get("qform", 0))
    nib.save(image, path)
    return path


def save_itk(path: Path, array: np.ndarray, affine_lps: np.ndarray | None = None, *, compress: bool = False) -> Path:
    """(i, j, k) written by SimpleITK."""
    affine = np.eye(4) if affine_lps is None else affine_lps
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    sitk.WriteImage(image, str(path), compress)
    return path
