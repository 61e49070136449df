"""What CLIP makes of marked slices, kept on disk: it is frozen, so one look at each serves every epoch.

It is not ``feature_store``: a learning takes whole slices with their class tokens, some of each study, in a folder of
its own that it is gone on with from and whose size is its lessons', while scores are made of tiles in a bounded cache.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import require_shape
from grisaille.core.errors import UnreadableFile
from grisaille.core.run import Run
from grisaille.core.safe_write import replacing_folder
from grisaille.methods.anomalyclip.clip import Clip
from grisaille.methods.anomalyclip.vision import Look, Seen, see

if TYPE_CHECKING:
    import torch

LAYOUT = 1
"""Of the files; what was kept in another is made again."""

_ABOUT = "about.json"


class Pictures(Protocol):
    """Slices of one shape."""

    def __len__(self) -> int:
        """How many."""
        ...

    def images(self, slices: npt.NDArray[np.intp], /) -> npt.NDArray[np.float32]:
        """(n, 3, y, x) of 0 to 1; y and x are multiples of CLIP's patch."""
        ...


@dataclass(frozen=True)
class Marked:
    """Slices of a patient, and what a person marked on them.

    Parameters
    ----------
    patient
        A pseudonym, which is not written to the disk.
    pictures, truth
        Two texts that tell all that the images, and all that the masks are made of: of other
        content or settings they are others. Of another truth alone, CLIP need not look again.
    load
        The slices, and their (n, y, x) masks; asked for only if they do not lie in the cache.
    """

    patient: str
    pictures: str
    truth: str
    load: Callable[[], tuple[Pictures, npt.NDArray[np.bool_]]]


@dataclass(frozen=True, eq=False)
class MarkedTokens:
    """One slice, as a learning takes it.

    Parameters
    ----------
    image
        (e,) the unit feature of its class token.
    patches
        (taps, rows, columns, e) unit features.
    mask
        (y, x) true where it is abnormal.
    """

    image: npt.NDArray[np.floating]
    patches: npt.NDArray[np.floating]
    mask: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Kept:
    """Where slices lie: names of two folders, and how many slices there are and bear a mark."""

    patient: str
    tokens: str
    masks: str
    slices: int
    marked: int


