"""What is loaded when the plugin starts, asked in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "monai", "open_clip", "timm", "SimpleITK")


def answer(program: str) -> object:
    """What ``program`` prints last, as JSON."""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=os.environ)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.screen
def test_opening_the_panel_loads_none_of_the_heavy_packages() -> None:
    program = f"""
import json, sys
import napari
from grisaille.desktop.contributions import MVG
viewer = napari.Viewer(show=False)
viewer.window.add_dock_widget(MVG(viewer), name="MVG")
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""
    assert answer(program) == []


@pytest.mark.screen
def test_the_probe_names_qt_and_opengl() -> None:
    found = answer("import grisaille.desktop.probe as p, json; print(json.dumps(p.probe()))")
    assert isinstance(found, dict)
    assert {"python", "versions", "qt", "opengl"} <= set(found)
    assert "napari" in found["versions"]


def test_without_a_display_the_probe_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux has screens that may be absent")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    found = answer("import grisaille.desktop.probe as p, json; print(json.dumps(p.probe()))")
    assert isinstance(found, dict)
    assert "no display" in found["screen"]
