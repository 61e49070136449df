"""The command that teaches the small CLIP."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")

from grisaille.core.run import Run
from grisaille.flows.make_clip_demo import make_clip_demo
from grisaille.methods.anomalyclip.clip import load_clip
from grisaille.methods.anomalyclip.config import ClipName
from grisaille.methods.anomalyclip.demo import pictures
from grisaille.methods.anomalyclip.demo.pictures import Pages, made
from grisaille.phantom import Scan, Station

pytestmark = pytest.mark.ai


def test_it_writes_a_clip_and_makes_slices_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def coarse(seed: int, number: int) -> Pages:
        asked.append(number)
        return made(seed, number, Scan(Station.CHEST, ct_spacing_mm=8.0, pet_spacing_mm=10.0))

    monkeypatch.setattr(pictures, "made", coarse)
    run = Run(device="cpu", threads=1, seed=1)
    for name in ("one", "two"):
        losses = make_clip_demo(tmp_path / f"{name}.safetensors", 2, 2, work=tmp_path / "work", run=run)
        assert len(losses) == 2
    assert asked == [0, 1]
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    clip = load_clip(ClipName.DEMO, SimpleNamespace(name="clip-demo", path=tmp_path / "one.safetensors"))
    assert (clip.patch, clip.blocks, clip.text_blocks) == (8, 4, 4)
