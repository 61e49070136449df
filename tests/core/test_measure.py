"""Numbers that only some methods tell of a finding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grisaille.core.anomaly import AnomalyMap, SliceScores
from grisaille.core.calibration import Calibration
from grisaille.core.errors import InputError, ShapeError
from grisaille.core.grid import Axis, Grid
from grisaille.core.labels import Labels
from grisaille.core.measure import SCORES, Curve, Measure, Statistic
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.imaging.findings import find_findings

VALUES = np.array([1.0, -5.0, 2.0], np.float32)
GRID = Grid.from_spacing((4, 4, 4), 4.0)


def measure(statistic: Statistic, curve: Curve | None = None, of: str = SCORES, form: str = ".2f") -> Measure:
    return Measure("one", "One", "A number", of, statistic, curve, form)


@pytest.mark.parametrize(
    ("statistic", "number"), [(Statistic.HIGHEST, 2.0), (Statistic.FURTHEST, -5.0), (Statistic.MEAN, -2 / 3)]
)
def test_statistics_by_hand(statistic: Statistic, number: float) -> None:
    assert measure(statistic).of_values(VALUES) == pytest.approx(number)
    assert measure(statistic).of_values(VALUES[:0]) is None


def test_a_curve_is_linear_between_its_points_and_flat_beyond() -> None:
    curve = Curve(np.array([1.0, 2.0, 4.0]), np.array([0.2, 0.1, 0.0]))
    assert [curve(x) for x in (0.0, 1.5, 3.0, 9.0)] == pytest.approx([0.2, 0.15, 0.05, 0.0])
    with pytest.raises(InputError):
        Curve(np.array([2.0, 1.0]), np.zeros(2))
    with pytest.raises(ShapeError):
        Curve(np.array([1.0, 2.0]), np.zeros(3))


def test_what_lies_beyond_all_that_was_measured_is_written_as_a_bound() -> None:
    tail = measure(Statistic.HIGHEST, Curve(np.array([1.0, 3.0]), np.array([0.2, 1e-5])), form=".2g")
    written = [tail.write(tail.of_values(np.array([value]))) for value in (0.5, 2.0, 7.0)]
    assert written == ["> 0.2", "0.1", "< 1e-05"]
    assert tail.write(None) == "–"


def study_and_map() -> tuple[Study, AnomalyMap]:
    z = np.zeros(GRID.shape, np.float32)
    z[1, 1, 1:3] = 4.0, -6.0
    z[3, 3, 3] = 2.0
    pet = Volume(np.abs(z), GRID, Modality.PET, Unit.SUVBW)
    slices = SliceScores(Axis.AXIAL, np.zeros(4, np.float32))
    peak = Measure("peak_z", "Peak z", "z", "z", Statistic.FURTHEST)
    extras = {"z": Volume(z, GRID)}
    return Study.of(pet), AnomalyMap(
        np.abs(z), slices, GRID, Calibration.none(), extras=extras, measures=(peak, measure(Statistic.MEAN))
    )


def test_findings_carry_what_the_map_measures_and_nothing_without_a_map() -> None:
    study, anomaly = study_and_map()
    voxels = np.zeros(GRID.shape, np.uint16)
    voxels[1, 1, 1:3], voxels[3, 3, 3] = 1, 2
    first, second = find_findings(Labels(voxels, GRID), study, anomaly)
    assert dict(first.extra) == {"peak_z": -6.0, "one": 5.0}
    assert dict(second.extra) == {"peak_z": 2.0, "one": 2.0}
    assert [dict(one.extra) for one in find_findings(Labels(voxels, GRID), study)] == [{}, {}]
    assert replace(first, edited=True).extra == first.extra
    assert hash(first) == hash(replace(first))


def test_a_map_measures_only_what_it_holds() -> None:
    _, anomaly = study_and_map()
    with pytest.raises(InputError, match="measures z"):
        replace(anomaly, extras={})
