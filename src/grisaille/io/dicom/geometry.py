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

from grisaille.core.counted import counted
from grisaille.core.errors import IrregularSeries, UnevenSlices
from grisaille.core.volume import OnIrregular
from grisaille.io.dicom.regrid import Regrid
from grisaille.io.dicom.scan import SeriesInfo, listed
from grisaille.io.dicom.spacing import Line, Spacing, judge, tolerance_mm

Vectors = npt.NDArray[np.float64]

SAME_PLACE_MM = 0.01
ORIENTATION_TOLERANCE = 1e-4
UNIT_TOLERANCE = 1e-3
"""Directions this near to orthonormal are made so; others are refused."""
LARGEST_TILT_DEGREES = 0.1
"""Beyond it the shear is kept in the affine; below it, slices count as straight over one another."""


@dataclass(frozen=True, eq=False)
class Stack:
    """The slices of a series as one volume.

    Parameters
    ----------
    order
        Indices into the series' slices, ascending along their normal.
    affine
        (4, 4) from index (column, row, slice) to LPS millimetres (x, y, z); of the regridded slices
        where there is a ``regrid``. Sheared where the gantry was tilted.
    verdict
        In words.
    warnings
        Sentences.
    regrid
        How slices at even places are interpolated from those in ``order``; None where none are.
    """

    order: tuple[int, ...]
    affine: Vectors
    verdict: str
    warnings: tuple[str, ...]
    regrid: Regrid | None = None


@dataclass(frozen=True, eq=False)
class Places:
    """Where the images of a series lie, in its order.

    Parameters
    ----------
    row, column, normal
        (3,) unit vectors (x, y, z) along rows, along columns and across the slices.
    positions
        (n, 3) LPS millimetres (x, y, z) of their first pixels.
    """

    row: Vectors
    column: Vectors
    normal: Vectors
    positions: Vectors

    @property
    def along_mm(self) -> Vectors:
        """(n,) places along the normal."""
        return self.positions @ self.normal


def places(series: SeriesInfo) -> Places:
    """Where the images of a series lie.

    Raises
    ------
    IrregularSeries
        If one of them has no place or no direction, or they have several; the message names it.
    """
    _require_single_frames(series)
    _require_one(series, "frame of reference", lambda index: series.slices[index].frame_of_reference)
    orientations = _vectors(
        series, [header.orientation for header in series.slices], "ImageOrientationPatient (0020,0037)"
    )
    row, column, normal = _directions(series, orientations)
    positions = _vectors(series, [header.position for header in series.slices], "ImagePositionPatient (0020,0032)")
    return Places(row, column, normal, positions)


def stack(series: SeriesInfo, on_irregular: OnIrregular = OnIrregular.REFUSE) -> Stack:
    """The geometry of a series with one image at each place.

    Raises
    ------
    IrregularSeries
        If its images make no regular volume; the message names the series, the files and what is wrong.
    UnevenSlices
        If slices are missing or unevenly spaced and ``on_irregular`` does not say to interpolate.
    """
    there = places(series)
    between_rows, between_columns = _pixel_spacing(series)
    order = np.argsort(there.along_mm, kind="stable")
    line = Line(
        label=series.label,
        files=tuple(series.slices[index].name for index in order),
        positions=there.positions[order],
        along=there.along_mm[order],
    )
    warnings = [] if series.frame else _numbering_warnings(series)
    regrid, step, slant = None, 0.0, np.zeros(3)
    if len(order) == 1:
        step, verdict = _thickness(series), "a single slice, as thick as SliceThickness"
        warnings.append(f"{series.label} is a single slice; its thickness of {step:g} mm was taken as the spacing")
    else:
        _require_places_of_their_own(line)
        slant = _slant(line, there.normal)
        spacing = _judged(series, line, on_irregular)
        step, verdict, regrid = spacing.step_mm, spacing.verdict, spacing.regrid
        warnings += spacing.warnings
    if slant.any():
        degrees = _degrees(slant)
        verdict += f"; tilted by {degrees:.1f} degrees, the shear is kept"
        warnings.append(
            f"{series.label}: the gantry was tilted by {degrees:.1f} degrees, so each slice is shifted by "
            f"{np.linalg.norm(slant) * step:.2f} mm against the next; nothing was resampled, the grid is sheared; "
            "for a straight copy, resample it onto its grid.orthogonal()"
        )
    affine = np.eye(4)
    across = there.normal + slant
    affine[:3, :3] = np.stack([there.row * between_columns, there.column * between_rows, across * step], axis=1)
    affine[:3, 3] = line.positions[0]
    return Stack(tuple(int(index) for index in order), affine, verdict, tuple(warnings), regrid)


