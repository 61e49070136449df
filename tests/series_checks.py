"""What reading a series has to give, and whether it did: compared voxel by voxel at its place in millimetres."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from grisaille.core.errors import GrisailleError
from grisaille.io.study import read_volume

SAME_INDEX = 0.02
"""How far, in voxels, a voxel may lie from where it should: jitter within measure moves it that much."""


@dataclass(frozen=True, eq=False)
class Truth:
    """(z, y, x) values, and (4, 4) from index to LPS millimetres, listed z, y, x."""

    voxels: np.ndarray
    affine: np.ndarray


@dataclass(frozen=True)
class Reads:
    """The volume has to be ``truth``, and ``said`` (a pattern) stands in its verdict or its warnings."""

    truth: Truth
    said: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refuses:
    """There has to be this error, with a sentence that ``said`` matches."""

    error: type[GrisailleError]
    said: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A folder of files, and what each way of reading it has to give; ``also`` is no mistake in another reader."""

    name: str
    build: Callable[[Path], object]
    expected: tuple[Reads | Refuses, ...]
    also: Truth | None = None


@dataclass(frozen=True)
class Outcome:
    """What a reading did, in words, and whether that is right."""

    words: str
    is_right: bool


def outcome(expected: Reads | Refuses, folder: Path) -> Outcome:
    """Read the folder as ``expected`` says and compare."""
    asked = ", ".join(f"{name}={value!r}" for name, value in expected.options.items())
    begin = f"{asked}: " if asked else ""
    try:
        volume = read_volume(folder, **expected.options)
    except GrisailleError as error:
        sentence = f"{type(error).__name__}: {error}"
        fits = isinstance(expected, Refuses) and isinstance(error, expected.error)
        return Outcome(f"{begin}{sentence}", fits and re.search(expected.said, sentence) is not None)
    geometry = volume.provenance.geometry
    notes = "; ".join([geometry, *(said for said in volume.provenance.warnings if geometry not in said)])
    if isinstance(expected, Refuses):
        return Outcome(f"{begin}read, and should not be; {notes}", False)
    wrong = difference(volume.voxels, volume.grid.affine, expected.truth)
    return Outcome(
        f"{begin}{wrong or 'values and places right'}; {notes}",
        not wrong and re.search(expected.said, notes) is not None,
    )


def difference(voxels: np.ndarray, affine_zyx: np.ndarray, truth: Truth) -> str:
    """In what a volume differs from the truth, voxel by voxel at its place, whatever its axes; empty if in nothing."""
    shape, spacing = "x".join(map(str, voxels.shape)), np.linalg.norm(affine_zyx[:3, :3], axis=0)
    have = f"{shape} voxels of {' x '.join(f'{step:.4g}' for step in spacing)} mm"
    if voxels.size != truth.voxels.size:
        return f"{have}, not {'x'.join(map(str, truth.voxels.shape))}"
    indices = np.stack(np.indices(truth.voxels.shape), axis=-1)
    places = indices @ truth.affine[:3, :3].T + truth.affine[:3, 3]
    there = (places - affine_zyx[:3, 3]) @ np.linalg.inv(affine_zyx[:3, :3]).T
    nearest = np.rint(there).astype(int)
    if np.abs(there - nearest).max() > SAME_INDEX or (nearest < 0).any() or (nearest >= voxels.shape).any():
        worst = np.linalg.norm(
            (there - np.clip(nearest, 0, np.array(voxels.shape) - 1)) @ affine_zyx[:3, :3].T, axis=-1
        )
        return f"{have}, places wrong by up to {worst.max():.2f} mm"
    found = voxels[tuple(np.moveaxis(nearest, -1, 0))]
    apart = np.abs(found.astype(float) - truth.voxels)
    if (apart > 1e-6 * np.abs(truth.voxels) + 1e-9).any():
        return f"{have}, values wrong by up to {apart.max():.5g}"
    return ""
