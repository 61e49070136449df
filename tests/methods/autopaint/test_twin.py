"""The healthy twin on the grids of its originals: changed inside the hole, the same bits outside."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.calibration import Calibration
from grisaille.core.grid import Grid
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame, ct_channels, log_suv
from grisaille.methods.autopaint.loop import Painting
from grisaille.methods.autopaint.twin import anomaly_map, healthy_twin, residual_of

CONFIG = AutoPaintConfig()
FRAME = Grid.from_spacing((32, 32, 32), 4.0)
HOLE = (slice(12, 18), slice(12, 18), slice(12, 18))


def painted(key: str = "pet") -> tuple[Study, Frame, Painting]:
    """SUV 2 with 8 in the hole, 40 HU with 300: healthy is 2 and 40 again."""
    hole = np.zeros(FRAME.shape, bool)
    hole[HOLE] = True
    pet_grid = Grid.from_spacing((40, 40, 40), 3.1, (2.0, 1.0, 0.5))
    ct_grid = Grid.from_spacing((60, 60, 60), 2.0, (1.0, 1.5, 2.0))
    suv, hu = np.where(hole, 8.0, 2.0), np.where(hole, 300.0, 40.0)
    images = {"pet": log_suv(suv)[None], "ct": ct_channels(hu, CONFIG.windows)}
    healthy = {
        "pet": log_suv(np.full(FRAME.shape, 2.0))[None],
        "ct": ct_channels(np.full(FRAME.shape, 40.0), CONFIG.windows),
    }
    body = np.zeros(FRAME.shape, bool)
    body[4:28, 4:28, 4:28] = True
    rng = np.random.default_rng(0)

    def there(grid: Grid) -> np.ndarray:
        index = np.rint(FRAME.to_index(grid.to_mm(np.indices(grid.shape).transpose(1, 2, 3, 0)))).astype(int)
        return ((index >= 12) & (index < 18)).all(-1)

    noise = rng.normal(0, 0.1, pet_grid.shape)
    pet = np.where(there(pet_grid), 8.0, 2.0) + noise
    ct = np.where(there(ct_grid), 300, 40) + rng.integers(-9, 9, ct_grid.shape)
    study = Study.of(
        Volume(pet.astype(np.float32), pet_grid, Modality.PET, Unit.SUVBW),
        Volume(ct.astype(np.int16), ct_grid, Modality.CT, Unit.HU),
        patient="one",
    )
    z = np.where(hole, 20.0, -1.0).astype(np.float32)
    return study, Frame(FRAME, images, body), Painting(key, z, healthy[key], hole, healthy)


def reach(volume: Volume) -> np.ndarray:
    """Voxels of a volume within one voxel of the frame of the hole: the reach of linear interpolation."""
    index = FRAME.to_index(volume.grid.to_mm(np.indices(volume.grid.shape).transpose(1, 2, 3, 0)))
    return ((index > 11) & (index < 18)).all(-1)


def test_outside_the_hole_not_a_bit_differs() -> None:
    study, frame, painting = painted()
    twin = healthy_twin(study, frame, painting, CONFIG)
    for key, volume in study.volumes.items():
        other = twin.volumes[key]
        assert other.grid == volume.grid
        assert other.voxels.dtype == volume.voxels.dtype
        outside = ~reach(volume)
        assert other.voxels[outside].tobytes() == volume.voxels[outside].tobytes()


def test_inside_the_hole_is_healthy_and_keeps_its_noise() -> None:
    study, frame, painting = painted()
    twin = healthy_twin(study, frame, painting, CONFIG)
    for key, healthy, noise in (("pet", 2.0, 0.1), ("ct", 40.0, 5.2)):
        volume = study.volumes[key]
        index = FRAME.to_index(volume.grid.to_mm(np.indices(volume.grid.shape).transpose(1, 2, 3, 0)))
        core = ((index > 12.5) & (index < 16.5)).all(-1)
        values = twin.volumes[key].voxels[core].astype(float)
        assert values.mean() == pytest.approx(healthy, abs=noise)
        assert values.std() == pytest.approx(noise, rel=0.2)


def test_suv_never_falls_below_nothing() -> None:
    study, frame, painting = painted()
    lower = {**painting.healthy, "pet": log_suv(np.zeros(FRAME.shape))[None]}
    twin = healthy_twin(study, frame, Painting("pet", painting.z, lower["pet"], painting.hole, lower), CONFIG)
    assert twin.pet.voxels.min() >= 0


@pytest.mark.parametrize("key", ["pet", "ct"])
def test_the_map_lies_on_the_reference_grid_with_all_that_labels_need(key: str) -> None:
    study, frame, painting = painted(key)
    used = Study({key: study.volumes[key]}, "one")
    one = Frame(frame.grid, {key: frame.images[key]}, frame.body)
    anomaly = anomaly_map(used, one, painting, CONFIG, Calibration.none())
    assert anomaly.grid == used.reference
    assert (anomaly.scores > 0).sum() == anomaly.body.sum()
    assert set(anomaly.extras) == {"z", "residual", "painted", "body"}
    index = FRAME.to_index(used.reference.to_mm(np.indices(used.reference.shape).transpose(1, 2, 3, 0)))
    core = ((index > 12.5) & (index < 16.5)).all(-1)
    np.testing.assert_allclose(anomaly.scores[core], 20.0, rtol=1e-4)
    np.testing.assert_allclose(residual_of(anomaly.extras)[core], 6.0 if key == "pet" else 260.0, rtol=1e-3)
    assert anomaly.extras["painted"].voxels[core].all()
    assert anomaly.extras["residual"].unit is (Unit.SUVBW if key == "pet" else Unit.HU)


def test_a_ct_residual_counts_both_ways() -> None:
    volume = Volume(np.array([[[-5.0, 3.0]]], np.float32), Grid.from_spacing((1, 1, 2), 1.0), unit=Unit.HU)
    np.testing.assert_array_equal(residual_of({"residual": volume}), [[[5.0, 3.0]]])
