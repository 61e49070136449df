"""Places in the patient through reading, display, painting, writing and reading again.

    python benchmarks/geometry.py [--oblique 20] [--sheared 5]

All 48 orders and flips of a file's axes, and random oblique and sheared grids, each written as NIfTI
(nibabel), NRRD (SimpleITK) and DICOM (pydicom). Every voxel has a value of its own, so that landmarks are
found by their value in whatever library reads the file. The columns are the largest errors in mm:

read      landmarks, as grisaille reads the file
display   the same voxels through the layer's own transform in napari; where napari cannot draw a grid, the
          coordinates themselves are drawn resampled and compared with the places where they are drawn (but for the
          rim, where an average has no neighbours)
painted   landmarks set as labels through the layer (on grids that are drawn resampled: labels that lie below it),
          written, and found again by nibabel, SimpleITK and grisaille

``other voxels`` counts those that differ from what was written, in the volume and in the labels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from napari.components import ViewerModel
from reporting.tables import markdown, write

from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.volume import Volume
from grisaille.desktop import layers
from grisaille.desktop.world import display_grid, lps_from_world
from grisaille.io.labels import read_labels, write_labels
from grisaille.io.study import read_volume

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from dicom_builder import build_image, put_pixels, save
from image_builder import ORIENTATIONS, affine_of, oblique, save_itk, save_nifti

SHAPE = (7, 6, 5)
"""Of the files, (i, j, k)."""

DRAWN_SHAPE = (24, 22, 20)
"""Of the coordinates that are drawn on grids that napari cannot draw, (z, y, x)."""

RIM = 4
"""Voxels at their edge that are not looked at: where the screen is coarser than the volume, several voxels
are averaged, and at the edge there are none to average with."""

ASKED_MM = 1e-3


@dataclass(frozen=True)
class Case:
    """A file's affine (4, 4) from (i, j, k) to LPS millimetres (x, y, z)."""

    kind: str
    affine: np.ndarray


@dataclass
class Errors:
    """The largest of each kind so far."""

    files: int = 0
    read: float = 0.0
    display: float = 0.0
    painted: float = 0.0
    refused_by_itk: int = 0
    other_voxels: int = 0


def cases(oblique_count: int, sheared_count: int) -> Iterator[Case]:
    for order, signs in ORIENTATIONS:
        yield Case("axis orders and flips", affine_of(order, signs))
    for seed in range(oblique_count):
        yield Case("oblique", oblique(seed))
    for seed in range(sheared_count):
        lean = np.eye(4)
        lean[:3, :3] += np.triu(np.random.default_rng(seed).uniform(-0.3, 0.3, (3, 3)), 1)
        yield Case("sheared", (oblique(100 + seed) @ lean).astype(np.float32).astype(float))


def voxels() -> np.ndarray:
    """(i, j, k) int16, each of its own value; none is 0."""
    return (1 + np.arange(np.prod(SHAPE))).reshape(SHAPE).astype(np.int16)


def landmarks() -> np.ndarray:
    """(n, 3) indices (i, j, k): the corners and some between."""
    ends = [(0, size - 1) for size in SHAPE]
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.concatenate([corners, np.random.default_rng(0).integers(1, np.asarray(SHAPE) - 1, (4, 3))])


# -- files ----------------------------------------------------------------------------


def as_nifti(case: Case, folder: Path) -> Path:
    return save_nifti(folder / "CT.nii.gz", voxels(), case.affine, qform=int(case.kind != "sheared"))


def as_nrrd(case: Case, folder: Path) -> Path | None:
    return None if case.kind == "sheared" else save_itk(folder / "CT.nrrd", voxels(), case.affine)


def as_dicom(case: Case, folder: Path) -> Path | None:
    """i along rows, j along columns; k counts the files, whichever way it runs."""
    if case.kind == "sheared":
        return None
    (folder / "series").mkdir()
    steps = np.linalg.norm(case.affine[:3, :3], axis=0)
    cosines = case.affine[:3, :3] / steps
    for k in range(SHAPE[2]):
        image = build_image("CT", k)
        put_pixels(image, voxels()[:, :, k].T.copy())
        image.RescaleIntercept = 0
        place = case.affine[:3, 3] + case.affine[:3, 2] * k
        image.ImagePositionPatient = [f"{mm:.10g}"[:16] for mm in place]
        image.ImageOrientationPatient = [f"{one:.12f}"[:16] for one in (*cosines[:, 0], *cosines[:, 1])]
        image.PixelSpacing = [f"{step:.10g}" for step in (steps[1], steps[0])]
        save(image, folder / "series" / f"{k}.dcm")
    return folder / "series"


# -- one file through everything --------------------------------------------------------


def places_of(values: np.ndarray, found: np.ndarray, to_mm: np.ndarray) -> np.ndarray:
    """(n, 3) LPS mm (x, y, z) of the voxels of (i, j, k) ``found`` that have ``values``; NaN unless there is one."""
    places = []
    for value in values:
        at = np.argwhere(found == value)
        places.append(to_mm[:3] @ [*at[0], 1.0] if len(at) == 1 else [np.nan] * 3)
    return np.asarray(places)


def off(places: np.ndarray, truth: np.ndarray) -> float:
    """The largest error; a landmark that was not found, or twice, is as wrong as can be."""
    return float(np.nan_to_num(np.abs(places - truth), nan=np.inf).max())


