"""Frames on disk: made once, whole or not at all."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from grisaille.core.errors import Cancelled, UnreadableFile, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.frame_cache import FrameCache
from phantoms import small_study

CONFIG = AutoPaintConfig(spacing_mm=6.0)


def small_pet() -> Study:
    return Study.of(small_study().volumes["pet"])


@dataclass
class Reader:
    """Reads a study and remembers how often."""

    make: Callable[[], Study] = small_pet
    times: int = field(default=0)

    def __call__(self) -> Study:
        self.times += 1
        return self.make()


def refused() -> Study:
    raise UnsuitableVolume("this study cannot be read")


def case(patient: str, reader: Callable[[], Study], truth: Labels | None = None) -> Case:
    return Case(reader, patient, truth, healthy=True)


def test_a_frame_comes_back_as_it_was_made_to_half_precision(tmp_path: Path) -> None:
    cache = FrameCache(tmp_path / "frames", CONFIG).keeping([case("a", small_study)], Run())
    made, kept = Frame.of(small_study(), CONFIG), cache[0]
    assert len(cache) == 1
    assert kept.grid == made.grid
    np.testing.assert_array_equal(kept.body, made.body)
    for key, image in made.images.items():
        assert kept.images[key].dtype == np.float16
        np.testing.assert_array_equal(kept.images[key], image.astype(np.float16))
        np.testing.assert_array_equal(kept.covered[key], made.covered[key])


def test_images_are_mapped_and_not_read(tmp_path: Path) -> None:
    cache = FrameCache(tmp_path, CONFIG).keeping([case("a", small_pet)], Run())
    image = cache[0].images["pet"]
    base = image
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert not image.flags.writeable


def test_a_study_is_read_once(tmp_path: Path) -> None:
    readers = [Reader(), Reader()]
    cases = [case(name, reader) for name, reader in zip("ab", readers, strict=True)]
    first = FrameCache(tmp_path, CONFIG).keeping(cases, Run())
    again = FrameCache(tmp_path, CONFIG).keeping(cases, Run())
    assert [reader.times for reader in readers] == [1, 1]
    assert first.kept == again.kept
    assert again.patients == ("a", "b")


def test_what_was_finished_before_a_failure_is_not_made_again(tmp_path: Path) -> None:
    good, late = Reader(), Reader()
    with pytest.raises(UnsuitableVolume, match="cannot be read"):
        FrameCache(tmp_path, CONFIG).keeping([case("a", good), case("b", refused)], Run())
    assert len(list(tmp_path.iterdir())) == 1, "nothing half-written"
    cache = FrameCache(tmp_path, CONFIG).keeping([case("a", good), case("b", late)], Run())
    assert (good.times, late.times, len(cache)) == (1, 1, 2)


def test_it_can_be_cancelled_between_studies(tmp_path: Path) -> None:
    readers = [Reader(), Reader()]
    run = Run(is_cancelled=lambda: readers[0].times == 1)
    with pytest.raises(Cancelled):
        FrameCache(tmp_path, CONFIG).keeping([case("a", readers[0]), case("b", readers[1])], run)
    assert [reader.times for reader in readers] == [1, 0]


def test_two_studies_of_one_patient_are_two_frames(tmp_path: Path) -> None:
    cache = FrameCache(tmp_path, CONFIG).keeping([case("a", small_study)], Run())
    cache = cache.keeping([case("a", small_pet), case("b", small_pet)], Run())
    assert cache.patients == ("a", "a", "b")
    assert [set(frame.images) for frame in cache] == [{"pet", "ct"}, {"pet"}, {"pet"}]
    assert cache.subset([2, 1]).patients == ("b", "a")
    assert cache[1:].patients == ("a", "b")
    assert set(cache[-2].images) == {"pet"}


def test_other_settings_and_another_truth_are_other_frames(tmp_path: Path) -> None:
    reader = Reader()
    pet = small_pet().reference
    middle = pet.to_mm(np.array(pet.shape) / 2)
    truths = [None] + [
        Labels(np.full((2, 2, 2), value, np.uint16), Grid.from_spacing((2, 2, 2), spacing, middle))
        for value, spacing in ((0, 4.0), (0, 8.0), (1, 8.0))
    ]
    for truth in truths:
        FrameCache(tmp_path, CONFIG).keeping([case("a", reader, truth)], Run())
    assert reader.times == len(truths)
    FrameCache(tmp_path, AutoPaintConfig(spacing_mm=5.0)).keeping([case("a", reader)], Run())
    FrameCache(tmp_path, AutoPaintConfig(spacing_mm=6.0, steps=7)).keeping([case("a", reader)], Run())
    assert reader.times == len(truths) + 1, "the number of training steps changes no frame"


def test_the_patient_is_not_written(tmp_path: Path) -> None:
    FrameCache(tmp_path, CONFIG).keeping([case("Erika Mustermann", small_pet)], Run())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(b"Mustermann" in path.read_bytes() or "Mustermann" in str(path) for path in files)


@pytest.mark.parametrize("harm", ["truncate", "remove"])
def test_damage_is_said_with_the_remedy(tmp_path: Path, harm: str) -> None:
    cache = FrameCache(tmp_path, CONFIG).keeping([case("a", small_pet)], Run())
    file = tmp_path / cache.kept[0].name / "body.npy"
    if harm == "truncate":
        file.write_bytes(file.read_bytes()[:200])
    else:
        file.unlink()
    with pytest.raises(UnreadableFile, match=r"damaged or gone; remove that folder"):
        cache[0]


def test_another_process_can_read_it(tmp_path: Path) -> None:
    cache = FrameCache(tmp_path, CONFIG).keeping([case("a", small_pet)], Run())
    other = pickle.loads(pickle.dumps(cache))  # noqa: S301 - as workers of a data loader do
    np.testing.assert_array_equal(other[0].images["pet"], cache[0].images["pet"])


def test_a_mask_that_was_drawn_elsewhere_is_said_of_its_study(tmp_path: Path) -> None:
    elsewhere = Labels(np.ones((2, 2, 2), np.uint16), Grid.from_spacing((2, 2, 2), 4.0, (5000.0, 0.0, 0.0)))
    cases = [case("a", small_pet), case("b", small_pet, elsewhere)]
    with pytest.raises(UnsuitableVolume, match=r"study 2 of 2: the mask of the lesions lies outside"):
        FrameCache(tmp_path, CONFIG).keeping(cases, Run())
