"""Where weights are found, in which order, and what is refused."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from grisaille.core.errors import DamagedWeights, MissingWeights
from grisaille.weights import store
from grisaille.weights.card import Card, CardKind, cards
from grisaille.weights.store import cache_folder, find, sha256_of

CONTENT = b"weights" * 1000


def card(**changes: str) -> Card:
    given = {
        "name": "tiny",
        "version": "1",
        "file": "sub/tiny.safetensors",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "licence": "CC0-1.0",
        "source": "https://example.org/tiny",
        "intended_use": "tests",
    }
    return Card(kind=CardKind.BACKBONE, **{**given, **changes})


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Empty places, all inside ``tmp_path``."""
    places = {name: tmp_path / name for name in ("env", "env2", "shipped", "site", "cache", "chosen")}
    for place in places.values():
        place.mkdir()
    monkeypatch.setenv("GRISAILLE_WEIGHTS", f"{places['env']}{store.os.pathsep}{places['env2']}")
    monkeypatch.setattr(store, "_SHIPPED", places["shipped"])
    monkeypatch.setattr(store, "cache_folder", lambda: places["cache"])
    package = places["site"] / "tiny_package"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('the package need not be imported')")
    monkeypatch.syspath_prepend(str(places["site"]))
    return places


def known(monkeypatch: pytest.MonkeyPatch, *all_cards: Card) -> None:
    monkeypatch.setattr(store, "cards", lambda: {one.name: one for one in all_cards})


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_places_are_asked_in_order(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, card(package="tiny_package/models"))
    file = "sub/tiny.safetensors"
    last_to_first = [
        folders["cache"] / file,
        folders["site"] / "tiny_package" / "models" / file,
        folders["shipped"] / file,
        folders["env2"] / file,
        folders["env"] / file,
    ]
    for place in last_to_first:
        put(place)
        assert find("tiny").path == place


def test_a_folder_of_the_users_choice_takes_the_place_of_the_cache(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, card())
    put(folders["cache"] / "sub/tiny.safetensors")
    with pytest.raises(MissingWeights):
        find("tiny", folder=folders["chosen"])
    put(folders["chosen"] / "sub/tiny.safetensors")
    assert find("tiny", folder=folders["chosen"]).path.is_relative_to(folders["chosen"])


def test_a_path_given_is_taken_and_nothing_else(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, card())
    put(folders["env"] / "sub/tiny.safetensors")
    with pytest.raises(MissingWeights, match="mine"):
        find("tiny", path=folders["chosen"] / "mine")
    given = put(folders["chosen"] / "mine")
    assert find("tiny", path=given).path == given


def test_a_file_without_a_card_is_known_by_its_own_hash(folders: dict[str, Path]) -> None:
    found = find("my own", path=put(folders["chosen"] / "mine", b"abc"))
    assert found.card is None
    assert found.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1


def test_a_file_of_another_hash_is_refused_wherever_it_lies(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, card())
    wrong = put(folders["env"] / "sub/tiny.safetensors", CONTENT + b"!")
    put(folders["cache"] / "sub/tiny.safetensors")
    for ask in (lambda: find("tiny"), lambda: find("tiny", path=wrong)):
        with pytest.raises(DamagedWeights, match="damaged or another file"):
            ask()


def test_the_hash_is_checked_at_every_load(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, card())
    place = put(folders["cache"] / "sub/tiny.safetensors")
    find("tiny")
    place.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(DamagedWeights):
        find("tiny")


