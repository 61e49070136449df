"""The synthetic studies that come with grisaille, for trying it out and for tests (CC0)."""

from __future__ import annotations

from pathlib import Path

from grisaille.core.errors import InputError
from grisaille.core.labels import Labels
from grisaille.core.study import Study
from grisaille.io.labels import read_labels
from grisaille.io.study import read_study

SAMPLES = {
    "petct_lesions_1": "whole body, arms down, four lesions, all on the left: thigh, lung, skull",
    "petct_lesions_2": "torso, arms up, five lesions, one of them seen on CT alone",
    "petct_healthy_1": "the twin of petct_lesions_1: the same anatomy and noise, no lesions",
    "dicom_station": "the chest of petct_lesions_1 as DICOM: CT, and PET in Bq/ml",
    "oblique": "abdomen on slices that are tilted and turned against the body, a lesion in the liver",
}
"""What each sample holds, by its name."""


def names() -> tuple[str, ...]:
    """The names of the samples."""
    return tuple(SAMPLES)


def path(name: str) -> Path:
    """The folder of a sample, as ``read_study`` takes it.

    Raises
    ------
    InputError
        If there is no sample of that name, or the samples are not installed.
    """
    if name not in SAMPLES:
        raise InputError(f"there is no sample {name!r}; there are {', '.join(SAMPLES)}")
    folder = _home() / name
    if not folder.is_dir():
        raise InputError(f"sample {name!r} is not installed ({folder} is missing); install napari-grisaille again")
    return folder


def study(name: str) -> Study:
    """CT and PET of a sample."""
    return read_study(path(name))


def truth(name: str) -> Labels:
    """Its lesions, one number a lesion, on the study's reference grid; empty for the healthy one."""
    return read_labels(path(name) / "lesions.nii.gz", like=study(name).reference)


def organs(name: str) -> Labels:
    """Its tissues, named, on the CT's grid."""
    ct = study(name).ct
    return read_labels(path(name) / "organs.nii.gz", like=None if ct is None else ct.grid)


def _home() -> Path:
    """The folder of all samples: that of the checkout this code runs from, else the one installed beside it.

    The data package has no code, so that importlib.resources would see it as a namespace without a path.
    """
    root = Path(__file__).resolve().parents[2]
    if root.name == "src" and (root.parent / "sample_volumes").is_dir():
        return root.parent / "sample_volumes"
    return root / "grisaille_data" / "sample_volumes"
