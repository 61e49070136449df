"""Features of marked slices on disk: made once, whole or not at all, and as good as made anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from grisaille.core.errors import Cancelled, OutputError, ShapeError, UnreadableFile
from grisaille.core.run import Run
from grisaille.methods.anomalyclip import token_cache
from grisaille.methods.anomalyclip.config import AnomalyClipConfig
from grisaille.methods.anomalyclip.learning import learn
from grisaille.methods.anomalyclip.token_cache import Marked, MarkedTokens, TokenCache
from grisaille.methods.anomalyclip.vision import Attention, Look, see
from grisaille.nn.threads import threads
from methods.anomalyclip.small_clip import small_clip

RUN = Run(device="cpu", threads=1)
LOOK = Look((6, 12), 7)


@dataclass(eq=False)
class Painted:
    """Slices of noise, with a bright square wherever one is marked."""

    seed: int
    count: int = 3
    columns: int = 48
    reads: list[int] = field(default_factory=list)

    @property
    def masks(self) -> np.ndarray:
        masks = np.zeros((self.count, 32, self.columns), dtype=bool)
        masks[1::2, 4:20, 8:24] = True
        return masks

    def __len__(self) -> int:
        return self.count

    def images(self, slices: np.ndarray) -> np.ndarray:
        self.reads += slices.tolist()
        noise = [np.random.default_rng([self.seed, number]).random((3, 32, self.columns)) for number in slices]
        return np.where(self.masks[slices][:, None], 1.0, np.stack(noise)).astype(np.float32)


def marked(pictures: Painted, patient: str = "a", truth: str = "truth", key: str | None = None) -> Marked:
    return Marked(patient, key or f"painted {pictures.seed}", truth, lambda: (pictures, pictures.masks))


def cache(folder: Path) -> TokenCache:
    return TokenCache(folder, small_clip(), LOOK)


def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gets the number of slices at each look of CLIP."""
    counts: list[int] = []

    def counting(clip, images, look):
        counts.append(len(images))
        return see(clip, images, look)

    monkeypatch.setattr(token_cache, "see", counting)
    return counts


def anew(pictures: Iterable[Painted]) -> list[MarkedTokens]:
    """What CLIP makes of each slice, alone and now, in half precision."""
    found = []
    for one in pictures:
        for number in range(len(one)):
            image = torch.from_numpy(one.images(np.array([number])))
            with torch.inference_mode(), threads(RUN):  # another number of threads sums in another order
                seen = see(small_clip(), small_clip().standardised(image), LOOK)
            parts = (part.half().numpy() for part in (seen.image[0], seen.patches[:, 0]))
            found.append(MarkedTokens(*parts, one.masks[number]))
    return found


def equal(one: MarkedTokens, other: MarkedTokens) -> bool:
    return all(np.array_equal(getattr(one, part), getattr(other, part)) for part in ("image", "patches", "mask"))


def test_slices_come_back_as_clip_sees_them(tmp_path: Path) -> None:
    pictures = [Painted(0), Painted(1, count=2, columns=64)]
    kept = cache(tmp_path).keeping([marked(one) for one in pictures], RUN, batch=1)
    wanted = anew(pictures)
    assert len(kept) == len(wanted) == 5
    assert all(equal(kept[number], wanted[number]) for number in range(5))
    assert kept[0].image.dtype == np.float16
    assert kept[4].patches.shape == (2, 2, 4, 96)
    assert equal(kept[-1], wanted[-1])
    with pytest.raises(IndexError):
        kept[5]
    assert (kept.marked, kept.patients) == (2, ("a",))


def test_batches_change_no_more_than_the_rounding(tmp_path: Path) -> None:
    kept = cache(tmp_path).keeping([marked(Painted(0, count=5))], RUN, batch=3)
    for number, wanted in enumerate(anew([Painted(0, count=5)])):
        np.testing.assert_allclose(kept[number].patches, wanted.patches, atol=3e-4)
        np.testing.assert_allclose(kept[number].image, wanted.image, atol=3e-4)


def test_learning_from_the_cache_is_learning_that_looks_anew_each_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [Painted(0), Painted(1, count=2, columns=64)]
    looks = looked(monkeypatch)
    kept = cache(tmp_path).keeping([marked(one) for one in pictures], RUN, batch=1)
    config = AnomalyClipConfig(epochs=3, lesson=2)
    from_cache, course = learn(small_clip(), kept, None, config, RUN)
    assert sum(looks) == len(kept) == 5  # once a slice, not once an epoch

    class Anew:
        patients, marked, fingerprint, seen = kept.patients, kept.marked, kept.fingerprint, 0

        def __len__(self) -> int:
            return len(kept)

        def __getitem__(self, number: int) -> MarkedTokens:
            self.seen += 1
            return anew(pictures)[number]

    slowly = Anew()
    as_published, again = learn(small_clip(), slowly, None, config, RUN)
    assert slowly.seen == 3 * 5
    assert [one.loss for one in course] == [one.loss for one in again]
    assert all(np.array_equal(one, as_published.arrays()[name]) for name, one in from_cache.arrays().items())


