"""Taking up a weights file that the user has: what it is, turned into what grisaille reads, in its place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from grisaille.core.errors import ConfigError, DamagedWeights, MissingWeights, OutputError, WeightsMismatch
from grisaille.core.safe_write import replacing, require_place
from grisaille.flows.weights import OTHER_TRAINING, require_known
from grisaille.methods.anomalyclip.config import AnomalyClipConfig, ClipName, Preset
from grisaille.methods.anomalyclip.openai import is_archive, is_half, read_archive, recognise, without_sizes
from grisaille.methods.anomalyclip.prompts import is_published, published, published_preset
from grisaille.methods.anomalyclip.state import METHOD, State
from grisaille.nn.backbone import BackboneName, load_backbone, read_content
from grisaille.nn.engine import load_engine
from grisaille.weights.bundle import is_bundle, read_bundle, refuse_web_page, write_bundle
from grisaille.weights.card import Card, cards
from grisaille.weights.store import WeightsFile, kept_at, known, sha256_of

if TYPE_CHECKING:
    from torch import Tensor

_WIDTHS = {768: ClipName.VIT_L14_336}
"""Width of the texts that published prompts were learned with, and the backbone that all of those were learned with."""


@dataclass(frozen=True)
class Wish:
    """How a file is to be taken up.

    Parameters
    ----------
    name
        Card whose file this is; told from the content where it can be.
    out
        Where to write; the place of the card in the weights folder where None.
    preset, backbone
        Of prompts; told from the file's layout and width where None.
    trusts
        Whether an archive that runs code when it is opened may do so.
    overwrite
        Whether a file that is there already may be replaced.
    folder
        Weights folder; the user's cache where None.
    """

    name: str | None = None
    out: Path | None = None
    preset: Preset | None = None
    backbone: ClipName | None = None
    trusts: bool = False
    overwrite: bool = False
    folder: Path | None = None


@dataclass(frozen=True)
class Added:
    """What a file was and what became of it; ``name`` is its card's, empty for a file without one."""

    what: str
    name: str
    path: Path
    bytes: int
    sha256: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Find:
    """What a file is and how to write it.

    Parameters
    ----------
    name
        Of its card; empty where its content does not say.
    method
        Whose model it is; empty for a backbone.
    file
        What to call it where it has no card; empty where the user has to say.
    """

    what: str
    write: Callable[[Path], object]
    name: str = ""
    method: str = ""
    file: str = ""
    suffix: str = ".safetensors"
    notes: tuple[str, ...] = ()


PLAIN = Wish()


