"""Makes the sample volumes again: ``python -m grisaille.flows.make_samples OUT``.

The same versions of Python, numpy, scipy, nibabel and pydicom on the same kind of processor give
the same files, bit for bit; elsewhere single voxels may differ by one step of rounding.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.study import Study
from grisaille.core.volume import Volume
from grisaille.flows.make_dicom import Visit, write_series
from grisaille.imaging.resample import resample
from grisaille.io.labels import write_labels
from grisaille.io.nifti import write_nifti
from grisaille.io.sidecar import write_volume_sidecar
from grisaille.phantom import Arms, Phantom, Scan, Side, Station, patient
from grisaille.phantom.scanner import PET_STEP_SUV

SUMS = "SHA256SUMS"
STATION_MM = (1200.0, 1350.0)
"""The stretch of the first patient that is written as DICOM, z from and to."""

TILT_DEG, TURN_DEG = 18.0, 10.0
"""Of the oblique sample: its slices lean to the back, then turn about the body's axis."""


@cache
def first_patient() -> Phantom:
    """A woman with a large tumour in the left thigh and more on the left."""
    return patient(105, lesions=4, scan=Scan(Station.WHOLE, Arms.DOWN), side=Side.LEFT)


def make_lesions_1(folder: Path) -> None:
    """Whole body, lesions on the left only."""
    made = first_patient()
    _write(made.study, made.lesions, made.organs, folder)


def make_healthy_1(folder: Path) -> None:
    """The same patient and noise without lesions."""
    made = first_patient()
    none = Labels(np.zeros(made.lesions.grid.shape, np.uint16), made.lesions.grid)
    _write(made.twin, none, made.organs, folder)


def make_lesions_2(folder: Path) -> None:
    """Another patient's torso."""
    made = patient(203, lesions=5, scan=Scan(Station.TORSO))
    _write(made.study, made.lesions, made.organs, folder)


def make_dicom_station(folder: Path) -> None:
    """A stretch of the first patient as DICOM; its truth stays NIfTI."""
    made = first_patient()
    visit = Visit("grisaille-dicom-station")
    for key, volume in made.study.volumes.items():
        grid = stretch(volume.grid)
        write_series(volume.with_voxels(_cut(volume.voxels, volume.grid), grid), visit, folder / key.upper())
    for labels, name in ((made.lesions, "lesions"), (made.organs, "organs")):
        cut = Labels(_cut(labels.voxels, labels.grid), stretch(labels.grid))
        there = {number: labels.names[number] for number in cut.ids}
        _write_labels(replace(cut, names=there), folder / f"{name}.nii.gz")


def make_oblique(folder: Path) -> None:
    """An abdomen on tilted grids, from finer straight ones."""
    made = patient(303, lesions=1, scan=Scan(Station.ABDOMEN, ct_spacing_mm=2.5))
    grids = {"ct": _tilted(made.organs.grid, (72, 104, 128), 3.0), "pet": _tilted(made.organs.grid, (54, 78, 96), 4.0)}
    volumes = [_rounded(resample(volume, grids[key])) for key, volume in made.study.volumes.items()]
    _write(Study.of(*volumes), resample(made.lesions, grids["pet"]), resample(made.organs, grids["ct"]), folder)


MAKERS: dict[str, Callable[[Path], None]] = {
    "petct_lesions_1": make_lesions_1,
    "petct_lesions_2": make_lesions_2,
    "petct_healthy_1": make_healthy_1,
    "dicom_station": make_dicom_station,
    "oblique": make_oblique,
}


def make_samples(out: Path) -> None:
    """Write all samples into new folders of ``out``, and the list of their hashes."""
    for name, make in MAKERS.items():
        make(out / name)
    lines = [f"{digest}  {name}" for name, digest in hashes(out).items()]
    (out / SUMS).write_text("\n".join(lines) + "\n", encoding="ascii")


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of the samples, by its path below ``folder``."""
    files = (file for name in MAKERS for file in (folder / name).rglob("*") if file.is_file())
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)
    }


def stretch(grid: Grid) -> Grid:
    """The slices of a grid within the stretch that is written as DICOM."""
    first, last = _slices(grid)
    return grid.cropped((first, 0, 0), (last - first, *grid.shape[1:]))


def _slices(grid: Grid) -> tuple[int, int]:
    first, last = (round((height - grid.origin_mm[0]) / grid.spacing_mm[0]) for height in STATION_MM)
    return first, last


def _cut(voxels: np.ndarray, grid: Grid) -> np.ndarray:
    first, last = _slices(grid)
    return voxels[first:last]


def _tilted(around: Grid, shape: tuple[int, int, int], spacing: float) -> Grid:
    """A grid turned about the middle of another."""
    tilt, turn = np.deg2rad((TILT_DEG, TURN_DEG))
    lean = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    spin = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    affine = np.eye(4)
    affine[:3, :3] = lean @ spin * spacing
    middle = around.to_mm((np.asarray(around.shape) - 1) / 2)
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return Grid(shape, affine)


def _rounded(volume: Volume) -> Volume:
    """Whole HU, and SUV in steps that float32 holds exactly, so that the files stay small."""
    if volume.modality.key == "ct":
        return volume.with_voxels(np.rint(volume.voxels).astype(np.int16))
    return volume.with_voxels((np.rint(volume.voxels / PET_STEP_SUV) * PET_STEP_SUV).astype(np.float32))


def _write(study: Study, lesions: Labels, organs: Labels, folder: Path) -> None:
    folder.mkdir(parents=True)
    for key, volume in study.volumes.items():
        file = folder / f"{key.upper()}.nii.gz"
        write_nifti(volume.voxels, volume.grid, volume.source, file)
        write_volume_sidecar(file, volume.modality, volume.unit)
        _compress(file)
    _write_labels(lesions, folder / "lesions.nii.gz")
    _write_labels(organs, folder / "organs.nii.gz")


def _write_labels(labels: Labels, file: Path) -> None:
    write_labels(labels, file)
    _compress(file)


def _compress(file: Path) -> None:
    """Pack a .gz again as small as it goes, with no time and no name in it."""
    content = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="an empty or new folder")
    make_samples(parser.parse_args().out)
