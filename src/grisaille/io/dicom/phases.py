"""Several images at each place of a series: phases, gates or time frames, of which one is chosen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import IrregularSeries, SeveralFrames, UnsuitableVolume
from grisaille.io.dicom.geometry import SAME_PLACE_MM, places
from grisaille.io.dicom.header import SliceHeader
from grisaille.io.dicom.phase_tags import PHASE_TAGS
from grisaille.io.dicom.scan import SeriesInfo

_SHOWN = 12


@dataclass(frozen=True)
class Frame:
    """One image of each place, and what tells them from those of the other frames."""

    says: str
    slices: tuple[SliceHeader, ...] = field(repr=False)


def frames_of(series: SeriesInfo) -> tuple[Frame, ...]:
    """The frames of a series in their order; one where each place has one image.

    Places with different numbers of images are left to the geometry, which refuses them by name.

    Raises
    ------
    IrregularSeries
        If an image has no place, or nothing tells apart the images at one place.
    """
    if len(series.slices) < 2 or any(header.is_multi_frame for header in series.slices):
        return (Frame("", series.slices),)
    at = _place_numbers(places(series).along_mm)
    times = np.bincount(at)
    if times[0] == 1 or (times != times[0]).any():
        return (Frame("", series.slices),)
    for position, tag in enumerate(PHASE_TAGS):
        values = np.array([_or_nan(header.phase, position) for header in series.slices])
        kinds = np.unique(values[np.isfinite(values)])
        if len(kinds) != times[0] or not np.isfinite(values).all():
            continue
        members = [np.flatnonzero(values == kind) for kind in kinds]
        if all(len(np.unique(at[one])) == len(one) == len(times) for one in members):
            return tuple(
                Frame(tag.says(float(kind), float(kinds[0])), tuple(series.slices[index] for index in one))
                for kind, one in zip(kinds, members, strict=True)
            )
    keywords = ", ".join(tag.keyword for tag in PHASE_TAGS)
    raise IrregularSeries(
        f"{series.label}: {times[0]} images at each of {len(times)} places (phases, gates or time frames), and none "
        f"of {keywords} tells them apart; export one phase as a series of its own"
    )


def one_frame(series: SeriesInfo, frame: int | None) -> SeriesInfo:
    """The series with one image at each place.

    Raises
    ------
    SeveralFrames
        If there are several and ``frame`` is None; the message lists them.
    UnsuitableVolume
        If there is no such frame.
    IrregularSeries
        As ``frames_of``.
    """
    frames = frames_of(series)
    if frame is None and len(frames) > 1:
        told = [f"frame {number}: {one.says}" for number, one in enumerate(frames)]
        more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        raise SeveralFrames(
            f"{series.label}: {len(frames)} images at each of {len(frames[0].slices)} places (phases, gates or time "
            f"frames), expected one: {'; '.join(told[:_SHOWN])}{more}; choose one with frame= (--frame)",
            frames=tuple(told),
        )
    if frame is None or (frame == 0 and len(frames) == 1):
        return series
    if not 0 <= frame < len(frames):
        there = f"{len(frames)} images" if len(frames) > 1 else "one image"
        remedy = f"choose one from 0 to {len(frames) - 1}" if len(frames) > 1 else "leave the frame out"
        raise UnsuitableVolume(f"{series.label} has {there} at each place, so frame {frame} is not there; {remedy}")
    slices = _begun(frames[frame].slices, series.slices)
    return replace(series, slices=slices, frame=f"frame {frame} ({frames[frame].says})")


def _begun(chosen: tuple[SliceHeader, ...], of_all: tuple[SliceHeader, ...]) -> tuple[SliceHeader, ...]:
    """PET of one frame that still knows when the scan began: to that moment decay is corrected in all frames."""
    moments = [piece.acquired for one in of_all if one.pet is not None for piece in one.pet.slices]
    begun = min((moment for moment in moments if moment is not None), default=None)
    return tuple(one if one.pet is None else replace(one, pet=replace(one.pet, begun=begun)) for one in chosen)


def _place_numbers(along_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """(n,) number of the place of each image, from 0 upwards along the normal."""
    order = np.argsort(along_mm, kind="stable")
    numbers = np.empty(len(order), np.intp)
    numbers[order] = np.cumsum(np.diff(along_mm[order], prepend=along_mm[order[0]]) > SAME_PLACE_MM)
    return numbers


def _or_nan(values: tuple[float | None, ...], position: int) -> float:
    value = values[position] if position < len(values) else None
    return np.nan if value is None else value