def add_weights(file: str | Path, wish: Wish = PLAIN) -> Added:
    """Recognise ``file``, and put what grisaille needs of it where it is looked for; whole or not at all.

    Raises
    ------
    MissingWeights
        If there is no such file, or no card of the name wished for.
    WeightsError
        If it is damaged, or nothing that grisaille uses, or of another card than wished for.
    ConfigError
        If something has to be said first: which card, which backbone, that an archive is trusted.
    OutputError
        If its place is taken or cannot be written to.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        raise MissingWeights(f"no weights file {path}; check the path")
    if wish.name is not None:
        known(wish.name)
    if wish.out is not None:
        _require_free(wish.out, wish)
    refuse_web_page(path)
    sha256 = sha256_of(path)
    found = _recognised(path, sha256, wish)
    card = _card(path, sha256, found, wish)
    target = wish.out or _place(path, found, card, wish)
    _require_free(target, wish)
    with replacing(target, makes_folder=True) as temporary:
        found.write(temporary)
    notes = (*found.notes, *_doubts(found, card, sha256))
    return Added(found.what, card.name if card else "", target, target.stat().st_size, sha256_of(target), notes)


def _require_free(target: Path, wish: Wish) -> None:
    if target.exists() and not wish.overwrite:
        raise OutputError(f"{target} is there already; add --overwrite to replace it, or give another --out")
    require_place(target.parent)


def _recognised(path: Path, sha256: str, wish: Wish) -> _Find:
    load_engine("torch", "safetensors")
    if is_archive(path):
        return _from_archive(path, sha256, wish)
    if is_bundle(path):
        return _from_bundle(path, sha256)
    content = read_content(path)
    if is_published(content):
        return _from_prompts(path, content, sha256, wish)
    return _from_tensors(path, content, wish)


def _from_archive(path: Path, sha256: str, wish: Wish) -> _Find:
    from_openai = any(card.source_sha256 == sha256 for card in cards().values())
    if not from_openai and not wish.trusts:
        raise ConfigError(
            f"{path.name} is a TorchScript archive, which runs code of its author when it is opened, and its sha256 "
            f"{sha256} is none that OpenAI publishes; add --trust if you know where it comes from, or give safetensors"
        )
    tensors = read_archive(path)
    name = recognise(tensors, path.name)
    return _Find(f"OpenAI's archive of {name}", partial(_save, tensors), name, notes=_looks(tensors))


def _from_bundle(path: Path, sha256: str) -> _Find:
    bundle = read_bundle(path)
    name = next((card.name for card in cards().values() if card.sha256 == sha256), "")
    method = "" if name else require_known(bundle, path.name)
    return _Find(name or f"a model of {method}", partial(shutil.copyfile, path), name, method, path.name)


def _from_prompts(path: Path, content: object, sha256: str, wish: Wish) -> _Find:
    load_engine("open_clip")
    prompts, layout = published(content, path.name), published_preset(content)
    width = prompts.context.shape[-1]
    backbone = wish.backbone or _WIDTHS.get(width)
    if backbone is None:
        raise ConfigError(
            f"{path.name} holds prompts {width} wide, the published ones are {', '.join(map(str, _WIDTHS))}; "
            "say with --backbone which CLIP they were learned with"
        )
    preset = wish.preset or layout
    card = next((card for card in cards().values() if card.source_sha256 == sha256), None)
    source = f"{card.source}, " if card else ""
    state = State(
        AnomalyClipConfig(preset=preset, backbone=backbone),
        prompts,
        learned_from=f"{source}a checkpoint in the layout of {layout}: {path.name}, sha256 {sha256}",
    )
    normal, abnormal = prompts.words
    what = f"prompts in the layout of {layout}, {normal!r} and {abnormal!r}, for {backbone} and the preset {preset}"
    return _Find(what, partial(write_bundle, state.bundle()), card.name if card else "", METHOD)


def _from_tensors(path: Path, content: object, wish: Wish) -> _Find:
    import torch

    if not isinstance(content, dict) or not all(isinstance(one, torch.Tensor) for one in content.values()):
        raise WeightsMismatch(
            f"{path.name} holds none of what grisaille uses: the tensors of a CLIP, prompts of AnomalyCLIP or Crane, "
            "or a model that grisaille wrote; of a network give its state_dict() alone"
        )
    if wish.name in list(BackboneName):
        load_backbone(str(wish.name), WeightsFile(str(wish.name), path, ""))
        suffix = ".safetensors" if path.suffix == ".safetensors" else ".pth"
        return _Find(f"weights of {wish.name}", partial(shutil.copyfile, path), str(wish.name), suffix=suffix)
    tensors = without_sizes(content)
    name = recognise(tensors, path.name)
    as_is = path.suffix == ".safetensors" and len(tensors) == len(content)
    write = partial(shutil.copyfile, path) if as_is else partial(_save, tensors)
    return _Find(f"weights of {name}", write, name, notes=_looks(tensors))


def _looks(tensors: dict[str, Tensor]) -> tuple[str, ...]:
    return () if is_half(tensors) else (OTHER_TRAINING,)


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    """As safetensors, in the precision they are stored in."""
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata={"format": "pt"})


def _card(path: Path, sha256: str, found: _Find, wish: Wish) -> Card | None:
    """The card that the file is taken up under."""
    name = wish.name or found.name
    if not name:
        return None
    card = known(name)
    fits = name == found.name if found.name else name.startswith(f"{found.method}/")
    if not fits:
        raise WeightsMismatch(f"{path.name} is {found.what}, not {name}; leave --as out, or name what it is")
    if card.is_pinned and sha256 != card.sha256:
        raise DamagedWeights(
            f"{path.name} has sha256 {sha256}, the card of {name} says {card.sha256}: it is damaged or another file"
        )
    return card


def _place(path: Path, found: _Find, card: Card | None, wish: Wish) -> Path:
    if card is not None:
        return kept_at(card.file, wish.folder).with_suffix(found.suffix)
    if not found.file:
        kind = f"{found.method}/"  # a pinned card is of one file, whose hash this one does not have
        names = ", ".join(name for name, one in cards().items() if name.startswith(kind) and not one.is_pinned)
        raise ConfigError(
            f"{path.name} holds {found.what}, but does not say what they were learned on; "
            f"say which they are with --as ({names}), or where to write them with --out FILE"
        )
    return kept_at(found.file, wish.folder)


def _doubts(found: _Find, card: Card | None, sha256: str) -> tuple[str, ...]:
    """What the hash leaves open."""
    if card is None:
        return () if found.file else ("what they were learned on, and so under which licence, the file does not say",)
    if card.is_pinned or sha256 == card.source_sha256:
        return ()
    if found.method and card.source_sha256:
        return (f"it is not the file that {card.name} is known by (sha256 {card.source_sha256}); taken on your word",)
    return (f"no hash of {card.name} in this form is known: whose weights these are, nobody has checked",)
