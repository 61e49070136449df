"""The page of preferences, as the manifest declares it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from npe2 import PluginManifest

from grisaille.desktop.settings import PLUGIN, Preferences, preferences

MANIFEST = Path(__file__).parents[2] / "napari.yaml"


def page(**changes: Any) -> SimpleNamespace:
    declared = PluginManifest.from_file(MANIFEST).contributions.configurations["computing"].properties
    values = {name: one.default for name, one in declared.items()}
    return SimpleNamespace(computing=SimpleNamespace(**{**values, **changes}))


def test_a_page_that_nobody_touched_means_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari.settings.get_plugin_settings", lambda name: page())
    assert preferences() == Preferences()


def test_what_the_user_set_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    given = page(device="cuda", threads=3, weights_folder="~/weights", cache_folder=" ")
    monkeypatch.setattr("napari.settings.get_plugin_settings", {PLUGIN: given}.__getitem__)
    assert preferences() == Preferences("cuda", 3, Path("~/weights").expanduser(), None)


def test_without_the_plugin_s_page_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari.settings.get_plugin_settings", {}.__getitem__)
    assert preferences() == Preferences()
