"""Where the curve of slice scores stands, by hand and by any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor

from grisaille.core.grid import Axis, Grid
from grisaille.desktop.ink import ink
from grisaille.desktop.slice_strip import Curve, SliceStrip, Span
from grisaille.desktop.slices import SliceWalk

pytestmark = pytest.mark.screen


@pytest.fixture
def strip(qtbot: Any) -> SliceStrip:
    strip = SliceStrip(ink("dark"))
    qtbot.addWidget(strip)
    strip.resize(460, 140)
    return strip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(count=st.integers(1, 400), from_last=st.booleans(), data=st.data())
def test_the_column_of_a_slice_is_found_again(strip: SliceStrip, count: int, from_last: bool, data: Any) -> None:
    strip.set_curve(Curve(Axis.AXIAL, np.ones(count, np.float32), from_last=from_last))
    index = data.draw(st.integers(0, count - 1))
    assert strip.index_at(strip.x_of(index)) == index


def test_drag_outside_the_frame_ends_at_the_last_slice(strip: SliceStrip, qtbot: Any) -> None:
    strip.set_curve(Curve(Axis.AXIAL, np.ones(30, np.float32)))
    picked: list[int] = []
    strip.slice_picked.connect(picked.append)
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(2, 50))
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(458, 50))
    assert picked == [0, 29]


def test_arrow_keys_step_the_way_they_point(strip: SliceStrip, qtbot: Any) -> None:
    picked: list[int] = []
    strip.slice_picked.connect(picked.append)
    for from_last in (False, True):
        strip.set_curve(Curve(Axis.AXIAL, np.ones(30, np.float32), from_last=from_last))
        strip.set_current(10)
        qtbot.keyClick(strip, Qt.Key.Key_Right)
    assert picked == [11, 9]


def test_what_is_above_the_threshold_is_painted_warm(strip: SliceStrip) -> None:
    values = np.array([1, 1, 1, 9, 9, 9, 1, 1, 1], np.float32)
    span = Span(3, 5, QColor("#00ff00"))
    strip.set_curve(Curve(Axis.AXIAL, values, cut=4.0, spans=(span,)))
    picture = strip.grab().toImage()
    warm = ink("dark").warm
    column = round(strip.x_of(4))
    colours = [picture.pixelColor(column, y) for y in range(picture.height())]
    assert any(abs(one.hue() - warm.hue()) < 12 and one.saturation() > 60 for one in colours[:60])
    assert any(one.green() > 200 and one.red() < 90 for one in colours), "the finding's lane"
    beside = [picture.pixelColor(round(strip.x_of(0)) + 3, y) for y in range(30)]
    assert not any(one.green() > 200 and one.red() < 90 for one in beside)


def test_the_threshold_is_held_against_the_highest_voxel_of_a_slice(strip: SliceStrip) -> None:
    means, peaks = np.ones(9, np.float32), np.array([2, 2, 2, 2, 9, 2, 2, 2, 2], np.float32)
    strip.set_curve(Curve(Axis.AXIAL, means, peaks, cut=4.0))
    picture = strip.grab().toImage()
    warm = ink("dark").warm

    def is_warm(index: int) -> bool:
        colours = [picture.pixelColor(round(strip.x_of(index)), y) for y in range(20, 55)]
        return sum(abs(one.hue() - warm.hue()) < 12 and one.saturation() > 60 for one in colours) > 10

    assert is_warm(4)
    assert not is_warm(0)


def test_an_empty_strip_says_what_to_do(strip: SliceStrip) -> None:
    strip.set_curve(None)
    assert strip.grab().toImage().pixelColor(0, 0).isValid()
    assert strip.current is None


@pytest.mark.parametrize("axis", list(Axis))
def test_slices_of_an_oblique_grid_are_walked_through_its_centre(axis: Axis) -> None:
    turn = np.deg2rad(20)
    affine = np.eye(4)
    affine[:3, :3] = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    walk = SliceWalk.along(Grid((10, 12, 14), affine), axis)

    class Dims:
        ndim = 3
        point = (0.0, 0.0, 0.0)

        def set_point(self, at: int, value: float) -> None:
            self.point = tuple(value if one == at else old for one, old in enumerate(self.point))

    class Viewer:
        dims = Dims()

    viewer = Viewer()
    for index in range(walk.count):
        walk.go_to(viewer, index)
        assert walk.current(viewer) == index
    walk.go_to(viewer, walk.count + 3)
    assert walk.current(viewer) is None
