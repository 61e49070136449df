"""One volume, looked at once: its rows of features wait on disk, what is small stays in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.core.study import Case
from grisaille.core.volume import Volume
from grisaille.imaging.body import body_mask
from grisaille.imaging.resample import resample_array
from grisaille.methods.mvg.features import LevelPatches
from grisaille.methods.mvg.frame import BodyFrame, describe_planes
from grisaille.methods.mvg.gaussian import Array
from grisaille.methods.mvg.recipe import Recipe
from grisaille.methods.mvg.spool import Slot, Spool
from grisaille.methods.scan_count import counting_grid

if TYPE_CHECKING:
    from grisaille.nn.backbone import Backbone


@dataclass(frozen=True, eq=False)
class Observation:
    """The features of one volume.

    Parameters
    ----------
    grid
        Of the volume.
    body
        Where its body mask is kept, packed, on ``counting_grid(grid)``: false positives are counted there.
    frame, pictures
        Of the body, to find its place; None where the preset does not ask for it.
    patches
        A level each.
    slots
        For each level, where the rows of each batch are kept, in C order of the patches.
    """

    grid: Grid
    body: Slot
    frame: BodyFrame | None
    pictures: npt.NDArray[np.float32] | None
    patches: tuple[LevelPatches, ...]
    slots: tuple[tuple[Slot, ...], ...]

    def placed(self, frame: BodyFrame) -> Self:
        """The same, its place along the body known."""
        return replace(self, frame=frame)

    def rows(self, level: int, spool: Spool) -> npt.NDArray[np.float32]:
        """(n, d) features of the level number ``level`` of those tapped."""
        return np.concatenate([spool.get(slot) for slot in self.slots[level]])

    def places(self, level: int) -> Array:
        """(n, 3) places of those rows in the body."""
        points = self.patches[level].points_mm()
        return np.zeros_like(points) if self.frame is None else self.frame.coordinates(points)

    def body_mask(self, spool: Spool) -> npt.NDArray[np.bool_]:
        """(z, y, x) bool on ``counting_grid(grid)``."""
        grid = counting_grid(self.grid)
        return np.unpackbits(spool.get(self.body), count=grid.size).reshape(grid.shape).astype(bool)


@dataclass(frozen=True, eq=False)
class SeenCase:
    """The observations of one case by modality key, its patient's pseudonym beside them."""

    patient: str
    scans: Mapping[str, Observation]


def observe(volume: Volume, recipe: Recipe, backbone: Backbone, spool: Spool, *, run: Run, what: str) -> Observation:
    """Push the slices of ``volume`` through the network, keeping a batch of features at most.

    Raises
    ------
    UnsuitableVolume
        If there is no body in it.
    """
    body = body_mask(volume)
    stack = recipe.stack(volume, body)
    frame, pictures = describe_planes(stack) if recipe.is_placed else (None, None)
    patches = recipe.patches(stack, backbone)
    slots: tuple[list[Slot], ...] = tuple([] for _ in patches)
    done = 0
    for maps in recipe.features(stack, backbone, run=run, what=what):
        count = len(maps[0])
        for level, (values, where) in enumerate(zip(maps, patches, strict=True)):
            slots[level].append(spool.put(values[where.body[done : done + count]]))
        done += count
    coarse = resample_array(body, volume.grid, counting_grid(volume.grid), nearest=True)
    kept = spool.put(np.packbits(coarse))
    return Observation(volume.grid, kept, frame, pictures, patches, tuple(tuple(part) for part in slots))


def observe_case(case: Case, recipe: Recipe, backbone: Backbone, spool: Spool, *, run: Run, which: str) -> SeenCase:
    """Every volume of a case; ``which`` one of how many it is, the progress says."""
    scans = {
        key: observe(volume, recipe, backbone, spool, run=run, what=f"reading {key.upper()} of case {which}")
        for key, volume in case.load().volumes.items()
    }
    return SeenCase(case.patient, scans)
