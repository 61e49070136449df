"""Versions of the packages that numbers rest on."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from importlib import metadata

DISTRIBUTIONS = {
    "numpy": "numpy",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "cc3d": "connected-components-3d",
    "nibabel": "nibabel",
    "pydicom": "pydicom",
    "highdicom": "highdicom",
    "gdcm": "python-gdcm",
    "SimpleITK": "SimpleITK",
    "torch": "torch",
    "torchvision": "torchvision",
    "timm": "timm",
    "monai": "monai",
    "open_clip": "open_clip_torch",
    "safetensors": "safetensors",
    "napari": "napari",
}
"""Distribution by import name."""


def imported_versions() -> dict[str, str]:
    """Of Python and of those packages that this process has imported."""
    return {"python": platform.python_version(), **_versions(name for name in DISTRIBUTIONS if name in sys.modules)}


def installed_versions() -> dict[str, str]:
    """Of those packages that are installed, without importing any."""
    return _versions(DISTRIBUTIONS)


def _versions(names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(DISTRIBUTIONS[name])
        except metadata.PackageNotFoundError:
            continue
    return found
