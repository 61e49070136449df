"""``grisaille train clip-demo``."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")

from grisaille.cli.main import main
from grisaille.methods.anomalyclip.demo import pictures
from grisaille.methods.anomalyclip.demo.pictures import Pages, made
from grisaille.phantom import Scan, Station

pytestmark = pytest.mark.ai


def test_it_writes_a_network_and_replaces_none_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def coarse(seed: int, number: int) -> Pages:
        return made(seed, number, Scan(Station.CHEST, ct_spacing_mm=8.0, pet_spacing_mm=10.0))

    monkeypatch.setattr(pictures, "made", coarse)
    out = tmp_path / "clip.safetensors"
    words = ["train", "clip-demo", "--out", str(out), "--patients", "1", "--steps", "1"]
    assert main(words) == 0
    assert "taught in 1 steps" in capsys.readouterr().out
    before = out.read_bytes()
    assert main(words) == 1
    assert "clip.safetensors exists" in capsys.readouterr().err
    assert out.read_bytes() == before
    with pytest.raises(SystemExit):
        main([*words[:-1], "0"])