def through(case: Case, path: Path, errors: Errors) -> None:
    marks = landmarks()
    truth = marks @ case.affine[:3, :3].T + case.affine[:3, 3]
    values = voxels()[tuple(marks.T)]
    volume = read_volume(path, modality="CT", unit="HU" if path.is_file() else None)
    at = np.array([np.argwhere(volume.voxels == value)[0] for value in values])
    errors.files += 1
    errors.other_voxels += int((np.sort(volume.voxels, axis=None) != np.sort(voxels(), axis=None)).sum())
    errors.read = max(errors.read, off(volume.grid.to_mm(at)[:, ::-1], truth))
    viewer = ViewerModel()
    errors.display = max(errors.display, displayed(viewer, volume, at, truth))
    labels = painted(viewer, volume, at)
    made = np.zeros(volume.grid.shape, np.uint16)
    made[tuple(at.T)] = np.arange(1, len(at) + 1)
    errors.other_voxels += int((labels.voxels != made).sum())
    written(labels, volume, truth, path.parent, errors)


def displayed(viewer: ViewerModel, volume: Volume, at: np.ndarray, truth: np.ndarray) -> float:
    """Error of the places (x, y, z) at which napari draws the voxels ``at``."""
    if display_grid(volume.grid) is volume.grid:
        layer = layers.add_volume(viewer, volume)
        assert layer.data is volume.voxels
        world = np.array([layer.data_to_world(tuple(index)) for index in at])
        return off(lps_from_world(world)[:, ::-1], truth)
    worst = 0.0
    grid = Grid(DRAWN_SHAPE, volume.grid.affine)
    indices = np.stack(np.indices(grid.shape), axis=-1)
    for axis in range(3):
        # A coordinate is linear, so resampling keeps it: what is drawn somewhere tells where it thinks it is.
        layer = layers.add_volume(viewer, Volume(grid.to_mm(indices)[..., axis], grid))
        drawn = np.argwhere(np.ones(layer.data.shape, bool))
        ends = np.array([layer.data_to_world(tuple(index)) for index in np.vstack([np.zeros(3), np.eye(3)])])
        places = lps_from_world(ends[0] + drawn @ (ends[1:] - ends[0]))
        index = grid.to_index(places)
        inside = ((index >= RIM) & (index <= np.asarray(grid.shape) - 1 - RIM)).all(axis=1)
        assert inside.sum() > 100
        told = np.asarray(layer.data, dtype=float)[tuple(drawn[inside].T)]
        worst = max(worst, float(np.abs(told - places[inside, axis]).max(initial=0.0)))
    return worst


def painted(viewer: ViewerModel, volume: Volume, at: np.ndarray) -> Labels:
    """Landmarks as labels 1 to n: set in the layer, or laid below it where it is drawn resampled."""
    numbers = np.arange(1, len(at) + 1)
    if display_grid(volume.grid) is volume.grid:
        layer = layers.new_labels(viewer, volume)
        shown = np.array([layer.world_to_data(layer.data_to_world(tuple(index))) for index in at])
        layer.data_setitem(tuple(np.rint(shown).astype(int).T), numbers)
        return layers.labels_from(layer)
    below = np.zeros(volume.grid.shape, np.uint16)
    below[tuple(at.T)] = numbers
    return layers.labels_from(layers.add_labels(viewer, Labels(below, volume.grid, source=volume.source)))


def written(labels: Labels, volume: Volume, truth: np.ndarray, folder: Path, errors: Errors) -> None:
    numbers = np.arange(1, len(truth) + 1)
    to_xyz = np.eye(4)[[2, 1, 0, 3]]
    for suffix in (".nii.gz", ".nrrd"):
        path = folder / f"labels{suffix}"
        write_labels(labels, path)
        back = read_labels(path, like=volume)
        errors.other_voxels += int((back.voxels != labels.voxels).sum())
        ours = places_of(numbers, back.voxels, to_xyz @ read_labels(path).grid.affine)
        errors.painted = max(errors.painted, off(ours, truth))
        if suffix == ".nii.gz":
            theirs = nib.load(path)
            found = places_of(numbers, np.asanyarray(theirs.dataobj), np.diag([-1.0, -1, 1, 1]) @ theirs.affine)
            errors.painted = max(errors.painted, off(found, truth))
        try:
            image = sitk.ReadImage(str(path))
        except RuntimeError:  # sheared: it says so
            errors.refused_by_itk += 1
            continue
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
        affine[:3, 3] = image.GetOrigin()
        found = places_of(numbers, sitk.GetArrayFromImage(image).transpose(2, 1, 0), affine)
        errors.painted = max(errors.painted, off(found, truth))


def table(oblique_count: int, sheared_count: int) -> list[dict[str, object]]:
    by_kind: dict[tuple[str, str], Errors] = {}
    for case in cases(oblique_count, sheared_count):
        for name, save_as in (("NIfTI", as_nifti), ("NRRD", as_nrrd), ("DICOM", as_dicom)):
            with tempfile.TemporaryDirectory() as folder:
                path = save_as(case, Path(folder))
                if path is not None:
                    through(case, path, by_kind.setdefault((case.kind, name), Errors()))
    return [
        {
            "grids": kind,
            "file": name,
            "files": one.files,
            "read mm": one.read,
            "display mm": one.display,
            "painted, written, read mm": one.painted,
            "other voxels": one.other_voxels,
            "refused by SimpleITK": one.refused_by_itk,
        }
        for (kind, name), one in by_kind.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oblique", type=int, default=20)
    parser.add_argument("--sheared", type=int, default=5)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = table(asked.oblique, asked.sheared)
    print(markdown(rows))
    worst = max(float(row[key]) for row in rows for key in row if key.endswith("mm"))
    print(f"\nLargest error {worst:.1e} mm (asked: {ASKED_MM:g})")
    write("geometry", {"asked_mm": ASKED_MM, "largest_mm": worst, "rows": rows})


if __name__ == "__main__":
    main()
