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

RIDGE_SHARE = 0.02
"""Of the planes' number, on standardised pictures."""

STEP_MM = 4.0
SEARCH_MM = 120.0
"""How far from the regression's guess the profile is searched."""

PROFILE_SMOOTH_MM = 8.0
ROUNDS = 4
FLOOR = 0.05
"""Least standard deviation of a picture's value, in units of its overall one."""

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
    profile, spread
        (nodes, d) mean and standard deviation of standardised pictures every ``STEP_MM``.
    """

    mean: Array
    scale: Array
    slope: Array
    low_mm: float
    profile: Array
    spread: Array

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
            low, profile, spread = _profile(standard, offsets)
            model = cls(mean, scale, slope, low, profile, spread)
            offsets = [
                model._slide(z, pictures, offset) for (z, pictures), offset in zip(standard, offsets, strict=True)
            ]
        low, profile, spread = _profile(standard, offsets)
        return cls(mean, scale, slope, low, profile, spread), offsets

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
            "profile": self.profile,
            "spread": self.spread,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """The inverse of ``arrays``."""
        values = {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}
        return cls(**{**values, "low_mm": float(values["low_mm"])})  # type: ignore[arg-type]

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
        # Bounded, so that a lesion, or a plane beyond the profile, cannot pull the whole body along.
        errors = np.minimum(np.abs((standard - self.profile[nodes]) / self.spread[nodes]), 4.0)
        return float((errors + np.log(self.spread[nodes])).mean())


def _slope(bodies: Sequence[tuple[Array, Array]]) -> Array:
    """The ridge regression of z on pictures, both demeaned within each body."""
    dimensions = bodies[0][1].shape[1]
    gram: Array = np.zeros((dimensions, dimensions))
    cross: Array = np.zeros(dimensions)
    count = 0
    for z, pictures in bodies:
        centred = pictures - pictures.mean(axis=0)
        gram += centred.T @ centred
        cross = cross + centred.T @ (z - z.mean())
        count += len(z)
    slope: Array = np.linalg.solve(gram + RIDGE_SHARE * count * np.eye(dimensions), cross)
    return slope


def _profile(bodies: Sequence[tuple[Array, Array]], offsets: Sequence[float]) -> tuple[float, Array, Array]:
    """Smoothed mean and standard deviation of the pictures every ``STEP_MM``, and the first node's place."""
    places = [z + offset for (z, _), offset in zip(bodies, offsets, strict=True)]
    low = float(min(part.min() for part in places))
    nodes = round((max(part.max() for part in places) - low) / STEP_MM) + 1
    dimensions = bodies[0][1].shape[1]
    count, first, second = np.zeros((nodes, 1)), np.zeros((nodes, dimensions)), np.zeros((nodes, dimensions))
    for place, (_, pictures) in zip(places, bodies, strict=True):
        index = np.round((place - low) / STEP_MM).astype(int)
        np.add.at(count, index, 1.0)
        np.add.at(first, index, pictures)
        np.add.at(second, index, pictures**2)
    sigma = PROFILE_SMOOTH_MM / STEP_MM
    # Nodes that no plane fell on take their neighbours' values: the tails of the filter reach far.
    tails = [ndimage.gaussian_filter1d(part, sigma, axis=0, mode="constant") for part in (count, first, second)]
    wide = [ndimage.gaussian_filter1d(part, 8 * sigma, axis=0, mode="constant") for part in (count, first, second)]
    weight, total, squares = (near + 1e-3 * far for near, far in zip(tails, wide, strict=True))
    mean: Array = total / np.maximum(weight, 1e-12)
    variance = squares / np.maximum(weight, 1e-12) - mean**2
    return low, mean, np.sqrt(np.maximum(variance, FLOOR**2))
