"""The stacks of one DICOM series: images of one orientation, size, pixel spacing and frame of reference.

A SeriesInstanceUID may hold more than one: a scout among the slices, a picture of another size, two
fields of view. The geometry is asked only within a stack.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from grisaille.io.dicom.header import SliceHeader

SAME_ORIENTATION = 2e-4
"""Largest difference of a direction cosine from the first image of a stack."""
SAME_SPACING_MM = 1e-4
FEW = 3
"""That many images are set apart where the main stack is three times as large ..."""
SMALL_SHARE = 0.1
"""... and more where they are at most this share of it; else somebody has to choose."""


@dataclass(frozen=True)
class Apart:
    """An image that was set apart from the main stack, and in what it differs."""

    header: SliceHeader
    difference: str


@dataclass(frozen=True)
class Stacks:
    """The stacks of a series that may be the one looked for, largest first, and what was set apart from them."""

    kept: tuple[tuple[SliceHeader, ...], ...]
    apart: tuple[Apart, ...]


def split(headers: Sequence[SliceHeader]) -> Stacks:
    """The stacks of a series.

    An image that lacks one of the four belongs to the largest stack that it does not contradict:
    it is for the geometry to refuse it by its name.
    """
    groups: list[list[SliceHeader]] = []
    for header in sorted(headers, key=lambda one: not _is_complete(one)):
        fitting = [group for group in groups if not difference(header, group[0])]
        if fitting:
            max(fitting, key=len).append(header)
        else:
            groups.append([header])
    place = {id(header): index for index, header in enumerate(headers)}
    groups = [sorted(group, key=lambda one: place[id(one)]) for group in groups]
    groups.sort(key=lambda group: (-len(group), place[id(group[0])]))
    main = groups[0]
    kept = [group for group in groups if not _is_odd(len(group), len(main))]
    apart = [
        Apart(header, ", ".join(difference(header, main[0])))
        for group in groups
        if _is_odd(len(group), len(main))
        for header in group
    ]
    return Stacks(tuple(map(tuple, kept)), tuple(apart))


def describe(header: SliceHeader) -> str:
    """What a stack is like, for somebody who has to choose: plane, size and pixel spacing."""
    words = [_plane(header.orientation), f"{header.rows} x {header.columns} pixels"]
    if _is_known(header.pixel_spacing):
        between_rows, between_columns = header.pixel_spacing or ()
        words[-1] += f" of {between_rows:.3g} x {between_columns:.3g} mm"
    return ", ".join(word for word in words if word)


def difference(one: SliceHeader, other: SliceHeader) -> tuple[str, ...]:
    """In what ``one`` is of another stack than ``other``; what either does not say is no difference."""
    found = []
    if one.is_multi_frame != other.is_multi_frame:
        found.append("several frames in one file" if one.is_multi_frame else "a single frame")
    if (one.rows, one.columns) != (other.rows, other.columns):
        found.append(f"another size ({one.rows} x {one.columns} pixels)")
    if _differ(one.orientation, other.orientation, SAME_ORIENTATION):
        found.append("another orientation")
    if _differ(one.pixel_spacing, other.pixel_spacing, SAME_SPACING_MM):
        found.append("another pixel spacing")
    if one.frame_of_reference and other.frame_of_reference and one.frame_of_reference != other.frame_of_reference:
        found.append("another frame of reference")
    return tuple(found)


def _is_odd(count: int, main: int) -> bool:
    return (count <= FEW and 3 * count <= main) or count <= SMALL_SHARE * main


def _is_complete(header: SliceHeader) -> bool:
    return _is_known(header.orientation) and _is_known(header.pixel_spacing) and bool(header.frame_of_reference)


def _is_known(vector: tuple[float, ...] | None) -> bool:
    return vector is not None and all(map(math.isfinite, vector))


def _differ(one: tuple[float, ...] | None, other: tuple[float, ...] | None, tolerance: float) -> bool:
    if one is None or other is None or not (_is_known(one) and _is_known(other)):
        return False
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) > tolerance


def _plane(orientation: tuple[float, ...] | None) -> str:
    """Axial, coronal or sagittal, most nearly; empty if unknown."""
    if orientation is None or not _is_known(orientation):
        return ""
    (a, b, c), (d, e, f) = orientation[:3], orientation[3:]
    normal = [abs(b * f - c * e), abs(c * d - a * f), abs(a * e - b * d)]
    return ("sagittal", "coronal", "axial")[normal.index(max(normal))]
