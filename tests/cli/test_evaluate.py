"""``grisaille evaluate``: what is typed becomes a report, what goes wrong a sentence and a code."""

from __future__ import annotations

import json

import numpy as np
import pytest

from grisaille.cli.evaluate import LAYOUTS
from grisaille.cli.main import main
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.flows.layouts.exam import Layout
from grisaille.io.labels import write_labels
from grisaille.io.volumes import write_volume
from grisaille.methods import catalog
from intensity_method import IntensityConfig, IntensityMethod

GRID = Grid.from_spacing((8, 12, 12), 4.0)


@pytest.fixture(autouse=True)
def catalogued(monkeypatch):
    monkeypatch.setattr(catalog, "names", lambda: ("intensity",))
    monkeypatch.setattr(catalog, "method_class", lambda name: IntensityMethod)
    monkeypatch.setattr(catalog, "config_class", lambda name: IntensityConfig)


@pytest.fixture
def place(tmp_path):
    """Two ill studies, and four healthy ones in a folder of their own."""
    for number in range(6):
        folder = tmp_path / ("ill" if number < 2 else "well") / f"study{number}"
        folder.mkdir(parents=True)
        voxels = np.random.default_rng(number).normal(2, 0.3, GRID.shape).astype(np.float32)
        voxels[:, :3] = 0
        truth = np.zeros(GRID.shape, np.uint16)
        if number < 2:
            voxels[3:6, 6:9, 6:9], truth[3:6, 6:9, 6:9] = 9, 1
            write_labels(Labels(truth, GRID), folder / "lesions.nii.gz")
        write_volume(Volume(voxels, GRID, Modality.PET, Unit.SUVBW, name="PET"), folder / "PET.nii.gz")
    return tmp_path


def call(*words):
    try:
        return main([str(word) for word in words])
    except SystemExit as left:  # argparse
        return left.code


def test_a_folder_with_healthy_studies_beside_it_becomes_a_report(place, capsys):
    words = ["intensity", "--data", place / "ill", "--layout", "folder", "--healthy", place / "well", "--folds", 2]
    assert call("evaluate", *words, "--side", "above", "--seed", 3, "--out", place / "out") == 0
    said = capsys.readouterr()
    assert "SUV > 4" in said.out
    assert "a healthy scan: 1 promised" in said.out
    assert "evaluating studies" in said.err
    record = json.loads((place / "out" / "report.json").read_text())
    assert (record["method"], record["seed"], record["folds"]) == ("intensity", 3, 2)
    assert record["config"]["side"] == "above"
    assert len(record["scans"]) == 6
    files = record["files"]
    assert len(files) == 6 * 2 + 2 + 0  # images and sidecars, and lesions of two
    assert all(len(one["sha256"]) == 64 for one in files)
    shared = "".join((place / "out" / name).read_text() for name in ("report.json", "report.md", "report.html"))
    assert "study0" not in shared  # names of patients' folders stay in the work folder


def test_the_layouts_of_the_command_are_those_of_the_flow():
    assert tuple(Layout) == LAYOUTS


def test_help_lists_the_settings_of_the_method_named(capsys):
    assert call("evaluate", "intensity", "--help") == 0
    assert "--smallest-ml" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("intensity", "--layout", "folder", "--out", "OUT"), 1, "needs the folder of its data"),
        (("intensity", "--layout", "folder", "--data", "EMPTY", "--out", "OUT"), 1, "no case was found"),
        (("intensity", "--layout", "synthetic", "--data", "EMPTY", "--out", "OUT"), 1, "leave --data"),
        (("intensity", "--layout", "shelf", "--out", "OUT"), 2, "invalid choice"),
        (("nobody", "--layout", "synthetic", "--out", "OUT"), 1, "no model is called 'nobody'"),
        (("intensity", "--layout", "synthetic", "--quick", "--folds", "2", "--out", "OUT"), 1, "no folds"),
    ],
)
def test_what_goes_wrong_is_a_sentence(tmp_path, capsys, words, code, said):
    (tmp_path / "empty").mkdir()
    named = {"OUT": tmp_path / "out", "EMPTY": tmp_path / "empty"}
    assert call("evaluate", *(named.get(word, word) for word in words)) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
