"""The small CLIP that ships is the one of the card."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")

from grisaille.methods.anomalyclip.clip import load_clip
from grisaille.methods.anomalyclip.config import ClipName
from grisaille.methods.anomalyclip.demo.captions import every_text
from grisaille.methods.anomalyclip.demo.training import SETTINGS
from grisaille.methods.anomalyclip.prompts import WORDS, Prompts
from grisaille.weights.bundle import read_bundle
from grisaille.weights.store import find

pytestmark = pytest.mark.ai

FINGERPRINT = "5ad24113fff455823e6c5ddbee2f5b34a32c2395a6e8faf4ace1eae8584181b0"


def test_it_is_found_without_a_network_and_knows_its_words() -> None:
    file = find("clip-demo")
    assert file.path.stat().st_size < 8_000_000
    assert read_bundle(file.path).header["clip"] == SETTINGS
    clip = load_clip(ClipName.DEMO, file)
    assert clip.fingerprint == FINGERPRINT
    assert clip.tokens([*WORDS, *every_text()]).shape[1] == 77
    Prompts.untuned(clip.text_width).require_fits(clip)
