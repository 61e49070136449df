"""The methods by name; importing this opens none of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from grisaille.core.config import Config
from grisaille.core.errors import ConfigError

if TYPE_CHECKING:
    from grisaille.methods.base import Method

_METHODS: dict[str, tuple[str, str]] = {
    "anomalyclip": ("AnomalyCLIP", "AnomalyClipConfig"),
    "autopaint": ("AutoPaint", "AutoPaintConfig"),
    "mvg": ("MVG", "MvgConfig"),
}
"""By name: the class in ``methods/NAME/method.py`` and the settings in ``methods/NAME/config.py``."""


def names() -> tuple[str, ...]:
    """All methods, as command line and panel call them."""
    return tuple(_METHODS)


def title(name: str) -> str:
    """What people call a method: the name of its class, or capitals where the catalog does not know it."""
    return _METHODS[name][0] if name in _METHODS else name.upper()


def config_class(name: str) -> type[Config]:
    """The settings of a method; opens no network library.

    Raises
    ------
    ConfigError
        If there is no such method.
    """
    loaded: type[Config] = getattr(import_module(f"grisaille.methods.{_known(name)}.config"), _METHODS[name][1])
    return loaded


def method_class(name: str) -> type[Method]:
    """A method's class.

    Raises
    ------
    ConfigError
        If there is no such method.
    """
    loaded: type[Method] = getattr(import_module(f"grisaille.methods.{_known(name)}.method"), _METHODS[name][0])
    return loaded


def _known(name: str) -> str:
    if name not in _METHODS:
        raise ConfigError(f"no method is called {name!r}; known are {', '.join(_METHODS)}")
    return name