@dataclass(frozen=True, eq=False)
class TokenCache:
    """Slices' features in half precision, each read from the disk when it is asked for.

    Parameters
    ----------
    folder
        Made where it is missing. Its content is known again by the backbone, what is taken of it
        and what the pictures are made of, so that several learnings may share it.
    arithmetic
        Of the image encoder, where neither its weights nor the run's precision tell: eight bits, say.
    kept
        What ``keeping`` made.
    """

    folder: Path
    clip: Clip
    look: Look
    arithmetic: str = ""
    kept: tuple[Kept, ...] = ()
    _ends: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ends", tuple(accumulate(one.slices for one in self.kept)))

    def keeping(self, marked: Iterable[Marked], run: Run, *, batch: int = 4) -> Self:
        """The cache with these slices after those it has; CLIP looks now at those that do not lie there already.

        What was finished before a kill or a failure stays; what was damaged since is said and made again.

        Parameters
        ----------
        marked
            Taken one by one, so that no more than one need be in memory.
        batch
            Slices through the network at a time.

        Raises
        ------
        OutputError
            If the disk is full.
        OutOfMemory
            If not even one slice fits.
        """
        from grisaille.nn.threads import threads

        kept = list(self.kept)
        with threads(run):
            for one in run.track(marked, "preparing marked slices"):
                arithmetic = self.arithmetic or run.precision.value
                tokens = _name(LAYOUT, self.clip.fingerprint, self.look, arithmetic, one.pictures)
                masks = _name(LAYOUT, one.pictures, one.truth)
                lacking = [name for name in (tokens, masks) if not self._is_sound(name, run)]
                if lacking:
                    pictures, marks = one.load()
                    require_shape(marks, (len(pictures), *marks.shape[1:]), "the masks of slices")
                if tokens in lacking:
                    self._keep_tokens(tokens, pictures, run, batch)
                if masks in lacking:
                    self._keep_masks(masks, marks)
                about = self._about(masks)
                kept.append(Kept(one.patient, tokens, masks, about["slices"], about["marked"]))
        return replace(self, kept=tuple(kept))

    @property
    def patients(self) -> tuple[str, ...]:
        """Pseudonyms, each once, in their order."""
        return tuple(dict.fromkeys(one.patient for one in self.kept))

    @property
    def marked(self) -> int:
        """How many slices bear a mark."""
        return sum(one.marked for one in self.kept)

    @property
    def fingerprint(self) -> str:
        """Of all that the slices and their masks are made of."""
        return _name([(one.tokens, one.masks) for one in self.kept])

    def of(self, patients: Collection[str]) -> Self:
        """The slices of these patients."""
        return replace(self, kept=tuple(one for one in self.kept if one.patient in patients))

    def parted(self, share: float, seed: int) -> tuple[Self, Self]:
        """Slices to learn from, and those of about a ``share`` of the patients; none is on both sides.

        Patients with a mark and without are drawn apart. With fewer than two of a kind, none of it is left out.
        """
        with_marks = {one.patient for one in self.kept if one.marked}
        random = np.random.default_rng(seed)
        out: set[str] = set()
        for kind in (sorted(with_marks), sorted(set(self.patients) - with_marks)):
            count = min(max(1, round(share * len(kind))), len(kind) - 1) if share > 0 else 0
            out |= {kind[number] for number in random.permutation(len(kind))[: max(count, 0)]}
        return self.of(set(self.patients) - out), self.of(out)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: int) -> MarkedTokens:
        """A slice, by its number among all.

        Raises
        ------
        UnreadableFile
            If its files were damaged or removed since.
        """
        number = range(len(self))[number]
        place = bisect_right(self._ends, number)
        one = self.kept[place]
        number -= self._ends[place] - one.slices
        return MarkedTokens(
            self._read(one.tokens, "image", number),
            self._read(one.tokens, "patches", number),
            self._read(one.masks, "masks", number),
        )

    def _read(self, name: str, part: str, number: int) -> npt.NDArray[Any]:
        try:
            mapped = np.load(self.folder / name / f"{part}.npy", mmap_mode="r", allow_pickle=False)
            return np.array(mapped[number])
        except (OSError, ValueError, EOFError, LookupError) as error:
            raise UnreadableFile(
                f"{part} of the prepared slices {name} in {self.folder.name} are damaged or gone; "
                "start the learning again, and they are made anew"
            ) from error

    def _keep_tokens(self, name: str, pictures: Pictures, run: Run, batch: int) -> None:
        """Written as they come, so that memory does not grow with the slices."""
        from grisaille.nn.device import in_batches, resolve_device

        seen = in_batches(
            _Standardised(self.clip, pictures),
            lambda images: see(self.clip, images, self.look),
            batch=batch,
            run=run,
            what="looking at slices",
            device=resolve_device(run),
        )
        with replacing_folder(self.folder / name) as folder:
            with (folder / "image.npy").open("wb") as image, (folder / "patches.npy").open("wb") as patches:
                for number, one in enumerate(seen):
                    parts = _halves(one)
                    for file, part in zip((image, patches), parts, strict=True):
                        if not number:
                            _begin(file, (len(pictures), *part.shape[1:]))
                        file.write(part.tobytes())
            _conclude(folder, slices=len(pictures))

    def _keep_masks(self, name: str, masks: npt.NDArray[np.bool_]) -> None:
        with replacing_folder(self.folder / name) as folder:
            np.save(folder / "masks.npy", np.asarray(masks, dtype=bool))
            _conclude(folder, slices=len(masks), marked=int(np.any(masks, axis=(1, 2)).sum()))

    def _about(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / name / _ABOUT).read_text())
        return content

    def _is_sound(self, name: str, run: Run) -> bool:
        """Whether it lies there as it was written; if it is damaged, that is said and it is taken away."""
        folder = self.folder / name
        if not folder.is_dir():
            return False
        try:
            if all(_digest(folder / file) == digest for file, digest in self._about(name)["files"].items()):
                return True
        except (OSError, ValueError, LookupError, AttributeError, TypeError):
            pass
        run.note(f"the prepared slices {name} in {self.folder.name} were damaged; they are made again")
        shutil.rmtree(folder)
        return False


@dataclass(frozen=True, eq=False)
class _Standardised:
    """Pictures one by one, as CLIP was trained on them."""

    clip: Clip
    pictures: Pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[torch.Tensor]:
        import torch

        for number in range(len(self)):
            one = torch.from_numpy(self.pictures.images(np.array([number])))
            yield self.clip.standardised(one)[0]


def _halves(seen: Seen) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.float16]]:
    """(n, e) and (n, taps, rows, columns, e): what belongs to a slice lies together."""
    return seen.image.half().cpu().numpy(), seen.patches.transpose(0, 1).half().cpu().contiguous().numpy()


def _begin(file: Any, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": shape})


def _conclude(folder: Path, **about: int) -> None:
    digests = {file.name: _digest(file) for file in sorted(folder.glob("*.npy"))}
    (folder / _ABOUT).write_text(json.dumps({**about, "files": digests}))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name(*told: object) -> str:
    return hashlib.sha256(repr(told).encode()).hexdigest()[:24]
