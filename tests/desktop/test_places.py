"""From a file through a layer, a stroke and back into a file: a landmark stays where it is in the patient.

``benchmarks/geometry.py`` does it for all 48 orders of axes, more grids and more kinds of file.
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from napari.components import ViewerModel

from grisaille.core.labels import Labels
from grisaille.desktop import layers
from grisaille.desktop.world import lps_from_world
from grisaille.io.labels import read_labels, write_labels
from grisaille.io.study import read_volume
from image_builder import ORIENTATIONS, affine_of, numbers, oblique, save_nifti

SHAPE = (4, 5, 6)
CORNERS = np.stack(np.meshgrid(*[(0, size - 1) for size in SHAPE], indexing="ij"), axis=-1).reshape(8, 3)
"""(i, j, k) in the file."""


def places_in(path: Path) -> np.ndarray:
    """(8, 3) LPS mm (x, y, z) of labels 1 to 8 by nibabel, which SimpleITK has to agree with."""
    image, itk = nib.load(path), sitk.ReadImage(str(path))
    voxels = np.asanyarray(image.dataobj)
    at = np.array([np.argwhere(voxels == number)[0] for number in range(1, 9)])
    places = nib.affines.apply_affine(image.affine, at) * (-1, -1, 1)
    assert np.allclose([itk.TransformIndexToPhysicalPoint(one.tolist()) for one in at], places, atol=1e-3)
    return places


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS[::5])
def test_a_stroke_lands_where_it_was_seen_whatever_the_order_of_the_axes(
    tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    affine = affine_of(order, signs)
    volume = read_volume(save_nifti(tmp_path / "CT.nii.gz", numbers(SHAPE), affine))
    truth = CORNERS @ affine[:3, :3].T + affine[:3, 3]
    viewer = ViewerModel()
    shown, labels = layers.add_volume(viewer, volume), layers.new_labels(viewer, volume)
    for number, corner in enumerate(CORNERS, start=1):
        index = np.argwhere(volume.voxels == numbers(SHAPE)[tuple(corner)])[0]
        world = shown.data_to_world(tuple(index))
        assert np.allclose(lps_from_world(world)[::-1], truth[number - 1], atol=1e-9)
        labels.data[tuple(np.rint(labels.world_to_data(world)).astype(int))] = number
    write_labels(layers.labels_from(labels), tmp_path / "labels.nii.gz")
    assert np.allclose(places_in(tmp_path / "labels.nii.gz"), truth, atol=1e-3)
    assert set(read_labels(tmp_path / "labels.nii.gz", like=volume).ids) == set(range(1, 9))


@pytest.mark.parametrize("seed", range(3))
def test_labels_below_a_resampled_picture_are_written_where_they_were(tmp_path: Path, seed: int) -> None:
    affine = oblique(seed)
    volume = read_volume(save_nifti(tmp_path / "CT.nii.gz", numbers(SHAPE), affine))
    drawn = np.zeros(volume.grid.shape, np.uint16)
    for number, corner in enumerate(CORNERS, start=1):
        drawn[volume.voxels == numbers(SHAPE)[tuple(corner)]] = number
    layer = layers.add_labels(ViewerModel(), Labels(drawn, volume.grid, source=volume.source))
    write_labels(layers.labels_from(layer), tmp_path / "labels.nii.gz")
    truth = CORNERS @ affine[:3, :3].T + affine[:3, 3]
    assert np.allclose(places_in(tmp_path / "labels.nii.gz"), truth, atol=1e-3)
