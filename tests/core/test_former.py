"""A map that was changed comes back bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grisaille.core.anomaly import AnomalyMap, SliceScores
from grisaille.core.calibration import Calibration
from grisaille.core.errors import InputError
from grisaille.core.former import Former
from grisaille.core.grid import Axis, Grid
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume

GRID = Grid.from_spacing((6, 7, 8), 4.0)


def anomaly(seed: int) -> AnomalyMap:
    rng = np.random.default_rng(seed)
    scores = rng.random(GRID.shape, np.float32)
    ct = Volume(rng.integers(-1000, 1000, (3, 4, 5), np.int16), Grid.from_spacing((3, 4, 5), 9.0), Modality.CT, Unit.HU)
    extras = {"z": Volume(scores - 1, GRID), "body": Volume(scores > 0.1, GRID)}
    slices = SliceScores(Axis.AXIAL, scores.max(axis=(1, 2)))
    return AnomalyMap(scores, slices, GRID, Calibration.none(), Study.of(ct), extras)


def arrays(one: AnomalyMap) -> list[bytes]:
    assert one.healthy is not None
    volumes = [*one.extras.values(), *one.healthy.volumes.values()]
    return [one.scores.tobytes(), one.slice_scores.values.tobytes(), *(volume.voxels.tobytes() for volume in volumes)]


@pytest.mark.parametrize("place", [(2, 3, 4), (0, 0, 0), (slice(None), slice(None), slice(None))])
def test_the_former_map_comes_back_and_only_the_change_is_kept(place: tuple) -> None:
    before = anomaly(0)
    scores, z = np.array(before.scores), np.array(before.extras["z"].voxels)
    scores[place] += 1
    z[place] = -0.0
    after = replace(before, scores=scores, extras={**before.extras, "z": before.extras["z"].with_voxels(z)})
    former = Former.of(before, after)
    assert arrays(former.restored(after)) == arrays(before)
    assert set(former.patches) == {"scores", "extras z"}
    changed = np.zeros(GRID.shape, bool)
    changed[place] = True
    assert former.patches["scores"][1].size == changed.sum()


def test_a_twin_of_another_grid_comes_back_too() -> None:
    before, other = anomaly(0), anomaly(1)
    after = replace(other, grid=before.grid)
    assert arrays(Former.of(before, after).restored(after)) == arrays(before)
    assert Former.of(before, before).patches == {}


def test_maps_of_other_volumes_are_no_change_of_each_other() -> None:
    with pytest.raises(InputError, match="different volumes"):
        Former.of(anomaly(0), replace(anomaly(0), extras={}))
