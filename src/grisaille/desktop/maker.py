"""Where a panel gets its method from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from grisaille.core.config import Config, knobs
from grisaille.core.run import Run
from grisaille.desktop.settings import preferences
from grisaille.methods.base import Method

if TYPE_CHECKING:
    from grisaille.flows.load import WeightsFolders


@dataclass(frozen=True)
class Model:
    """A fitted model to choose: ``ref`` is what ``load_method`` takes."""

    ref: str
    title: str
    about: str = ""


@dataclass(frozen=True)
class Maker:
    """What a panel needs to know of one kind of method.

    Parameters
    ----------
    name
        As the catalog knows it.
    title
        As the user knows it.
    config_class
        Settings of a fit.
    models
        Those that ship.
    fitted_config
        The settings that the model ``ref`` was fitted with; opens its file, but no network.
    load
        The fitted method ``ref`` with the settings that may be changed after the fit; on the worker thread.
    fit
        Fits on one study a folder and saves the method to a file; on the worker thread.
    engine
        Packages to import, guarded, before either.
    require_weights
        Raises ``MissingWeights`` unless the networks of these settings are on this machine; quick, opens none.
    calibrate
        Measures the promise of the model ``ref`` on one healthy study a folder and saves it; on the
        worker thread. Given in place of a fit where healthy studies are not what the method learns from.
    """

    name: str
    title: str
    config_class: type[Config]
    models: tuple[Model, ...]
    fitted_config: Callable[[str], Config]
    load: Callable[[str, Config], Method]
    fit: Callable[[Config, Sequence[Path], Path, Run], Method]
    engine: tuple[str, ...] = ()
    require_weights: Callable[[Config], None] = lambda config: None
    calibrate: Callable[[str, Config, Sequence[Path], Path, Run], Method] | None = None


def maker(
    name: str, title: str, engine: tuple[str, ...] = ("torch", "timm"), *, learns_of_healthy: bool = True
) -> Maker:
    """The maker of a method of the catalog, which computes with ``engine``; opens neither torch nor a model."""
    from grisaille.methods import catalog

    return Maker(
        name=name,
        title=title,
        config_class=catalog.config_class(name),
        models=tuple(_shipped(name)),
        fitted_config=_fitted_config,
        load=_load,
        fit=partial(_fit, name),
        engine=engine,
        require_weights=_require_weights,
        calibrate=None if learns_of_healthy else _calibrate,
    )


def _shipped(name: str) -> Iterator[Model]:
    from grisaille.weights.card import CardKind, cards

    for card in cards().values():
        if card.kind is CardKind.METHOD and card.name.partition("/")[0] == name:
            yield Model(card.name, card.name, f"{card.intended_use}. Licence: {card.licence}.")


def _fitted_config(ref: str) -> Config:
    from grisaille.flows.load import method_name, model_file
    from grisaille.methods import catalog
    from grisaille.weights.bundle import read_bundle

    header = read_bundle(model_file(ref, _folders())).header
    return catalog.config_class(method_name(ref)).from_mapping(header["config"])


def _require_weights(config: Config) -> None:
    from grisaille.flows.load import require_weights

    require_weights(config, _folders())


def _load(ref: str, config: Config) -> Method:
    from grisaille.flows.load import load_method

    changeable = {knob.name for knob in knobs(type(config)) if knob.after_fit}
    settings = {key: value for key, value in config.to_mapping().items() if key in changeable}
    return load_method(ref, settings=settings, folders=_folders())


def _fit(name: str, config: Config, folders: Sequence[Path], out: Path, run: Run) -> Method:
    from grisaille.flows.cases import healthy_cases
    from grisaille.flows.load import find_weights
    from grisaille.flows.train import train

    files = find_weights(name, config, folders=_folders())
    return train(name, healthy_cases(folders, run=run), out=out, config=config, files=files, run=run)


def _calibrate(ref: str, config: Config, folders: Sequence[Path], out: Path, run: Run) -> Method:
    from grisaille.flows.calibrate import calibrate
    from grisaille.flows.cases import healthy_cases
    from grisaille.flows.load import save_method

    method = calibrate(_load(ref, config), healthy_cases(folders, run=run), run=run)
    save_method(method, out)
    return method


def _folders() -> WeightsFolders:
    """Those of the preferences."""
    from grisaille.flows.load import WeightsFolders

    chosen = preferences()
    look_in = () if chosen.weights_folder is None else (chosen.weights_folder,)
    return WeightsFolders(look_in, chosen.cache_folder)
