"""One synthetic patient before any grid looks at them: size, form, habitus, and their random streams."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from grisaille.phantom.canvas import Frame
from grisaille.phantom.fields import SmoothField
from grisaille.phantom.shapes import Point
from grisaille.phantom.tissues import Palette


class Arms(StrEnum):
    """Where the arms lie."""

    UP = "up"
    DOWN = "down"
    RANDOM = "random"


WARP_MM = 6.0
WARP_KNOTS_MM = 90.0


@dataclass(frozen=True)
class Person:
    """A patient made of a seed; the same seed is the same patient on every grid.

    ``arms`` is up or down.
    """

    seed: int
    arms: Arms = Arms.UP

    def rng(self, what: str) -> np.random.Generator:
        """A stream of its own for each purpose, so that no part depends on what else was drawn."""
        return np.random.default_rng([self.seed, zlib.crc32(what.encode())])

    def smooth(self, what: str, knots_mm: float) -> SmoothField:
        """A smooth field of its own for each purpose."""
        return SmoothField.drawn(self.rng(what), knots_mm)

    @cached_property
    def frame(self) -> Frame:
        """Size and smooth deformation."""
        z, y, x = np.clip(1.0 + self.rng("size").normal(size=3) * (0.04, 0.05, 0.05), 0.88, 1.12)
        warp = (
            self.smooth("warp z", WARP_KNOTS_MM),
            self.smooth("warp y", WARP_KNOTS_MM),
            self.smooth("warp x", WARP_KNOTS_MM),
        )
        return Frame((float(z), float(y), float(x)), warp, WARP_MM)

    @cached_property
    def palette(self) -> Palette:
        """HU and SUV of each tissue."""
        return Palette.drawn(self.rng("palette"))

    @cached_property
    def fat_mm(self) -> float:
        """Thickness of the fat under the skin at the flank."""
        return float(np.clip(15.0 * np.exp(0.4 * self.rng("fat").normal()), 6.0, 32.0))

    @cached_property
    def is_female(self) -> bool:
        """Which pelvic organs and chest outline to build."""
        return bool(self.rng("sex").random() < 0.5)

    def place(self, what: str, centre: Point, sd_mm: float = 4.0) -> Point:
        """An organ's place, moved at random by about ``sd_mm`` along each axis."""
        z, y, x = np.asarray(centre) + sd_mm * np.clip(self.rng(f"place {what}").normal(size=3), -2.2, 2.2)
        return float(z), float(y), float(x)

    def size(self, what: str, semi: Point, spread: float = 0.07) -> Point:
        """An organ's semi-axes, each scaled at random by about ``spread``."""
        factors = np.exp(spread * np.clip(self.rng(f"size {what}").normal(size=3), -2.2, 2.2))
        z, y, x = np.asarray(semi) * factors
        return float(z), float(y), float(x)
