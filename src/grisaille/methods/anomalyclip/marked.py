"""Studies with masks as slices to learn prompts from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from grisaille.core.study import Case
from grisaille.imaging.resample import resample_array
from grisaille.imaging.slices import SliceStack
from grisaille.methods.anomalyclip.config import AnomalyClipConfig
from grisaille.methods.anomalyclip.pictures import Sheet, bodies, sheets
from grisaille.methods.anomalyclip.token_cache import Marked

Masks = npt.NDArray[np.bool_]

HEALTHY_SLICES = 12
"""Taken, evenly spaced, of a sheet on which nothing is marked; of others as many as are marked, if that is more."""


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Some slices of a stack."""

    stack: SliceStack
    numbers: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.numbers)

    def images(self, slices: npt.NDArray[np.intp], /) -> npt.NDArray[np.float32]:
        """(n, 3, y, x) of 0 to 1."""
        return self.stack.images(self.numbers[slices])


def marked_slices(cases: Iterable[Case], config: AnomalyClipConfig, patch: int) -> Iterator[Marked]:
    """Every plane and window of every study, one after the other; no two studies need be in memory.

    All slices with a mark, and evenly spaced ones without.
    """
    for case in cases:
        study = case.load()
        for sheet in sheets(study, bodies(study), config, patch):
            yield _marked(case, sheet)


def _marked(case: Case, sheet: Sheet) -> Marked:
    grid, truth = sheet.stack.grid, case.truth
    masks = np.zeros(grid.shape, dtype=bool)
    if truth is not None and truth.voxels.any():
        masks = resample_array((truth.voxels > 0).astype(np.uint8), truth.grid, grid, nearest=True) > 0
    numbers = _chosen(sheet, masks)
    about = sheet.key, sheet.axis.value, sheet.stack.windows, grid.spacing_mm, sheet.patch
    pictures = _digest(repr(about), sheet.stack.values[numbers])
    load = partial(_load, sheet.stack, numbers, masks[numbers])
    return Marked(case.patient, pictures, _digest("masks", masks[numbers]), load)


def _load(stack: SliceStack, numbers: npt.NDArray[np.intp], masks: Masks) -> tuple[_Chosen, Masks]:
    return _Chosen(stack, numbers), masks


def _chosen(sheet: Sheet, masks: Masks) -> npt.NDArray[np.intp]:
    shown = np.array(sheet.slices)
    has_mark = masks[shown].any(axis=(1, 2))
    marked, healthy = shown[has_mark], shown[~has_mark]
    count = min(len(healthy), max(len(marked), HEALTHY_SLICES))
    spaced = healthy[np.round(np.linspace(0, len(healthy) - 1, count)).astype(int)] if count else healthy
    return np.sort(np.concatenate([marked, np.unique(spaced)])).astype(np.intp)


def _digest(told: str, array: npt.NDArray[np.generic]) -> str:
    digest = hashlib.sha256(f"{told} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
