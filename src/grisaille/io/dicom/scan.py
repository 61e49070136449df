"""Which DICOM series lie in a folder, by their headers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from grisaille.core.counted import counted
from grisaille.core.errors import AmbiguousSeries, NoImages, UnreadableFile
from grisaille.core.run import Run
from grisaille.core.volume import Modality
from grisaille.io.dicom.dicomdir import indexed_files, is_dicomdir
from grisaille.io.dicom.doubts import doubts_told
from grisaille.io.dicom.header import NotRead, SliceHeader
from grisaille.io.dicom.multiframe import read_images
from grisaille.io.dicom.stacks import describe, split
from grisaille.io.pseudonym import pseudonym


@dataclass(frozen=True)
class Skipped:
    """A file that was passed over, and why; ``is_damaged`` if it was meant to be an image."""

    file: Path
    reason: str
    is_damaged: bool = False


@dataclass(frozen=True)
class SeriesInfo:
    """One series, not yet read.

    Parameters
    ----------
    uid
        Pseudonym, which may be shown and logged.
    true_uid
        SeriesInstanceUID, which may not; empty if the files have none.
    modality
        All its images are of it.
    number
        SeriesNumber, or None.
    slices
        The headers, in the order of the files' names.
    notes
        Sentences on what the scan met.
    stack
        What its images are like, where the series holds several stacks of comparable size.
    frame
        Which of several images at each place it was reduced to, such as ``frame 1``.
    """

    uid: str
    true_uid: str = field(repr=False)
    modality: Modality
    number: int | None
    slices: tuple[SliceHeader, ...] = field(repr=False)
    notes: tuple[str, ...] = ()
    stack: str = ""
    frame: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """Where its images lie."""
        return tuple(header.file for header in self.slices)

    @property
    def patient(self) -> str:
        """Pseudonym of the patient; empty if the files name none."""
        return self.slices[0].patient

    @property
    def frame_of_reference(self) -> str:
        """Pseudonym of the frame of reference; empty if the files name none."""
        return pseudonym(self.slices[0].frame_of_reference)

    @property
    def label(self) -> str:
        """What messages call it."""
        name = self.uid if self.number is None else f"{self.number} ({self.uid})"
        return f"{self.modality.value} series {name}{f', {self.frame}' if self.frame else ''}"

    @property
    def contents(self) -> str:
        """How many images, and what they are like where that tells it from the other stacks of its series."""
        return f"{len(self.slices)} images{f' ({self.stack})' if self.stack else ''}"


@dataclass(frozen=True)
class DicomScan:
    """What was found: the series by modality and number, and every file passed over."""

    series: tuple[SeriesInfo, ...]
    skipped: tuple[Skipped, ...]

    def of(self, modality: Modality) -> tuple[SeriesInfo, ...]:
        """The series of one modality."""
        return tuple(series for series in self.series if series.modality is modality)


def scan(path: Path, *, run: Run | None = None) -> DicomScan:
    """The series in a folder and the folders in it, or the one series that a file belongs to.

    A file names its whole series, of which the other slices are looked for in its own folder; a
    DICOMDIR names all the files that it indexes.

    Raises
    ------
    NoImages
        If there is no such file or folder.
    UnreadableFile
        If ``path`` is a file and not an image that grisaille reads.
    """
    path = Path(path)
    run = run or Run()
    if path.is_dir():
        return _scan_files(sorted(_walk(path)), path, run)
    if not path.exists():
        raise NoImages(f"there is no file or folder {path.name}")
    if not path.is_file():
        raise UnreadableFile(f"{path.name} is a pipe or a device, expected a file or a folder")
    path = path.resolve()
    if is_dicomdir(path):
        files, missing = indexed_files(path)
        found = _scan_files(files, path.parent, run)
        absent = Skipped(path, f"{missing} of the files that it names are not there")
        return replace(found, skipped=(*found.skipped, absent)) if missing else found
    try:
        wanted = read_images(path)[0]
    except NotRead as reason:
        raise UnreadableFile(f"{path.name}: {reason}; expected a DICOM CT or PET image") from None
    siblings = sorted(file for file in path.parent.iterdir() if file.is_file())
    found = _scan_files(siblings, path.parent, run)
    key = _group_key(wanted)
    stacks = tuple(one for one in found.series if _group_key(one.slices[0]) == key)
    return DicomScan(tuple(one for one in stacks if path in one.files) or stacks, found.skipped)


def choose(found: DicomScan, modality: Modality, wanted: str | int | None = None) -> SeriesInfo | None:
    """The one series of a modality, or the one that ``wanted`` names; None if there is none.

    Parameters
    ----------
    wanted
        SeriesNumber, SeriesInstanceUID or its pseudonym; of several stacks in one series, the
        pseudonym with the stack's number.

    Raises
    ------
    AmbiguousSeries
        If there are several and ``wanted`` does not single one out.
    NoImages
        If ``wanted`` names none of them.
    """
    candidates = found.of(modality)
    matching = candidates if wanted is None else tuple(one for one in candidates if _is_named(one, str(wanted)))
    if len(matching) == 1:
        return matching[0]
    told = "; ".join(f"{_number(one)}, id {one.uid}, {one.contents}" for one in candidates)
    key = modality.key
    if len(matching) > 1:
        raise AmbiguousSeries(
            f"{len(matching)} {modality.value} series found where one is expected: {told}; "
            f"name one by its number or id with {key}_series (--{key}-series)"
        )
    if wanted is None:
        return None
    raise NoImages(
        f"no {modality.value} series {wanted} found; there are: {told or 'none'}; "
        f"name one by its number or id with {key}_series (--{key}-series)"
    )


def _is_named(series: SeriesInfo, wanted: str) -> bool:
    names = (series.uid, series.uid.partition("-")[0], series.true_uid, str(series.number))
    return wanted in names and wanted not in ("", "None")


def _number(series: SeriesInfo) -> str:
    return "without number" if series.number is None else f"number {series.number}"


def _walk(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder, followlinks=False):
        for name in names:
            yield Path(root, name)


def _scan_files(files: list[Path], root: Path, run: Run) -> DicomScan:
    inside = root.resolve()
    skipped: list[Skipped] = []
    groups: dict[tuple[str, str], list[SliceHeader]] = {}
    first_of: dict[tuple[object, ...], Path] = {}
    again: dict[tuple[str, str], list[str]] = {}
    for file in run.track(files, "reading DICOM headers"):
        try:
            if file.is_symlink() and not _leads_inside(file, inside):
                raise NotRead("a link to outside of the folder")
            if file.exists() and not file.is_file():  # opening a pipe waits for a writer, maybe for ever
                raise NotRead("a pipe or a device")
            images = read_images(file)
            header = images[0]
            identity = _identity(header)
            if header.sop_uid and identity in first_of:
                again.setdefault(_group_key(header), []).append(file.name)
                raise NotRead(f"the same image as {first_of[identity].name}")
        except NotRead as reason:
            skipped.append(Skipped(file, str(reason), reason.is_damaged))
            continue
        first_of[identity] = file
        groups.setdefault(_group_key(header), []).extend(images)
    damaged = tuple(one.file.name for one in skipped if one.is_damaged)
    series = [
        stack for key, headers in groups.items() for stack in _stacks(headers, damaged, again.get(key, []), skipped)
    ]
    series.sort(key=lambda one: (one.modality, one.number is None, one.number or 0, one.uid))
    return DicomScan(tuple(series), tuple(skipped))


def _leads_inside(link: Path, folder: Path) -> bool:
    try:
        return link.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):  # a circle of links; which of the two depends on the Python
        raise NotRead("a link that leads in a circle") from None


def _identity(header: SliceHeader) -> tuple[object, ...]:
    """What two files of one image have in common: some anonymisers give many images one SOPInstanceUID."""
    return header.sop_uid, header.position, header.phase, header.instance_number


def _group_key(header: SliceHeader) -> tuple[str, str]:
    """By SeriesInstanceUID; images that have none are taken together by folder."""
    return header.modality, header.series_uid or f"folder {header.file.parent}"


def _stacks(
    headers: list[SliceHeader], damaged: Sequence[str], again: Sequence[str], skipped: list[Skipped]
) -> Iterator[SeriesInfo]:
    """A series as one, or as several where its stacks are of comparable size; what is set apart is ``skipped``."""
    first = headers[0]
    uid = pseudonym(first.series_uid or min(header.sop_uid for header in headers))
    notes = []
    if not first.series_uid:
        notes.append("the files have no SeriesInstanceUID; the images of the folder were taken as one series")
    if damaged:
        notes.append(f"left out {counted(len(damaged), 'damaged DICOM file')}: {listed(damaged, at_most=3)}")
    if again:
        files = counted(len(again), "file")
        notes.append(f"{files} with an image that another file holds too: {listed(again, at_most=3)}")
    shared = len({header.file for header in headers}) - len({header.sop_uid or header.file for header in headers})
    if shared:
        notes.append(
            f"{counted(shared, 'file')} with another image under the SOPInstanceUID of one before; all were read, "
            "and no DICOM export can refer to them"
        )
    notes += doubts_told(header.doubts for header in headers)
    found = split(headers)
    if found.apart:
        told = [f"{one.header.name} ({one.difference})" for one in found.apart]
        notes.append(f"set {counted(len(told), 'image')} of the series apart from its slices: {listed(told)}")
    for number, stack in enumerate(found.kept, start=1):
        series = SeriesInfo(
            uid=uid if len(found.kept) == 1 else f"{uid}-{number}",
            true_uid=first.series_uid,
            modality=first.modality,
            number=first.series_number,
            slices=stack,
            notes=tuple(notes),
            stack="" if len(found.kept) == 1 else _told(stack[0], found.kept),
        )
        yield series
    for one in found.apart:
        skipped.append(Skipped(one.header.file, f"set apart from {series.label}: {one.difference}"))


def _told(first: SliceHeader, stacks: Sequence[Sequence[SliceHeader]]) -> str:
    frame = f", frame of reference {pseudonym(first.frame_of_reference)}" if first.frame_of_reference else ""
    several = len({stack[0].frame_of_reference for stack in stacks}) > 1
    return describe(first) + (frame if several else "")


def listed(names: Sequence[str], at_most: int = 4) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more
