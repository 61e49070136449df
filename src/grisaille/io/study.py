"""A study or a volume from wherever it lies: DICOM folders, image files by name, single files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grisaille.core.errors import AmbiguousSeries, InputError, NoImages, UnreadableFile
from grisaille.core.run import Run
from grisaille.core.study import TWO_FRAMES, Study
from grisaille.core.volume import Modality, OnIrregular, Unit, Volume
from grisaille.imaging.overlap import require_overlap
from grisaille.io.dicom.dicomdir import is_dicomdir
from grisaille.io.folder import image_files, nothing_in
from grisaille.io.image import SUFFIXES, path_of, suffix_of
from grisaille.io.pseudonym import pseudonym
from grisaille.io.volumes import chosen, read_file_volume
from grisaille.io.zip_folder import opened

if TYPE_CHECKING:
    from grisaille.imaging.suv_overrides import SuvOverrides
    from grisaille.io.dicom.series import SeriesInfo

StrPath = str | os.PathLike[str]


def read_study(
    path: StrPath | None = None,
    *,
    ct: StrPath | None = None,
    pet: StrPath | None = None,
    pet_unit: Unit | str | None = None,
    ct_series: str | int | None = None,
    pet_series: str | int | None = None,
    frame: int | None = None,
    on_irregular: OnIrregular | str = OnIrregular.REFUSE,
    suv: SuvOverrides | None = None,
    run: Run | None = None,
) -> Study:
    """Read the CT and the PET of one patient; either may be absent.

    Parameters
    ----------
    path
        A file, or a folder: image files called ``CT*`` and ``PET*``, ``PT*`` or ``SUV*``, or with
        a sidecar that says so; where there are none of these, the DICOM series in it. A ZIP of
        DICOM files and a DICOMDIR stand for such a folder.
    ct, pet
        In place of ``path``: a file, a DICOM folder or one of these each.
    pet_unit
        ``"suvbw"``, ``"bqml"``, or ``"sul"``, ``"sul-james"``, ``"suvbsa"``, ``"suvibw"``: what a PET
        file holds that does not say it, and what a DICOM PET is brought to.
    ct_series, pet_series
        SeriesNumber, SeriesInstanceUID or its pseudonym, where DICOM holds several.
    frame
        Which image of each place, from 0, of the DICOM series that have several (phases, gates,
        time frames); of four-dimensional files, which volume of the PET, or of the CT where there is none.
    on_irregular
        ``"resample"`` interpolates a DICOM series whose slices are missing or unevenly spaced onto
        even places, and says so in its provenance and warnings; ``"refuse"`` refuses it.
    suv
        Weight, dose and so on, in place of what a DICOM PET lacks or has wrong.

    Raises
    ------
    InputError
        If there is nothing to read, something has to be named, or what is there is of no use.
    """
    if path is not None and (ct is not None or pet is not None):
        raise InputError("a study and ct= or pet= were given together; give the study, or the files one by one")
    unit = chosen(Unit, pet_unit, "PET unit")
    how = _how(on_irregular, suv, run)
    if path is not None:
        sources = _in_path(path_of(path), unit, {Modality.CT: ct_series, Modality.PET: pet_series}, run)
        return _together(_read_all(sources, frame, how), [path_of(path)])
    sources = []
    if ct is not None:
        sources.append(_in_place(path_of(ct), Modality.CT, series=ct_series, run=run))
    if pet is not None:
        sources.append(_in_place(path_of(pet), Modality.PET, unit, series=pet_series, run=run))
    return _together(_read_all(sources, frame, how), [path_of(one) for one in (ct, pet) if one is not None])


def read_volume(
    path: StrPath,
    *,
    modality: Modality | str | None = None,
    unit: Unit | str | None = None,
    series: str | int | None = None,
    frame: int | None = None,
    on_irregular: OnIrregular | str = OnIrregular.REFUSE,
    suv: SuvOverrides | None = None,
    run: Run | None = None,
) -> Volume:
    """Read one volume from an image file, a DICOM file or a DICOM folder.

    Parameters
    ----------
    modality, unit
        What an image file measures, where neither its sidecar nor its name says it. DICOM says
        it itself; ``modality`` then chooses among the series, and ``unit`` what a PET is brought to.
    series
        SeriesNumber, SeriesInstanceUID or its pseudonym, where a DICOM folder holds several.
    frame
        Which volume of a four-dimensional file, or which image of each place of a DICOM series that
        has several (phases, gates, time frames), from 0.
    on_irregular, suv
        As ``read_study`` has them.

    Raises
    ------
    InputError
        If it cannot be read, or something has to be named.
    """
    what, units = chosen(Modality, modality, "modality"), chosen(Unit, unit, "unit")
    source = _in_place(path_of(path), what, units, series=series, run=run)
    return _read(source, frame, _how(on_irregular, suv, run)).volume


@dataclass(frozen=True)
class _How:
    """What a reading needs to know beside what it reads."""

    on_irregular: OnIrregular
    suv: SuvOverrides | None
    run: Run | None


@dataclass(frozen=True)
class _Source:
    """An image file or a DICOM series, not yet read, and what is said of it."""

    place: Path | SeriesInfo
    modality: Modality | None
    unit: Unit | None


@dataclass(frozen=True)
class _Part:
    """A volume, and the pseudonym of its patient where the file knows it."""

    volume: Volume
    patient: str = ""


def _how(on_irregular: OnIrregular | str, suv: SuvOverrides | None, run: Run | None) -> _How:
    return _How(chosen(OnIrregular, on_irregular, "answer to irregular slices") or OnIrregular.REFUSE, suv, run)


def _in_path(path: Path, unit: Unit | None, series: dict[Modality, str | int | None], run: Run | None) -> list[_Source]:
    """The parts of the study that a file or a folder holds."""
    path = opened(path, run=run)
    if is_dicomdir(path):
        return _dicom_sources(path, series, unit, (), run)
    if not path.is_dir():
        return [_in_place(path, None, unit, run=run)]
    folder = image_files(path)
    if folder.images:
        if any(named is not None for named in series.values()):
            raise InputError(f"{path.name} holds image files and no DICOM series; name the files with ct= and pet=")
        files = [(folder.only(modality), modality) for modality in folder.images]
        return [
            _Source(file, modality, unit if modality is Modality.PET else None)
            for file, modality in files
            if file is not None
        ]
    return _dicom_sources(path, series, unit, folder.skipped, run)


def _in_place(
    path: Path,
    modality: Modality | None,
    unit: Unit | None = None,
    *,
    series: str | int | None = None,
    run: Run | None = None,
) -> _Source:
    """One volume in one place."""
    path = opened(path, run=run)
    if suffix_of(path) and not path.is_dir():
        if series is not None:
            raise InputError(f"{path.name} holds no DICOM series, so series {series} is not there; leave it out")
        return _Source(path, modality, unit)
    info = _dicom_info(path, modality, series, run)
    return _Source(info, info.modality, unit)


def _read_all(sources: list[_Source], frame: int | None, how: _How) -> list[_Part]:
    """Every part; a frame is that of the parts which have several, and of the PET, or the first, where none has."""
    takes = [frame is not None and _has_frames(source) for source in sources]
    if frame is not None and sources and not any(takes):
        kinds = [source.modality for source in sources]
        takes[kinds.index(Modality.PET) if Modality.PET in kinds else 0] = True
    return [_read(source, frame if takes_it else None, how) for source, takes_it in zip(sources, takes, strict=True)]


def _has_frames(source: _Source) -> bool:
    if isinstance(source.place, Path):
        return False
    from grisaille.io.dicom.series import frames_of

    return len(frames_of(source.place)) > 1


def _read(source: _Source, frame: int | None, how: _How) -> _Part:
    place, unit = source.place, source.unit
    suv = None if source.modality is Modality.CT else how.suv
    if isinstance(place, Path):
        if suv is not None and suv.given:
            given = " and ".join(suv.given)
            raise InputError(f"{place.name} is no DICOM, so {given} cannot be used on it; give the DICOM series")
        return _Part(read_file_volume(place, modality=source.modality, unit=unit, frame=frame))
    from grisaille.io.dicom.series import read_series

    volume = read_series(place, unit=unit, overrides=suv, frame=frame, on_irregular=how.on_irregular, run=how.run)
    if unit not in (None, volume.unit):
        raise InputError(f"{place.label} is in {volume.unit.value} by its header, not in {unit}; leave the unit out")
    return _Part(volume, place.patient)


def _dicom_info(path: Path, modality: Modality | None, series: str | int | None, run: Run | None) -> SeriesInfo:
    """The one DICOM series of a folder, or the one that a file belongs to."""
    from grisaille.io.dicom.series import choose, scan

    try:
        found = scan(path, run=run)
    except UnreadableFile as error:
        raise UnreadableFile(f"{error}, or a name ending in {', '.join(SUFFIXES)}") from error
    kinds = [kind for kind in Modality if found.of(kind)] if modality is None else [modality]
    infos = []
    for kind in kinds:
        try:
            info = choose(found, kind, series)
        except NoImages:
            if len(kinds) == 1:
                raise
            continue  # the name may be that of another modality's series
        infos += [] if info is None else [info]
    if len(infos) > 1:
        listed = " and ".join(info.label for info in infos)
        raise AmbiguousSeries(f"{path.name} holds {listed}; choose with modality=, or read them with read_study()")
    if not infos:
        what = "" if modality is None else f"{modality.value} "
        skipped = [(one.file, one.reason) for one in found.skipped]
        raise nothing_in(path.name, skipped, f"no {what}images" if series is None else f"no series {series}")
    return infos[0]


def _dicom_sources(
    path: Path,
    wanted: dict[Modality, str | int | None],
    unit: Unit | None,
    skipped: tuple[tuple[Path, str], ...],
    run: Run | None,
) -> list[_Source]:
    """The CT and the PET series of a folder; another modality only where there is neither."""
    from grisaille.io.dicom.series import choose, scan

    found = scan(path, run=run)
    infos = [info for kind, name in wanted.items() if (info := choose(found, kind, name)) is not None]
    if not infos:
        infos = [info for kind in Modality if (info := choose(found, kind)) is not None]
    if not infos:
        files = {file for file, _ in skipped}
        raise nothing_in(
            path.name, [*skipped, *((one.file, one.reason) for one in found.skipped if one.file not in files)]
        )
    return [_Source(info, info.modality, unit if info.modality is Modality.PET else None) for info in infos]


def _together(parts: list[_Part], paths: list[Path]) -> Study:
    """One study of these volumes, if they can be of one patient.

    Raises
    ------
    GridMismatch
        If a CT and a PET have no place in common.
    InputError
        If the files name different patients, or there is nothing.
    """
    if not parts:
        raise InputError("nothing to read was named; give a study, or ct= or pet=")
    named = {part.patient for part in parts} - {""}
    if len(named) > 1:
        raise InputError("the CT and the PET are of different patients; give two of one patient")
    # Files that name no patient are told apart by where they lie; only a hash of that is kept.
    patient = named.pop() if named else pseudonym("|".join(str(path.resolve()) for path in paths))
    study = Study.of(*(part.volume for part in parts), patient=patient)
    if study.ct is None or study.pet is None:
        return study
    require_overlap(study)
    if study.has_two_frames:
        pet = study.pet.warned(TWO_FRAMES)  # said when it is opened, too
        return Study.of(*(pet if volume is study.pet else volume for volume in study.volumes.values()), patient=patient)
    return study
