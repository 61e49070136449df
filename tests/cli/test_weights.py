"""``grisaille weights`` as it is typed: what it prints, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from grisaille.cli.main import main
from grisaille.methods.anomalyclip.config import ClipName
from grisaille.weights.card import cards
from methods.anomalyclip.weights_files import checkpoint, clip_tensors, empty_places, small_architectures

pytestmark = pytest.mark.ai
B16 = ClipName.VIT_B16


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights folder."""
    small_architectures(monkeypatch)
    return empty_places(monkeypatch, tmp_path)


def call(*words: object) -> int:
    """Exit code of ``grisaille weights WORDS``."""
    try:
        return main(["weights", *map(str, words)])
    except SystemExit as left:  # argparse
        return int(left.code or 0)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    save_file(clip_tensors(B16), tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def test_list_names_every_card_its_licence_and_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "kind", "size", "licence", "where"]
    assert [line.split()[0] for line in lines[1:]] == list(cards())
    (line,) = (line for line in lines if line.startswith("clip-vit-b-16 "))
    assert line.split() == ["clip-vit-b-16", "backbone", "unknown", "MIT", "not", "here"]
    (line,) = (line for line in lines if line.startswith("mvg/phantom "))
    assert "3.2 MB" in line
    assert line.endswith("mvg-phantom.safetensors")


def test_list_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["clip-vit-b-16"]["path"] is None
    assert rows["mvg/phantom"]["bytes"] == 3239380
    assert "CC BY-NC-SA" in rows["anomalyclip/mvtec"]["licence"]


def test_list_opens_no_network_library() -> None:
    program = (
        "import sys\n"
        "from grisaille.cli.main import main\n"
        "code = main(['weights', 'list', '--json'])\n"
        "print(code, [name for name in ('torch', 'open_clip', 'timm', 'huggingface_hub') if name in sys.modules])"
    )
    sources = str(Path(main.__code__.co_filename).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": sources},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0 []"


def test_add_then_check(clip: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("add", clip) == 0
    said = capsys.readouterr()
    kept = folder / "clip-vit-b-16.safetensors"
    assert "mine.safetensors: weights of clip-vit-b-16" in said.out
    assert f"clip-vit-b-16: {kept}" in said.out
    assert f"{kept.stat().st_size} bytes, sha256 " in said.out
    assert "licence: MIT" in said.err
    assert call("check", "clip-vit-b-16") == 0
    assert capsys.readouterr().out.startswith(f"ok      clip-vit-b-16: {kept}")
    assert call("add", clip) == 1
    assert "is there already; add --overwrite" in capsys.readouterr().err
    assert call("add", clip, "--overwrite") == 0


def test_check_fails_for_a_damaged_or_absent_file(clip: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("add", clip)
    (folder / "clip-vit-b-16.safetensors").write_bytes(b"hello")
    capsys.readouterr()
    assert call("check", "mvg/phantom", "clip-vit-b-16", "clip-vit-l-14", "--json") == 1
    good, damaged, absent = json.loads(capsys.readouterr().out)
    assert (good["ok"], damaged["ok"], absent["ok"]) == (True, False, False)
    assert "cannot be read as tensors" in damaged["problem"]
    assert "clip-vit-l-14 was not found" in absent["problem"]
    assert call("check", "clip-vit-b-16") == 1
    assert capsys.readouterr().out.startswith("FAILED  clip-vit-b-16: ")
    assert call("check", "nonsense") == 1


def test_add_prompts_with_all_that_has_to_be_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(checkpoint(torch.zeros(32)), tmp_path / "epoch_15.pth")
    words = ["add", tmp_path / "epoch_15.pth", "--as", "anomalyclip/mvtec", "--backbone", "clip-vit-b-16"]
    assert call(*words, "--preset", "crane", "--out", tmp_path / "out.safetensors") == 0
    said = capsys.readouterr()
    assert "'object.' and 'damaged object.', for clip-vit-b-16 and the preset crane" in said.out
    assert "learned on MVTec AD, which is CC BY-NC-SA 4.0" in said.err
    assert call(*words, "--preset", "bird") == 2


def test_get_says_the_licence_first_and_what_no_hub_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("get", "anomalyclip/mvtec") == 1
    first, error = capsys.readouterr().err.splitlines()
    assert "CC BY-NC-SA 4.0" in first
    assert "`grisaille weights add FILE --as anomalyclip/mvtec`" in error
    assert call("get", "nonsense") == 1
    assert "known are efficientnet-lite0" in capsys.readouterr().err


def test_get_prints_the_whole_hash(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def hub(repository: str, file: str, *, local_dir: str) -> str:
        return str(clip.rename(Path(local_dir) / file))

    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub)
    assert call("get", "clip-vit-b-16") == 0
    said = capsys.readouterr()
    assert len(said.out.split("sha256 ")[1].strip()) == 64
    assert "no hash of clip-vit-b-16 is known to grisaille" in said.err


@pytest.mark.parametrize("words", [[], ["add"], ["get"], ["eat"]])
def test_wrong_usage(words: list[str]) -> None:
    assert call(*words) == 2
