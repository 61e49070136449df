"""File > Open Sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from grisaille.core.errors import InputError
from grisaille.desktop import commands, layers, samples
from grisaille.flows import samples as shipped

pytestmark = pytest.mark.screen


@pytest.mark.parametrize("name", ["petct_lesions_2", "petct_healthy_1", "dicom_station", "oblique"])
def test_a_sample_is_a_study_with_its_lesions_hidden(name: str) -> None:
    opened = getattr(samples, name)()
    ct, pet = (arguments["metadata"][layers.THING] for _, arguments, kind in opened if kind == "image")
    assert (ct.modality.key, pet.modality.key) == ("ct", "pet")
    truth = [arguments for _, arguments, kind in opened if kind == "labels"]
    if name == "petct_healthy_1":
        assert truth == []
    else:
        assert truth[0]["visible"] is False
        assert truth[0]["metadata"][layers.THING].grid == pet.grid


def test_the_menu_opens_a_sample_and_makes_labels_on_it(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer()
    with pytest.raises(InputError, match="open a CT or a PET"):
        commands.new_labels_on_volume(viewer)
    viewer.open_sample("napari-grisaille", "dicom_station")
    assert viewer.canvas.overlays["grisaille_right"].text == "L"
    ct, pet = layers.volumes_in(viewer)
    viewer.layers.selection = {viewer.layers[0]}
    commands.new_labels_on_volume(viewer)
    assert layers.labels_from(viewer.layers[-1]).grid == ct.grid
    viewer.layers.selection.clear()
    commands.new_labels_on_volume(viewer)
    assert layers.labels_from(viewer.layers[-1]).grid == pet.grid


def test_a_sample_shows_its_lesions_where_they_glow() -> None:
    study, truth = shipped.study("petct_lesions_1"), shipped.truth("petct_lesions_1")
    assert study.pet is not None
    inside = study.pet.voxels[truth.voxels > 0]
    assert np.median(inside) > 2 * np.median(study.pet.voxels[study.pet.voxels > 0.2])
