"""Weights files listed, fetched and checked; nothing is fetched unasked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from grisaille.core.errors import DamagedWeights, MissingWeights, WeightsMismatch
from grisaille.flows.add_weights import Wish, add_weights
from grisaille.flows.weights import check_weights, get_weights, list_weights
from grisaille.methods.anomalyclip.clip import load_clip
from grisaille.methods.anomalyclip.config import ClipName
from grisaille.methods.anomalyclip.prompts import START
from grisaille.weights import store
from grisaille.weights.card import CardKind, cards
from grisaille.weights.store import WeightsFile, find
from methods.anomalyclip.weights_files import (
    TEXTS,
    checkpoint,
    clip_tensors,
    empty_places,
    saved,
    small_architectures,
)

pytestmark = pytest.mark.ai
B16, L14 = ClipName.VIT_B16, ClipName.VIT_L14


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights folder."""
    small_architectures(monkeypatch)
    return empty_places(monkeypatch, tmp_path)


@pytest.fixture
def start() -> torch.Tensor:
    """How a text begins in the small ``B16``."""
    return clip_tensors(B16)["token_embedding.weight"][START]


def verdict(name: str):
    (one,) = check_weights([name])
    return one


def test_list_shows_every_card_and_where_it_is(tmp_path: Path, folder: Path) -> None:
    shelves = {shelf.card.name: shelf for shelf in list_weights()}
    assert list(shelves) == list(cards())
    assert shelves[B16].path is None
    assert shelves["mvg/phantom"].bytes == cards()["mvg/phantom"].bytes
    add_weights(saved(clip_tensors(B16), tmp_path / "clip.safetensors"))
    (shelf,) = (one for one in list_weights() if one.card.name == B16)
    assert shelf.path == folder / "clip-vit-b-16.safetensors"
    assert shelf.bytes == shelf.path.stat().st_size


class Hub:
    """Stands in for the hub: hands out one file."""

    def __init__(self, file: Path) -> None:
        self.file, self.asked = file, list[tuple[str, str]]()

    def __call__(self, repository: str, file: str, *, local_dir: str) -> str:
        self.asked.append((repository, file))
        return shutil.copy(self.file, Path(local_dir) / file)


def test_get_asks_the_hub_once(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(saved(clip_tensors(B16), tmp_path / "clip.safetensors"))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub)
    for _ in range(2):
        assert get_weights(B16).path == folder / "clip-vit-b-16.safetensors"
    assert hub.asked == [("timm/vit_base_patch16_clip_224.openai", "open_clip_model.safetensors")]


def test_what_was_fetched_and_is_something_else_is_not_kept(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(saved(clip_tensors(L14), tmp_path / "clip.safetensors"))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub)
    with pytest.raises(WeightsMismatch, match="as clip-vit-b-16"):
        get_weights(B16)
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_get_of_what_no_hub_has_says_the_way_by_hand() -> None:
    with pytest.raises(
        MissingWeights,
        match=r"comes from https://github\.com/zqhang.*`grisaille weights add FILE --as anomalyclip/visa`",
    ):
        get_weights("anomalyclip/visa")


def test_nothing_but_get_asks_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(tmp_path)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub)
    list_weights()
    assert "`grisaille weights get clip-vit-b-16`" in verdict(B16).problem
    list(check_weights())
    assert hub.asked == []


def test_check_reads_what_is_here_and_compares_prompts_with_their_backbone(tmp_path: Path, start: torch.Tensor) -> None:
    prompts = saved(checkpoint(start), tmp_path / "prompts.pth")
    add_weights(prompts, Wish(name="anomalyclip/visa", backbone=B16))
    assert "not compared with clip-vit-b-16, which is not here" in verdict("anomalyclip/visa").notes
    add_weights(saved(clip_tensors(B16), tmp_path / "clip.safetensors"))
    seen = {one.name: one for one in check_weights()}
    here = {card.name for card in cards().values() if store.locate(card)}
    assert set(seen) == here >= {B16, "anomalyclip/visa", "mvg/phantom", "autopaint/phantom", "efficientnet-lite0"}
    assert not [one for one in seen.values() if one.problem]
    assert all(len(one.sha256) == 64 for one in seen.values())
    assert "fits clip-vit-b-16" in seen["anomalyclip/visa"].notes[1]
    add_weights(saved(clip_tensors(B16, 1), tmp_path / "other.safetensors"), Wish(overwrite=True))
    assert "learned with other weights" in verdict("anomalyclip/visa").problem
    assert not verdict(B16).problem


def test_check_finds_a_damaged_file(tmp_path: Path) -> None:
    path = add_weights(saved(clip_tensors(B16), tmp_path / "clip.safetensors")).path
    path.write_bytes(path.read_bytes()[:-5])
    assert "cannot be read as tensors" in verdict(B16).problem
    path.write_bytes(b"<html>")
    assert "web page" in verdict(B16).problem
    kept = path.with_name(cards()["mvg/phantom"].file)
    whole = find("mvg/phantom").path.read_bytes()
    kept.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert not verdict("mvg/phantom").problem  # the shipped one is found first
    with pytest.raises(DamagedWeights, match="the card of mvg/phantom says"):
        find("mvg/phantom", path=kept)


def test_missing_backbones_and_prompts_say_what_where_and_how(folder: Path) -> None:
    with pytest.raises(MissingWeights) as caught:
        find(ClipName.VIT_L14_336)
    said = str(caught.value)
    assert said.startswith("clip-vit-l-14-336 was not found; looked for ")
    assert str(folder / "clip-vit-l-14-336.safetensors") in said
    assert "`grisaille weights get clip-vit-l-14-336`" in said
    assert "fetch open_clip_model.safetensors there by hand" in said
    assert "`grisaille weights add FILE --as clip-vit-l-14-336`" in said


def test_every_clip_and_no_prompt_of_others_has_a_hub() -> None:
    known = cards()
    clips = [known[name] for name in ClipName if name in known and name is not ClipName.DEMO]
    assert len(clips) == 4
    assert all(card.hub and not card.is_pinned and card.licence == "MIT" for card in clips)
    learned = [card for card in known.values() if card.kind is CardKind.METHOD and not card.is_pinned]
    assert not [card.name for card in learned if card.hub]
    assert all("NC" in card.licence for card in learned if "MVTec AD" in card.intended_use)


def test_a_file_of_the_hub_without_a_card_is_loaded_by_its_path(tmp_path: Path) -> None:
    file = saved(clip_tensors(B16), tmp_path / "mine.safetensors")
    assert load_clip(B16, WeightsFile("mine", file, "")).text_width == TEXTS
