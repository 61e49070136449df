"""All findings added up: by hand, and where there is nothing or one."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.burden import Burden, Delineation
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.imaging.burden import burden_of
from grisaille.imaging.findings import find_findings
from volumes import oblique_grid

GRID = Grid.from_spacing((10, 10, 10), (10.0, 5.0, 5.0))


def burden(voxels: np.ndarray, grid: Grid = GRID, suv: float | None = 2.0, connectivity: int = 26) -> Burden:
    labels = Labels(voxels, grid)
    unit, modality = (Unit.NONE, Modality.MR) if suv is None else (Unit.SUVBW, Modality.PET)
    study = Study.of(Volume(np.full(grid.shape, suv or 0.0, np.float32), grid, modality, unit))
    return burden_of(find_findings(labels, study, connectivity=connectivity), labels, connectivity=connectivity)


def three_voxels() -> np.ndarray:
    voxels = np.zeros(GRID.shape, np.uint16)
    voxels[0, 0, 0:2] = 1
    voxels[9, 0, 0] = 2
    return voxels


def test_findings_are_added_up_and_their_spread_is_measured() -> None:
    found = burden(three_voxels())
    assert (found.findings, found.connectivity, found.delineation) == (2, 26, Delineation.AS_DRAWN)
    assert (found.volume_ml, found.tlg, found.suv_max) == pytest.approx((0.75, 1.5, 2.0))
    assert found.dmax_mm == pytest.approx(np.hypot(90, 2.5))
    assert found.dmax_voxels_mm == pytest.approx(np.hypot(90, 5))
    assert str(found) == "2 findings, 0.75 ml, TLG 1.5, SUVmax 2, Dmax 90 mm, connectivity 26"


def test_of_one_finding_there_is_no_distance_which_is_not_nothing() -> None:
    voxels = np.zeros(GRID.shape, np.uint16)
    voxels[2:5, 2:5, 2:5] = 7
    found = burden(voxels)
    assert (found.findings, found.dmax_mm, found.dmax_voxels_mm) == (1, None, None)
    assert str(found).startswith("1 finding, 6.75 ml, TLG 13.5, SUVmax 2, connectivity")


def test_of_nothing_there_is_nothing() -> None:
    found = burden(np.zeros(GRID.shape, np.uint16))
    assert found == Burden(0, 0.0, None, None, None, None)
    assert str(found) == "no findings, connectivity 26"


def test_without_suv_there_is_volume_and_spread() -> None:
    found = burden(three_voxels(), suv=None)
    assert (found.tlg, found.suv_max) == (None, None)
    assert found.dmax_mm is not None


@pytest.mark.parametrize(("connectivity", "count"), [(6, 3), (18, 2), (26, 1)])
def test_the_neighbours_that_were_joined_change_the_number_and_not_the_volume(connectivity: int, count: int) -> None:
    voxels = np.zeros(GRID.shape, np.uint16)
    voxels[1, 1, 1] = voxels[2, 2, 2] = voxels[2, 3, 3] = 1
    found = burden(voxels, connectivity=connectivity)
    assert (found.findings, found.connectivity) == (count, connectivity)
    assert found.volume_ml == pytest.approx(0.75)


def test_on_an_oblique_grid_the_spread_is_in_millimetres_of_the_patient() -> None:
    grid = oblique_grid(GRID.shape, (10.0, 5.0, 5.0))
    assert burden(three_voxels(), grid).dmax_voxels_mm == pytest.approx(np.hypot(90, 5))


def test_a_finding_outside_of_the_pet_adds_to_the_volume_only() -> None:
    labels = Labels(three_voxels(), GRID)
    short = Grid.from_spacing((5, 10, 10), (10.0, 5.0, 5.0))
    study = Study.of(Volume(np.ones(short.shape, np.float32), short, Modality.PET, Unit.SUVBW))
    found = burden_of(find_findings(labels, study), labels)
    assert (found.volume_ml, found.tlg) == pytest.approx((0.75, 0.5))
