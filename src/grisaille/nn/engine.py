"""The one door to torch and what is built on it.

Opening a window can load Mesa's software renderer and with it a libLLVM of its own. Triton,
which torchvision, monai and open_clip import, carries another; on Linux its symbols would
bind to Mesa's and the process dies (TensorFlow issue 124205 describes the cause). Loading
libtriton first, bound to itself, prevents that: it takes some 50 ms and works after the
window is open.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from grisaille.core.packages import require as require


def load_engine(*packages: str) -> tuple[ModuleType, ...]:
    """Import ``packages`` safely, whatever windows are open; every AI import goes through here first.

    Raises
    ------
    MissingDependency
        If one of them is not installed.
    """
    require(*packages)
    _bind_triton_to_itself()
    return tuple(importlib.import_module(package) for package in packages)


def _bind_triton_to_itself() -> None:
    if not sys.platform.startswith("linux") or "triton" in sys.modules or not hasattr(os, "RTLD_DEEPBIND"):
        return
    spec = find_spec("triton")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for library in Path(folder, "_C").glob("libtriton*.so"):
            ctypes.CDLL(str(library), mode=os.RTLD_NOW | os.RTLD_LOCAL | os.RTLD_DEEPBIND)
