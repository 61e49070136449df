"""RTSTRUCT to labels: the voxels whose centres lie inside the contours."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from grisaille.core.counted import counted
from grisaille.core.errors import GridMismatch, InputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.volume import Source, Volume
from grisaille.imaging.polygons import filled
from grisaille.io.dicom.label_files import LabelFile, require_same_frame, require_whole
from grisaille.io.dicom.regions import MOST, Region, chosen, laid
from grisaille.io.dicom.tags import DAMAGE, number, quiet, text, values
from grisaille.io.pseudonym import pseudonym

Points = npt.NDArray[np.float64]

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
OBLIQUE = 0.25
"""How far, in slices, a contour may leave its slice; beyond, it lies across the slices."""
SAME_PLANE = 0.05
"""Slices within which contours are taken to lie in one plane."""
NOTED_OFFSET = 0.1
"""Slices between a plane and its slice that a user is told of."""


@dataclass(frozen=True, eq=False)
class Roi:
    """A region of interest as it was drawn.

    Parameters
    ----------
    number, name
        The label number that it gets, and ROIName.
    frame
        Pseudonym of its frame of reference; empty if it names none.
    contours
        (n, 3) LPS millimetres (z, y, x) each, closed and planar.
    skipped
        Contours that are points or open lines.
    """

    number: int
    name: str
    frame: str
    contours: tuple[Points, ...]
    skipped: int


def read_rtstruct(found: LabelFile, like: Volume | Grid | None, rois: Collection[str | int] | None = None) -> Labels:
    """The regions of an RTSTRUCT on the grid of the volume that they were drawn on, or of one in the same frame.

    A voxel belongs to a region if its centre lies within an odd number of its contours, or on one.
    Planes of contours are matched to slices by place, half a slice off at most.

    Parameters
    ----------
    like
        The volume or grid.
    rois
        Names or numbers (ROINumber) of those to read; all for None.

    Raises
    ------
    InputError
        If ``like`` is missing, or a ROI that was asked for is not there.
    GridMismatch
        If the contours lie in another frame of reference, across the slices or beside the volume, or so
        far apart that slices between them stay empty.
    UnreadableFile
        If the contours are damaged.
    """
    name = found.file.name
    require_whole(found)
    if like is None:
        raise InputError(
            f"{name} is an RTSTRUCT, whose contours have no voxels of their own; give the volume that it was drawn on "
            "with like="
        )
    try:
        with quiet():
            drawn, notes = _rois(found, rois)
    except DAMAGE as error:
        raise UnreadableFile(f"{name} is damaged ({type(error).__name__}); copy it again from where it came") from None
    frames = frozenset(roi.frame for roi in drawn if roi.frame) or found.frames
    warnings = [*notes, *require_same_frame(found, frames, like)]
    grid, source = (like, Source(name=name)) if isinstance(like, Grid) else (like.grid, like.source)
    regions = []
    used: dict[int, set[int]] = {}
    for roi in _in_frame(drawn, like, warnings):
        flat, axis, told = _voxels(found, roi, grid, like)
        warnings += told
        regions.append(Region(roi.number, roi.name, flat))
        used.setdefault(axis, set()).update(np.unravel_index(flat, grid.shape)[axis].tolist())
    for axis, slices in used.items():
        warnings += _gaps(found, slices, grid.spacing_mm[axis], like)
    if regions and not any(len(region.at) for region in regions):
        raise GridMismatch(
            f"the contours of {name} enclose no voxel of {grid}; give the volume that it was drawn on, whole"
        )
    voxels, overlaps = laid(regions, grid, f"read one of them whole with rois=, the other left out ({name})")
    names = {region.number: region.name for region in regions}
    return Labels(voxels, grid, names, source, (*warnings, *overlaps))


def _in_frame(drawn: list[Roi], like: Volume | Grid, warnings: list[str]) -> Iterator[Roi]:
    """Those in the volume's frame of reference, and if it is none of theirs, all: that was judged before."""
    own = like.provenance.frame_of_reference if isinstance(like, Volume) else ""
    has_own = any(roi.frame == own for roi in drawn)
    for roi in drawn:
        if has_own and roi.frame and roi.frame != own:
            warnings.append(f"ROI {roi.name} lies in another frame of reference and was left out")
        elif not roi.contours:
            warnings.append(f"ROI {roi.name} has no closed contour and was left out")
        else:
            yield roi


