"""napari's File > Open Sample: the synthetic studies, each with its lesions as a hidden layer."""

from __future__ import annotations

from typing import Any

import napari

from grisaille.desktop.layers import labels_arguments
from grisaille.desktop.readers import study_layers
from grisaille.desktop.view import attach
from grisaille.flows import samples


def petct_lesions_1() -> list[Any]:
    """A PET/CT with lesions."""
    return _layers("petct_lesions_1")


def petct_lesions_2() -> list[Any]:
    """Another patient, with lesions."""
    return _layers("petct_lesions_2")


def petct_healthy_1() -> list[Any]:
    """The first patient without the lesions: the same anatomy, the same noise."""
    return _layers("petct_healthy_1")


def dicom_station() -> list[Any]:
    """One station as DICOM, PET in Bq/ml made SUV on reading."""
    return _layers("dicom_station")


def oblique() -> list[Any]:
    """A study whose slices are tilted against the body."""
    return _layers("oblique")


def _layers(name: str) -> list[Any]:
    layers: list[Any] = list(study_layers(samples.study(name)))
    truth = samples.truth(name)
    if truth.ids:
        data, arguments = labels_arguments(truth, "lesions (truth)")
        layers.append((data, {**arguments, "visible": False}, "labels"))
    viewer = napari.current_viewer()
    if viewer is not None:
        attach(viewer)
    return layers
