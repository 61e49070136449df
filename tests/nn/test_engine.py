"""The door to torch: it says what is missing, and does not crash behind an open window."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from grisaille.core.errors import MissingDependency
from grisaille.core.packages import require
from grisaille.nn.engine import load_engine

HEAVY = ("torch", "torchvision", "monai", "open_clip", "timm", "SimpleITK")


def test_the_packages_are_handed_over() -> None:
    import json
    import math

    assert load_engine("json", "math") == (json, math)


def test_missing_packages_are_named_with_the_command_that_installs_them() -> None:
    with pytest.raises(MissingDependency, match=r"^no_such_a, no_such_b are not .*napari-grisaille\[ai\]") as caught:
        load_engine("json", "no_such_a", "no_such_b")
    assert "json" not in str(caught.value)
    with pytest.raises(MissingDependency, match="no_such_a is not installed"):
        require("no_such_a")


def test_requiring_imports_nothing() -> None:
    program = "import sys; from grisaille.core.packages import require; require('wave'); print('wave' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


LIGHT = (
    "grisaille",
    "grisaille.core.packages",
    "grisaille.weights.bundle",
    "grisaille.weights.card",
    "grisaille.weights.store",
    "grisaille.nn.engine",
    "grisaille.nn.threads",
    "grisaille.nn.device",
    "grisaille.nn.backbone",
    "grisaille.methods.base",
)


def test_naming_things_imports_no_network_library() -> None:
    program = f"""
import importlib, sys
for name in {LIGHT}:
    importlib.import_module(name)
from grisaille.weights.card import cards
from grisaille.nn.backbone import BackboneName
assert cards() and BackboneName.B4.size == 380
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.screen
@pytest.mark.ai
@pytest.mark.skipif(find_spec("napari") is None, reason="napari is not installed")
def test_the_networks_load_after_a_viewer_was_opened() -> None:
    """Without the guard this process dies of a segmentation fault under Mesa's llvmpipe."""
    program = """
import napari, numpy
viewer = napari.Viewer(show=True)
viewer.add_image(numpy.zeros((4, 8, 8)))
viewer.screenshot(canvas_only=True, flash=False)
from grisaille.nn.engine import load_engine
load_engine("torch", "torchvision", "timm", "monai", "open_clip")
viewer.close()
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr[-2000:]
