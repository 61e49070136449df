"""Where the slices of a series lie, and the verdict whether they make a volume.

Spacing comes from the slices' positions, never from SliceThickness or
SpacingBetweenSlices, which say something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import IrregularSeries
from grisaille.io.dicom_scan import SeriesInfo

Vectors = npt.NDArray[np.float64]

SAME_PLACE_MM = 0.01
ORIENTATION_TOLERANCE = 1e-4
UNIT_TOLERANCE = 1e-3
"""Directions this near to orthonormal are made so; others are refused."""
LARGEST_TILT_DEGREES = 0.1
NOTED_DEVIATION_MM = 0.01


@dataclass(frozen=True, eq=False)
class Stack:
    """The slices of a series as one volume.

    Parameters
    ----------
    order
        Indices into the series' slices, ascending along their normal.
    affine
        (4, 4) from index (column, row, slice) to LPS millimetres (x, y, z).
    verdict
        In words.
    warnings
        Sentences.
    """

    order: tuple[int, ...]
    affine: Vectors
    verdict: str
    warnings: tuple[str, ...]


def stack(series: SeriesInfo) -> Stack:
    """The geometry of a series.

    Raises
    ------
    IrregularSeries
        If its images make no regular volume; the message names the series, the files and what is wrong.
    """
    _require_single_frames(series)
    _require_one(series, "size", lambda index: (series.slices[index].rows, series.slices[index].columns))
    _require_one(series, "frame of reference", lambda index: series.slices[index].frame_of_reference)
    orientations = _vectors(
        series, [header.orientation for header in series.slices], "ImageOrientationPatient (0020,0037)"
    )
    row, column, normal = _directions(series, orientations)
    between_rows, between_columns = _pixel_spacing(series)
    positions = _vectors(series, [header.position for header in series.slices], "ImagePositionPatient (0020,0032)")
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    files = [series.files[index].name for index in order]
    positions, along = positions[order], along[order]
    warnings = _numbering_warnings(series)
    if len(order) == 1:
        step, verdict = _thickness(series), "a single slice, as thick as SliceThickness"
        warnings.append(f"{series.label} is a single slice; its thickness of {step:g} mm was taken as the spacing")
    else:
        _require_places_of_their_own(series, files, along)
        step = float(along[-1] - along[0]) / (len(order) - 1)
        _require_straight(series, files, positions, along, normal, step)
        verdict = _spacing_verdict(series, files, positions, along, step)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([row * between_columns, column * between_rows, normal * step], axis=1)
    affine[:3, 3] = positions[0]
    return Stack(tuple(int(index) for index in order), affine, verdict, tuple(warnings))


def _require_single_frames(series: SeriesInfo) -> None:
    for header in series.slices:
        if header.is_multi_frame:
            raise IrregularSeries(
                f"{series.label}: {header.file.name} is a multi-frame image, expected one slice in a file; "
                "convert the series to single-frame images"
            )


def _require_one(series: SeriesInfo, what: str, kind: Callable[[int], Hashable]) -> None:
    kinds = [kind(index) for index in range(len(series.slices))]
    usual, times = Counter(kinds).most_common(1)[0]
    odd = [series.files[index].name for index, one in enumerate(kinds) if one != usual]
    if odd:
        raise IrregularSeries(
            f"{series.label}: {_listed(odd)} has another {what} than the other {times} images, expected one {what} "
            "in a series; move the odd images to a folder of their own"
        )


def _vectors(series: SeriesInfo, found: list[tuple[float, ...] | None], tag: str) -> Vectors:
    """(n, length) finite numbers."""
    for header, vector in zip(series.slices, found, strict=True):
        if vector is None or not np.isfinite(vector).all():
            wrong = "no" if vector is None else "an unreadable"
            raise IrregularSeries(
                f"{series.label}: {header.file.name} has {wrong} {tag}, without which a slice has no place in "
                "the patient; export the series again or take the file out"
            )
    return np.array(found, dtype=np.float64)


def _directions(series: SeriesInfo, orientations: Vectors) -> tuple[Vectors, Vectors, Vectors]:
    """Unit vectors along rows, along columns and across the slices, from the unrounded mean orientation."""
    is_turned = np.abs(orientations - np.median(orientations, axis=0)).max(axis=1) > ORIENTATION_TOLERANCE
    _require_one(series, "orientation", lambda index: bool(is_turned[index]))
    mean = orientations.mean(axis=0)
    row, column = mean[:3], mean[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(row @ column)) > UNIT_TOLERANCE:
        raise IrregularSeries(
            f"{series.label}: ImageOrientationPatient (0020,0037) is not two unit vectors at right angles "
            f"(lengths {lengths[0]:.4f} and {lengths[1]:.4f}, product {row @ column:.4f}); export the series again"
        )
    row = row / lengths[0]
    normal = np.cross(row, column)
    normal /= np.linalg.norm(normal)
    return row, np.cross(normal, row), normal


def _pixel_spacing(series: SeriesInfo) -> tuple[float, float]:
    """Between rows, and between columns."""
    spacings = _vectors(series, [header.pixel_spacing for header in series.slices], "PixelSpacing (0028,0030)")
    _require_one(series, "pixel spacing", lambda index: tuple(spacings[index]))
    between_rows, between_columns = (float(spacing) for spacing in spacings[0])
    if min(between_rows, between_columns) <= 0:
        raise IrregularSeries(
            f"{series.label}: PixelSpacing (0028,0030) is {between_rows:g} x {between_columns:g} mm, expected two "
            "positive distances; export the series again"
        )
    return between_rows, between_columns


def _thickness(series: SeriesInfo) -> float:
    thickness = series.slices[0].thickness
    if thickness is None or not thickness > 0:
        raise IrregularSeries(
            f"{series.label}: {series.files[0].name} is a single slice without SliceThickness (0018,0050), so its "
            "voxels have no size; give the whole series"
        )
    return thickness


def _require_places_of_their_own(series: SeriesInfo, files: list[str], along: Vectors) -> None:
    """No two images at one place."""
    is_new = np.diff(along, prepend=-np.inf) > SAME_PLACE_MM
    if is_new.all():
        return
    times = np.bincount(np.cumsum(is_new) - 1)
    if (times == times[0]).all():
        raise IrregularSeries(
            f"{series.label}: {times[0]} images at each of {len(times)} places (phases, gates or time frames), "
            "expected one; export one phase as a series of its own"
        )
    second = int(np.argmin(is_new))
    raise IrregularSeries(
        f"{series.label}: {files[second - 1]} and {files[second]} lie at the same place, expected one image a place "
        f"({int((times > 1).sum())} places have several); take the surplus out of the folder"
    )


def _tolerance_mm(step: float) -> float:
    return max(0.02 * step, 0.05)


def _require_straight(
    series: SeriesInfo, files: list[str], positions: Vectors, along: Vectors, normal: Vectors, step: float
) -> None:
    """The slices lie over one another, not beside (a displaced slice) nor on a slant (gantry tilt)."""
    offsets = positions - positions[0]
    sideways = offsets - np.outer(offsets @ normal, normal)
    centred = along - along.mean()
    slant = centred @ sideways / (centred @ centred)
    residual = np.linalg.norm(sideways - sideways.mean(axis=0) - np.outer(centred, slant), axis=1)
    worst = int(residual.argmax())
    if residual[worst] > _tolerance_mm(step):
        raise IrregularSeries(
            f"{series.label}: {files[worst]} lies {residual[worst]:.2f} mm beside the line of the other slices; "
            "export the series again with one field of view"
        )
    tilt = float(np.degrees(np.arctan(np.linalg.norm(slant))))
    if tilt > LARGEST_TILT_DEGREES:
        raise IrregularSeries(
            f"{series.label}: the gantry was tilted by {tilt:.1f} degrees (each slice is shifted against the next), "
            "expected slices straight over one another; resample the series first"
        )


def _spacing_verdict(series: SeriesInfo, files: list[str], positions: Vectors, along: Vectors, step: float) -> str:
    """``regular``, or by how much the places deviate; positions are judged, not single gaps."""
    deviation = float(np.abs(along - along[0] - step * np.arange(len(along))).max())
    if deviation <= _tolerance_mm(step):
        if deviation <= NOTED_DEVIATION_MM:
            return "regular"
        return f"regular; places deviate by up to {deviation:.3f} mm from even spacing of {step:.3f} mm"
    gaps = np.diff(along)
    single = float(gaps[gaps < 1.5 * gaps.min()].mean())
    multiples = np.maximum(np.rint(gaps / single), 1)
    if (np.abs(gaps - multiples * single) > _tolerance_mm(single)).any():
        uneven = int(np.abs(gaps - np.median(gaps)).argmax())
        raise IrregularSeries(
            f"{series.label}: uneven spacing, gaps of {gaps.min():.2f} to {gaps.max():.2f} mm, expected one; the "
            f"oddest lies between {files[uneven]} and {files[uneven + 1]} (slices {uneven} and {uneven + 1}, "
            f"{_place(positions[uneven], positions)} and {_place(positions[uneven + 1], positions)}); "
            "resample the series first"
        )
    named = _missing(positions, multiples.astype(int), single)
    gap = int(np.argmax(multiples > 1))
    raise IrregularSeries(
        f"{series.label}: {len(named)} slice(s) missing: {_listed(named)} (between {files[gap]} and {files[gap + 1]}"
        f"{' and at other places' if (multiples > 1).sum() > 1 else ''}), expected {len(files) + len(named)} slices "
        f"{single:.2f} mm apart; add the missing files or export the series again"
    )


def _missing(positions: Vectors, multiples: npt.NDArray[np.int_], step: float) -> list[str]:
    """Index, in the whole series, and place of each slice that is not there."""
    direction = (positions[-1] - positions[0]) / np.linalg.norm(positions[-1] - positions[0])
    named, index = [], 0
    for position, steps in zip(positions[:-1], multiples, strict=True):
        for missing in range(1, steps):
            named.append(f"index {index + missing} at {_place(position + direction * step * missing, positions)}")
        index += steps
    return named


def _place(position: Vectors, positions: Vectors) -> str:
    """The coordinate that changes most from slice to slice, such as ``z = -12.0 mm``."""
    axis = int(np.abs(positions[-1] - positions[0]).argmax())
    return f"{'xyz'[axis]} = {position[axis]:.1f} mm"


def _listed(names: list[str], at_most: int = 4) -> str:
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more


def _numbering_warnings(series: SeriesInfo) -> list[str]:
    """Slices missing at an end leave no gap, but a gap in the numbering may tell."""
    numbers = {header.instance_number for header in series.slices if header.instance_number is not None}
    if len(numbers) < len(series.slices):
        return []
    absent = max(numbers) - min(numbers) + 1 - len(numbers)
    if not absent:
        return []
    return [f"{series.label}: {absent} instance number(s) between {min(numbers)} and {max(numbers)} are absent"]
