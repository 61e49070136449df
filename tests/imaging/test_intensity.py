"""Windows of HU and SUV."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.errors import ConfigError
from grisaille.imaging.intensity import CT_WINDOWS, PET_RANGES, Window, windowed


def test_width_and_level_are_centred() -> None:
    assert Window.of("soft", 400, 40).limits == (-160, 240)


def test_presets_are_those_of_the_reading_room() -> None:
    written = {window.name: (window.high - window.low, (window.high + window.low) / 2) for window in CT_WINDOWS}
    assert written == {
        "soft": (400, 40),
        "lung": (1400, -500),
        "bone": (1000, 400),
        "brain": (100, 50),
        "abdomen": (350, 40),
    }
    assert all(window.low == 0 for window in PET_RANGES)


def test_windowed_is_linear_inside_and_clipped_outside() -> None:
    values = np.array([-2000, -160, 40, 240, 3000], dtype=np.int16)
    np.testing.assert_array_equal(windowed(values, -160, 240), np.float32([0, 0, 0.5, 1, 1]))
    assert windowed(values, -160, 240).dtype == np.float32


def test_windowed_leaves_its_input_alone() -> None:
    values = np.array([0.0, 5.0], dtype=np.float32)
    windowed(values, 0, 10)
    np.testing.assert_array_equal(values, [0, 5])


def test_empty_windows_are_refused() -> None:
    with pytest.raises(ConfigError, match="low end"):
        windowed(np.zeros(3), 5, 5)
    with pytest.raises(ConfigError, match="'odd'"):
        Window("odd", 5, 4)
