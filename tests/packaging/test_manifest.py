"""The plugin as napari finds it: from this environment, and from a wheel in one of its own."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from npe2 import PluginManifest

from grisaille.flows import samples

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torchvision", "monai", "open_clip", "timm", "SimpleITK")

FIND = """
import json, sys
import npe2
manager = npe2.PluginManager.instance()
manager.discover()
manifest = manager.get_manifest("napari-grisaille")
at_discovery = [name for name in sys.argv[1:] if name in sys.modules]
for command in manifest.contributions.commands:
    assert callable(manager.commands.get(command.id)), command.id
import grisaille
print(json.dumps({
    "heavy": at_discovery + [name for name in sys.argv[1:] if name in sys.modules],
    "code": grisaille.__file__,
    "samples": [sample.key for sample in manifest.contributions.sample_data],
}))
"""


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution("napari-grisaille")


def test_the_installed_manifest_is_that_of_the_checkout(manifest: PluginManifest) -> None:
    here = PluginManifest.from_file(ROOT / "napari.yaml")
    assert manifest.model_dump() == here.model_dump(), "run pip install -e . again after editing napari.yaml"


def test_every_python_name_of_the_manifest_resolves(manifest: PluginManifest) -> None:
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(importlib.import_module(module), name)), command.id


def test_every_contribution_names_a_command_that_is_there(manifest: PluginManifest) -> None:
    there = {command.id for command in manifest.contributions.commands}
    given = manifest.contributions
    named = {one.command for one in [*given.readers, *given.writers, *given.widgets, *given.sample_data]}
    named |= {item.command for menu in (given.menus or {}).values() for item in menu}
    assert named <= there
    assert all(command.startswith("napari-grisaille.") for command in there)


def test_every_sample_is_in_the_menu(manifest: PluginManifest) -> None:
    assert {sample.key for sample in manifest.contributions.sample_data} == set(samples.names())


def test_keys_are_not_contributed(manifest: PluginManifest) -> None:
    """napari ignores them, and an incomplete one would make the whole manifest invalid."""
    assert not manifest.contributions.keybindings


def resolved(python: str | Path, folder: Path) -> dict[str, object]:
    """What npe2 finds in an environment of its own, away from the checkout."""
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "COVERAGE_PROCESS_START")
    }
    done = subprocess.run(
        [str(python), "-c", FIND, *HEAVY], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_discovery_and_every_command_bring_none_of_the_heavy_packages(tmp_path: Path) -> None:
    assert resolved(sys.executable, tmp_path)["heavy"] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def clean_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel, and sees the libraries of this one but not its grisaille."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = next(path for path in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if path.exists())
    site = next(iter(folder.rglob("site-packages")))
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", str(wheel)],
        check=True,
        capture_output=True,
    )
    here = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    (site / "libraries.pth").write_text(f"{here}\n")
    return python


@pytest.mark.packaging
def test_the_wheel_holds_the_manifest_and_the_samples(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "grisaille_data/napari.yaml" in names
    here = {
        f"grisaille_data/{path.relative_to(ROOT)}" for path in (ROOT / "sample_volumes").rglob("*") if path.is_file()
    }
    assert here <= names
    assert sum(info.file_size for info in zipfile.ZipFile(wheel).infolist() if "sample_volumes" in info.filename) < 20e6


@pytest.mark.packaging
def test_the_wheel_is_found_with_all_its_commands(clean_python: Path, tmp_path: Path) -> None:
    found = resolved(clean_python, tmp_path)
    environment = str(clean_python.parents[1])
    assert str(found["code"]).startswith(environment)
    assert found["heavy"] == []
    assert set(found["samples"]) == set(samples.names())  # type: ignore[call-overload]


@pytest.mark.packaging
def test_the_wheel_opens_a_sample(clean_python: Path, tmp_path: Path) -> None:
    code = "import grisaille as gr; print(gr.samples.path('oblique'), gr.samples.study('oblique').reference)"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(clean_python), "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert str(clean_python.parents[1]) in done.stdout
