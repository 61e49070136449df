"""From an image file to a volume: what its numbers mean, said or known, never assumed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from grisaille.core.errors import InputError, UnknownUnit
from grisaille.core.volume import Modality, Unit, Volume, VolumeProvenance
from grisaille.io.files import read_file, write_file
from grisaille.io.image import path_of, require_file, stem_of
from grisaille.io.sidecar import Choice, Sidecar, meaning_beside, parsed, read_sidecar
from grisaille.io.unlikely import finite_values, unlikely_values
from grisaille.io.unsheared import require_straight

_PET_UNITS = (*(unit for unit in Unit if unit.is_suv), Unit.BQML)
_NAMED = {"ct": Modality.CT, "pet": Modality.PET, "pt": Modality.PET, "suv": Modality.PET}
_MASK_WORDS = ("mask", "seg", "label", "gtv", "ctv", "ptv", "roi", "lesion", "tumo", "organ", "truth", "contour")


@dataclass(frozen=True)
class Meaning:
    """What was measured, and in what."""

    modality: Modality
    unit: Unit


def modality_by_name(path: Path) -> Modality | None:
    """``CT*`` is CT; ``PET*``, ``PT*`` and ``SUV*`` are PET; masks and all other names say nothing."""
    name = stem_of(path).lower()
    if is_mask_name(path):
        return None
    return next((modality for start, modality in _NAMED.items() if name.startswith(start)), None)


def is_mask_name(path: Path) -> bool:
    """Whether a word of the name says that the file is a mask, such as ``CT_seg`` or ``gtv``."""
    return any(word.startswith(_MASK_WORDS) for word in words_of(path))


def words_of(path: Path) -> list[str]:
    """The words of a file's name, in small letters, without its ending."""
    return re.split(r"[^a-z0-9]+", stem_of(path).lower())


def modality_of(path: Path) -> Modality | None:
    """What the sidecar, else the name, says was measured; None for masks and for what says nothing."""
    sidecar = read_sidecar(path)
    return None if sidecar.names is not None else sidecar.modality or modality_by_name(path)


def chosen(kind: type[Choice], value: Choice | str | None, what: str) -> Choice | None:
    """The member of ``kind`` that a caller named, in any case: ``"suvbw"``, ``"bqml"``, ``"pet"``.

    Raises
    ------
    InputError
        If there is no such member.
    """
    if value is None:
        return None
    member = parsed(kind, value)
    if member is None:
        known = ", ".join(repr(one.value) for one in kind)
        raise InputError(f"the {what} {value!r} is not known; give one of {known}")
    return member


def meaning_of(path: Path, modality: Modality | None, unit: Unit | None) -> Meaning:
    """What the numbers of a file mean: as given, else by its sidecar, else by its name.

    Raises
    ------
    UnknownUnit
        If nothing says it, or a PET does not say its unit.
    InputError
        If modality and unit do not go together.
    """
    sidecar = read_sidecar(path)
    if modality is not None and sidecar.modality not in (None, modality):
        sidecar = Sidecar()  # the caller knows better, in which unit too
    if modality is None and sidecar.names is None:
        modality = sidecar.modality or modality_by_name(path)
    if modality is None:
        kind = "looks like labels" if is_mask_name(path) or sidecar.names is not None else "does not say what it is"
        raise UnknownUnit(
            f"{path.name} {kind}: expected a modality; say it with ct= or pet= (--ct, --pet), with modality=, "
            f'or in a file {stem_of(path)}.json such as {{"modality": "CT", "unit": "HU"}}'
        )
    unit = sidecar.unit if unit is None else unit
    if unit is None and modality is Modality.PET:
        raise UnknownUnit(
            f"{path.name} is a PET image that does not say its unit; add pet_unit='suvbw' or 'bqml' "
            "(--pet-unit on the command line, unit= in read_volume)"
        )
    if unit is None:
        unit = Unit.HU if modality is Modality.CT else Unit.NONE
    fits = {Modality.CT: (Unit.HU,), Modality.PET: _PET_UNITS}.get(modality, ())
    if unit is not Unit.NONE and unit not in fits:
        raise InputError(f"{path.name} is said to be {modality.value} in {unit.value}; these do not go together")
    return Meaning(modality, unit)


def read_file_volume(
    path: Path, *, modality: Modality | None = None, unit: Unit | None = None, frame: int | None = None
) -> Volume:
    """Read a NIfTI, NRRD or MetaImage file as a volume.

    Raises
    ------
    InputError
        As ``meaning_of`` and ``read_file``; ``UnsuitableVolume`` if more than 1 % is not finite.
    """
    require_file(path)
    meaning = meaning_of(path, modality, unit)
    image = read_file(path, frame=frame)
    voxels, mended = finite_values(image.voxels, meaning.unit, path.name)
    provenance = VolumeProvenance(
        warnings=(*image.warnings, *mended, *unlikely_values(voxels, meaning.unit, path.name))
    )
    return Volume(voxels, image.grid, meaning.modality, meaning.unit, stem_of(path), image.source, provenance)


def write_volume(volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write a volume in the order of its source, with the sidecar that says what it means.

    Raises
    ------
    OutputError
        If it cannot be written whole, or a sheared grid would go into NIfTI.
    """
    target = path_of(path)
    require_straight(volume.grid, volume.source, target)
    beside = meaning_beside(target, volume.modality, volume.unit)
    write_file(volume.voxels, volume.grid, volume.source, target, beside)
