"""Frames of cases kept on disk, so that each study is read and turned once and not at every step of a fit."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import GrisailleError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.core.safe_write import replacing_folder
from grisaille.core.study import Case
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.withheld import MARGIN_MM, frame_without_lesions, is_healthy

if TYPE_CHECKING:
    from grisaille.methods.autopaint.config import AutoPaintConfig

LAYOUT = 1
"""Of the files; a frame kept in another is made again."""


@dataclass(frozen=True)
class KeptFrame:
    """Where a case's frame lies.

    ``name`` is of its folder; ``patient`` a pseudonym, which is not written to the disk.
    """

    patient: str
    name: str


@dataclass(frozen=True, eq=False)
class FrameCache(Sequence[Frame]):
    """A sequence of frames of which each is read from the disk when it is asked for.

    Images are float16 and mapped into memory: only the slabs that are looked at are read. Safe to
    hand to other processes.

    Parameters
    ----------
    folder
        Made where it is missing. It belongs to one list of cases: a frame is known again by the
        settings, the patient, the grid and content of the truth, and its number among the patient's.
    config
        Its spacing and windows.
    kept
        What ``keeping`` made.
    """

    folder: Path
    config: AutoPaintConfig
    kept: tuple[KeptFrame, ...] = ()

    def keeping(self, cases: Iterable[Case], run: Run) -> Self:
        """The cache with these cases after those it has; each is made now unless it lies there already.

        What lies near the lesions of a case's truth is hidden in its frame.

        What was finished before a kill or a failure stays and is not made again.

        Raises
        ------
        InputError
            If a study cannot be read or brought into the frame.
        OutputError
            If the disk is full.
        """
        seen = Counter(one.patient for one in self.kept)
        kept = list(self.kept)
        cases = tuple(cases)
        for number, case in enumerate(run.track(cases, "preparing studies"), start=1):
            name = self._name(case, seen[case.patient])
            seen[case.patient] += 1
            if not (self.folder / name).is_dir():
                frame = Frame.of(case.load(), self.config)
                self._write(frame_without_lesions(frame, case, f"study {number} of {len(cases)}"), name)
            kept.append(KeptFrame(case.patient, name))
        return replace(self, kept=tuple(kept))

    @property
    def patients(self) -> tuple[str, ...]:
        """The pseudonym of each frame's patient, by which frames are split."""
        return tuple(one.patient for one in self.kept)

    def subset(self, numbers: Iterable[int]) -> Self:
        """The frames of these numbers."""
        return replace(self, kept=tuple(self.kept[number] for number in numbers))

    def __len__(self) -> int:
        return len(self.kept)

    @overload
    def __getitem__(self, number: int) -> Frame: ...
    @overload
    def __getitem__(self, number: slice) -> Self: ...
    def __getitem__(self, number: int | slice) -> Frame | Self:
        """A frame, or the part of the cache that a slice names.

        Raises
        ------
        UnreadableFile
            If its files were damaged or removed since.
        """
        if isinstance(number, slice):
            return replace(self, kept=self.kept[number])
        return self._read(self.kept[number].name)

    def _name(self, case: Case, number: int) -> str:
        told = hashlib.sha256(
            repr((LAYOUT, self.config.spacing_mm, self.config.windows, case.patient, number)).encode()
        )
        if not is_healthy(case):
            told.update(repr(MARGIN_MM).encode())
        if case.truth is not None:
            told.update(repr(case.truth.grid.shape).encode())
            told.update(case.truth.grid.affine.tobytes())
            told.update(case.truth.voxels.tobytes())
        return told.hexdigest()[:24]

    def _write(self, frame: Frame, name: str) -> None:
        with replacing_folder(self.folder / name) as folder:
            np.save(folder / "affine.npy", frame.grid.affine)
            np.save(folder / "body.npy", frame.body)
            for key, image in frame.images.items():
                np.save(folder / f"{key}.npy", image.astype(np.float16))
                np.save(folder / f"{key}_covered.npy", frame.covered[key])

    def _read(self, name: str) -> Frame:
        folder = self.folder / name
        try:
            body = _mapped(folder / "body.npy")
            keys = [key for key in ("pet", "ct") if (folder / f"{key}.npy").exists()]
            z, y, x = body.shape
            return Frame(
                Grid((z, y, x), _mapped(folder / "affine.npy")),
                {key: _mapped(folder / f"{key}.npy") for key in keys},
                body,
                {key: _mapped(folder / f"{key}_covered.npy") for key in keys},
            )
        except (OSError, ValueError, EOFError, GrisailleError) as error:
            raise UnreadableFile(
                f"the prepared study {name} in {self.folder.name} is damaged or gone; remove that folder and fit again"
            ) from error


def _mapped(path: Path) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