def test_an_unpinned_file_may_be_anything_of_its_name(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, card(sha256="", hub="owner/tiny"))
    place = put(folders["cache"] / "sub/tiny.pth", b"anything")
    found = find("tiny")
    assert found.path == place
    assert found.sha256 == sha256_of(place)


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"more"])
def test_a_file_of_another_length_is_told_by_its_length(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    known(monkeypatch, replace(card(), bytes=len(CONTENT)))
    place = put(folders["cache"] / "sub/tiny.safetensors", content)
    with pytest.raises(DamagedWeights, match=f"has {len(content)} bytes, the card of tiny says {len(CONTENT)}: it was"):
        find("tiny", path=place)


def test_a_web_page_instead_of_weights_is_told_apart(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, card(sha256=""))
    put(folders["cache"] / "sub/tiny.safetensors", b"<!doctype html><title>404</title>")
    with pytest.raises(DamagedWeights, match="web page"):
        find("tiny")


def test_missing_weights_say_where_they_were_looked_for_and_how_to_get_them(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, card(hub="owner/tiny"))
    with pytest.raises(MissingWeights) as caught:
        find("tiny")
    for folder in ("env", "env2", "shipped", "cache"):
        assert str(folders[folder]) in str(caught.value)
    assert "`grisaille weights get tiny`" in str(caught.value)
    assert "`grisaille weights add FILE --as tiny`" in str(caught.value)
    assert "--allow-download" in str(caught.value)
    assert "https://example.org/tiny" in str(caught.value)


def test_missing_packages_are_named_with_their_command(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, card(package="not_installed_at_all/models"))
    with pytest.raises(MissingWeights, match=r'pip install "napari-grisaille\[ai\]"'):
        find("tiny")


def test_missing_weights_from_neither_package_nor_hub_are_got_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, card())
    with pytest.raises(
        MissingWeights, match=r"comes from https://example\.org/tiny.*`grisaille weights add FILE --as tiny`"
    ):
        find("tiny")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(MissingWeights, match="efficientnet-lite0"):
        find("efficientnet-x9")


class Hub:
    """Stands in for the hub: hands out ``content``, or fails."""

    def __init__(self, content: bytes | OSError) -> None:
        self.content, self.asked = content, list[tuple[str, str]]()

    def __call__(self, repository: str, file: str, *, local_dir: str) -> str:
        self.asked.append((repository, file))
        if isinstance(self.content, OSError):
            raise self.content
        return str(put(Path(local_dir) / file, self.content))


@pytest.mark.ai
class TestHub:
    """Nothing is fetched unless allowed; what is fetched is whole and checked."""

    @staticmethod
    def connect(monkeypatch: pytest.MonkeyPatch, content: bytes | OSError) -> Hub:
        huggingface_hub = pytest.importorskip("huggingface_hub")
        hub = Hub(content)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub)
        return hub

    def test_it_is_not_asked_without_leave(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hub = self.connect(monkeypatch, CONTENT)
        known(monkeypatch, card(hub="owner/tiny"))
        with pytest.raises(MissingWeights):
            find("tiny")
        assert hub.asked == []

    def test_it_is_asked_once_and_then_the_cache(
        self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hub = self.connect(monkeypatch, CONTENT)
        known(monkeypatch, card(hub="owner/tiny"))
        for _ in range(2):
            assert find("tiny", allow_download=True).path == folders["cache"] / "sub/tiny.safetensors"
        assert hub.asked == [("owner/tiny", "model.safetensors")]
        assert [path.name for path in folders["cache"].iterdir()] == ["sub"]

    @pytest.mark.parametrize("content", [b"other bytes", b"<html>sign in</html>"])
    def test_a_wrong_file_is_not_kept(
        self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, content: bytes
    ) -> None:
        self.connect(monkeypatch, content)
        known(monkeypatch, card(hub="owner/tiny"))
        with pytest.raises(DamagedWeights):
            find("tiny", allow_download=True)
        assert not [path for path in folders["cache"].rglob("*") if path.is_file()]

    def test_no_connection_is_said_with_the_way_by_hand(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connect(monkeypatch, ConnectionError("no route to host"))
        known(monkeypatch, card(hub="owner/tiny"))
        with pytest.raises(MissingWeights, match=r"no route to host.*by hand"):
            find("tiny", allow_download=True)


def test_a_file_that_cannot_be_read_is_said(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(store, "sha256_of", refused)
    with pytest.raises(DamagedWeights, match="Input/output error"):
        find("mine", path=put(folders["chosen"] / "mine"))


def test_the_cache_is_the_users_own() -> None:
    assert cache_folder().parts[-2:] == ("grisaille", "weights")


@pytest.mark.ai
def test_the_default_weights_are_found_without_torch() -> None:
    program = (
        "import sys\n"
        "from grisaille.weights.store import find\n"
        "print(find('efficientnet-lite0').sha256, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", "False"]


def test_folders_given_are_looked_through_before_the_variable_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = cards()["efficientnet-b0"]
    for name in ("given", "variable"):
        (tmp_path / name).mkdir()
        (tmp_path / name / known.file).write_bytes(name.encode())
    monkeypatch.setenv(store.FOLDERS_VARIABLE, str(tmp_path / "variable"))
    assert find(known.name, look_in=(tmp_path / "given",)).path.parent.name == "given"
    assert find(known.name).path.parent.name == "variable"
