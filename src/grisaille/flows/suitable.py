"""What a method can work on, said before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from grisaille.core.errors import ConfigError, InputError, SuvRefused, UnknownUnit, UnsuitableVolume
from grisaille.core.study import Case, Study
from grisaille.core.volume import Modality, SourceFormat, Unit, Volume

FEWEST_VOXELS = 4
"""Along each axis; fewer show no anatomy."""

THICK_MM = 8.0
"""Slices farther apart than this, and twice as far as their pixels, step over lesions that a model could find."""

_UNITS = {Modality.CT: Unit.HU, Modality.PET: Unit.SUVBW}


def require_suitable(study: Study, modalities: Iterable[str]) -> None:
    """Raise unless every volume that a method would look at can be looked at.

    Parameters
    ----------
    modalities
        Keys (``ct``, ``pet``) of what the method knows.

    Raises
    ------
    UnsuitableVolume
        If none of its modalities is there, or a volume is constant, not finite or too small.
    UnknownUnit, SuvRefused
        If a volume is in another unit than the method learned.
    """
    known = tuple(modalities)
    used = [volume for key, volume in study.volumes.items() if key in known]
    if not used:
        raise UnsuitableVolume(
            f"the study holds {_names(study.volumes)}, the model knows {_names(known)}; give it one of these"
        )
    for volume in used:
        _require_unit(volume)
        _require_content(volume)


def doubts_about(study: Study, modalities: Iterable[str]) -> tuple[str, ...]:
    """What is no reason to refuse a study, but makes a model's findings less certain."""
    told = []
    for key in modalities:
        volume = study.volumes.get(key)
        if volume is None:
            continue
        between, *inside = volume.grid.spacing_mm
        if between > max(THICK_MM, 2 * max(inside)):
            told.append(
                f"{_title(volume)} has slices {between:.3g} mm apart; models learned from thinner ones and may miss "
                "small lesions"
            )
    return tuple(told)


def suitable_cases(
    cases: Sequence[Case], modalities: Iterable[str] | None = None, *, around_lesions: bool = False
) -> tuple[Case, ...]:
    """The same healthy cases, each checked by ``require_suitable`` whenever it is read.

    Parameters
    ----------
    modalities
        What the method knows; whatever a study holds if None.
    around_lesions
        Whether a case may hold lesions whose masks are its truth.

    Raises
    ------
    ConfigError
        If there is no case, or one is known to hold a lesion that may not be there.
    """
    if not cases:
        raise ConfigError("no healthy case was given; learning what is healthy needs at least one")
    known = None if modalities is None else tuple(modalities)
    checked = []
    for number, case in enumerate(cases, start=1):
        what = f"case {number} of {len(cases)}"
        masked = case.truth is not None and bool(case.truth.voxels.any())
        if masked and not around_lesions:
            raise ConfigError(f"{what} holds lesions; this method learns from healthy cases only")
        if case.healthy is False and not masked:
            raise ConfigError(f"{what} holds lesions that no mask shows; give their masks, or leave the case out")
        checked.append(replace(case, load=partial(_load, case, what, known)))
    return tuple(checked)


def _load(case: Case, what: str, modalities: tuple[str, ...] | None) -> Study:
    study = case.load()
    try:
        require_suitable(study, tuple(study.volumes) if modalities is None else modalities)
    except InputError as error:
        raise type(error)(f"{what}: {error}") from error
    return study


def _require_unit(volume: Volume) -> None:
    expected = _UNITS.get(volume.modality, volume.unit)
    if volume.unit is expected:
        return
    suv = volume.provenance.suv
    if volume.modality is Modality.PET and suv is not None and suv.refused:
        raise SuvRefused(suv.refused)
    remedy = "give its unit when reading it, or leave it out"
    if volume.unit is not Unit.NONE and volume.modality is Modality.PET:
        is_dicom = volume.source.format is SourceFormat.DICOM  # to call a file's numbers SUVbw does not make them so
        how = "read it with pet_unit='suvbw' (--pet-unit suvbw)" if is_dicom else "give a PET that is in it"
        remedy = f"{how}, or leave it out"
    raise UnknownUnit(f"{_title(volume)} is in {volume.unit.value or 'no unit'}, expected {expected.value}; {remedy}")


def _require_content(volume: Volume) -> None:
    if min(volume.grid.shape) < FEWEST_VOXELS:
        sizes = " x ".join(str(size) for size in volume.grid.shape)
        raise UnsuitableVolume(
            f"{_title(volume)} has {sizes} voxels, expected at least {FEWEST_VOXELS} along each axis; give a whole scan"
        )
    low, high = volume.voxels.min(), volume.voxels.max()  # NaN and infinity come through
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UnsuitableVolume(f"{_title(volume)} holds values that are not finite; replace them first")
    if low == high:
        raise UnsuitableVolume(f"{_title(volume)} holds {low:g} everywhere; check that the right file was given")


def _title(volume: Volume) -> str:
    kind = "PET" if volume.modality is Modality.PET else volume.modality.value
    return f"{kind} {volume.name!r}" if volume.name else f"the {kind}"


def _names(keys: Iterable[str]) -> str:
    return " and ".join(key.upper() for key in keys)
