"""DICOM SEG to labels, frame by frame, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from grisaille.core.errors import GridMismatch, InputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.volume import Source, SourceFormat, Volume
from grisaille.io.axes import canonical
from grisaille.io.dicom.label_files import LabelFile, require_same_frame, require_whole
from grisaille.io.dicom.regions import MOST, Flat, Region, chosen, laid
from grisaille.io.dicom.tags import DAMAGE, count, number, quiet, text, vector
from grisaille.io.image import in_words, require_memory
from grisaille.io.pseudonym import pseudonym

SAME_VOXEL = 0.1
"""How far, in voxels, pixels may lie from the voxels of the volume that they are laid on."""
REGULAR_MM = 0.1
"""How far frames may lie from even spacing to have a grid of their own."""
LARGEST_RATIO = 2000
"""Decoded to file size, beyond which compressed frames are taken for a decompression bomb."""
HARMLESS_BYTES = 2**26

HALF = 0.5
"""Of MaximumFractionalValue: from here on a fractional pixel belongs to its segment."""


@dataclass(frozen=True, eq=False)
class _Frame:
    """Place of one frame: (4, 4) from pixel (row, column, 0) to LPS millimetres (z, y, x); its segment, 0 for many."""

    index: int
    affine: npt.NDArray[np.float64]
    segment: int


def read_seg(found: LabelFile, like: Volume | Grid | None = None, rois: Collection[str | int] | None = None) -> Labels:
    """The segments of a DICOM SEG, numbered and named as in the file.

    Parameters
    ----------
    like
        The volume or grid they were made on: the labels lie on all of it. Without it they lie on the grid
        of the frames that the file stores, from the first to the last.
    rois
        Labels or numbers of the segments to read; all for None.

    Raises
    ------
    GridMismatch
        If its pixels are no voxels of ``like``, or lie in another frame of reference.
    UnreadableFile
        If the file is damaged or has no places.
    InputError
        If a segment that was asked for is not there, or the file holds no labels.
    """
    name = found.file.name
    require_whole(found)
    try:
        with quiet():
            _require_sane(found)
            names = _names(found.header)
            picked = chosen(names, rois, f"{name}: segment")
            frames = [frame for frame in _frames(found.header, name) if frame.segment in picked | {0}]
            segmentation = _opened(found)
            grid, source, warnings = _grid(found, segmentation, like)
            regions = _regions(segmentation, frames, picked, names, grid, warnings, name)
    except DAMAGE as error:
        raise UnreadableFile(f"{name} is damaged ({type(error).__name__}); copy it again from where it came") from None
    voxels, overlaps = laid(regions, grid, f"read one of them whole with rois=, the other left out ({name})")
    return Labels(voxels, grid, {one: names[one] for one in sorted(picked)}, source, (*warnings, *overlaps))


# -- the file -------------------------------------------------------------------------


def _require_sane(found: LabelFile) -> None:
    """Refuse, by the header, what is no segmentation of a patient or would be dangerous to decode."""
    header, name = found.header, found.file.name
    rows, columns, frames = (count(header, key) for key in ("Rows", "Columns", "NumberOfFrames"))
    bits = count(header, "BitsAllocated")
    if min(rows, columns, frames) < 1 or bits not in (1, 8, 16):
        raise UnreadableFile(
            f"{name} declares {frames} frames of {rows} x {columns} pixels of {bits} bits, expected 1, 8 or 16; it is "
            "damaged"
        )
    if count(header, "SamplesPerPixel", 1) != 1:
        raise UnreadableFile(f"{name} holds colours, expected segments")
    items = header.get("SegmentSequence") or ()
    if not items:
        raise UnreadableFile(f"{name} describes no segment; export it again")
    if len(items) > MOST + 1:  # a label map may describe its background
        raise InputError(f"{name} describes {len(items)} segments, a label image has {MOST} numbers; split it")
    declared, present = math.ceil(rows * columns * frames * bits / 8), found.file.stat().st_size
    syntax = UID(text(header.file_meta, "TransferSyntaxUID"))
    try:
        is_decodable = get_decoder(syntax).is_available
    except NotImplementedError:
        is_decodable = False
    if not is_decodable:
        known = syntax.name if syntax.is_transfer_syntax else "an unknown transfer syntax"
        raise UnreadableFile(f"{name} is stored as {known}, which cannot be decoded here; convert it first")
    if not syntax.is_compressed and declared > present:
        raise UnreadableFile(
            f"{name} is truncated: {in_words(present)}, expected at least {in_words(declared)} of pixels; copy it again"
        )
    if syntax.is_compressed and declared > max(HARMLESS_BYTES, LARGEST_RATIO * present):
        raise UnreadableFile(
            f"{name} declares {in_words(declared)} of pixels in a file of {in_words(present)}; it is damaged or made "
            "to do harm"
        )
    require_memory(name, present + 16 * rows * columns)


def _opened(found: LabelFile) -> Any:
    import highdicom

    return highdicom.seg.segread(found.file)


def _names(header: Dataset) -> dict[int, str]:
    """By segment number; 0 is the background of a label map."""
    numbered = [(count(item, "SegmentNumber"), text(item, "SegmentLabel")) for item in header.SegmentSequence]
    return {one: name or f"segment {one}" for one, name in numbered if one}


def _frames(header: Dataset, name: str) -> Iterator[_Frame]:
    shared = header.SharedFunctionalGroupsSequence[0]
    for index, own in enumerate(header.PerFrameFunctionalGroupsSequence):
        place = _item(own, shared, "PlanePositionSequence")
        turn = _item(own, shared, "PlaneOrientationSequence")
        sizes = _item(own, shared, "PixelMeasuresSequence")
        position = vector(place, "ImagePositionPatient", 3)
        orientation = vector(turn, "ImageOrientationPatient", 6)
        spacing = vector(sizes, "PixelSpacing", 2)
        if position is None or orientation is None or spacing is None:
            raise UnreadableFile(f"{name}: frame {index + 1} has no place in the patient; labels need one")
        affine = np.eye(4)
        affine[2::-1, 0] = np.array(orientation[3:]) * spacing[0]
        affine[2::-1, 1] = np.array(orientation[:3]) * spacing[1]
        affine[2::-1, 3] = position
        if not np.isfinite(affine).all() or min(spacing) <= 0:
            raise UnreadableFile(f"{name}: the place of frame {index + 1} cannot be read; export it again")
        segment = _item(own, shared, "SegmentIdentificationSequence")
        yield _Frame(index, affine, count(segment, "ReferencedSegmentNumber"))


def _item(own: Dataset, shared: Dataset, keyword: str) -> Dataset:
    """The functional group of a frame, its own or that of all."""
    for groups in (own, shared):
        sequence = groups.get(keyword)
        if sequence:
            item: Dataset = sequence[0]
            return item
    return Dataset()


# -- onto a grid ----------------------------------------------------------------------


def _grid(found: LabelFile, segmentation: Any, like: Volume | Grid | None) -> tuple[Grid, Source, list[str]]:
    name = found.file.name
    if isinstance(like, Grid):
        return like, Source(name=name), []
    if like is not None:
        return like.grid, like.source, list(require_same_frame(found, found.frames, like))
    geometry = segmentation.get_volume_geometry(atol=REGULAR_MM)
    if geometry is None:
        raise GridMismatch(
            f"the frames of {name} are not evenly spaced, so that they have no grid of their own; give the volume that "
            "it was made on with like="
        )
    affine = np.array(geometry.affine) @ np.eye(4)[[2, 1, 0, 3]]  # (slice, row, column) to (column, row, slice)
    slices, rows, columns = geometry.spatial_shape
    empty = np.broadcast_to(np.uint8(0), (columns, rows, slices))
    _, grid, source = canonical(
        empty, affine, format=SourceFormat.DICOM, name=name, series=pseudonym(text(found.header, "SeriesInstanceUID"))
    )
    return grid, source, _doubtful_spacing(segmentation, float(geometry.spacing[0]), name)


def _doubtful_spacing(segmentation: Any, step_mm: float, name: str) -> list[str]:
    """Where only some slices have frames, their distance is all there is to tell the spacing by."""
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    sizes = _item(segmentation.PerFrameFunctionalGroupsSequence[0], shared, "PixelMeasuresSequence")
    thickness = number(sizes, "SliceThickness")
    if number(sizes, "SpacingBetweenSlices") is not None or not thickness or step_mm < 1.5 * thickness:
        return []
    return [
        f"the frames of {name} lie {step_mm:.2f} mm apart and are {thickness:.2f} mm thick: if slices without labels "
        "were left out, the spacing is wrong; give the volume that it was made on with like="
    ]


def _regions(
    segmentation: Any,
    frames: list[_Frame],
    picked: set[int],
    names: Mapping[int, str],
    grid: Grid,
    warnings: list[str],
    name: str,
) -> list[Region]:
    kind = text(segmentation, "SegmentationType")
    half = HALF * (number(segmentation, "MaximumFractionalValue") or 255.0)
    if kind == "FRACTIONAL":
        warnings.append(f"{name} is fractional; what fills a pixel by half or more was taken for all of it")
    places: dict[int, list[Flat]] = {}
    outside = 0
    for frame in frames:
        stored = segmentation.get_stored_frame(frame.index + 1)
        marked = stored >= half if kind == "FRACTIONAL" else stored > 0
        at, lost = _flat(frame, marked, grid, name)
        numbers = stored[marked][~lost] if kind == "LABELMAP" else np.full(len(at), frame.segment)
        outside += int(lost.sum())
        for one in np.unique(numbers):
            if int(one) in picked:
                places.setdefault(int(one), []).append(at[numbers == one])
            elif int(one) not in names:
                raise UnreadableFile(f"{name} marks segment {one}, which it does not describe; export it again")
    if outside:
        if not places:
            raise GridMismatch(f"{name} marks nothing inside of {grid}; give the volume that it was made on")
        warnings.append(f"{name} reaches beyond the volume: {outside} of its marked pixels were cut off")
    return [Region(one, names[one], np.unique(np.concatenate(places[one]))) for one in sorted(places)]


def _flat(frame: _Frame, marked: npt.NDArray[np.bool_], grid: Grid, name: str) -> tuple[Flat, npt.NDArray[np.bool_]]:
    """Flat indices of the marked pixels that lie on the grid, and which of them do not.

    Raises
    ------
    GridMismatch
        If pixels of the frame are no voxels of the grid.
    """
    rows, columns = marked.shape
    ends = np.array([(row, column, 0, 1) for row in (0, rows - 1) for column in (0, columns - 1)], dtype=np.float64)
    corners = grid.to_index((ends @ frame.affine.T)[:, :3])
    ahead = np.array([(1, 0, 0, 1), (0, 1, 0, 1)]) @ frame.affine.T
    steps = grid.to_index(ahead[:, :3]) - corners[0]
    whole, first = np.round(steps), np.round(corners[0])
    at_corners = first + ends[:, :2] @ whole
    is_same = np.abs(whole).sum(axis=1).tolist() == [1, 1] and np.abs(at_corners - corners).max() <= SAME_VOXEL
    if not is_same:
        raise GridMismatch(
            f"the pixels of {name} are not the voxels of {grid}: frame {frame.index + 1} lies "
            f"{np.abs(at_corners - corners).max():.2f} voxels off; read it without like= and resample the labels"
        )
    index = (first + np.argwhere(marked) @ whole).astype(np.int64)
    is_lost = ((index < 0) | (index >= grid.shape)).any(axis=1)
    inside = index[~is_lost]
    return np.asarray(np.ravel_multi_index(tuple(inside.T), grid.shape), np.int64), is_lost