def _judged(series: SeriesInfo, line: Line, on_irregular: OnIrregular) -> Spacing:
    """The spacing; a refusal also says what the scan left out, since that may be what is missing."""
    try:
        return judge(line, on_irregular)
    except UnevenSlices as error:
        raise UnevenSlices(". ".join([str(error), *series.notes])) from None


def _require_single_frames(series: SeriesInfo) -> None:
    for header in series.slices:
        if header.is_multi_frame:
            raise IrregularSeries(
                f"{series.label}: {header.name} is a multi-frame image, expected one slice in a file; "
                "convert the series to single-frame images"
            )


def _require_one(series: SeriesInfo, what: str, kind: Callable[[int], Hashable]) -> None:
    kinds = [kind(index) for index in range(len(series.slices))]
    usual, times = Counter(kinds).most_common(1)[0]
    odd = [series.slices[index].name for index, one in enumerate(kinds) if one != usual]
    if odd:
        raise IrregularSeries(
            f"{series.label}: {listed(odd)} has another {what} than the other {times} images, expected one {what} "
            "in a series; move the odd images to a folder of their own"
        )


def _vectors(series: SeriesInfo, found: list[tuple[float, ...] | None], tag: str) -> Vectors:
    """(n, length) finite numbers."""
    if len(found) > 1 and all(vector is None for vector in found):
        raise IrregularSeries(
            f"{series.label}: none of its {len(found)} images has {tag}, without which they have no place in the "
            "patient and no distance to each other; export the series again from where it was made, or, if its "
            "spacing is known, write it as NIfTI or NRRD with that spacing and read this"
        )
    for header, vector in zip(series.slices, found, strict=True):
        if vector is None or not np.isfinite(vector).all():
            wrong = "no" if vector is None else "an unreadable"
            raise IrregularSeries(
                f"{series.label}: {header.name} has {wrong} {tag}, without which a slice has no place in "
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
    """Between rows, and between columns; the scan splits off what has another."""
    spacings = _vectors(series, [header.pixel_spacing for header in series.slices], "PixelSpacing (0028,0030)")
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
            f"{series.label}: {series.slices[0].name} is a single slice without SliceThickness (0018,0050), so its "
            "voxels have no size; give the whole series"
        )
    return thickness


def _require_places_of_their_own(line: Line) -> None:
    """No two images at one place."""
    is_new = np.diff(line.along, prepend=-np.inf) > SAME_PLACE_MM
    if is_new.all():
        return
    times = np.bincount(np.cumsum(is_new) - 1)
    second = int(np.argmin(is_new))
    raise IrregularSeries(
        f"{line.label}: {line.files[second - 1]} and {line.files[second]} lie at the same place, expected one image "
        f"a place ({int((times > 1).sum())} places have several); take the surplus out of the folder"
    )


def _slant(line: Line, normal: Vectors) -> Vectors:
    """(3,) how far slices shift sideways for each mm along their normal: zero unless the gantry was tilted.

    Raises
    ------
    IrregularSeries
        If a slice lies beside the line of the others.
    """
    offsets = line.positions - line.positions[0]
    sideways = offsets - np.outer(offsets @ normal, normal)
    centred = line.along - line.along.mean()
    slant: Vectors = centred @ sideways / (centred @ centred)
    residual = np.linalg.norm(sideways - sideways.mean(axis=0) - np.outer(centred, slant), axis=1)
    worst = int(residual.argmax())
    if residual[worst] > tolerance_mm(line.mean_step):
        raise IrregularSeries(
            f"{line.label}: {line.files[worst]} lies {residual[worst]:.2f} mm beside the line of the other slices; "
            "export the series again with one field of view"
        )
    return slant if _degrees(slant) > LARGEST_TILT_DEGREES else np.zeros(3)


def _degrees(slant: Vectors) -> float:
    return float(np.degrees(np.arctan(np.linalg.norm(slant))))


def _numbering_warnings(series: SeriesInfo) -> list[str]:
    """Slices missing at an end leave no gap, but a gap in the numbering may tell."""
    numbers = {header.instance_number for header in series.slices if header.instance_number is not None}
    if len(numbers) < len(series.slices):
        return []
    absent = max(numbers) - min(numbers) + 1 - len(numbers)
    if not absent:
        return []
    missing = counted(absent, "instance number")
    return [f"{series.label}: {missing} missing between {min(numbers)} and {max(numbers)}"]
