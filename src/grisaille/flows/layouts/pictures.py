"""Folders of plain pictures, healthy ones and abnormal ones, as three published data sets lie on the disk.

BrainMRI and Br35H: ``no/`` and ``yes/``. HeadCT: ``head_ct/NNN.png`` and ``labels.csv`` with the columns id and
hemorrhage. BMAD, LiverCT among them: ``test/good/`` and ``test/Ungood/``, each with or without ``img/``, the masks in
``test/Ungood/label/``. Capital letters do not matter.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grisaille.core.errors import InputError, NoImages, UnreadableFile
from grisaille.flows.layouts.published_pictures import BR35H, BRAIN_MRI, HEAD_CT, LIVER_CT, KnownSet
from grisaille.io.picture import is_picture
from grisaille.io.pseudonym import pseudonym

EXPECTED = "no/ and yes/, or head_ct/ and labels.csv, or test/good/ and test/Ungood/ with pictures in them"


@dataclass(frozen=True)
class PictureExam:
    """One picture, nothing of it read yet.

    Parameters
    ----------
    name
        Its place in the data set, for whoever holds the data; reports name its ``key``.
    mask
        Where what is abnormal is marked, if the data set says it.
    """

    name: str
    path: Path
    is_abnormal: bool
    mask: Path | None = None

    @property
    def key(self) -> str:
        """Pseudonym of the picture."""
        return pseudonym(self.name)


@dataclass(frozen=True)
class PictureSet:
    """The pictures of a data set, and which of those known it is; ``remark`` is what a reader has to know of that."""

    exams: tuple[PictureExam, ...]
    known: KnownSet | None
    remark: str = ""

    def counted(self) -> tuple[int, int]:
        """Healthy and abnormal pictures."""
        abnormal = sum(exam.is_abnormal for exam in self.exams)
        return len(self.exams) - abnormal, abnormal


def find_pictures(root: Path) -> PictureSet:
    """The pictures in ``root``, or in its only folder that is laid out like a data set of pictures.

    Raises
    ------
    NoImages
        If there are none.
    InputError
        If several folders are laid out like one, or all pictures are healthy or all abnormal: AUROC needs both.
    UnreadableFile
        If ``labels.csv`` cannot be read, or it and the pictures do not agree.
    """
    if not root.is_dir():
        raise NoImages(f"{root}: it is no folder; looked for {EXPECTED}")
    below = [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    places = [root] if _is_set(root) else [path for path in below if _is_set(path)]
    if not places:
        raise NoImages(f"{root}: no data set of pictures was found in it; looked for {EXPECTED}")
    if len(places) > 1:
        raise InputError(
            f"{root} holds several data sets of pictures ({', '.join(path.name for path in places)}); give the "
            "folder of one"
        )
    found = _found(places[0])
    for kind, count in zip(("healthy", "abnormal"), found.counted(), strict=True):
        if not count:
            raise InputError(
                f"{places[0]}: no {kind} picture was found, and AUROC is not defined without one; looked for {EXPECTED}"
            )
    return found


def _is_set(place: Path) -> bool:
    return any(_parts(place, *names) is not None for names in (("no", "yes"), ("head_ct", "labels.csv"))) or (
        _parts(_tested(place), "good", "ungood") is not None
    )


def _found(place: Path) -> PictureSet:
    if (halves := _parts(place, "no", "yes")) is not None:
        exams = tuple(
            PictureExam(_name(path, place), path, is_abnormal)
            for is_abnormal, half in zip((False, True), halves, strict=True)
            for path in _pictures(half)
        )
        return _known(exams, {(one.healthy, one.abnormal): one for one in (BRAIN_MRI, BR35H)})
    if (parts := _parts(place, "head_ct", "labels.csv")) is not None:
        folder, labels = parts
        return _known(_head_ct(folder, labels, place), {(HEAD_CT.healthy, HEAD_CT.abnormal): HEAD_CT})
    names = (place.resolve().name, place.resolve().parent.name)
    if not any("liver" in name.lower() for name in names):
        return PictureSet(_bmad(place), None)
    return PictureSet(
        _bmad(place),
        LIVER_CT,
        f"{LIVER_CT.name} was told by the folder's name; its pictures were not counted against it",
    )


def _known(exams: tuple[PictureExam, ...], sets: Mapping[tuple[int, int], KnownSet]) -> PictureSet:
    """Which of ``sets``, by healthy and abnormal pictures, they are."""
    counts = PictureSet(exams, None).counted()
    if counts in sets:
        return PictureSet(exams, sets[counts])
    expected = ", ".join(f"{one.name} has {one.healthy} and {one.abnormal}" for one in sets.values())
    return PictureSet(
        exams,
        None,
        f"{counts[0]} healthy and {counts[1]} abnormal pictures were found ({expected}), so no published figures "
        "stand beside",
    )


def _head_ct(folder: Path, labels: Path, place: Path) -> tuple[PictureExam, ...]:
    deeper = _entry(folder, "head_ct")  # as Kaggle packs it
    pictures = _pictures(folder) or (_pictures(deeper) if deeper is not None else [])
    marks = _marks(labels)
    try:
        numbered = {int(path.stem): path for path in pictures}
    except ValueError as error:
        raise UnreadableFile(f"{folder}: a picture has no number for a name ({error}), expected 000.png") from error
    if len(numbered) != len(pictures):
        raise UnreadableFile(f"{folder}: two pictures have the same number, expected one each; take the others out")
    if lacking := sorted(set(marks) ^ set(numbered)):
        raise UnreadableFile(
            f"{labels} and the pictures in {folder.name} differ at {', '.join(map(str, lacking[:5]))}; expected a row "
            "for each picture and a picture for each row: complete the data set"
        )
    return tuple(PictureExam(_name(path, place), path, marks[number]) for number, path in sorted(numbered.items()))


def _marks(labels: Path) -> dict[int, bool]:
    """By number, whether a picture shows a hemorrhage; headers and values may carry spaces."""
    try:
        with labels.open(encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
        columns = [name.lower() for name in rows[0]]
        number, mark = columns.index("id"), columns.index("hemorrhage")
        return {int(row[number]): {"0": False, "1": True}[row[mark]] for row in rows[1:]}
    except (OSError, ValueError, LookupError, csv.Error) as error:
        raise UnreadableFile(
            f"{labels} cannot be read ({type(error).__name__}: {error}), expected the columns id and hemorrhage with "
            "numbers and 0 or 1"
        ) from error


def _bmad(place: Path) -> tuple[PictureExam, ...]:
    halves = _parts(_tested(place), "good", "ungood")
    assert halves is not None
    labels = _entry(halves[1], "label")
    masks = None if labels is None else {path.stem.lower(): path for path in _pictures(labels)}
    exams = []
    for is_abnormal, half in zip((False, True), halves, strict=True):
        for path in _pictures(_entry(half, "img") or half):
            mask = masks.get(path.stem.lower()) if is_abnormal and masks is not None else None
            if is_abnormal and masks is not None and mask is None:
                raise NoImages(
                    f"{path.relative_to(place)} has no mask of its name in {labels and labels.relative_to(place)}; "
                    "complete the data set, or take the picture out"
                )
            exams.append(PictureExam(_name(path, place), path, is_abnormal, mask))
    return tuple(exams)


def _tested(place: Path) -> Path:
    return _entry(place, "test") or place


def _parts(place: Path, *names: str) -> tuple[Path, ...] | None:
    """The entries of these names, if all are there."""
    found = tuple(path for name in names if (path := _entry(place, name)) is not None)
    return found if len(found) == len(names) else None


def _entry(place: Path, name: str) -> Path | None:
    """The entry called ``name`` in capital letters or not."""
    there = sorted(place.iterdir()) if place.is_dir() else []
    return next((path for path in there if path.name.lower() == name), None)


def _pictures(folder: Path) -> list[Path]:
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in there if path.is_file() and is_picture(path)]


def _name(path: Path, place: Path) -> str:
    return f"{place.resolve().name}/{path.relative_to(place).as_posix()}"
