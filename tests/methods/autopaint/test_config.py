"""The settings of AutoPaint."""

import pytest

from grisaille.core.config import knobs
from grisaille.core.errors import ConfigError
from grisaille.methods.autopaint.config import AutoPaintConfig


def test_settings_survive_a_file():
    config = AutoPaintConfig(width=16, cells_mm=(32.0, 64.0), mirrored=False)
    assert AutoPaintConfig.from_mapping(config.to_mapping()) == config


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"slab": 40}, "multiple of 16"),
        ({"cells_mm": ()}, "cells_mm is empty"),
        ({"ct_windows": (-1000.0, 400.0)}, "ct_windows"),
        ({"ct_windows": (400.0, -1000.0, -160.0, 240.0)}, "ct_windows"),
        ({"spacing_mm": 1.0}, "spacing_mm is 1.0 mm"),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(wrong, sentence):
    with pytest.raises(ConfigError, match=sentence):
        AutoPaintConfig(**wrong)


def test_windows_are_pairs():
    assert AutoPaintConfig().windows == ((-1000.0, 400.0), (-160.0, 240.0))


def test_what_a_fitted_model_may_still_change_is_marked():
    free = {one.name for one in knobs(AutoPaintConfig) if one.after_fit}
    drawn = {"rounds", "passes", "ct_shown", "smallest_ml", "delineation", "grow_mm"}
    assert free == drawn | {"adapt_steps", "suv_reference", "preset"}


def test_the_published_preset_neither_adapts_nor_scales() -> None:
    for setting in ({"adapt_steps": 5}, {"suv_reference": "muscle"}):
        with pytest.raises(ConfigError, match="published preset"):
            AutoPaintConfig(preset="published", **setting)
