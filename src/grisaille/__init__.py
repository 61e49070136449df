"""grisaille learns what healthy looks like in PET and CT and shows what is not.

The names below are the public face; each is imported when it is first used, so that
``import grisaille`` costs nothing.

>>> import grisaille as gr
>>> result = gr.detect(gr.read_study("case/"), gr.load_method("mvg"))  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "AnomalyMap": "grisaille.core.anomaly",
    "Calibration": "grisaille.core.calibration",
    "Case": "grisaille.core.study",
    "Finding": "grisaille.core.finding",
    "Grid": "grisaille.core.grid",
    "GrisailleError": "grisaille.core.errors",
    "Labels": "grisaille.core.labels",
    "Result": "grisaille.core.result",
    "Run": "grisaille.core.run",
    "Study": "grisaille.core.study",
    "SuvOverrides": "grisaille.imaging.suv_overrides",
    "Volume": "grisaille.core.volume",
    "calibrate": "grisaille.flows.calibrate",
    "detect": "grisaille.flows.detect",
    "evaluate": "grisaille.flows.evaluate",
    "find_findings": "grisaille.imaging.findings",
    "load_method": "grisaille.flows.load",
    "read_labels": "grisaille.io.labels",
    "read_study": "grisaille.io.study",
    "read_volume": "grisaille.io.study",
    "resample": "grisaille.imaging.resample",
    "train": "grisaille.flows.train",
    "write_labels": "grisaille.io.labels",
    "write_result": "grisaille.io.results",
}
_MODULES = {"phantom": "grisaille.phantom", "samples": "grisaille.flows.samples"}

__all__ = sorted([*_HOMES, *_MODULES])

if TYPE_CHECKING:
    from grisaille.core.anomaly import AnomalyMap as AnomalyMap
    from grisaille.core.calibration import Calibration as Calibration
    from grisaille.core.errors import GrisailleError as GrisailleError
    from grisaille.core.finding import Finding as Finding
    from grisaille.core.grid import Grid as Grid
    from grisaille.core.labels import Labels as Labels
    from grisaille.core.result import Result as Result
    from grisaille.core.run import Run as Run
    from grisaille.core.study import Case as Case
    from grisaille.core.study import Study as Study
    from grisaille.core.volume import Volume as Volume
    from grisaille.imaging.suv_overrides import SuvOverrides as SuvOverrides


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'grisaille' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
