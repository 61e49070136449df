"""File > Save: labels and volumes back on the grid of their source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.layers import Labels as LabelsLayer

from grisaille.core.errors import InputError, OutputError
from grisaille.core.volume import Modality, Unit
from grisaille.desktop import layers
from grisaille.desktop.writers import save_image, save_labels
from grisaille.io.labels import read_labels
from grisaille.io.study import read_volume
from image_builder import ORIENTATIONS, affine_of, oblique, save_nifti

SHAPE = (5, 6, 7)


def save(layer: Layer, path: Path) -> None:
    """As napari does it: the layer taken apart, then handed over."""
    data, attributes, kind = layer.as_layer_data_tuple()
    assert {"image": save_image, "labels": save_labels}[kind](str(path), data, attributes) == [str(path)]


VIEWER = ViewerModel()


def shown(path: Path) -> tuple[ViewerModel, Image]:
    """An empty viewer but for the CT in a file."""
    VIEWER.layers.clear()
    return VIEWER, layers.add_volume(VIEWER, read_volume(path, modality="CT"))


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_paint_lands_on_the_voxel_of_the_file_in_every_orientation(
    tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.int16)
    source = save_nifti(tmp_path / "scan.nii", array, affine_of(order, signs))
    viewer, image = shown(source)
    labels = layers.new_labels(viewer, layers.volume_from(image))
    labels.data[np.asarray(image.data) == array[1, 2, 3]] = 4
    save(labels, tmp_path / "labels.nii")
    before, after = nib.load(source), nib.load(tmp_path / "labels.nii")
    np.testing.assert_array_equal(np.argwhere(after.dataobj), [[1, 2, 3]])
    np.testing.assert_array_equal(after.affine, before.affine)


def test_paint_on_an_oblique_volume_is_saved_on_the_grid_of_its_file(tmp_path: Path) -> None:
    array = np.zeros((30, 30, 30), np.int16)
    array[12:18, 10:16, 14:20] = 500
    source = save_nifti(tmp_path / "scan.nii", array, oblique(3))
    viewer, image = shown(source)
    labels = layers.new_labels(viewer, layers.volume_from(image))
    labels.data[np.asarray(image.data) > 250] = 1
    save(labels, tmp_path / "labels.nii.gz")
    after = nib.load(tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(after.affine, nib.load(source).affine)
    drawn, true = np.asarray(after.dataobj) > 0, array > 0
    assert 2 * (drawn & true).sum() / (drawn.sum() + true.sum()) > 0.85


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_labels_come_back_from_every_format(tmp_path: Path, suffix: str) -> None:
    affine = affine_of((2, 0, 1), (1, -1, 1))
    viewer, image = shown(save_nifti(tmp_path / "scan.nii", np.zeros(SHAPE, np.int16), affine))
    layer = layers.new_labels(viewer, layers.volume_from(image))
    layer.data[:] = np.random.default_rng(0).integers(0, 1000, layer.data.shape)
    save(layer, tmp_path / f"labels{suffix}")
    back = read_labels(tmp_path / f"labels{suffix}", like=layers.volume_from(image))
    np.testing.assert_array_equal(back.voxels, layer.data)


def test_a_volume_is_saved_with_what_it_measures(tmp_path: Path) -> None:
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.int16)
    _, image = shown(save_nifti(tmp_path / "scan.nii", array, affine_of((1, 2, 0), (-1, 1, -1))))
    save(image, tmp_path / "copy.nrrd")
    back = read_volume(tmp_path / "copy.nrrd")
    assert (back.modality, back.unit) == (Modality.CT, Unit.HU)
    np.testing.assert_array_equal(back.voxels, image.data)
    np.testing.assert_allclose(back.grid.affine, layers.volume_from(image).grid.affine)


def test_an_image_of_another_plugin_is_not_saved_without_its_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'cells' was not opened with grisaille"):
        save(Image(np.zeros((3, 4, 5)), name="cells", contrast_limits=(0, 1)), tmp_path / "cells.nii.gz")
    assert not list(tmp_path.iterdir())


def test_labels_without_a_volume_are_not_saved_without_their_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'mine' was not painted on a volume"):
        save(LabelsLayer(np.ones((3, 4, 5), np.uint8), name="mine"), tmp_path / "mine.nii.gz")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_gets_a_sentence(tmp_path: Path) -> None:
    viewer, image = shown(save_nifti(tmp_path / "scan.nii", np.zeros(SHAPE, np.int16)))
    layer = layers.new_labels(viewer, layers.volume_from(image))
    with pytest.raises(OutputError):
        save(layer, tmp_path / "absent" / "labels.nii.gz")


@pytest.mark.screen
def test_naparis_new_labels_are_saved_on_the_volume_they_were_painted_on(
    make_napari_viewer: Any, tmp_path: Path
) -> None:
    viewer = make_napari_viewer()
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.int16)
    source = save_nifti(tmp_path / "CT.nii", array, affine_of((2, 1, 0), (-1, -1, 1)))
    (image,) = viewer.open(str(source), plugin="napari-grisaille")
    plain = viewer.add_labels(np.zeros(image.data.shape, np.uint8), scale=image.scale, translate=image.translate)
    plain.data[np.asarray(image.data) == array[4, 1, 2]] = 1
    assert plain.save(str(tmp_path / "labels.nii.gz")) == [str(tmp_path / "labels.nii.gz")]
    after = nib.load(tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(np.argwhere(after.dataobj), [[4, 1, 2]])
    np.testing.assert_array_equal(after.affine, nib.load(source).affine)
