"""The images that an export refers to, and the order in which it keeps its frames: theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread

from grisaille.core.errors import GridMismatch, InputError, UnreadableFile
from grisaille.core.run import Run
from grisaille.core.volume import SourceFormat, Volume
from grisaille.io.axes import to_source
from grisaille.io.dicom.tags import DAMAGE, count, quiet, vector
from grisaille.io.export.identity import StandIns, prepared
from grisaille.io.export.whose import Identity

_SLACK_MM = 0.06
"""Beside 2 % of the spacing: how far slices of a series that counts as regular may lie from even places."""

Places = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sources:
    """The images of one DICOM series, in the order of their places, as an export may know them.

    Parameters
    ----------
    volume
        What was read of them.
    images
        One a slice, or a single multi-frame one.
    identity
        What they still say of the patient.
    stand_ins
        Of the study, where they are under other UIDs; else None.
    frames
        Number of the frame, from 0, of each slice of the volume along the file's third axis.
    """

    volume: Volume
    images: tuple[Dataset, ...] = field(repr=False)
    identity: Identity
    stand_ins: StandIns | None
    frames: npt.NDArray[np.int_]

    @property
    def is_multi_frame(self) -> bool:
        """Whether one image holds all frames."""
        return "NumberOfFrames" in self.images[0]

    @property
    def frame_count(self) -> int:
        """Frames of all the images."""
        return int(self.images[0].NumberOfFrames) if self.is_multi_frame else len(self.images)

    def laid_out(self, voxels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(frame, row, column) in the source's order, of (z, y, x) voxels on the volume's grid; 0 where it has none."""
        array, _ = to_source(voxels, self.volume.grid, self.volume.source)
        laid = np.zeros((self.frame_count, array.shape[1], array.shape[0]), voxels.dtype)
        laid[self.frames] = array.transpose(2, 1, 0)
        return laid

    def tracking_uid(self, uid: str) -> str:
        """The id under which a finding is followed: its own, or another where nobody is to know it."""
        return self.stand_ins.uid(uid) if self.stand_ins is not None else uid


def read_sources(volume: Volume, identity: Identity, run: Run) -> Sources:
    """The headers of the images that a volume was read from.

    Raises
    ------
    InputError
        If it is not from DICOM, or its files are gone.
    GridMismatch
        If its voxels no longer lie where the files have theirs.
    """
    name = volume.name or f"the {volume.modality.value}"
    files = volume.source.files
    if volume.source.format is not SourceFormat.DICOM or not files:
        raise InputError(
            f"{name} was not read from a DICOM series, so a DICOM export has no images to refer to; give the DICOM "
            "series that the labels lie on, or write NIfTI or NRRD"
        )
    headers = [_header(file) for file in run.track(files, "reading the source's headers")]
    is_multi = any(count(header, "NumberOfFrames", 1) > 1 for header in headers)
    if is_multi and len(headers) > 1:
        raise InputError(
            f"{name} lies in {len(headers)} multi-frame images, expected one; no DICOM export is made of several: "
            "write NIfTI or NRRD instead"
        )
    places = _frame_places(headers[0], files[0]) if is_multi else _slice_places(headers, files)
    frames = _matched(volume, places, name)
    if is_multi and len(np.unique(np.round(places[:, 0], 3), axis=0)) < len(places):
        raise InputError(
            f"{name} is one of several phases or time frames in one multi-frame image, of which no DICOM export can "
            "name the right ones; write NIfTI or NRRD instead"
        )
    if not is_multi and not np.array_equal(frames, np.arange(len(files))):
        raise GridMismatch(_moved(name))
    images = tuple(prepared(header, identity, file.name) for header, file in zip(headers, files, strict=True))
    if len({image.SOPInstanceUID for image in images}) < len(images):
        raise InputError(
            f"images of {name} share one SOPInstanceUID (0008,0018), by which an export refers to each; write NIfTI or "
            "NRRD instead, or export the series again from where it came"
        )
    key = headers[0].StudyInstanceUID
    return Sources(volume, images, identity, StandIns(key) if identity is Identity.DEIDENTIFIED else None, frames)


def _header(file: Path) -> Dataset:
    try:
        with quiet():
            return dcmread(file, stop_before_pixels=True, force=True)
    except FileNotFoundError:
        raise InputError(f"{file.name} is no longer where it was read from; open the series again") from None
    except DAMAGE as error:
        raise UnreadableFile(
            f"{file.name} cannot be read again ({type(error).__name__}); open the series again"
        ) from None


def _slice_places(headers: Sequence[Dataset], files: Sequence[Path]) -> Places:
    return np.stack(
        [_corners(header, header, header, header, file) for header, file in zip(headers, files, strict=True)]
    )


def _frame_places(header: Dataset, file: Path) -> Places:
    """Of each frame of a multi-frame image; what all frames share stands once."""
    try:
        shared = header.SharedFunctionalGroupsSequence[0]
        return np.stack(
            [
                _corners(
                    header,
                    _group(frame, shared, "PlanePositionSequence"),
                    _group(frame, shared, "PlaneOrientationSequence"),
                    _group(frame, shared, "PixelMeasuresSequence"),
                    file,
                )
                for frame in header.PerFrameFunctionalGroupsSequence
            ]
        )
    except DAMAGE as error:
        raise UnreadableFile(f"{file.name}: its frames have no place ({type(error).__name__})") from None


def _group(frame: Dataset, shared: Dataset, keyword: str) -> Dataset:
    found: Dataset = (frame if keyword in frame else shared)[keyword].value[0]
    return found


def _corners(image: Dataset, position: Dataset, orientation: Dataset, measures: Dataset, file: Path) -> Places:
    """(2, 3) LPS millimetres (x, y, z) of the first and the last pixel's centre."""
    with quiet():
        at = vector(position, "ImagePositionPatient", 3)
        along = vector(orientation, "ImageOrientationPatient", 6)
        between = vector(measures, "PixelSpacing", 2)
        rows, columns = count(image, "Rows"), count(image, "Columns")
    if at is None or along is None or between is None:
        raise UnreadableFile(f"{file.name} no longer says where it lies; open the series again")
    first = np.array(at)
    last = first + np.array(along[:3]) * between[1] * (columns - 1) + np.array(along[3:]) * between[0] * (rows - 1)
    return np.stack([first, last])


def _matched(volume: Volume, places: Places, name: str) -> npt.NDArray[np.int_]:
    """The number of the frame that lies where each slice of the volume does."""
    empty = np.broadcast_to(np.uint8(0), volume.grid.shape)
    array, affine = to_source(empty, volume.grid, volume.source)
    columns, rows, slices = array.shape
    ends = np.array([[[0, 0, k, 1], [columns - 1, rows - 1, k, 1]] for k in range(slices)], dtype=np.float64)
    wanted = (ends @ affine.T)[..., :3]
    tolerance_mm = 0.02 * float(np.linalg.norm(affine[:3, 2])) + _SLACK_MM
    frames = np.empty(slices, dtype=np.int_)
    for k, corners in enumerate(wanted):
        apart = np.abs(places - corners).max(axis=(1, 2))
        frames[k] = int(apart.argmin())
        if apart[frames[k]] > tolerance_mm:
            raise GridMismatch(_moved(name))
    if len(np.unique(frames)) != slices:
        raise GridMismatch(_moved(name))
    return frames


def _moved(name: str) -> str:
    return (
        f"the voxels of {name} do not lie where the images of its series do (it was resampled on the way in, or its "
        "files changed), so no frame of an export would fit its image; write NIfTI or NRRD instead"
    )
