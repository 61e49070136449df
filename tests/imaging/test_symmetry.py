"""The mid-sagittal plane: found where it was put."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grisaille.core.errors import ShapeError, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.volume import Volume
from grisaille.imaging.body import body_mask
from grisaille.imaging.resample import resample_array
from grisaille.imaging.symmetry import WIDEST_DEGREES, SagittalPlane, mid_sagittal
from grisaille.phantom import Arms, Scan, Side, Station, patient

MIDDLE_MM = 20.0
"""The plane is measured where it matters: in the body this near to the true one."""


@dataclass(frozen=True, eq=False)
class Lying:
    """A patient who lies somehow on the table, and the plane as it truly is."""

    values: npt.NDArray[np.float32]
    body: npt.NDArray[np.bool_]
    grid: Grid
    truth: SagittalPlane

    def errors(self) -> tuple[float, float]:
        """Degrees between the normals, and millimetres on average between the planes inside the body."""
        found = mid_sagittal(self.values, self.grid, self.body)
        points = self.grid.to_mm(np.argwhere(self.body))
        points = points[np.abs(self.truth.distance_mm(points)) < MIDDLE_MM]
        cosine = np.clip(np.dot(found.normal, self.truth.normal), -1, 1)
        distances = np.abs(found.distance_mm(points) - self.truth.distance_mm(points))
        return float(np.degrees(np.arccos(cosine))), float(distances.mean())


def turned(grid: Grid, roll: float, yaw: float, shift_mm: float) -> tuple[Grid, SagittalPlane]:
    """The grid of a patient whose mid-sagittal plane was x = 0, turned about its middle and shifted."""
    normal = np.array([-np.tan(np.radians(roll)), -np.tan(np.radians(yaw)), 1.0])
    normal /= np.linalg.norm(normal)
    up = np.array([1.0, 0.0, 0.0]) - normal[0] * normal
    up /= np.linalg.norm(up)
    turn = np.stack([up, np.cross(normal, up), normal], axis=1)
    middle = grid.to_mm((np.asarray(grid.shape) - 1) / 2) * (1, 1, 0)
    shift = np.array([0.0, 0.0, shift_mm])
    affine = np.eye(4)
    affine[:3, :3] = turn @ grid.affine[:3, :3]
    affine[:3, 3] = turn @ (grid.affine[:3, 3] - middle) + middle + shift
    z, y, x = (float(value) for value in middle + shift)
    return Grid(grid.shape, affine), SagittalPlane((z, y, x), (float(normal[0]), float(normal[1]), float(normal[2])))


@cache
def whole_body(arms: Arms, key: str) -> tuple[Volume, npt.NDArray[np.bool_]]:
    """A whole body with lesions on one side, as the plane is asked of."""
    scan = Scan(Station.WHOLE, arms, ct_spacing_mm=8.0, pet_spacing_mm=8.0)
    volume = patient(1, lesions=3, scan=scan, side=Side.LEFT).study.volumes[key]
    return volume, body_mask(volume)


def brightness(volume: Volume) -> npt.NDArray[np.float32]:
    values = np.asarray(volume.voxels, dtype=np.float32)
    return np.log1p(values.clip(0)) if volume.modality.key == "pet" else (values.clip(-1000, 400) + 1000) / 1400


def lying(arms: Arms, key: str, roll: float, yaw: float, shift_mm: float) -> Lying:
    """Turned by its grid alone, so that it is oblique and no value has changed."""
    volume, body = whole_body(arms, key)
    grid, truth = turned(volume.grid, roll, yaw, shift_mm)
    return Lying(brightness(volume), body, grid, truth)


@pytest.mark.parametrize("key", ["ct", "pet"])
@pytest.mark.parametrize("arms", [Arms.UP, Arms.DOWN])
@pytest.mark.parametrize("place", [(0.0, 0.0, 0.0), (4.0, -9.0, 35.0), (-10.0, 6.0, -30.0)])
def test_the_plane_of_a_whole_body_is_found_within_a_degree_or_so_and_half_a_voxel(
    arms: Arms, key: str, place: tuple[float, float, float]
) -> None:
    degrees, millimetres = lying(arms, key, *place).errors()
    assert degrees < 1.5
    assert millimetres < 4.0


def on_straight_grid(patient: Lying, first_mm: float, slices: int) -> Lying:
    """As a scanner would see it: each voxel interpolated."""
    straight = Grid.from_spacing((slices, 60, 90), 8.0, (first_mm, -240.0, -330.0))
    values = resample_array(patient.values, patient.grid, straight)
    body = resample_array(patient.body.astype(np.float32), patient.grid, straight) >= 0.5
    return Lying(values, body, straight, patient.truth)


def test_a_turned_patient_on_a_straight_grid_is_found_as_well() -> None:
    degrees, millimetres = on_straight_grid(lying(Arms.UP, "pet", 5.0, -7.0, 20.0), 380.0, 180).errors()
    assert degrees < 1.5
    assert millimetres < 4.0


def test_a_scan_that_ends_in_the_body_is_not_pulled_straight() -> None:
    trunk = on_straight_grid(lying(Arms.UP, "ct", 1.5, -1.5, 0.0), 900.0, 48)
    assert trunk.body[0].any()
    assert trunk.body[-1].any()
    degrees, millimetres = trunk.errors()
    assert degrees < 1.7
    assert millimetres < 4.0


@pytest.mark.parametrize("arms", [Arms.UP, Arms.DOWN])
def test_a_patient_who_lost_an_arm_keeps_the_plane(arms: Arms) -> None:
    whole = lying(arms, "ct", 3.0, 2.0, 10.0)
    left_mm = whole.truth.distance_mm(whole.grid.to_mm(np.indices(whole.grid.shape).transpose(1, 2, 3, 0)))
    lost = whole.body & (left_mm < 165)
    assert np.count_nonzero(lost) < 0.98 * np.count_nonzero(whole.body)
    degrees, millimetres = Lying(whole.values, lost, whole.grid, whole.truth).errors()
    assert degrees < 1.5
    assert millimetres < 4.0


def test_what_tells_nothing_is_taken_to_lie_straight() -> None:
    grid = Grid.from_spacing((30, 30, 30), 6.0)
    ball = np.linalg.norm(np.indices(grid.shape).transpose(1, 2, 3, 0) - (15.0, 14.0, 12.0), axis=-1) < 10
    plane = mid_sagittal(ball.astype(np.float32), grid, ball)
    assert plane.roll_degrees == pytest.approx(0, abs=0.5)
    assert plane.yaw_degrees == pytest.approx(0, abs=0.5)
    assert plane.point_mm[2] == pytest.approx(72, abs=1)


def test_no_plane_is_turned_beyond_what_a_patient_may_be() -> None:
    degrees = np.linspace(-60, 60, 7)
    grid = Grid.from_spacing((20, 40, 40), 6.0)
    _, y, x = np.indices(grid.shape) - np.array([10, 20, 20])[:, None, None, None]
    for angle in np.radians(degrees):
        along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        plate = (np.abs(across) < 4) & (np.abs(along) < 14)
        plane = mid_sagittal(plate.astype(np.float32), grid, plate)
        assert np.degrees(np.arccos(plane.normal[2])) < WIDEST_DEGREES + 1


def test_brightness_has_no_unit() -> None:
    volume, body = whole_body(Arms.UP, "pet")
    one, other = (mid_sagittal(brightness(volume) * scale, volume.grid, body) for scale in (1.0, 4096.0))
    assert one == other


def test_roll_and_yaw_are_what_their_names_say() -> None:
    for roll, yaw in ((7.0, 0.0), (0.0, -5.0), (3.0, 4.0)):
        _, plane = turned(Grid.from_spacing((4, 4, 4), 1.0), roll, yaw, 0.0)
        assert plane.roll_degrees == pytest.approx(roll)
        assert plane.yaw_degrees == pytest.approx(yaw)
    # Head to the left: points further up of the plane lie further left.
    _, plane = turned(Grid.from_spacing((4, 4, 4), 1.0), 7.0, 0.0, 0.0)
    up_and_left = np.add(plane.point_mm, (100.0, 0.0, 100.0 * np.tan(np.radians(7.0))))
    assert plane.distance_mm(up_and_left) == pytest.approx(0, abs=1e-9)


@given(
    st.tuples(st.floats(-14, 14), st.floats(-14, 14), st.floats(-50, 50)),
    st.lists(st.tuples(*[st.floats(-500, 500)] * 3), min_size=1, max_size=5),
)
def test_mirroring_twice_is_nothing_and_once_changes_sides(
    place: tuple[float, float, float], points: list[tuple[float, float, float]]
) -> None:
    _, plane = turned(Grid.from_spacing((4, 4, 4), 1.0), *place)
    mirrored = plane.mirrored(points)
    np.testing.assert_allclose(plane.mirrored(mirrored), points, atol=1e-9)
    np.testing.assert_allclose(plane.distance_mm(mirrored), -plane.distance_mm(points), atol=1e-9)


def test_no_body_and_other_shapes_are_said() -> None:
    grid = Grid.from_spacing((4, 5, 6), 8.0)
    nothing = np.zeros(grid.shape, dtype=bool)
    with pytest.raises(UnsuitableVolume, match="no body"):
        mid_sagittal(nothing.astype(np.float32), grid, nothing)
    with pytest.raises(ShapeError, match="body"):
        mid_sagittal(nothing.astype(np.float32), grid, nothing[1:])
    with pytest.raises(ShapeError, match="values"):
        mid_sagittal(np.zeros((3, 5, 6), np.float32), grid, nothing)
