"""Weights files as a user sees them: what there is and where, fetching one, checking those that are here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grisaille.core.errors import ConfigError, DamagedWeights, MissingWeights, WeightsError, WeightsMismatch
from grisaille.core.run import Run
from grisaille.flows.load import USUAL_FOLDERS, WeightsFolders
from grisaille.methods import catalog
from grisaille.methods.anomalyclip.clip import load_clip
from grisaille.methods.anomalyclip.config import ClipName
from grisaille.methods.anomalyclip.openai import is_half
from grisaille.methods.anomalyclip.state import METHOD, State
from grisaille.nn.backbone import BackboneName, load_backbone
from grisaille.weights.bundle import Bundle, read_bundle
from grisaille.weights.card import Card, cards
from grisaille.weights.store import WeightsFile, find, known, locate

OTHER_TRAINING = (
    "its projections are not numbers of half precision as OpenAI's are: it looks like another training of the same "
    "architecture, and if that was with another activation, maps are wrong without a word"
)


@dataclass(frozen=True)
class Shelf:
    """A card, and where its file lies on this machine, unread; None if nowhere."""

    card: Card
    path: Path | None

    @property
    def bytes(self) -> int:
        """Of the file, else what its card says; 0 where that is unknown."""
        return self.path.stat().st_size if self.path else self.card.bytes


@dataclass(frozen=True)
class Verdict:
    """What reading a file whole came to; ``problem`` is empty where it may be used."""

    name: str
    path: str = ""
    bytes: int = 0
    sha256: str = ""
    problem: str = ""
    notes: tuple[str, ...] = ()


def list_weights(folders: WeightsFolders = USUAL_FOLDERS) -> tuple[Shelf, ...]:
    """Every card with its place; opens no file and asks nobody."""
    return tuple(Shelf(card, _place(card, folders)) for card in cards().values())


def get_weights(name: str, *, folders: WeightsFolders = USUAL_FOLDERS) -> WeightsFile:
    """The file of a card: from this machine, else from the hub, which calling this allows.

    Raises
    ------
    MissingWeights
        If the hub does not have it, or cannot be reached; says how to get it by hand.
    WeightsError
        If what was fetched is not what its card says; it is not kept.
    """
    card = known(name)
    was_here = _place(card, folders) is not None
    file = find(name, allow_download=True, folder=folders.kept_in, look_in=folders.look_in)
    if not was_here:
        try:
            _examine(card, file, folders)
        except WeightsError:
            file.path.unlink(missing_ok=True)
            raise
    return file


def check_weights(
    names: Sequence[str] = (), *, folders: WeightsFolders = USUAL_FOLDERS, run: Run | None = None
) -> Iterator[Verdict]:
    """Read files whole: hash, length, whether the tensors fit their network, prompts their backbone.

    Parameters
    ----------
    names
        Of cards; every file that is here where empty.

    Raises
    ------
    MissingWeights
        If there is no card of that name; a file that is not here is a verdict.
    """
    chosen = [known(name) for name in names] or [shelf.card for shelf in list_weights(folders) if shelf.path]
    for card in (run or Run()).track(chosen, "reading weights"):
        yield _verdict(card, folders)


def _place(card: Card, folders: WeightsFolders) -> Path | None:
    return locate(card, folder=folders.kept_in, look_in=folders.look_in)


def _verdict(card: Card, folders: WeightsFolders) -> Verdict:
    place = _place(card, folders)
    try:
        file = find(card.name, folder=folders.kept_in, look_in=folders.look_in)
        notes = _examine(card, file, folders)
    except WeightsError as error:
        return Verdict(card.name, str(place or ""), place.stat().st_size if place else 0, problem=str(error))
    if not card.is_pinned:
        notes = ("no hash is known to compare it with", *notes)
    return Verdict(card.name, str(file.path), file.path.stat().st_size, file.sha256, notes=notes)


def _examine(card: Card, file: WeightsFile, folders: WeightsFolders) -> tuple[str, ...]:
    """Notes on a file whose content fits its card.

    Raises
    ------
    WeightsError
        If it does not.
    """
    if card.name in list(ClipName):
        clip = load_clip(ClipName(card.name), file)
        return () if clip.known or is_half(clip.network.state_dict()) else (OTHER_TRAINING,)
    if card.name in list(BackboneName):
        load_backbone(card.name, file)
        return ()
    bundle = read_bundle(file.path)
    if bundle.header.get("method") == METHOD:
        return _examine_prompts(State.of(bundle), folders)
    require_known(bundle, file.path.name)
    return ()


def require_known(bundle: Bundle, file: str) -> str:
    """What a model of ours is called; raises unless this grisaille can open it.

    Raises
    ------
    WeightsError
        If it cannot.
    """
    name = bundle.header.get("method")
    if name == METHOD:
        State.of(bundle)
    elif name in catalog.names():
        try:
            catalog.config_class(str(name)).from_mapping(bundle.header["config"])
        except (ConfigError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise DamagedWeights(
                f"{file} has settings that this grisaille does not know ({error}); take the version that wrote it"
            ) from error
    else:
        raise WeightsMismatch(
            f"{file} holds a model of {name!r}, which this grisaille does not know; "
            f"it knows {', '.join({**dict.fromkeys(catalog.names()), METHOD: None})}"
        )
    return str(name)


def _examine_prompts(state: State, folders: WeightsFolders) -> tuple[str, ...]:
    """Compare prompts with the backbone they ask for, where that is here."""
    name = state.config.backbone
    try:
        file = find(name, folder=folders.kept_in, look_in=folders.look_in)
    except MissingWeights:
        return (f"not compared with {name}, which is not here",)
    clip = load_clip(name, file)
    state.prompts.require_fits(clip)
    if state.fingerprint and state.fingerprint != clip.fingerprint:
        raise WeightsMismatch(
            f"the prompts were learned with {name} of fingerprint {state.fingerprint}, {file.path} has "
            f"{clip.fingerprint}; give the backbone that they were learned with"
        )
    return (f"fits {name} in {file.path}",)