# -- what was drawn -------------------------------------------------------------------


def _rois(found: LabelFile, wanted: Collection[str | int] | None) -> tuple[list[Roi], list[str]]:
    header, name = found.header, found.file.name
    items = list(header.get("StructureSetROISequence") or ())
    numbers = [number(item, "ROINumber") for item in items]
    if not items or any(one is None or not math.isfinite(one) for one in numbers) or len(set(numbers)) < len(numbers):
        raise UnreadableFile(f"{name} has no ROI, or ROIs without a ROINumber of their own; export it again")
    if "ROIContourSequence" not in header:
        raise UnreadableFile(f"{name} has no contours (ROIContourSequence); export it again")
    if len(items) > MOST:
        raise InputError(f"{name} has {len(items)} ROIs, a label image has {MOST} numbers; split it")
    own = [int(one) for one in numbers if one is not None]
    notes = []
    given = own
    if min(own) < 1 or max(own) > MOST:
        given = list(range(1, len(own) + 1))
        notes.append(f"the ROI numbers of {name} do not fit into labels; they were numbered from 1 in their order")
    names = {label: text(item, "ROIName") or f"ROI {label}" for label, item in zip(given, items, strict=True)}
    picked = chosen(names, wanted, f"{name}: ROI")
    contours = {number(one, "ReferencedROINumber"): one for one in header.get("ROIContourSequence") or ()}
    rois = []
    for label, stored, item in zip(given, own, items, strict=True):
        if label not in picked:
            continue
        closed, skipped = _contours(contours.get(stored), name, names[label])
        if skipped:
            notes.append(
                f"ROI {names[label]}: left out {counted(skipped, 'contour')}, points or open lines: "
                "they enclose nothing"
            )
        frame = pseudonym(text(item, "ReferencedFrameOfReferenceUID"))
        rois.append(Roi(label, names[label], frame, tuple(closed), skipped))
    return rois, notes


def _contours(item: Dataset | None, name: str, roi: str) -> tuple[list[Points], int]:
    closed, skipped = [], 0
    for contour in (item.get("ContourSequence") or ()) if item is not None else ():
        points = _numbers(contour)
        if len(points) % 3 or not np.isfinite(points).all():
            raise UnreadableFile(
                f"{name}: a contour of ROI {roi} has {len(points)} coordinates or one that is no number, expected "
                "three for each point; export it again"
            )
        if text(contour, "ContourGeometricType").upper() not in CLOSED or len(points) < 9:
            skipped += 1
            continue
        closed.append(points.reshape(-1, 3)[:, ::-1])
    return closed, skipped


def _numbers(contour: Dataset) -> Points:
    """ContourData at once: pydicom makes an object of every number."""
    item = contour.get_item("ContourData")
    stored = getattr(item, "value", None)
    if isinstance(stored, bytes):
        written = stored.strip(b" \0")
        return np.array(written.split(b"\\")).astype(np.float64) if written else np.empty(0)
    return np.array([float(value) for value in values(contour, "ContourData") or ()])


# -- onto the grid --------------------------------------------------------------------


