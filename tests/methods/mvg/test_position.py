"""Where along the body a study lies: origins are undone, on made-up profiles and on phantoms."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from grisaille.core.errors import InputError
from grisaille.core.grid import Axis, Grid
from grisaille.imaging.body import body_mask
from grisaille.imaging.slices import Canvas, SliceStack, letterboxed
from grisaille.methods.mvg.frame import NOMINAL_MM, BodyFrame, describe_planes
from grisaille.methods.mvg.position import PositionModel
from phantoms import small_cohort

Body = tuple[BodyFrame, np.ndarray]


def frame_at(z_mm: np.ndarray) -> BodyFrame:
    return BodyFrame(z_mm, np.zeros((len(z_mm), 2)), np.ones((len(z_mm), 2)))


def made_up(origin_mm: float, low_mm: float, seed: int, planes: int = 60) -> Body:
    """Planes from ``low_mm`` of the body on, whose z is off by ``origin_mm``, with noise of a tenth."""
    place = low_mm + 8.0 * np.arange(planes)
    waves = np.linspace(80.0, 900.0, 40)
    pictures = np.cos(place[:, None] / waves + np.arange(40))
    noise = 0.1 * np.random.default_rng(seed).standard_normal(pictures.shape)
    return frame_at(place - origin_mm), (pictures + noise).astype(np.float32)


def test_origins_are_recovered_but_for_a_common_one() -> None:
    origins = np.random.default_rng(0).uniform(-500, 500, 12)
    bodies = [made_up(origin, 20.0 * number, number) for number, origin in enumerate(origins)]
    model, offsets = PositionModel.fit([(frame.z_mm, pictures) for frame, pictures in bodies])
    off = np.array(offsets) - origins
    assert np.ptp(off) < 12.0  # planes are 8 mm apart, nodes of the profile 4 mm
    common = float(np.median(off))
    unseen = made_up(333.0, 150.0, 99, planes=20)
    assert model.place(*unseen).offset_mm - 333.0 == pytest.approx(common, abs=8.0)


def test_a_model_without_bodies_is_refused() -> None:
    with pytest.raises(InputError, match="no bodies"):
        PositionModel.fit([])


def test_a_position_model_survives_a_file() -> None:
    bodies = [made_up(0.0, 30.0 * number, number) for number in range(3)]
    model, _ = PositionModel.fit([(frame.z_mm, pictures) for frame, pictures in bodies])
    again = PositionModel.from_arrays(model.arrays())
    assert again.extent_mm == model.extent_mm
    assert again.place(*bodies[1]).offset_mm == model.place(*bodies[1]).offset_mm


@cache
def phantom_bodies() -> tuple[Body, ...]:
    return tuple(describe_planes(stack_of(number)) for number in range(7))


def stack_of(number: int) -> SliceStack:
    ct = small_cohort(7, 60)[number].load().volumes["ct"]
    return letterboxed(ct, body_mask(ct), ((-160.0, 240.0),), Axis.AXIAL, Canvas(4.0, 8.0))


@cache
def without_the_last() -> PositionModel:
    return PositionModel.fit([(frame.z_mm, pictures) for frame, pictures in phantom_bodies()[:-1]])[0]


@pytest.mark.parametrize("origin_mm", [-700.0, 137.0])
def test_another_origin_moves_the_offset_of_a_patient_never_seen_as_much(origin_mm: float) -> None:
    frame, pictures = phantom_bodies()[-1]
    here = without_the_last().place(frame, pictures).offset_mm
    moved = BodyFrame(frame.z_mm + origin_mm, frame.centre_mm, frame.half_mm)
    assert without_the_last().place(moved, pictures).offset_mm == pytest.approx(here - origin_mm, abs=1e-6)


@pytest.mark.parametrize("part", [slice(0, 24), slice(12, None)])
def test_a_part_of_a_patient_never_seen_lies_where_the_whole_does(part: slice) -> None:
    frame, pictures = phantom_bodies()[-1]
    whole = without_the_last().place(frame, pictures).offset_mm
    station = BodyFrame(frame.z_mm[part], frame.centre_mm[part], frame.half_mm[part])
    assert without_the_last().place(station, pictures[part]).offset_mm == pytest.approx(whole, abs=12.0)


def test_an_ellipse_has_its_own_centre_and_half_axes() -> None:
    grid = Grid.from_spacing((12, 80, 100), (8.0, 4.0, 4.0), (-40.0, 10.0, -90.0))
    _, y, x = np.moveaxis(grid.to_mm(np.indices(grid.shape).reshape(3, -1).T), -1, 0).reshape(3, *grid.shape)
    body = ((y - 150) / 100) ** 2 + ((x - 120) / 160) ** 2 <= 1
    frame = BodyFrame.of(body, grid)
    np.testing.assert_allclose(frame.centre_mm, [[150.0, 120.0]] * 12, atol=0.5)
    np.testing.assert_allclose(frame.half_mm, [[100.0, 160.0]] * 12, rtol=0.01)
    corner = frame.shifted(7.0).coordinates([[0.0, 250.0, 280.0], [8.0, 150.0, 120.0]])
    np.testing.assert_allclose(corner, [[7.0, *NOMINAL_MM], [15.0, 0.0, 0.0]], atol=3.0)


def test_larger_bodies_have_the_same_coordinates() -> None:
    grid = Grid.from_spacing((4, 60, 60), (8.0, 8.0, 8.0))
    y, x = np.ogrid[:60, :60]
    places = []
    for half in (10, 25):
        body = np.broadcast_to((abs(y - 30) <= half) & (abs(x - 30) <= half), grid.shape)
        edge = (30 + half) * 8.0
        places.append(BodyFrame.of(body, grid).coordinates([[8.0, edge, edge]]))
    np.testing.assert_allclose(places[0], places[1], rtol=0.05)
