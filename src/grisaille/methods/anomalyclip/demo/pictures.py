"""Slices of synthetic patients as the network sees them, with what lies in each of their parts; kept on disk."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille import phantom
from grisaille.core.grid import Axis, Grid
from grisaille.core.run import Run
from grisaille.core.safe_write import replacing
from grisaille.core.volume import Modality
from grisaille.imaging.body import body_mask
from grisaille.imaging.resample import resample, resample_array
from grisaille.imaging.slices import Canvas, air, letterbox_grid
from grisaille.methods.anomalyclip.config import AnomalyClipConfig
from grisaille.methods.anomalyclip.demo.captions import HOSTS, TISSUES, UNSURE, region_numbers, tissue_table

PATCH, TOKEN_MM = 8, 10.0
"""Side of a token in pixels and in the patient."""

STEP_MM = 8.0
"""From slice to slice: every other that is looked at in use."""

SAMPLES = 4
"""Of the labels, along the side of a token."""

DAMAGED_SHARE = 0.3
"""Of a token that lesions take up, for it to be called damaged; with less it is called nothing."""

BRIGHT_SUV = 6.0
"""Where the window of PET ends: lower than for real images, since half of the phantoms' lesions are faint."""

WINDOWS = (*AnomalyClipConfig().windows(Modality.CT)[:2], (0.0, BRIGHT_SUV))
"""Lung, soft tissue and SUV, each a picture of its own; all but the last are of CT."""


@dataclass(frozen=True, eq=False)
class Pages:
    """Some slices of one patient.

    Parameters
    ----------
    ct
        (n, y, x) int16, HU.
    pet
        (n, y, x) float16, SUV.
    words
        (n, y / 2, x / 2) uint8, the number of the word for each sample.
    lesions
        (2, n, y / 2, x / 2) samples of all lesions, and of those that PET shows.
    tissues
        (n, rows, columns) uint8, the number of a word, or ``UNSURE``.
    regions
        (n,) uint8.
    """

    ct: npt.NDArray[np.int16]
    pet: npt.NDArray[np.float16]
    words: npt.NDArray[np.uint8]
    lesions: npt.NDArray[np.bool_]
    tissues: npt.NDArray[np.uint8]
    regions: npt.NDArray[np.uint8]

    def damage(self, modality: int, number: int) -> npt.NDArray[np.uint8]:
        """(rows, columns) of a slice: 0 or 1 as far as CT (0) or PET (1) shows it, or ``UNSURE``."""
        there, shown = (share_of_tokens(self.lesions[which, number][None])[0] for which in (0, modality))
        return states(there, shown)


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
    """Slices on one canvas for CT and PET; ``tall`` is the patient's height as a share of the usual."""
    ct, pet = (patient.study.volumes[one.key] for one in (Modality.CT, Modality.PET))
    canvas = Canvas(TOKEN_MM / PATCH, STEP_MM, PATCH, TOKEN_MM)
    grid = letterbox_grid(ct.grid, body_mask(ct), Axis.AXIAL, canvas)
    samples = _coarser(grid, PATCH // SAMPLES)
    words = tissue_table()[resample(patient.organs, samples).voxels]
    lesions = resample(patient.lesions, samples).voxels
    seen = [lesion.id for lesion in patient.lesion_list if not lesion.is_ct_only]
    heights = np.array([grid.to_mm((number, 0, 0))[0] for number in range(grid.shape[0])])
    return Pages(
        np.rint(resample_array(ct.voxels, ct.grid, grid, outside=air(ct))).astype(np.int16),
        resample_array(pet.voxels, pet.grid, grid, outside=air(pet)).astype(np.float16),
        words,
        np.stack([lesions > 0, np.isin(lesions, seen)]),
        majority(words),
        region_numbers(heights / tall),
    )


def majority(words: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(n, rows, columns) the word of most samples of each token, ``UNSURE`` where there is no such."""
    cells = _cells(words)
    counts = np.stack([(cells == number).sum(axis=-1) for number in range(len(TISSUES))])
    most: npt.NDArray[np.uint8] = counts.argmax(axis=0).astype(np.uint8)
    most[counts.max(axis=0) * 2 < cells.shape[-1]] = UNSURE
    return most


def share_of_tokens(samples: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """(n, rows, columns) how much of each token (n, y, x) samples take up."""
    share: npt.NDArray[np.float64] = _cells(samples).mean(axis=-1)
    return share


def states(there: npt.NDArray[np.float64], shown: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """1 where lesions that are seen take up enough of a token, 0 where none is there at all.

    Parameters
    ----------
    there, shown
        How much of each token all lesions take up, and those that are seen.
    """
    return np.where(shown >= DAMAGED_SHARE, 1, np.where(there > 0, UNSURE, 0)).astype(np.uint8)


def _cells(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(n, rows, columns, samples) of (n, y, x)."""
    n, height, width = samples.shape
    split = samples.reshape(n, height // SAMPLES, SAMPLES, width // SAMPLES, SAMPLES)
    return split.swapaxes(2, 3).reshape(n, height // SAMPLES, width // SAMPLES, -1)


def _coarser(grid: Grid, times: int) -> Grid:
    """The same slices with pixels so many times as wide."""
    affine = np.array(grid.affine)
    affine[:3, 3] += (affine[:3, 1] + affine[:3, 2]) * (times - 1) / 2
    affine[:3, 1:3] *= times
    return Grid((grid.shape[0], grid.shape[1] // times, grid.shape[2] // times), affine)


def _keep(one: Pages, path: Path) -> None:
    with replacing(path, makes_folder=True) as temporary, temporary.open("wb") as file:
        np.savez(file, **{name.name: getattr(one, name.name) for name in fields(Pages)})
