"""Where along the body a study lies, learned from healthy bodies whose origins nobody knows.

Scanners put z = 0 anywhere, and a study is a station of a body. First a ridge regression
predicts a plane's place from its small picture; each training body has an unknown offset of
its own (fixed effects), which demeaning within the body removes. Then the bodies are slid
along their common profile until the planes fit best, and the profile is made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.errors import InputError
from grisaille.methods.mvg.frame import BodyFrame
from grisaille.methods.mvg.gaussian import Array

RIDGE_SHARE = 1.0
"""Of the planes' number, on standardised pictures: firm, as bodies differ more than planes of one body."""

STEP_MM = 4.0
SEARCH_MM = 120.0
"""How far from the regression's guess the profile is searched."""

PROFILE_SMOOTH_MM = 8.0
ROUNDS = 4
MOST_MISFIT = 4.0
"""Of one value, squared; bounded, so that a lesion or a plane beyond the profile cannot pull a body along."""

Planes = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PositionModel:
    """The common coordinate along the body, in millimetres.

    Parameters
    ----------
    mean, scale
        (d,) of the pictures; they are standardised before all else.
    slope
        (d,), from a standardised picture to a coordinate.
    low_mm
        Coordinate of the profile's first node.
    profile
        (nodes, d) mean of standardised pictures every ``STEP_MM``.
    """

    mean: Array
    scale: Array
    slope: Array
    low_mm: float
    profile: Array

    @classmethod
    def fit(cls, bodies: Sequence[tuple[Array, Planes]]) -> tuple[Self, list[float]]:
        """From each body's (p,) z_mm and (p, d) pictures; the model and each body's offset."""
        if not bodies:
            raise InputError("no bodies to learn a position from; give at least one healthy study")
        stacked = np.concatenate([pictures for _, pictures in bodies]).astype(np.float64)
        mean, scale = stacked.mean(axis=0), np.maximum(stacked.std(axis=0), 1e-3)
        standard = [(z, (pictures - mean) / scale) for z, pictures in bodies]
        slope = _slope(standard)
        offsets = [float(np.median(pictures @ slope - z)) for z, pictures in standard]
        for _ in range(ROUNDS):
            model = cls(mean, scale, slope, *_profile(standard, offsets))
            offsets = [
                model._slide(z, pictures, offset) for (z, pictures), offset in zip(standard, offsets, strict=True)
            ]
        return cls(mean, scale, slope, *_profile(standard, offsets)), offsets

    @property
    def extent_mm(self) -> tuple[float, float]:
        """The part of the body that was seen in training."""
        return self.low_mm, self.low_mm + (len(self.profile) - 1) * STEP_MM

    def place(self, frame: BodyFrame, pictures: Planes) -> BodyFrame:
        """``frame`` with the offset at which its planes look most like the profile."""
        standard = (pictures - self.mean) / self.scale
        guess = float(np.median(standard @ self.slope - frame.z_mm))
        return frame.shifted(self._slide(frame.z_mm, standard, guess))

    def arrays(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """For a file; inverse of ``from_arrays``. The profile is kept in half precision."""
        return {
            "mean": self.mean,
            "scale": self.scale,
            "slope": self.slope,
            "low_mm": np.array(self.low_mm),
            "profile": self.profile.astype(np.float16),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """The inverse of ``arrays``."""
        mean, scale, slope, low_mm, profile = (
            np.asarray(arrays[name], dtype=np.float64) for name in ("mean", "scale", "slope", "low_mm", "profile")
        )
        return cls(mean, scale, slope, float(low_mm), profile)

    def _slide(self, z_mm: Array, standard: Array, guess: float) -> float:
        """The offset near ``guess`` with the least mean misfit of the planes."""
        steps = np.arange(-SEARCH_MM, SEARCH_MM + STEP_MM / 2, STEP_MM)
        misfits = np.array([self._misfit(z_mm + guess + step, standard) for step in steps])
        best = int(misfits.argmin())
        if 0 < best < len(steps) - 1:  # the vertex of the parabola through the three lowest
            before, at, after = misfits[best - 1 : best + 2]
            bend = before - 2 * at + after
            return guess + float(steps[best] + (STEP_MM * (before - after) / (2 * bend) if bend > 0 else 0.0))
        return guess + float(steps[best])

    def _misfit(self, places_mm: Array, standard: Array) -> float:
        nodes = np.clip(np.round((places_mm - self.low_mm) / STEP_MM).astype(int), 0, len(self.profile) - 1)
        return float(np.minimum((standard - self.profile[nodes]) ** 2, MOST_MISFIT).mean())


def _slope(bodies: Sequence[tuple[Array, Array]]) -> Array:
    """The ridge regression of z on pictures, both demeaned within each body."""
    dimensions = bodies[0][1].shape[1]
    gram, cross, count = np.zeros((dimensions, dimensions)), np.zeros(dimensions), 0
    for z, pictures in bodies:
        centred = pictures - pictures.mean(axis=0)
        gram += centred.T @ centred
        cross += centred.T @ (z - z.mean())
        count += len(z)
    slope = np.linalg.solve(gram + RIDGE_SHARE * count * np.eye(dimensions), cross)
    return np.asarray(slope, dtype=np.float64)


def _profile(bodies: Sequence[tuple[Array, Array]], offsets: Sequence[float]) -> tuple[float, Array]:
    """The first node's place, and smoothed mean pictures every ``STEP_MM``."""
    places = [z + offset for (z, _), offset in zip(bodies, offsets, strict=True)]
    low = float(min(part.min() for part in places))
    nodes = round((max(part.max() for part in places) - low) / STEP_MM) + 1
    count, total = np.zeros((nodes, 1)), np.zeros((nodes, bodies[0][1].shape[1]))
    for place, (_, pictures) in zip(places, bodies, strict=True):
        index = np.round((place - low) / STEP_MM).astype(int)
        np.add.at(count, index, 1.0)
        np.add.at(total, index, pictures)
    sigma = PROFILE_SMOOTH_MM / STEP_MM
    near, far = (
        [ndimage.gaussian_filter1d(part, width, axis=0, mode="constant") for part in (count, total)]
        for width in (sigma, 8 * sigma)
    )
    # Nodes that no plane fell on take the wide mean of their neighbours.
    profile: Array = (near[1] + 1e-3 * far[1]) / np.maximum(near[0] + 1e-3 * far[0], 1e-12)
    # Of half precision, so that a file holds it exactly.
    return low, profile.astype(np.float16).astype(np.float64)
