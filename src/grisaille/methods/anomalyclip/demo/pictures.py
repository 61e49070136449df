"""Slices of synthetic patients as the network sees them, with what lies in each of their parts; kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille import phantom
from grisaille.core.grid import Axis, Grid
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.safe_write import replacing
from grisaille.core.volume import Modality, Volume
from grisaille.imaging.body import body_mask
from grisaille.imaging.intensity import windowed
from grisaille.imaging.resample import resample, resample_array
from grisaille.imaging.slices import Canvas, air, letterbox_grid
from grisaille.methods.anomalyclip.config import AnomalyClipConfig
from grisaille.methods.anomalyclip.demo.captions import HOSTS, TISSUES, UNSURE, region_numbers, tissue_table

PATCH, TOKEN_MM = 8, 10.0
"""Side of a token in pixels and in the patient."""

STEP_MM, EVERY = 4.0, 4
"""Slices are as thick as in use, and every fourth is kept."""

SAMPLES = 4
"""Of the labels, along the side of a token."""

DAMAGED_SHARE = 0.3
"""Of a token that lesions take up, for it to be called damaged; with less it is called nothing."""

_SETTINGS = AnomalyClipConfig()
WINDOWS = (*_SETTINGS.windows(Modality.CT), *_SETTINGS.windows(Modality.PET))
"""Each a picture of its own; all but the last are of CT."""

_GREYS = 255.0


@dataclass(frozen=True, eq=False)
class Pages:
    """Some slices of one patient.

    Parameters
    ----------
    ct
        (n, y, x) int16, HU.
    pet
        (n, y, x) uint8, grey of the PET's window.
    tissues
        (n, rows, columns) uint8, the number of a word, or ``UNSURE``.
    damage
        (2, n, rows, columns) uint8, 0 or 1 as far as CT and PET show it, or ``UNSURE``.
    regions
        (n,) uint8.
    """

    ct: npt.NDArray[np.int16]
    pet: npt.NDArray[np.uint8]
    tissues: npt.NDArray[np.uint8]
    damage: npt.NDArray[np.uint8]
    regions: npt.NDArray[np.uint8]

    def picture(self, number: int, window: int, rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        """(y, x) of 0 to 1, a part of a slice in one of ``WINDOWS``; rows and columns are tokens."""
        y, x = (slice(one.start * PATCH, one.stop * PATCH) for one in (rows, columns))
        if window == len(WINDOWS) - 1:
            return self.pet[number, y, x].astype(np.float32) / np.float32(_GREYS)
        return windowed(self.ct[number, y, x], *WINDOWS[window])


def library(folder: Path, patients: int, seed: int, run: Run) -> tuple[Pages, ...]:
    """Pages of so many patients, those that ``folder`` holds from before and the rest made now.

    Three of four are torsos, the others any stretch of the body; three of four have lesions.
    """
    found = []
    for number in run.track(range(patients), "making slices"):
        path = folder / f"{seed}-{number}.npz"
        if not path.exists():
            _keep(made(int(np.random.SeedSequence([seed, number]).generate_state(1)[0]), number), path)
        with np.load(path) as kept:
            found.append(Pages(**{one.name: kept[one.name] for one in fields(Pages)}))
    return tuple(found)


def made(seed: int, number: int, scan: phantom.Scan | None = None) -> Pages:
    """The pages of one patient; ``number`` says of which kind."""
    station = phantom.Station.RANDOM if number % 4 == 3 else phantom.Station.TORSO
    scan = scan or phantom.Scan(station=station, arms=phantom.Arms.RANDOM)
    lesions = 0 if (number // 4) % 4 == 3 else 6
    return pages(phantom.patient(seed, lesions=lesions, scan=scan, hosts=HOSTS), scan.person(seed).frame.scale[0])


def pages(patient: phantom.Phantom, tall: float) -> Pages:
    """Every fourth slice, on one canvas for CT and PET; ``tall`` is the patient's height as a share of the usual."""
    ct, pet = (patient.study.volumes[one.key] for one in (Modality.CT, Modality.PET))
    canvas = Canvas(TOKEN_MM / PATCH, STEP_MM, PATCH)
    grid = letterbox_grid(ct.grid, body_mask(ct), Axis.AXIAL, canvas)
    planes, fine = plane_grids(grid, 1), plane_grids(grid, PATCH // SAMPLES)
    greys = windowed(values_on(pet, planes), *WINDOWS[-1]) * np.float32(_GREYS)
    seen = [lesion.id for lesion in patient.lesion_list if not lesion.is_ct_only]
    damaged = labels_on(patient.lesions, fine)
    heights = np.array([grid.origin_mm[0] for grid in planes]) / tall
    return Pages(
        np.rint(values_on(ct, planes)).astype(np.int16),
        np.rint(greys).astype(np.uint8),
        majority(tissue_table()[labels_on(patient.organs, fine)]),
        np.stack([states(damaged, damaged > 0), states(damaged, np.isin(damaged, seen))]),
        region_numbers(heights),
    )


def majority(words: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(n, rows, columns) the word of most samples of each token, ``UNSURE`` where there is no such."""
    cells = _cells(words)
    counts = np.stack([(cells == number).sum(axis=-1) for number in range(len(TISSUES))])
    most: npt.NDArray[np.uint8] = counts.argmax(axis=0).astype(np.uint8)
    most[counts.max(axis=0) * 2 < cells.shape[-1]] = UNSURE
    return most


def states(lesions: npt.NDArray[Any], seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """(n, rows, columns) 1 where lesions that are ``seen`` take up enough of a token, 0 where none does."""
    there, shown = (_cells(one).mean(axis=-1) for one in (lesions > 0, seen))
    return np.where(shown >= DAMAGED_SHARE, 1, np.where(there > 0, UNSURE, 0)).astype(np.uint8)


def _cells(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(n, rows, columns, samples) of (n, y, x)."""
    n, height, width = samples.shape
    split = samples.reshape(n, height // SAMPLES, SAMPLES, width // SAMPLES, SAMPLES)
    return split.swapaxes(2, 3).reshape(n, height // SAMPLES, width // SAMPLES, -1)


def plane_grids(grid: Grid, coarser: int) -> Sequence[Grid]:
    """Every fourth slice of a canvas as a grid of its own, with pixels so many times as wide."""
    affine = np.array(grid.affine)
    affine[:3, 3] += (affine[:3, 1] + affine[:3, 2]) * (coarser - 1) / 2
    affine[:3, 1:3] *= coarser
    planes = []
    for number in range(EVERY // 2, grid.shape[0], EVERY):
        own = affine.copy()
        own[:3, 3] += affine[:3, 0] * number
        planes.append(Grid((1, grid.shape[1] // coarser, grid.shape[2] // coarser), own))
    return planes


def values_on(volume: Volume, planes: Sequence[Grid]) -> npt.NDArray[np.float32]:
    """(n, y, x) HU or SUV on these planes."""
    return np.concatenate([resample_array(volume.voxels, volume.grid, plane, outside=air(volume)) for plane in planes])


def labels_on(labels: Labels, planes: Sequence[Grid]) -> npt.NDArray[np.uint16]:
    """(n, y, x) label numbers on these planes."""
    return np.concatenate([resample(labels, plane).voxels for plane in planes])


def _keep(one: Pages, path: Path) -> None:
    with replacing(path, makes_folder=True) as temporary, temporary.open("wb") as file:
        np.savez(file, **{name.name: getattr(one, name.name) for name in fields(Pages)})
