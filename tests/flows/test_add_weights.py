"""Weights files taken up: each kind recognised, everything else refused with a sentence."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from safetensors.torch import load_file

from grisaille.core.errors import (
    ConfigError,
    DamagedWeights,
    GrisailleError,
    MissingWeights,
    OutputError,
    WeightsMismatch,
)
from grisaille.flows import add_weights as adding
from grisaille.flows.add_weights import Wish, add_weights
from grisaille.flows.weights import check_weights
from grisaille.methods.anomalyclip.clip import load_clip
from grisaille.methods.anomalyclip.config import ClipName, Preset
from grisaille.methods.anomalyclip.prompts import START
from grisaille.methods.anomalyclip.state import State
from grisaille.weights.bundle import Bundle, read_bundle, write_bundle
from grisaille.weights.card import cards
from grisaille.weights.store import find
from methods.anomalyclip.weights_files import (
    TEXTS,
    Bomb,
    checkpoint,
    clip_tensors,
    empty_places,
    saved,
    small_architectures,
    write_archive,
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


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verdict(name: str):
    (one,) = check_weights([name])
    return one


# --- CLIPs


def test_a_clip_is_recognised_by_its_shapes_and_copied_bit_for_bit(tmp_path: Path, folder: Path) -> None:
    file = saved(clip_tensors(L14), tmp_path / "open_clip_model.safetensors")
    added = add_weights(file)
    assert (added.name, added.path) == ("clip-vit-l-14", folder / "clip-vit-l-14.safetensors")
    assert added.sha256 == sha(file) == sha(added.path)
    assert added.bytes == file.stat().st_size
    assert any("nobody has checked" in note for note in added.notes)
    assert load_clip(L14, find(L14)).patch == 16


def test_a_state_dict_of_openai_s_becomes_safetensors_without_its_three_numbers(tmp_path: Path) -> None:
    tensors = clip_tensors(B16)
    sizes = {name: torch.tensor(77) for name in ("input_resolution", "context_length", "vocab_size")}
    added = add_weights(saved({**tensors, **sizes}, tmp_path / "clip.pth"))
    kept = load_file(added.path)
    assert set(kept) == set(tensors)
    assert all(torch.equal(kept[name], tensors[name]) for name in tensors)


def test_an_archive_is_opened_only_when_trusted(tmp_path: Path) -> None:
    file = write_archive(clip_tensors(L14), tmp_path / "ViT-L-14.pt")
    with pytest.raises(
        ConfigError, match=rf"runs code of its author .* sha256 {sha(file)} is none that OpenAI .*--trust"
    ):
        add_weights(file)
    added = add_weights(file, Wish(trusts=True))
    assert added.name == L14
    kept = load_file(added.path)
    assert set(kept) == set(clip_tensors(L14))
    assert kept["visual.proj"].dtype == torch.float16
    assert load_clip(L14, find(L14)).text_width == TEXTS


def test_an_archive_with_the_hash_that_openai_publishes_needs_no_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_archive(clip_tensors(L14), tmp_path / "ViT-L-14.pt")
    card = replace(cards()[L14], source_sha256=sha(file))
    monkeypatch.setattr(adding, "cards", lambda: MappingProxyType({**cards(), L14: card}))
    assert add_weights(file).name == L14


def test_only_hashes_that_openai_publishes_are_in_the_cards() -> None:
    """As its addresses say, openaipublic.azureedge.net/clip/models/SHA256/; open_clip lists the same."""
    from open_clip.pretrained import get_pretrained_url

    names = {B16: "ViT-B-16", L14: "ViT-L-14", ClipName.VIT_B32: "ViT-B-32", ClipName.VIT_L14_336: "ViT-L-14-336"}
    for name, theirs in names.items():
        assert get_pretrained_url(theirs, "openai").split("/")[-2] == cards()[name].source_sha256


def test_another_training_of_the_architecture_is_taken_with_a_doubt(tmp_path: Path) -> None:
    added = add_weights(saved(clip_tensors(B16, half=False), tmp_path / "laion.safetensors"))
    assert "looks like another training" in added.notes[0]
    assert any("looks like another training" in note for note in verdict(B16).notes)


def test_a_clip_of_no_known_size_is_refused_with_its_sizes(tmp_path: Path) -> None:
    tensors = clip_tensors(B16)
    tensors["visual.positional_embedding"] = torch.zeros(50, 64)
    with pytest.raises(
        WeightsMismatch, match=r"huge\.pth is a CLIP of width 64 with patches of 12 px, 50 places .* none of"
    ):
        add_weights(saved(tensors, tmp_path / "huge.pth"))


def test_a_clip_that_lacks_a_tensor_or_holds_nan_is_refused(tmp_path: Path, folder: Path) -> None:
    tensors = clip_tensors(B16)
    lacking = {name: one for name, one in tensors.items() if name != "visual.proj"}
    with pytest.raises(WeightsMismatch, match=r"lacks visual\.proj"):
        add_weights(saved(lacking, tmp_path / "lacking.safetensors"))
    tensors["visual.proj"][0, 0] = float("nan")
    with pytest.raises(DamagedWeights, match="not finite"):
        add_weights(saved(tensors, tmp_path / "nan.safetensors"))
    assert not folder.exists()


# --- prompts


@pytest.mark.parametrize(("projections", "preset"), [(True, Preset.ANOMALYCLIP), (False, Preset.CRANE)])
def test_published_prompts_become_a_model_of_ours(
    tmp_path: Path, folder: Path, start: torch.Tensor, projections: bool, preset: Preset
) -> None:
    file = saved(checkpoint(start, projections=projections), tmp_path / "epoch_15.pth")
    added = add_weights(file, Wish(name="anomalyclip/visa", backbone=B16))
    assert added.path == folder / "anomalyclip-visa.safetensors"
    state = State.of(read_bundle(added.path))
    assert (state.config.preset, state.config.backbone) == (preset, B16)
    assert state.prompts.words == ("object.", "damaged object.")
    assert sha(file) in state.learned_from
    overridden = add_weights(file, Wish(out=tmp_path / "out.safetensors", preset=Preset.CRANE, backbone=B16))
    assert State.of(read_bundle(overridden.path)).config.preset is Preset.CRANE


def test_prompts_do_not_say_what_they_were_learned_on_nor_small_ones_with_which_clip(
    tmp_path: Path, start: torch.Tensor
) -> None:
    file = saved(checkpoint(start), tmp_path / "epoch_15.pth")
    with pytest.raises(ConfigError, match="prompts 32 wide, the published ones are 768; say with --backbone"):
        add_weights(file)
    with pytest.raises(ConfigError, match=r"does not say what they were learned on; .*--as \(anomalyclip/mvtec.*--out"):
        add_weights(file, Wish(backbone=B16))
    wide = saved(checkpoint(torch.zeros(768)), tmp_path / "wide.pth")
    added = add_weights(wide, Wish(out=tmp_path / "wide.safetensors"))
    assert State.of(read_bundle(added.path)).config.backbone is ClipName.VIT_L14_336
    assert "under which licence" in added.notes[0]


def test_a_file_other_than_the_one_a_card_is_known_by_is_said(tmp_path: Path, start: torch.Tensor) -> None:
    file = saved(checkpoint(start), tmp_path / "epoch_5.pth")
    added = add_weights(file, Wish(name="anomalyclip/crane-mvtec", backbone=B16))
    assert "taken on your word" in added.notes[0]


@pytest.mark.real_data
def test_the_real_prompts_are_known_by_their_hash(real_data: Path, folder: Path) -> None:
    added = add_weights(real_data / "prompts" / "object_agnostic_epoch_5.pth")
    assert (added.name, added.notes) == ("anomalyclip/crane-mvtec", ())
    assert added.path == folder / "anomalyclip-crane-mvtec.safetensors"
    assert "for clip-vit-l-14-336 and the preset crane" in added.what
    assert "not compared with clip-vit-l-14-336, which is not here" in verdict(added.name).notes


# --- models of ours, and backbones of MVG


def test_a_model_of_ours_is_copied(tmp_path: Path, folder: Path) -> None:
    shipped = find("mvg/phantom").path
    copy = Path(shutil.copy(shipped, tmp_path / "given.safetensors"))
    added = add_weights(copy)
    assert (added.name, added.path, added.sha256) == ("mvg/phantom", folder / shipped.name, sha(shipped))
    bundle = read_bundle(shipped)
    write_bundle(Bundle(bundle.arrays, {**bundle.header, "patients": 3}), tmp_path / "own.safetensors")
    added = add_weights(tmp_path / "own.safetensors")
    assert (added.what, added.name, added.path) == ("a model of mvg", "", folder / "own.safetensors")
    with pytest.raises(DamagedWeights, match="the card of mvg/phantom says"):
        add_weights(tmp_path / "own.safetensors", Wish(name="mvg/phantom", overwrite=True))
    with pytest.raises(WeightsMismatch, match="is a model of mvg, not anomalyclip/visa"):
        add_weights(tmp_path / "own.safetensors", Wish(name="anomalyclip/visa"))


@pytest.mark.parametrize("header", [{}, {"method": "crystal ball"}, {"method": "mvg", "config": {"bogus": 1}}])
def test_a_model_that_this_grisaille_cannot_open_is_refused(tmp_path: Path, header: dict[str, object]) -> None:
    write_bundle(Bundle({}, header), tmp_path / "a.safetensors")
    with pytest.raises(GrisailleError, match=r"a\.safetensors"):
        add_weights(tmp_path / "a.safetensors")


def test_a_backbone_of_mvg_is_taken_under_its_name(tmp_path: Path, folder: Path) -> None:
    lite0 = find("efficientnet-lite0").path
    assert add_weights(lite0, Wish(name="efficientnet-lite0")).path == folder / lite0.name
    with pytest.raises(WeightsMismatch, match="as efficientnet-b0"):
        add_weights(lite0, Wish(name="efficientnet-b0"))
    with pytest.raises(WeightsMismatch, match=r"holds no CLIP with a ViT: no visual\.conv1\.weight"):
        add_weights(lite0)


# --- everything else


@pytest.mark.parametrize("name", ["x.pth", "x.pt", "x.safetensors", "x"])
@pytest.mark.parametrize("content", [b"", b"hello", b"<!doctype html><p>404", bytes(3000), b"PK\x03\x04" + bytes(90)])
def test_what_is_no_weights_file_is_a_sentence_with_its_name(
    tmp_path: Path, folder: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DamagedWeights, match=rf"^{name} "):
        add_weights(tmp_path / name)
    assert not folder.exists()


@pytest.mark.parametrize("content", [{"epoch": 3}, [torch.zeros(2)], {"state_dict": {"a": torch.zeros(2)}}, {}])
def test_content_that_nothing_uses_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(WeightsMismatch, match=r"other\.pth holds no"):
        add_weights(saved(content, tmp_path / "other.pth"))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pt"])
def test_a_truncated_file_leaves_nothing(tmp_path: Path, folder: Path, suffix: str, share: float) -> None:
    file = tmp_path / f"clip{suffix}"
    write_archive(clip_tensors(L14), file) if suffix == ".pt" else saved(clip_tensors(L14), file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DamagedWeights, match=rf"^clip{suffix} "):
        add_weights(file, Wish(trusts=True))
    assert not folder.exists()


def test_a_damaged_archive_is_damaged_though_it_lists_its_parts(tmp_path: Path) -> None:
    file = write_archive(clip_tensors(L14), tmp_path / "ViT.pt")
    content = bytearray(file.read_bytes())
    at = content.index(b"data.pkl") + 100
    content[at : at + 400] = bytes(400)
    file.write_bytes(content)
    with pytest.raises(DamagedWeights, match="cannot be read as a TorchScript archive"):
        add_weights(file, Wish(trusts=True))


def test_code_in_a_pickle_is_not_run_even_when_trusted(tmp_path: Path) -> None:
    saved({"visual.proj": Bomb(f"touch {tmp_path / 'run'}")}, tmp_path / "bomb.pth")
    with pytest.raises(DamagedWeights, match="code in a file is never run"):
        add_weights(tmp_path / "bomb.pth", Wish(trusts=True))
    assert not (tmp_path / "run").exists()


def test_what_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    file = saved(clip_tensors(B16), tmp_path / "clip.safetensors")
    first = add_weights(file)
    saved(clip_tensors(B16, 1), file)
    for wish in (Wish(), Wish(out=first.path)):
        with pytest.raises(OutputError, match="is there already; add --overwrite"):
            add_weights(file, wish)
    assert sha(first.path) == first.sha256
    assert add_weights(file, Wish(overwrite=True)).sha256 == sha(file)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, tiny_disk: Path) -> None:
    file = saved(clip_tensors(B16), tmp_path / "clip.safetensors")
    with pytest.raises(OutputError, match="disk is full"):
        add_weights(file, Wish(out=tiny_disk / "clip.safetensors"))
    assert not list(tiny_disk.iterdir())


def test_a_file_is_not_taken_for_what_it_is_not(tmp_path: Path) -> None:
    file = saved(clip_tensors(B16), tmp_path / "clip.safetensors")
    with pytest.raises(WeightsMismatch, match="is weights of clip-vit-b-16, not clip-vit-l-14"):
        add_weights(file, Wish(name=L14))
    with pytest.raises(MissingWeights, match="no weights are called 'clip'; known are"):
        add_weights(file, Wish(name="clip"))
    with pytest.raises(MissingWeights, match="no weights file"):
        add_weights(tmp_path / "absent")
