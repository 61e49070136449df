"""How a volume becomes rows of features: what the presets do differently, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.core.volume import Volume
from grisaille.imaging.slices import Canvas, SliceStack, letterboxed, native
from grisaille.methods.mvg.config import MvgConfig, Numerics, Preset
from grisaille.methods.mvg.features import LevelPatches, Maps, patch_features, patches_of, pooled_features, strides
from grisaille.methods.mvg.lattice import Lattice
from grisaille.methods.mvg.levels import CellRule, FieldRule, LevelRule, PooledRule, ReferenceRule

if TYPE_CHECKING:
    from grisaille.nn.backbone import Backbone

CELL_MM = 20.0
"""Distance of padim's places in the plane: about a patch."""

NOWHERE = Lattice((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1, 1, 1))
"""A lattice of one node: functions on it are constant."""


@dataclass(frozen=True)
class Recipe:
    """The steps from a volume to rows, under one configuration."""

    config: MvgConfig

    @property
    def is_pooled(self) -> bool:
        """Whether a slice gives one vector and not patches."""
        return self.config.preset is Preset.RIPPEL2020

    @property
    def is_placed(self) -> bool:
        """Whether the place in the body matters."""
        return not self.is_pooled

    def stack(self, volume: Volume, body: npt.NDArray[np.bool_]) -> SliceStack:
        """The slices that the network sees."""
        config = self.config
        windows = config.windows(volume.modality)
        if self.is_pooled:
            return native(volume, body, windows, config.axis)
        return letterboxed(volume, body, windows, config.axis, Canvas(config.spacing_mm, config.step_mm))

    def patches(self, stack: SliceStack, backbone: Backbone) -> tuple[LevelPatches, ...]:
        """Where the rows of each level lie."""
        if self.is_pooled:
            return (_whole_slices(stack),) * len(self.config.taps)
        return tuple(patches_of(stack, stride) for stride in strides(backbone, self.config.taps))

    def features(self, stack: SliceStack, backbone: Backbone, *, run: Run, what: str) -> Iterator[Maps]:
        """For each batch of slices, a (n, rows, columns, channels) map a level."""
        config = self.config
        if self.is_pooled:
            return pooled_features(
                stack, backbone, config.taps, pixels=config.pixels, batch=config.batch, run=run, what=what
            )  # fmt: skip
        return patch_features(stack, backbone, config.taps, batch=config.batch, run=run, what=what)

    def lattice(self, low_mm: npt.ArrayLike, high_mm: npt.ArrayLike) -> Lattice:
        """The nodes on which healthy means are learned, over a box of places in the body."""
        if self.config.preset is Preset.VOLUME:
            step = self.config.node_mm
            return Lattice.around(low_mm, high_mm, (step, step, step))
        if self.config.preset is Preset.PADIM:
            low, high = np.array(low_mm, dtype=np.float64), np.array(high_mm, dtype=np.float64)
            low[0] = high[0] = (low[0] + high[0]) / 2
            return Lattice.around(low, high, (1.0, CELL_MM, CELL_MM))
        return NOWHERE

    def rule(self, lattice: Lattice) -> LevelRule[Any]:
        """How rows of a level are summed up and modelled."""
        if self.config.preset is Preset.VOLUME:
            return FieldRule(lattice, self.config.stiffness)
        if self.config.preset is Preset.PADIM:
            return CellRule(lattice)
        if self.config.numerics is Numerics.REFERENCE:
            return ReferenceRule()
        return PooledRule(self.config.reduction, self.config.share)

    def scale_lattice(self, lattice: Lattice) -> Lattice | None:
        """The nodes on which usual distances are learned; None where distances are taken as they are."""
        if self.is_pooled:
            return None
        return lattice if self.config.preset is Preset.VOLUME else NOWHERE


def _whole_slices(stack: SliceStack) -> LevelPatches:
    """One patch a slice, as large as the slice."""
    slices, rows, columns = stack.grid.shape
    affine = np.array(stack.grid.affine)
    affine[:3, 3] = stack.grid.to_mm((0, (rows - 1) / 2, (columns - 1) / 2))
    affine[:3, 1] *= rows
    affine[:3, 2] *= columns
    return LevelPatches(Grid((slices, 1, 1), affine), np.asarray(stack.body.any(axis=(1, 2)))[:, None, None])
