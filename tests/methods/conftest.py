"""Small fitted methods, made once a session."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from grisaille.core.config import Config
from grisaille.core.run import Run
from grisaille.flows.load import find_weights
from grisaille.methods import catalog
from grisaille.methods.anomalyclip.config import AnomalyClipConfig
from grisaille.methods.anomalyclip.demo.pictures import BRIGHT_SUV
from grisaille.methods.anomalyclip.demo.teaching import ALONE
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.base import Method
from grisaille.methods.mvg.config import MvgConfig, Numerics, Preset
from grisaille.weights.store import WeightsFile
from phantoms import SMALL, small_cohort

RUN = Run(device="cpu", threads=1)

PATIENTS = 5


@dataclass(frozen=True)
class Small:
    """Settings for small fits; ``promised_on`` of the ``PATIENTS`` are the promise measured on.

    ``sick`` others with masks are learned from besides, where masks are what a method learns from.
    """

    method: str
    config: Config
    promised_on: int = PATIENTS
    sick: int = 0


CONFIGS: dict[str, Small] = {
    "anomalyclip": Small(
        "anomalyclip",
        AnomalyClipConfig(
            token_mm=10.0,
            step_mm=10.0,
            ct_windows=(-160.0, 240.0),
            pet_windows=(0.0, BRIGHT_SUV),
            alone=ALONE,
            epochs=3,
        ),
        promised_on=1,
        sick=5,
    ),
    "autopaint": Small(
        "autopaint",
        AutoPaintConfig(spacing_mm=6.0, slab=32, width=8, cells_mm=(64.0,), rounds=1, steps=12, batch=2),
        promised_on=1,
    ),
    "mvg volume": Small("mvg", MvgConfig(spacing_mm=4.0, step_mm=10.0, levels=(2, 3))),
    "mvg rippel2020": Small("mvg", MvgConfig(preset=Preset.RIPPEL2020, input_size=96)),
    "mvg rippel2020, published arithmetic": Small(
        "mvg",
        MvgConfig(preset=Preset.RIPPEL2020, input_size=96, numerics=Numerics.REFERENCE, levels=(2, 4)),
    ),
    "mvg padim": Small("mvg", MvgConfig(preset=Preset.PADIM, spacing_mm=4.0, step_mm=10.0, levels=(3,))),
}


@dataclass(frozen=True)
class Fitted:
    """A method fitted on coarse healthy chests, the files it rests on, and how many patients its promise is of."""

    method: Method
    files: dict[str, WeightsFile]
    promised_on: int


_fitted: dict[str, Fitted] = {}


def fit_small(name: str) -> Fitted:
    """The method of ``CONFIGS[name]``, fitted once."""
    if name not in _fitted:
        small = CONFIGS[name]
        files = find_weights(small.method, small.config)
        unfitted = catalog.method_class(small.method).create(small.config, files)
        cases = (*small_cohort(small.sick, 29, lesions=3), *small_cohort(PATIENTS, 11))
        _fitted[name] = Fitted(unfitted.fit(cases, RUN), files, small.promised_on)
    return _fitted[name]


@pytest.fixture(params=sorted(CONFIGS))
def fitted(request: pytest.FixtureRequest) -> Fitted:
    """Each method and preset in turn."""
    assert SMALL.ct_spacing_mm == 8.0
    return fit_small(request.param)
