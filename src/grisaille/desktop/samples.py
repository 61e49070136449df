"""napari's File > Open Sample: the synthetic studies, each with its lesions as a hidden layer."""

from __future__ import annotations

from typing import Any

import napari

from grisaille.desktop.layers import labels_arguments
from grisaille.desktop.readers import study_layers
from grisaille.desktop.view import attach
from grisaille.flows import samples
from grisaille.io.labels import read_labels


def petct_lesions_1() -> list[Any]:
    """A whole body with four lesions, all on the left."""
    return _layers("petct_lesions_1")


def petct_lesions_2() -> list[Any]:
    """The torso of another patient, five lesions."""
    return _layers("petct_lesions_2")


def petct_healthy_1() -> list[Any]:
    """The twin of the first patient: the same anatomy, the same noise, no lesions."""
    return _layers("petct_healthy_1")


def dicom_station() -> list[Any]:
    """The first patient's chest as DICOM; its PET is in Bq/ml and becomes SUV on reading."""
    return _layers("dicom_station")


def oblique() -> list[Any]:
    """An abdomen on slices that are tilted and turned against the body."""
    return _layers("oblique")


def _layers(name: str) -> list[Any]:
    study = samples.study(name)
    truth = read_labels(samples.path(name) / "lesions.nii.gz", like=study.reference)
    layers: list[Any] = list(study_layers(study))
    if truth.ids:
        data, arguments = labels_arguments(truth, "lesions (truth)")
        layers.append((data, {**arguments, "visible": False}, "labels"))
    viewer = napari.current_viewer()
    if viewer is not None:
        attach(viewer)
    return layers
