"""Where weights files are found: on this machine first, on the hub only when allowed.

Order: the path given, the folders given, those of ``GRISAILLE_WEIGHTS``, the files shipped with
grisaille, an installed package, the folder chosen by the user or the cache, the hub.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from grisaille.core.errors import DamagedWeights, MissingWeights
from grisaille.core.packages import require
from grisaille.weights.bundle import refuse_web_page
from grisaille.weights.card import Card, CardKind, cards

FOLDERS_VARIABLE = "GRISAILLE_WEIGHTS"
_SHIPPED = Path(__file__).with_name("shipped")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class WeightsFile:
    """A weights file whose bytes were read and checked.

    ``sha256`` is that of the file as found; ``card`` is None for a file that has none.
    """

    name: str
    path: Path
    sha256: str
    card: Card | None = None


def find(
    name: str,
    *,
    path: str | Path | None = None,
    allow_download: bool = False,
    folder: str | Path | None = None,
    look_in: Sequence[str | Path] = (),
) -> WeightsFile:
    """The file of the card ``name``, its hash checked.

    Parameters
    ----------
    name
        Of a card; with ``path`` any name will do.
    path
        Take this file and look nowhere else.
    allow_download
        Whether the hub may be asked when the file is nowhere on this machine.
    folder
        Where downloads are kept; the user's cache folder by default.
    look_in
        Folders to look through before any other.

    Raises
    ------
    MissingWeights
        If the file is nowhere; says where it was looked for and how to get it.
    DamagedWeights
        If a file was found but does not have the hash of its card.
    """
    if path is not None:
        given = Path(path).expanduser()
        if not given.is_file():
            raise MissingWeights(f"no weights file {given}; check the path of {name}")
        return _checked(name, given, cards().get(name))
    card = known(name)
    kept = _kept(folder)
    place = locate(card, folder=folder, look_in=look_in)
    if place is not None:
        return _checked(name, place, card)
    if allow_download and card.hub:
        return _checked(name, _download(card, kept), card)
    raise MissingWeights(_how_to_get(card, tuple(_places(card, kept, look_in))))


def known(name: str) -> Card:
    """The card of that name.

    Raises
    ------
    MissingWeights
        If there is none.
    """
    card = cards().get(name)
    if card is None:
        raise MissingWeights(
            f"no weights are called {name!r}; known are {', '.join(cards())}; or give the path of a file"
        )
    return card


def locate(card: Card, *, folder: str | Path | None = None, look_in: Sequence[str | Path] = ()) -> Path | None:
    """Where the file of ``card`` lies on this machine, unread and unchecked; None if nowhere."""
    return next((place for place in _places(card, _kept(folder), look_in) if place.is_file()), None)


def require_here(name: str, *, folder: str | Path | None = None, look_in: Sequence[str | Path] = ()) -> None:
    """Raise ``MissingWeights``, as ``find`` does, unless the file of a card lies on this machine; it is not read."""
    card = known(name)
    if locate(card, folder=folder, look_in=look_in) is None:
        raise MissingWeights(_how_to_get(card, tuple(_places(card, _kept(folder), look_in))))


def kept_at(file: str, folder: str | Path | None = None) -> Path:
    """Where a file that was fetched or added is kept under this name."""
    return _kept(folder) / file


def sha256_of(path: str | Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where downloaded weights are kept unless the user chose a folder."""
    import platformdirs

    return platformdirs.user_cache_path("grisaille", appauthor=False) / "weights"


def _kept(folder: str | Path | None) -> Path:
    return Path(folder).expanduser() if folder is not None else cache_folder()


def _places(card: Card, kept: Path, look_in: Sequence[str | Path]) -> Iterator[Path]:
    """Every path the file may lie at, in the order of this module's first lines."""
    for folder in (*look_in, *filter(None, os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep))):
        yield from _in_folder(card, Path(folder).expanduser())
    yield _SHIPPED / card.file
    if card.package:
        package, _, below = card.package.partition("/")
        spec = find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            yield Path(location, below, card.file)
    yield from _in_folder(card, kept)


def _in_folder(card: Card, folder: Path) -> Iterator[Path]:
    yield folder / card.file
    if not card.is_pinned and card.kind is CardKind.BACKBONE:
        yield (folder / card.file).with_suffix(".pth")


def _checked(name: str, path: Path, card: Card | None) -> WeightsFile:
    try:
        refuse_web_page(path)
        size, found = path.stat().st_size, sha256_of(path)
    except OSError as error:
        raise DamagedWeights(f"{path} cannot be read ({error.strerror}); check the disk and its permissions") from error
    if card is not None and card.bytes and size != card.bytes:
        raise DamagedWeights(
            f"{path} has {size} bytes, the card of {name} says {card.bytes}: it was cut short or is another file; "
            "remove it, or get the file again"
        )
    if card is not None and card.is_pinned and found != card.sha256:
        raise DamagedWeights(
            f"{path} has sha256 {found}, the card of {name} says {card.sha256}: it is damaged or another file; "
            "remove it, or get the file again"
        )
    return WeightsFile(name, path, found, card)


def _download(card: Card, folder: Path) -> Path:
    """Fetch a card's file from the hub into ``folder``; whole and checked, or not at all."""
    require("huggingface_hub")
    from huggingface_hub import hf_hub_download

    target = folder / card.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
            fetched = Path(hf_hub_download(card.hub, card.hub_file, local_dir=temporary))
            _checked(card.name, fetched, card)
            fetched.replace(target)
    except OSError as error:  # the hub's own errors among them
        raise MissingWeights(
            f"{card.name} could not be fetched from {card.source} ({error}); check the connection, or fetch "
            f"{card.hub_file} there by hand and take it up with `grisaille weights add FILE --as {card.name}`"
        ) from error
    return target


def _how_to_get(card: Card, places: tuple[Path, ...]) -> str:
    by_hand = f"`grisaille weights add FILE --as {card.name}`"
    if card.package:
        remedy = 'install it: pip install "napari-grisaille[ai]"'
    elif card.hub:
        remedy = (
            f"fetch it from {card.source} with `grisaille weights get {card.name}` (or run again with "
            f"--allow-download, in Python allow_download=True), or fetch {card.hub_file} there by hand and take it up "
            f"with {by_hand}"
        )
    else:
        remedy = f"get its file by hand, it comes from {card.source}, and take it up with {by_hand}"
    return f"{card.name} was not found; looked for {', '.join(str(place) for place in places)}; {remedy}"