def test_what_lies_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, first = looked(monkeypatch), Painted(0)
    before = cache(tmp_path).keeping([marked(first)], RUN)
    reads = len(first.reads)
    after = cache(tmp_path).keeping([marked(first), marked(Painted(1), patient="b")], RUN)
    assert len(first.reads) == reads
    assert looks == [3, 3]
    assert equal(before[0], after[0])
    assert before.fingerprint == after.of(["a"]).fingerprint != after.fingerprint


def test_another_truth_needs_no_other_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, pictures = looked(monkeypatch), Painted(0)
    before = cache(tmp_path).keeping([marked(pictures)], RUN)
    edited = Marked("a", "painted 0", "edited", lambda: (pictures, np.zeros_like(pictures.masks)))
    after = cache(tmp_path).keeping([edited], RUN)
    assert looks == [3]
    assert (before.marked, after.marked) == (1, 0)
    assert before[1].mask.any()
    assert not after[1].mask.any()
    assert before.fingerprint != after.fingerprint


def test_another_look_or_precision_or_picture_is_another_entry(tmp_path: Path) -> None:
    one = cache(tmp_path)
    kinds = [
        one.keeping([marked(Painted(0))], RUN),
        one.keeping([marked(Painted(0), key="another window")], RUN),
        replace(one, look=Look((12,), 7)).keeping([marked(Painted(0))], RUN),
        replace(one, look=Look((6, 12), 7, Attention.ALL)).keeping([marked(Painted(0))], RUN),
        replace(one, arithmetic="int8").keeping([marked(Painted(0))], RUN),
    ]
    assert len({kind.kept[0].tokens for kind in kinds}) == 5


def test_studies_are_taken_one_by_one(tmp_path: Path) -> None:
    drawn: list[int] = []

    def draw(number: int) -> Marked:
        assert len(list(tmp_path.iterdir())) == 2 * len(drawn)  # all before are on the disk
        drawn.append(number)
        return marked(Painted(number))

    assert len(cache(tmp_path).keeping((draw(number) for number in range(2)), RUN)) == 6


@pytest.mark.parametrize("file", ["patches.npy", "image.npy", "masks.npy", "about.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damaged_entries_are_said_and_made_again(file: str, damage: str, tmp_path: Path) -> None:
    pictures = Painted(0)
    before = cache(tmp_path).keeping([marked(pictures)], RUN, batch=1)
    path = next(tmp_path.glob(f"*/{file}"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 0x41
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flipped" else content[: len(content) // 2])
    notes: list[str] = []
    after = cache(tmp_path).keeping([marked(pictures)], replace(RUN, on_note=notes.append), batch=1)
    assert len(notes) == 1
    assert "made again" in notes[0]
    assert all(equal(after[number], want) for number, want in enumerate(anew([pictures])))
    assert before.kept == after.kept


def test_damage_under_way_is_said(tmp_path: Path) -> None:
    kept = cache(tmp_path).keeping([marked(Painted(0))], RUN)
    next(tmp_path.glob("*/patches.npy")).unlink()
    with pytest.raises(UnreadableFile, match="made anew"):
        kept[0]


def test_a_cancelled_look_leaves_nothing_of_its_own_and_all_before(tmp_path: Path) -> None:
    asked = []
    first, second = Painted(0), Painted(1)

    def is_cancelled() -> bool:
        asked.append(1)
        return len(second.reads) > 1

    with pytest.raises(Cancelled):
        cache(tmp_path).keeping([marked(first), marked(second)], replace(RUN, is_cancelled=is_cancelled), batch=1)
    assert len(list(tmp_path.iterdir())) == 2
    reads = len(first.reads)
    kept = cache(tmp_path).keeping([marked(first), marked(second)], RUN, batch=1)
    assert len(first.reads) == reads
    assert len(kept) == 6


def test_a_full_disk_is_said(tiny_disk: Path) -> None:
    with pytest.raises(OutputError, match="full"):
        cache(tiny_disk / "cache").keeping([marked(Painted(0, count=200))], RUN)
    assert not list((tiny_disk / "cache").iterdir())


def test_masks_of_another_number_are_refused(tmp_path: Path) -> None:
    pictures = Painted(0)
    wrong = Marked("a", "painted", "truth", lambda: (pictures, pictures.masks[:2]))
    with pytest.raises(ShapeError, match="masks of slices"):
        cache(tmp_path).keeping([wrong], RUN)


@pytest.mark.parametrize(("sick", "healthy", "share"), [(5, 0, 0.2), (3, 3, 0.4), (1, 4, 0.3), (2, 1, 0.9)])
def test_patients_are_left_out_whole_and_some_that_are_marked(
    sick: int, healthy: int, share: float, tmp_path: Path
) -> None:
    kinds = ["sick"] * sick + ["healthy"] * healthy
    one = Painted(0, count=2), Painted(1, count=1)  # the first slice of each is not marked
    both = [
        marked(one[kind == "healthy"], patient=f"{kind}-{number}", key=kind)
        for number, kind in enumerate(kinds)
        for _ in range(2)
    ]
    kept = cache(tmp_path).keeping(both, RUN)
    learned, left_out = kept.parted(share, seed=3)
    assert not set(learned.patients) & set(left_out.patients)
    assert set(learned.patients) | set(left_out.patients) == set(kept.patients)
    assert learned.marked > 0
    assert (left_out.marked > 0) == (sick > 1)
    assert kept.parted(share, seed=3)[1].kept == left_out.kept
    assert len(kept.parted(0.0, seed=3)[1]) == 0
