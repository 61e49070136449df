"""The public names are few, frozen, and cost nothing until they are used."""

import subprocess
import sys

import grisaille

NAMES = """
AnomalyMap Calibration Case Finding Grid GrisailleError Labels Result Run Study SuvOverrides Volume
calibrate detect evaluate find_findings load_method phantom read_labels read_study read_volume resample
samples train write_labels write_result
"""

HEAVY = "torch", "torchvision", "monai", "open_clip", "timm", "SimpleITK", "napari", "qtpy", "pydicom", "scipy"


def test_the_public_names_are_these() -> None:
    assert grisaille.__all__ == NAMES.split()
    assert set(NAMES.split()) <= set(dir(grisaille))


def test_every_public_name_can_be_had() -> None:
    for name in NAMES.split():
        assert getattr(grisaille, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(grisaille, "segment_everything")


def test_importing_grisaille_imports_nothing_heavy() -> None:
    asked = f"import sys, grisaille; print([name for name in {HEAVY!r} if name in sys.modules])"
    seen = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"
