"""Windows: which part of HU or SUV becomes the range from black to white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import ConfigError


@dataclass(frozen=True)
class Window:
    """A named range of values, in the unit of the volume it is meant for."""

    name: str
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigError(f"window {self.name!r} runs from {self.low} to {self.high}; its low end must be lower")

    @classmethod
    def of(cls, name: str, width: float, level: float) -> Window:
        """A window as radiologists write it: width and level (centre)."""
        return cls(name, level - width / 2, level + width / 2)

    @property
    def limits(self) -> tuple[float, float]:
        """Low and high, as napari's contrast limits take them."""
        return self.low, self.high


CT_WINDOWS: tuple[Window, ...] = (
    Window.of("soft", 400, 40),
    Window.of("lung", 1400, -500),
    Window.of("bone", 1000, 400),
    Window.of("brain", 100, 50),
    Window.of("abdomen", 350, 40),
)
"""In HU."""

PET_RANGES: tuple[Window, ...] = (
    Window("0-5", 0, 5),
    Window("0-7", 0, 7),
    Window("0-10", 0, 10),
    Window("0-15", 0, 15),
    Window("0-20", 0, 20),
)
"""In SUVbw."""


def windowed(values: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.float32]:
    """``values`` mapped linearly so that ``low`` is 0 and ``high`` is 1, clipped to 0..1."""
    if not low < high:
        raise ConfigError(f"a window runs from {low} to {high}; its low end must be lower")
    scaled = (np.asarray(values, dtype=np.float32) - np.float32(low)) / np.float32(high - low)
    return np.clip(scaled, 0, 1, out=scaled)
