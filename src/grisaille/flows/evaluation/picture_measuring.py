"""Pictures through a method that looks at them, and what their scores and maps are worth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import InputError
from grisaille.core.picture_report import PictureFigure, PictureMeasure
from grisaille.core.run import Run
from grisaille.flows.evaluation.work import Work, hash_of
from grisaille.flows.layouts.pictures import PictureExam
from grisaille.imaging.pixel_metrics import PixelCounts, PixelFigures, picture_figures
from grisaille.io.picture import read_mask, read_square
from grisaille.methods.picture_reader import PictureReader, PictureScore

_FORM = 1
"""Counted up when scores on the disk change their meaning."""


@dataclass(eq=False)
class Taken:
    """A picture on its way: its mask, eight pixels a byte, its score, or why there is none."""

    exam: PictureExam
    mask: npt.NDArray[np.uint8] | None = None
    score: PictureScore | None = None
    error: str = ""


@dataclass(eq=False)
class Look:
    """A reader of pictures over those of a data set; what it has scored is kept in ``work``.

    Parameters
    ----------
    identity
        Decides the scores, with the content of a picture.
    devices
        That it ran on.
    """

    reader: PictureReader
    identity: str
    work: Work
    run: Run
    devices: list[str] = field(default_factory=list)

    def take(self, exams: Sequence[PictureExam]) -> list[Taken]:
        """Masks, then scores; what goes wrong with a picture stays with it.

        Raises
        ------
        Cancelled
            Between two pictures; those before are kept.
        """
        taken = [self._with_mask(exam) for exam in self.run.track(exams, "reading masks and hashes")]
        self.work.keep_files()
        for one in taken:
            one.score = None if one.error else self._known(one.exam)
        waiting = [one for one in taken if one.score is None and not one.error]
        if waiting:
            self._score(waiting)
        return taken

    def _with_mask(self, exam: PictureExam) -> Taken:
        try:
            self.work.sha256(exam.path)
            if exam.mask is None:
                return Taken(exam)
            self.work.sha256(exam.mask)
            return Taken(exam, np.packbits(read_mask(exam.mask, exam.path, self.reader.side)))
        except (InputError, OSError) as error:
            return Taken(exam, error=str(error))

    def _score(self, waiting: Sequence[Taken]) -> None:
        heard: list[str] = []
        run = replace(self.run, on_device=heard.append)
        squares = _Squares(waiting, self.reader.side)
        for number, score in enumerate(self.reader.scores(squares, run)):
            one = squares.read[number]
            one.score = score
            record = {"whole": score.whole, "tokens": score.tokens.tolist(), "device": heard[-1]}
            self.work.keep(self._record(one.exam), record)
        self.devices += heard

    def _known(self, exam: PictureExam) -> PictureScore | None:
        known = self.work.record(self._record(exam))
        if known is None:
            return None
        self.devices.append(known["device"])
        return PictureScore(known["whole"], np.array(known["tokens"], np.float32))

    def _record(self, exam: PictureExam) -> str:
        content = [_FORM, self.identity, self.work.sha256(exam.path), self.run.precision.value]
        return f"scan-{hash_of(content)[:16]}.json"


@dataclass(eq=False)
class _Squares:
    """Pictures as squares; those that cannot be read are left out, and say why."""

    waiting: Sequence[Taken]
    side: int
    read: list[Taken] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.waiting)

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        for one in self.waiting:
            try:
                square = read_square(one.exam.path, self.side)
            except InputError as error:
                one.error = str(error)
                continue
            self.read.append(one)
            yield square


def figures(taken: Sequence[Taken], reader: PictureReader, run: Run) -> tuple[PictureFigure, ...]:
    """All measures over the pictures that have a score.

    Raises
    ------
    InputError
        If they are all healthy or all abnormal.
    """
    scored = [one for one in taken if one.score is not None]
    abnormal = np.array([one.exam.is_abnormal for one in scored], dtype=bool)
    for kind, are in (("healthy", ~abnormal), ("abnormal", abnormal)):
        if not are.any():
            first = next((one.error for one in taken if one.error), "")
            raise InputError(
                f"no {kind} picture could be read, and AUROC is not defined without one; the first: {first}"
            )
    whole = np.array([one.score.whole for one in scored if one.score is not None])
    pixels, reason = PixelFigures(None, None, None), "the data set has no masks"
    if any(one.mask is not None for one in scored):
        pixels = _counted(scored, reader, run).figures()
        reason = "too little is marked, or too few cuts mark less than 30 % of the healthy pixels"
    values = (*picture_figures(whole, abnormal), pixels.auroc, pixels.precision, pixels.aupro)
    counts = int((~abnormal).sum()), int(abnormal.sum())
    return tuple(
        PictureFigure(measure, value, *counts, reason="" if value is not None else reason)
        for measure, value in zip(PictureMeasure, values, strict=True)
    )


def _counted(scored: Sequence[Taken], reader: PictureReader, run: Run) -> PixelCounts:
    """Maps are made twice, once for their ends: they are quick to make and many are too large to keep."""
    ends = [(float(map_.min()), float(map_.max())) for map_ in _maps(scored, reader, run, "making maps")]
    counts = PixelCounts(min(low for low, _ in ends), max(high for _, high in ends))
    shape = (reader.side, reader.side)
    maps = _maps(scored, reader, run, "comparing maps with masks")
    for one, map_ in zip(scored, maps, strict=True):
        if one.mask is None:
            mask = np.zeros(shape, dtype=bool)
        else:
            mask = np.unpackbits(one.mask, count=reader.side**2).reshape(shape).astype(bool)
        counts.count(map_, mask)
    return counts


def _maps(scored: Iterable[Taken], reader: PictureReader, run: Run, what: str) -> Iterator[npt.NDArray[np.float32]]:
    for one in run.track(scored, what):
        assert one.score is not None
        yield reader.smooth(one.score.tokens)
