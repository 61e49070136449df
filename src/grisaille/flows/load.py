"""From a name or a file to a method that is ready to score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grisaille.core.config import Config, knobs
from grisaille.core.errors import ConfigError, MissingWeights, WeightsMismatch
from grisaille.methods import catalog
from grisaille.methods.base import Method
from grisaille.weights.bundle import Bundle, read_bundle, write_bundle
from grisaille.weights.card import CardKind, cards
from grisaille.weights.store import WeightsFile, find, require_here


@dataclass(frozen=True)
class WeightsFolders:
    """Folders to look through first, and where downloads are kept; the user's cache folder if None."""

    look_in: tuple[Path, ...] = ()
    kept_in: Path | None = None


USUAL_FOLDERS = WeightsFolders()


def load_method(
    ref: str | Path,
    *,
    weights: str | Path | None = None,
    allow_download: bool = False,
    settings: Mapping[str, Any] | None = None,
    folders: WeightsFolders = USUAL_FOLDERS,
) -> Method:
    """A fitted method.

    Parameters
    ----------
    ref
        A method's name for the model shipped with it (``mvg``), the name of a card
        (``mvg/phantom``), or the path of a file that ``save_method`` wrote.
    weights
        Path of the backbone's file; looked for by its card where None.
    allow_download
        Whether the hub may be asked for a backbone that is nowhere on this machine.
    settings
        Knobs to change, of those that may be changed after the fit.
    folders
        Where backbones are looked for and kept besides the usual places.

    Raises
    ------
    MissingWeights
        If the model or its backbone is not found.
    WeightsMismatch
        If the file holds no model of ours, or its backbone is another one.
    ConfigError
        If a setting is unknown, out of bounds or fixed by the fit.
    """
    model = _model(ref, folders)
    bundle = read_bundle(model.path)
    name = _method_name(bundle, model.path)
    fitted = _settings(name, bundle, model.path)
    config = _changed(fitted, settings or {})
    files = find_weights(name, config, weights=weights, allow_download=allow_download, folders=folders)
    bundle = Bundle(bundle.arrays, {**bundle.header, "config": config.to_mapping()})
    return catalog.method_class(name).from_state(bundle, {**files, model.name: model})


def save_method(method: Method, path: str | Path) -> None:
    """Write a method so that ``load_method(path)`` gives it back; whole or not at all."""
    state = method.state()
    header = {**state.header, "method": method.name, "config": method.config.to_mapping()}
    write_bundle(Bundle(state.arrays, header), path)


def model_file(ref: str | Path, folders: WeightsFolders = USUAL_FOLDERS) -> Path:
    """The file that ``ref`` names, its hash checked where a card knows it."""
    return _model(ref, folders).path


def _model(ref: str | Path, folders: WeightsFolders = USUAL_FOLDERS) -> WeightsFile:
    models = [card.name for card in cards().values() if card.kind is CardKind.METHOD]
    for name in models:
        if str(ref) in (name, name.partition("/")[0]):
            return find(name, folder=folders.kept_in, look_in=folders.look_in)
    path = Path(ref).expanduser()
    if str(ref) in catalog.names() and not path.is_file():
        raise MissingWeights(
            f"no model of {ref} comes with grisaille; train one on your own healthy studies "
            f"(grisaille train {ref} STUDY... --out FILE) and give its file"
        )
    if not path.is_file():
        raise MissingWeights(
            f"no model is called {str(ref)!r} and there is no such file; known are {', '.join(models)}"
        )
    return find(path.name, path=path)


def method_name(ref: str | Path) -> str:
    """Which method of the catalog the model ``ref`` belongs to."""
    if (name := str(ref).partition("/")[0]) in catalog.names():
        return name
    path = model_file(ref)
    return _method_name(read_bundle(path), path)


def find_weights(
    name: str,
    config: Config,
    *,
    weights: str | Path | None = None,
    allow_download: bool = False,
    folders: WeightsFolders = USUAL_FOLDERS,
) -> dict[str, WeightsFile]:
    """The files that the method ``name`` needs with these settings, by card.

    ``weights`` is the path of the only file needed.
    """
    wanted = catalog.method_class(name).required_weights(config)
    if weights is not None and len(wanted) != 1:
        needs = ", ".join(wanted) or "no weights file"
        raise ConfigError(
            f"one weights file was given, but {name} needs {needs}; put them where GRISAILLE_WEIGHTS says"
        )
    return {
        card: find(card, path=weights, allow_download=allow_download, folder=folders.kept_in, look_in=folders.look_in)
        for card in wanted
    }


def require_weights(config: Config, folders: WeightsFolders = USUAL_FOLDERS) -> None:
    """Raise ``MissingWeights`` unless the networks of these settings lie on this machine; opens none, and no method."""
    for card in config.required_weights:
        require_here(card, folder=folders.kept_in, look_in=folders.look_in)


def _method_name(bundle: Bundle, path: Path) -> str:
    name = bundle.header.get("method")
    if name not in catalog.names() or "config" not in bundle.header:
        raise WeightsMismatch(
            f"{path.name} holds a model of {name!r}, which this grisaille does not know; "
            f"it knows {', '.join(catalog.names())}"
        )
    return str(name)


def _settings(name: str, bundle: Bundle, path: Path) -> Config:
    """The settings that the model was fitted with."""
    try:
        return catalog.config_class(name).from_mapping(bundle.header["config"])
    except (ConfigError, TypeError, ValueError) as error:
        raise WeightsMismatch(
            f"{path.name} has settings that this grisaille does not know ({error}); "
            "open it with the version that wrote it, or fit it anew"
        ) from error


def _changed(fitted: Config, settings: Mapping[str, Any]) -> Config:
    """The settings of the fit with those changed that the fit does not rest on."""
    config = type(fitted).from_mapping({**fitted.to_mapping(), **settings})
    fixed = [one.name for one in knobs(type(fitted)) if not one.after_fit]
    moved = [name for name in fixed if getattr(config, name) != getattr(fitted, name)]
    if moved:
        was = ", ".join(f"{name} = {getattr(fitted, name)}" for name in moved)
        raise ConfigError(f"this model was fitted with {was}; fit another with train to change that")
    return config
