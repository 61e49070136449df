"""A study as CLIP looks at it: slices of true shape in planes and windows, cut into tiles where they are large."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import UnsuitableVolume
from grisaille.core.grid import Axis, Grid
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Volume
from grisaille.imaging.body import body_mask
from grisaille.imaging.intensity import windowed
from grisaille.imaging.slices import Canvas, SliceStack, letterboxed
from grisaille.methods.anomalyclip.config import AnomalyClipConfig

KEYS = (Modality.CT.key, Modality.PET.key)
"""What has a window, so that it can be looked at."""

OVERLAP = 0.25
"""Share of a tile that neighbours see too, at the least."""

Tile = tuple[slice, slice]
"""Rows and columns of tokens."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """One volume in one plane and one window.

    Parameters
    ----------
    key
        Of the modality.
    axis
        The plane.
    stack
        Slices whose rows and columns of pixels are whole tokens.
    patch
        Pixels along the side of a token.
    tile
        Tokens along the side of what is looked at in one piece.
    """

    key: str
    axis: Axis
    stack: SliceStack
    patch: int
    tile: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns of tokens."""
        slices, rows, columns = self.stack.grid.shape
        return slices, rows // self.patch, columns // self.patch

    @property
    def title(self) -> str:
        """For progress and notes."""
        ((low, high),) = self.stack.windows
        return f"{self.key.upper()} {low:g} to {high:g}, {self.axis.value}"

    @cached_property
    def shown(self) -> npt.NDArray[np.bool_]:
        """(slices, rows, columns) the tokens that hold any body."""
        slices, rows, columns = self.shape
        parts = self.stack.body.reshape(slices, rows, self.patch, columns, self.patch)
        return np.asarray(parts.any(axis=(2, 4)))

    @property
    def slices(self) -> list[int]:
        """Numbers of those that show any body."""
        return [int(number) for number in np.flatnonzero(self.shown.any(axis=(1, 2)))]

    def tiles(self, number: int) -> Iterator[Tile]:
        """Those of a slice that hold any body."""
        _, rows, columns = self.shape
        for row in spans(rows, self.tile):
            for column in spans(columns, self.tile):
                if self.shown[number, row, column].any():
                    yield row, column

    def picture(self, number: int, tile: Tile) -> npt.NDArray[np.float32]:
        """(1, y, x) grey, 0 to 1, of the tokens of a tile."""
        rows, columns = (slice(part.start * self.patch, part.stop * self.patch) for part in tile)
        ((low, high),) = self.stack.windows
        return windowed(self.stack.values[number, rows, columns], low, high)[None]

    def fine_grid(self, parts: int) -> Grid:
        """The places of each slice's tokens, cut into ``parts`` along rows and columns."""
        slices, rows, columns = self.shape
        step = self.patch / parts
        affine = np.array(self.stack.grid.affine)
        affine[:3, 3] = self.stack.grid.to_mm((0, (step - 1) / 2, (step - 1) / 2))
        affine[:3, 1:3] *= step
        return Grid((slices, rows * parts, columns * parts), affine)


def spans(count: int, tile: int) -> list[slice]:
    """Pieces of ``tile`` that cover ``count`` tokens evenly; all of them in one where they fit."""
    if count <= tile:
        return [slice(0, count)]
    pieces = int(np.ceil((count - tile) / (tile * (1 - OVERLAP)))) + 1
    starts = np.round(np.linspace(0, count - tile, pieces)).astype(int)
    return [slice(int(start), int(start) + tile) for start in starts]


def bodies(study: Study, run: Run | None = None) -> Mapping[str, npt.NDArray[np.bool_]]:
    """(z, y, x) by key: where the patient is in each volume that may have a window; ``run`` may stop it."""
    found = {}
    for key, volume in study.volumes.items():
        if run is not None:
            run.check_cancelled()
        if key in KEYS:
            found[key] = body_mask(volume)
    return found


def looked_at(study: Study, config: AnomalyClipConfig) -> list[str]:
    """Keys of the volumes for which there is a window."""
    return [key for key, volume in study.volumes.items() if key in KEYS and config.windows(volume.modality)]


def sheets(
    study: Study,
    there: Mapping[str, npt.NDArray[np.bool_]],
    config: AnomalyClipConfig,
    patch: int,
    run: Run | None = None,
) -> tuple[Sheet, ...]:
    """Every volume that has a window, in each plane and window; ``there`` are its ``bodies``, ``run`` may stop it.

    Raises
    ------
    UnsuitableVolume
        If no volume has one, or one shows too little of a body.
    """
    known = looked_at(study, config)
    if not known:
        windows = [one.key.upper() for one in (Modality.CT, Modality.PET) if config.windows(one)]
        raise UnsuitableVolume(
            f"the study holds {', '.join(key.upper() for key in study.volumes)}, but this model has windows for "
            f"{' and '.join(windows) or 'nothing'}; give such a study, or set ct_windows or pet_windows"
        )
    made: list[Sheet] = []
    for key in known:
        volume = study.volumes[key]
        for axis in config.planes:
            made += _in_windows(volume, there[volume.modality.key], axis, config, patch, run)
    return tuple(made)


def _in_windows(
    volume: Volume, body: npt.NDArray[np.bool_], axis: Axis, config: AnomalyClipConfig, patch: int, run: Run | None
) -> Iterator[Sheet]:
    windows = config.windows(volume.modality)
    # Three tokens of margin together: what the network makes of an edge is not the patient's.
    canvas = Canvas(config.token_mm / patch, config.step_mm, multiple=patch, margin_mm=config.token_mm)
    stack = letterboxed(volume, body, windows[:1], axis, canvas, run)
    if not stack.body.any():
        raise UnsuitableVolume(
            f"{volume.name or volume.modality.key.upper()} shows less of a body than one slice of it every "
            f"{config.step_mm:g} mm; give a whole scan, or a smaller step_mm"
        )
    for window in windows:
        yield Sheet(volume.modality.key, axis, replace(stack, windows=(window,)), patch, config.tile)
