"""Small fitted methods, made once a session."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from grisaille.core.config import Config
from grisaille.core.run import Run
from grisaille.flows.load import find_weights
from grisaille.methods import catalog
from grisaille.methods.base import Method
from grisaille.methods.mvg.config import MvgConfig, Numerics, Preset
from grisaille.weights.store import WeightsFile
from phantoms import SMALL, small_cohort

RUN = Run(device="cpu", threads=1)

CONFIGS: dict[str, tuple[str, Config]] = {
    "mvg volume": ("mvg", MvgConfig(spacing_mm=4.0, step_mm=10.0, levels=(2, 3))),
    "mvg rippel2020": ("mvg", MvgConfig(preset=Preset.RIPPEL2020, input_size=96)),
    "mvg rippel2020, published arithmetic": (
        "mvg",
        MvgConfig(preset=Preset.RIPPEL2020, input_size=96, numerics=Numerics.REFERENCE, levels=(2, 4)),
    ),
    "mvg padim": ("mvg", MvgConfig(preset=Preset.PADIM, spacing_mm=4.0, step_mm=10.0, levels=(3,))),
}


@dataclass(frozen=True)
class Fitted:
    """A method fitted on coarse healthy chests, and the files it rests on."""

    method: Method
    files: dict[str, WeightsFile]


_fitted: dict[str, Fitted] = {}


def fit_small(name: str) -> Fitted:
    """The method of ``CONFIGS[name]``, fitted once."""
    if name not in _fitted:
        method, config = CONFIGS[name]
        files = find_weights(method, config)
        unfitted = catalog.method_class(method).create(config, files)
        _fitted[name] = Fitted(unfitted.fit(small_cohort(5, 11), RUN), files)
    return _fitted[name]


@pytest.fixture(params=sorted(CONFIGS))
def fitted(request: pytest.FixtureRequest) -> Fitted:
    """Each method and preset in turn."""
    assert SMALL.ct_spacing_mm == 8.0
    return fit_small(request.param)
