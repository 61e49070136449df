"""Packages of the ``[ai]`` extra, which may be absent."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from grisaille.core.errors import MissingDependency


def require(*packages: str) -> None:
    """Raise unless every package can be imported; none of them is.

    Raises
    ------
    MissingDependency
        Naming those that are missing and the command that installs them.
    """
    missing = [package for package in packages if package not in sys.modules and find_spec(package) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise MissingDependency(
            f"{', '.join(missing)} {verb} not installed; the networks need the extra: "
            'pip install "napari-grisaille[ai]"'
        )
