"""``grisaille evaluate METHOD --layout pictures`` with the small CLIP that ships, from the command to the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")

from PIL import Image

from grisaille.cli.main import main
from grisaille.flows.load import find_weights, save_method
from grisaille.methods.anomalyclip import square
from grisaille.methods.anomalyclip.config import AnomalyClipConfig
from grisaille.methods.anomalyclip.method import AnomalyCLIP

pytestmark = pytest.mark.ai


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures of noise, two with a bright square, their masks, and a model of plain words for ``clip-demo``."""
    monkeypatch.setattr(square, "SIDE", 96)
    rng = np.random.default_rng(0)
    for number in range(4):
        picture, mask = rng.integers(0, 90, (64, 48)).astype(np.uint8), np.zeros((64, 48), np.uint8)
        if number > 1:
            picture[10:40, 10:30], mask[10:40, 10:30] = 240, 255
        half = tmp_path / "Liver_AD" / "test" / ("Ungood" if number > 1 else "good")
        for name, array in (("img", picture), ("label", mask)):
            (half / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(half / name / f"{number}.png")
    config = AnomalyClipConfig()
    save_method(AnomalyCLIP.create(config, find_weights("anomalyclip", config)), tmp_path / "words.safetensors")
    return tmp_path


def call(*words: object) -> int:
    return main(["evaluate", *(str(word) for word in words), "--layout", "pictures"])


def test_a_folder_of_pictures_becomes_a_report(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data, out = place / "words.safetensors", place / "Liver_AD", place / "out"
    assert call(model, "--data", data, "--out", out, "--device", "cpu", "--threads", 1, "--sigma-px", 2) == 0
    said = capsys.readouterr()
    assert "image AUROC" in said.out
    assert "0.979" in said.out
    assert "not as published: the backbone is clip-demo" in said.out
    assert "looking at pictures, 4 steps" in said.err
    record = json.loads((out / "report.json").read_text())
    assert {one["name"] for one in record["weights"]} == {"clip-demo", "words.safetensors"}
    assert all(len(one["sha256"]) == 64 for one in record["weights"])
    assert record["config"]["sigma_px"] == 2.0
    assert all(0 <= one["value"] <= 1 for one in record["figures"])
    assert (record["rows"], record["side"]) == (12, 96)
    (data / "test/good/img/0.png").write_text("no picture")
    assert call(model, "--data", data, "--out", place / "again", "--device", "cpu") == 1
    assert "a picture could not be measured: 0.png is no picture" in capsys.readouterr().err


def test_what_goes_wrong_is_a_sentence(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data, out = place / "words.safetensors", place / "Liver_AD", place / "out"
    for words, sentence in (
        ((model, "--out", out), "layout pictures needs the folder of its data"),
        ((model, "--data", place / "none", "--out", out), "it is no folder"),
        ((model, "--data", data, "--out", out, "--token-mm", 5), "token_mm means nothing on pictures"),
        ((model, "--data", data, "--out", out, "--quick"), "quick was given, but on pictures"),
        (("mvg", "--data", data, "--out", out), "mvg looks at volumes in millimetres"),
    ):
        assert call(*words) == 1
        assert sentence in capsys.readouterr().err
    assert not out.exists()