def _voxels(
    found: LabelFile, roi: Roi, grid: Grid, like: Volume | Grid
) -> tuple[npt.NDArray[np.int64], int, list[str]]:
    """Flat indices of the voxels of one ROI, the axis across its planes, and what is to be said."""
    contours = [grid.to_index(contour) for contour in roi.contours]
    axis = _slice_axis(found, roi, contours, grid, like)
    step_mm = grid.spacing_mm[axis]
    planes = _planes(contours, axis)
    centres = np.array([np.mean([contour[:, axis].mean() for contour in plane]) for plane in planes])
    nearest = np.round(centres).astype(int)
    offsets = np.abs(centres - nearest)
    used: dict[int, int] = {}
    for plane in np.argsort(offsets, kind="stable"):
        if 0 <= nearest[plane] < grid.shape[axis]:
            used.setdefault(int(nearest[plane]), int(plane))
    across = [other for other in range(3) if other != axis]
    shape = (grid.shape[across[0]], grid.shape[across[1]])
    found_at = []
    for index, plane in used.items():
        rows, columns = np.nonzero(filled([contour[:, across] for contour in planes[plane]], shape))
        place = [np.full(len(rows), index)] * 3
        place[across[0]], place[across[1]] = rows, columns
        found_at.append(np.ravel_multi_index(tuple(place), grid.shape))
    told = _told(roi, contours, nearest, grid, axis)
    if used:
        worst = max(offsets[plane] for plane in used.values())
        if worst > NOTED_OFFSET:
            told.append(
                f"ROI {roi.name}: its contours lie up to {worst * step_mm:.2f} mm off the slices; they were moved there"
            )
        between = int(((nearest >= 0) & (nearest < grid.shape[axis])).sum()) - len(used)
        if between:
            told.append(
                f"ROI {roi.name}: {between} of its {len(planes)} planes lie between slices {step_mm:.2f} mm apart and "
                "were left out"
            )
    return np.concatenate(found_at) if found_at else np.empty(0, np.int64), axis, told


def _slice_axis(found: LabelFile, roi: Roi, contours: list[Points], grid: Grid, like: Volume | Grid) -> int:
    """The index axis along which the contours stay put: that of the volume's images, if it is."""
    spreads = np.array([np.ptp(contour, axis=0) for contour in contours]).max(axis=0)
    images = like.source.order.index(2) if isinstance(like, Volume) else 0
    axis = images if spreads[images] <= OBLIQUE else int(np.argmin(spreads))
    if spreads[axis] > OBLIQUE:
        raise GridMismatch(
            f"{found.file.name}: the contours of ROI {roi.name} lie across the slices of {grid}, by up to "
            f"{spreads[axis] * grid.spacing_mm[axis]:.1f} mm; give the volume that they were drawn on and resample the "
            "labels"
        )
    return axis


def _planes(contours: list[Points], axis: int) -> list[list[Points]]:
    """The contours by plane, in the order of their places."""
    ordered = sorted(contours, key=lambda contour: float(contour[:, axis].mean()))
    planes: list[list[Points]] = []
    last = -math.inf
    for contour in ordered:
        place = float(contour[:, axis].mean())
        if place - last > SAME_PLANE:
            planes.append([])
        planes[-1].append(contour)
        last = place
    return planes


def _told(roi: Roi, contours: list[Points], nearest: npt.NDArray[np.int_], grid: Grid, axis: int) -> list[str]:
    """What of a ROI the grid cuts off."""
    beyond = int(((nearest < 0) | (nearest >= grid.shape[axis])).sum())
    across = [other for other in range(3) if other != axis]
    sizes = np.array(grid.shape)[across]
    edge = 0.5 + 1e-3  # contours on the very border are inside
    is_wide = any(((one[:, across] < -edge) | (one[:, across] > sizes - 1 + edge)).any() for one in contours)
    if not beyond and not is_wide:
        return []
    return [f"ROI {roi.name} reaches beyond the volume and is cut off there ({beyond} of its planes lie outside)"]


def _gaps(found: LabelFile, slices: set[int], step_mm: float, like: Volume | Grid) -> list[str]:
    """What is to be said where no two neighbouring slices have contours: they may be those of a coarser image.

    Raises
    ------
    GridMismatch
        If they step evenly over the slices of a volume that they were not drawn on.
    """
    gaps = np.diff(sorted(slices))
    if not len(gaps) or gaps.min() < 2:
        return []
    is_own = isinstance(like, Volume) and found.names(like)
    is_even = len(gaps) > 1 and np.ptp(gaps) <= 1
    sentence = (
        f"the contours of {found.file.name} lie {gaps.mean() * step_mm:.2f} mm apart, the slices {step_mm:.2f} mm, so "
        "that those between them are empty"
    )
    if is_even and not is_own:
        raise GridMismatch(f"{sentence}; give the volume that it was drawn on and resample the labels")
    return [sentence] if is_even or not is_own else []
