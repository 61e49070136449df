"""A viewer with a PET in it, and panels docked to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_method import fake_maker, pet_with_spots
from fake_painter import FakePainter
from grisaille.core.volume import Modality, Unit, Volume


@pytest.fixture
def recovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recovery folder of this test."""
    from grisaille.desktop import autosave

    monkeypatch.setattr(autosave, "recovery_folder", lambda: tmp_path / "recovery")
    return tmp_path / "recovery"


@pytest.fixture
def pet_viewer(make_napari_viewer: Any, recovery: Path) -> Any:
    """A viewer that shows a PET with three hot spots."""
    from grisaille.desktop import layers

    viewer = make_napari_viewer()
    layers.add_volume(viewer, pet_with_spots())
    return viewer


@pytest.fixture
def dock(pet_viewer: Any) -> Callable[..., Any]:
    """Docks a panel of a maker to ``pet_viewer``."""

    def dock(maker: Any, name: str = "Fake") -> Any:
        from grisaille.desktop.panel import MethodPanel

        panel = MethodPanel(pet_viewer, maker)
        pet_viewer.window.add_dock_widget(panel, name=name)
        return panel

    return dock


@pytest.fixture
def ran(dock: Callable[..., Any], qtbot: Any) -> Any:
    """A panel that has run once."""
    panel = dock(fake_maker())
    panel.face.run.click()
    qtbot.waitUntil(lambda: not panel.is_running)
    return panel


@pytest.fixture
def painted(pet_viewer: Any, dock: Callable[..., Any], qtbot: Any) -> Any:
    """A panel whose method has painted a healthy twin of a CT and a PET."""
    from grisaille.desktop import layers

    pet = pet_with_spots()
    ct = Volume((pet.voxels * 50).astype(np.int16), pet.grid, Modality.CT, Unit.HU, name="CT")
    layers.add_volume(pet_viewer, ct)
    panel = dock(fake_maker(FakePainter()))
    panel.run()
    qtbot.waitUntil(lambda: not panel.is_running)
    return panel
