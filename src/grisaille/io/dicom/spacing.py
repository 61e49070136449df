"""Whether slices along a line are evenly spaced, and what to say or do where they are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grisaille.core.counted import counted
from grisaille.core.errors import IrregularSeries, UnevenSlices
from grisaille.core.volume import OnIrregular
from grisaille.io.dicom.regrid import Regrid, regrid_onto
from grisaille.io.dicom.scan import listed

Vectors = npt.NDArray[np.float64]

NOTED_DEVIATION_MM = 0.01
SIMILAR_GAPS = 0.25
"""Gaps that differ from the usual one by at most this share are one spacing with jitter."""
MOST_INVENTED = 3
"""Slices to be interpolated for each one there is, beyond which nothing is invented."""
_REMEDY = "interpolate between the slices with on_irregular='resample' (--on-irregular resample)"


@dataclass(frozen=True, eq=False)
class Line:
    """Slices in the order of their places: (n, 3) positions, and (n,) places along the normal, in mm."""

    label: str
    files: tuple[str, ...]
    positions: Vectors
    along: Vectors

    @property
    def mean_step(self) -> float:
        """From slice to slice, in mm."""
        return float(self.along[-1] - self.along[0]) / (len(self.along) - 1)

    def place(self, along: float) -> str:
        """The coordinate that changes most from slice to slice, such as ``z = -12.0 mm``."""
        span = self.positions[-1] - self.positions[0]
        axis = int(np.abs(span).argmax())
        share = (along - self.along[0]) / (self.along[-1] - self.along[0])
        return f"{'xyz'[axis]} = {self.positions[0, axis] + share * span[axis]:.1f} mm"


@dataclass(frozen=True, eq=False)
class Spacing:
    """The distance of the slices in mm, the verdict in words, and how they are interpolated where they have to be."""

    step_mm: float
    verdict: str
    regrid: Regrid | None = None
    warnings: tuple[str, ...] = ()


def judge(line: Line, on_irregular: OnIrregular) -> Spacing:
    """The spacing of two slices or more; places are judged, not single gaps.

    Raises
    ------
    UnevenSlices
        If slices are missing or unevenly spaced, unless ``on_irregular`` says to interpolate.
    IrregularSeries
        If two images nearly share a place, or most of the volume would be interpolated.
    """
    step = line.mean_step
    deviation = float(np.abs(line.along - line.along[0] - step * np.arange(len(line.along))).max())
    if deviation <= tolerance_mm(step):
        if deviation <= NOTED_DEVIATION_MM:
            return Spacing(step, "regular")
        return Spacing(step, f"regular; places deviate by up to {deviation:.3f} mm from even spacing of {step:.3f} mm")
    gaps = np.diff(line.along)
    _require_apart(line, gaps)
    single = float(gaps[gaps < 1.5 * gaps.min()].mean())
    multiples = np.maximum(np.rint(gaps / single), 1)
    is_missing = not (np.abs(gaps - multiples * single) > tolerance_mm(single)).any()
    if on_irregular is OnIrregular.RESAMPLE:
        return _resampled(line, single if is_missing else _even_step(gaps))
    raise _missing(line, multiples.astype(int), single) if is_missing else _uneven(line, gaps)


def tolerance_mm(step: float) -> float:
    """How far a slice may lie from its place on the even grid."""
    return max(0.02 * step, 0.05)


def _require_apart(line: Line, gaps: Vectors) -> None:
    """No images that nearly share a place: beds or phases that overlap, not slices between which to interpolate."""
    near = int(gaps.argmin())
    if gaps[near] < tolerance_mm(float(np.median(gaps))):
        raise IrregularSeries(
            f"{line.label}: {line.files[near]} and {line.files[near + 1]} lie only {gaps[near]:.3f} mm apart "
            f"({line.place(line.along[near])}), expected one image a place; take one of the two out of the folder"
        )


def _even_step(gaps: Vectors) -> float:
    """Jitter keeps the number of slices; else the finest spacing, so that no slice is passed over."""
    usual = float(np.median(gaps))
    if (np.abs(gaps - usual) <= SIMILAR_GAPS * usual).all():
        return float(gaps.mean())
    return float(max(gaps.min(), usual / 2))


def _resampled(line: Line, step: float) -> Spacing:
    count = max(2, round((line.along[-1] - line.along[0]) / step) + 1)
    have = len(line.along)
    if count - have > MOST_INVENTED * have:
        raise IrregularSeries(
            f"{line.label}: {have} images over {line.along[-1] - line.along[0]:.0f} mm, expected about {count}; most "
            "of the volume would be interpolated; take out the files that lie apart or export the series again"
        )
    step = float(line.along[-1] - line.along[0]) / (count - 1)
    regrid = regrid_onto(line.along, line.along[0] + step * np.arange(count), tolerance_mm(step))
    invented = [line.place(line.along[0] + step * index) for index in regrid.interpolated]
    verdict = (
        f"regridded on request: {count} slices {step:.3f} mm apart from {have} images; "
        f"{len(invented)} interpolated, at {listed(invented)}"
    )
    return Spacing(step, verdict, regrid, (f"{line.label} was {verdict}",))


def _uneven(line: Line, gaps: Vectors) -> UnevenSlices:
    odd = int(np.abs(gaps - np.median(gaps)).argmax())
    return UnevenSlices(
        f"{line.label}: uneven spacing, gaps of {gaps.min():.2f} to {gaps.max():.2f} mm, expected one; the "
        f"oddest lies between {line.files[odd]} and {line.files[odd + 1]} (slices {odd} and {odd + 1}, "
        f"{line.place(line.along[odd])} and {line.place(line.along[odd + 1])}); "
        f"export the series again, or {_REMEDY}"
    )


def _missing(line: Line, multiples: npt.NDArray[np.int_], step: float) -> UnevenSlices:
    """Index, in the whole series, and place of each slice that is not there."""
    named, index = [], 0
    for start, steps in zip(line.along[:-1], multiples, strict=True):
        named += [f"index {index + one} at {line.place(start + step * one)}" for one in range(1, steps)]
        index += steps
    gap = int(np.argmax(multiples > 1))
    return UnevenSlices(
        f"{line.label}: {counted(len(named), 'slice')} missing: {listed(named)} (between {line.files[gap]} and "
        f"{line.files[gap + 1]}{' and at other places' if (multiples > 1).sum() > 1 else ''}), expected "
        f"{len(line.files) + len(named)} slices {step:.2f} mm apart; add the missing files or export the series "
        f"again, or {_REMEDY}"
    )
