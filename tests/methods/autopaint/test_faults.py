"""What is wrong with a study, the memory or the user's patience ends in a result or in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from grisaille.core.errors import Cancelled, GrisailleError, OutOfMemory, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.run import Progress, Run
from grisaille.core.study import Case, Study
from grisaille.core.volume import Modality, Volume
from grisaille.flows.detect import detect
from grisaille.imaging.resample import resample
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.method import AutoPaint
from phantoms import small_cohort, small_phantom

pytestmark = pytest.mark.ai
torch = pytest.importorskip("torch")

from plain_painter import PlainInpainter  # noqa: E402 - needs torch

RUN = Run(device="cpu", threads=1)
CONFIG = AutoPaintConfig(spacing_mm=6.0, slab=32, cells_mm=(96.0,), rounds=1)
STUDY = small_phantom(5).study
PATIENT = "doe"
NOISE = np.random.default_rng(0)


def method(network: PlainInpainter | None = None) -> AutoPaint:
    return AutoPaint(CONFIG, network or PlainInpainter(0.0), trained_on=("pet", "ct"), patients=3)  # type: ignore[arg-type]


@cache
def calibrated() -> AutoPaint:
    return method().calibrate(small_cohort(1, 11), RUN)


def on_grids(change: Callable[[Grid], Grid]) -> Study:
    return Study({key: resample(volume, change(volume.grid)) for key, volume in STUDY.volumes.items()}, PATIENT)


def few_slices(grid: Grid) -> Grid:
    """60 mm of the chest, a third of a slab."""
    steps = round(60 / grid.spacing_mm[0])
    return grid.cropped((grid.shape[0] // 2, 0, 0), (steps, *grid.shape[1:]))


def thick_slices(grid: Grid) -> Grid:
    return grid.spaced((10.0, *grid.spacing_mm[1:]))


@pytest.mark.parametrize("change", [few_slices, thick_slices])
def test_short_scans_and_thick_slices_are_judged_on_their_own_grid(change: Callable[[Grid], Grid]) -> None:
    study = on_grids(change)
    result = detect(study, calibrated(), top=0.01, run=RUN)
    assert result.anomaly.grid == study.reference
    assert np.isfinite(result.anomaly.scores).all()
    assert result.anomaly.body.any()
    assert result.labels.voxels.any()


def changed(key: str, voxels: np.ndarray) -> Study:
    return Study({key: STUDY.volumes[key].with_voxels(voxels.astype(np.float32))}, PATIENT)


def air(key: str) -> Study:
    """What a scanner shows of an empty bed: noise."""
    empty, noise = (-1000.0, 8.0) if key == "ct" else (0.0, 0.002)
    return changed(key, np.abs(NOISE.normal(0, noise, STUDY.volumes[key].grid.shape)) + empty)


def with_one(value: float) -> Study:
    voxels = np.array(STUDY.volumes["ct"].voxels, dtype=np.float32)
    voxels[3, 3, 3] = value
    return changed("ct", voxels)


def of_another_modality() -> Study:
    other = Study.of(replace(STUDY.volumes["ct"], modality=Modality.MR))
    return Study(other.volumes, PATIENT)


@pytest.mark.parametrize(
    ("study", "said"),
    [
        (lambda: air("ct"), "body"),
        (lambda: air("pet"), "body"),
        (lambda: with_one(np.nan), "not finite"),
        (lambda: with_one(np.inf), "not finite"),
        (of_another_modality, "PET and CT"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_a_sentence(study: Callable[[], Study], said: str) -> None:
    with pytest.raises(UnsuitableVolume, match=said) as caught:
        detect(study(), calibrated(), run=RUN)
    assert PATIENT not in str(caught.value)


def test_a_model_of_pet_alone_judges_the_pet_and_refuses_a_ct() -> None:
    of_pet = replace(calibrated(), trained_on=("pet",))
    anomaly = of_pet.score(STUDY, RUN)
    assert set(anomaly.healthy.volumes) == {"pet"}
    with pytest.raises(UnsuitableVolume, match="CT"):
        detect(Study({"ct": STUDY.volumes["ct"]}, PATIENT), of_pet, run=RUN)


def pet_alone() -> Study:
    return Study({"pet": STUDY.volumes["pet"]}, PATIENT)


def stages(work: Callable[[Run], object]) -> list[str]:
    """The names of all stages of a computation, in their order."""
    told: list[Progress] = []
    work(Run(device="cpu", threads=1, on_progress=told.append))
    return list(dict.fromkeys(step.what for step in told))


@pytest.mark.parametrize(
    ("work", "at_least"),
    [
        (lambda run: detect(STUDY, method(PlainInpainter()), run=run), 2),
        (lambda run: method(PlainInpainter()).calibrate([Case(pet_alone, PATIENT)], run), 3),
    ],
)
def test_every_stage_can_be_cancelled(work: Callable[[Run], object], at_least: int) -> None:
    names = stages(work)
    assert len(names) >= at_least
    for name in names:
        told: list[str] = []
        run = Run(
            device="cpu",
            threads=1,
            on_progress=lambda step, told=told: told.append(step.what),
            is_cancelled=lambda told=told, name=name: name in told,
        )
        with pytest.raises(Cancelled):
            work(run)
        assert told[-1] == name


class Full(PlainInpainter):
    """A network that no memory holds."""

    def forward(self, images, hole, body, below):  # type: ignore[no-untyped-def]
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_no_memory_at_all_is_said_and_the_next_run_is_none_the_worse() -> None:
    with pytest.raises(OutOfMemory, match="memory"):
        detect(STUDY, replace(calibrated(), network=Full()), run=RUN)  # type: ignore[arg-type]
    assert detect(STUDY, calibrated(), top=0.01, run=RUN).labels.voxels.any()


def test_a_ct_of_elsewhere_is_refused_and_the_pet_alone_is_not() -> None:
    ct = STUDY.volumes["ct"]
    affine = np.array(ct.grid.affine)
    affine[0, 3] += 2000
    elsewhere: Volume = replace(ct, grid=Grid(ct.grid.shape, affine))
    with pytest.raises(GrisailleError, match="covers 0 %"):
        detect(Study({**STUDY.volumes, "ct": elsewhere}, PATIENT), calibrated(), run=RUN)
    detect(pet_alone(), calibrated(), run=RUN)
