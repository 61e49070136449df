"""A whole picture through the published pass: score and map equal those of the plain version."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")

import torch
from PIL import Image

from grisaille.core.errors import Cancelled, ConfigError
from grisaille.core.run import Run
from grisaille.io.picture import read_square
from grisaille.methods.anomalyclip import square
from grisaille.methods.anomalyclip.clip import Clip
from grisaille.methods.anomalyclip.config import AnomalyClipConfig, Preset
from grisaille.methods.anomalyclip.method import AnomalyCLIP
from grisaille.methods.anomalyclip.prompts import Prompts
from grisaille.methods.anomalyclip.square import SquareReader
from grisaille.methods.anomalyclip.state import State
from grisaille.methods.picture_reader import SeesPictures
from methods.anomalyclip.small_clip import small_clip, small_prompts
from oracles import plain_anomalyclip as plain

pytestmark = pytest.mark.ai

RUN = Run(device="cpu", threads=1)
SMALL = 158
"""In place of 518, so that the plain pass takes no minute; patches of 16 make it 160."""
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def reader(**settings: object) -> SquareReader:
    config = AnomalyClipConfig.from_mapping({"taps": (6, 12), "alone": 7, **settings})
    return AnomalyCLIP(small_clip(), State(config, small_prompts())).picture_reader


@pytest.fixture(autouse=True)
def small_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(square, "SIDE", SMALL)


def a_picture(path: Path, seed: int, shape: tuple[int, ...] = (60, 90, 3)) -> Path:
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)).save(path)
    return path


@torch.inference_mode()
def published(path: Path, side: int, sigma: float) -> tuple[float, np.ndarray]:
    """Score and map by the plain pass, from the file on."""
    with Image.open(path) as image:
        square = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC).convert("RGB"), np.float32) / 255
    standard = torch.from_numpy(((square - MEAN) / STD).astype(np.float32)).permute(2, 0, 1)
    parameters, prompts = small_clip().network.state_dict(), small_prompts()
    ids = small_clip().tokens([f"{'X ' * 12}{words}" for words in prompts.words])
    deep = [torch.tensor(one) for one in prompts.deep]
    text = plain.text(parameters, ids, torch.tensor(prompts.context), deep, heads=2)
    feature, patches = plain.image(parameters, standard, heads=4, taps=(6, 12), first=6)
    return plain.score(feature, text), plain.anomaly_map(patches, text, side, sigma)


def test_score_and_map_equal_the_plain_pass_on_the_same_file(tmp_path: Path) -> None:
    ours = reader()
    assert (ours.rows, ours.side) == (10, 160)
    paths = [a_picture(tmp_path / "colour.png", 0), a_picture(tmp_path / "grey.png", 1, (70, 50))]
    found = list(ours.scores([read_square(path, ours.side) for path in paths], RUN))
    for path, one in zip(paths, found, strict=True):
        score, map_ = published(path, ours.side, 4.0)
        assert one.whole == pytest.approx(score, abs=1e-5)
        np.testing.assert_allclose(ours.smooth(one.tokens), map_, atol=2e-5)


@pytest.mark.parametrize(("patch", "rows", "side"), [(14, 37, 518), (16, 32, 512), (32, 16, 512)])
def test_a_square_is_518_pixels_wide_or_the_nearest_that_whole_patches_make(
    monkeypatch: pytest.MonkeyPatch, patch: int, rows: int, side: int
) -> None:
    monkeypatch.setattr(square, "SIDE", 518)
    monkeypatch.setattr(Clip, "patch", patch)
    assert (reader().rows, reader().side) == (rows, side)


def test_another_batch_gives_the_same_scores_and_settings_their_own_map(tmp_path: Path) -> None:
    pixels = read_square(a_picture(tmp_path / "one.png", 2), 160)
    (one,) = reader(batch=1).scores([pixels], RUN)
    first, again = reader(batch=2).scores([pixels, pixels], RUN)
    for other in (first, again):
        assert other.whole == pytest.approx(one.whole, abs=1e-6)
        np.testing.assert_allclose(other.tokens, one.tokens, atol=1e-5)
    rough = reader(sigma_px=0.0).smooth(one.tokens)
    assert rough.std() > reader().smooth(one.tokens).std()


def test_what_is_not_as_published_is_said() -> None:
    assert reader(taps=()).departures == (
        "the backbone is clip-demo, not clip-vit-l-14-336",
        "pictures are 160 pixels wide, not 158",
    )
    config = AnomalyClipConfig(preset=Preset.CRANE, taps=(6, 12), sigma_px=2.0, eight_bit=True)
    words = AnomalyCLIP(small_clip(), State(config, Prompts.untuned(small_clip().text_width)))
    said = " ".join(words.picture_reader.departures)
    for part in ("plain words", "those of crane", "blocks 6 and 12", "smoothed by 2 px, not 4", "eight bits"):
        assert part in said


def test_the_method_is_one_that_sees_pictures_and_eight_bits_are_for_the_cpu() -> None:
    assert isinstance(AnomalyCLIP(small_clip(), State(AnomalyClipConfig(), small_prompts())), SeesPictures)
    with pytest.raises(ConfigError, match="eight_bit is for the CPU"):
        list(reader(eight_bit=True).scores([np.zeros((160, 160, 3), np.uint8)], Run(device="cuda")))


def test_a_run_that_is_cancelled_stops_before_the_network() -> None:
    with pytest.raises(Cancelled):
        list(reader().scores([np.zeros((160, 160, 3), np.uint8)], Run(device="cpu", is_cancelled=lambda: True)))
