"""Labels to RTSTRUCT: closed planar contours on the slices of the DICOM series that they were made on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, FileDataset, Sequence
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

import grisaille
from grisaille.core.errors import GridMismatch, OutputError
from grisaille.core.labels import Labels
from grisaille.core.result import RESEARCH_USE
from grisaille.imaging.polygons import traced
from grisaille.io.dicom.label_files import label_file
from grisaille.io.dicom.rtstruct_read import read_rtstruct
from grisaille.io.export.identity import finish
from grisaille.io.export.objects import MANUFACTURER, MODEL, SERIES, save_whole
from grisaille.io.export.seg import colour
from grisaille.io.export.sources import Sources
from grisaille.io.export.whose import Identity
from grisaille.io.image import path_of

STUDY = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management: retired, and still what an RTSTRUCT refers to its study by (PS3.3 C.8.8.5)."""

_OF_THE_STUDY = (
    "AccessionNumber", "DeidentificationMethod", "DeidentificationMethodCodeSequence", "FrameOfReferenceUID",
    "LongitudinalTemporalInformationModified", "PatientBirthDate", "PatientID", "PatientIdentityRemoved",
    "PatientName", "PatientSex", "PositionReferenceIndicator", "ReferringPhysicianName", "SpecificCharacterSet",
    "StudyDate", "StudyID", "StudyInstanceUID", "StudyTime",
)  # fmt: skip
_LONGEST_NAME = 64


class RoiOrigin(StrEnum):
    """Who drew the regions: ROIGenerationAlgorithm (3006,0036)."""

    AUTOMATIC = "AUTOMATIC"
    SEMIAUTOMATIC = "SEMIAUTOMATIC"
    MANUAL = "MANUAL"


def write_rtstruct(
    labels: Labels,
    images: Sources,
    path: str | os.PathLike[str],
    *,
    origin: RoiOrigin | Mapping[int, RoiOrigin] = RoiOrigin.AUTOMATIC,
    description: str = "grisaille labels",
) -> None:
    """Write labels as an RTSTRUCT of the images that they lie on.

    Contours run half-way between the pixel centres inside and outside, a hole is joined to its rim by a
    keyhole, so that whoever fills them by pixel centres gets the labels again. The file is read back and
    compared before it takes its name.

    Parameters
    ----------
    origin
        Who drew the labels, or each of them by its number.
    description
        Of the series; ``(research)`` is added.

    Raises
    ------
    GridMismatch
        If the labels do not lie on the grid of the images.
    OutputError
        If there is nothing to write or the file cannot be written whole.
    """
    file, grid = path_of(path), images.volume.grid
    if not labels.grid.is_close(grid):
        raise GridMismatch(f"the labels lie on {labels.grid}, the images on {grid}; resample the labels first")
    if not labels.ids:
        raise OutputError(f"nothing to export to {file.name}: no voxel has a label")
    origins = dict.fromkeys(labels.ids, origin) if isinstance(origin, RoiOrigin) else origin
    structures = _described(images, f"{description} (research)")
    _refer(structures, images)
    _draw(structures, labels, images, origins)
    save_whole(structures, file, lambda written: _holds(written, labels))


# -- what it says of itself -----------------------------------------------------------


def _described(images: Sources, description: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = RTStructureSetStorage, generate_uid(prefix=None)
    meta.TransferSyntaxUID = ImplicitVRLittleEndian  # explicit VR has no room for contours over 64 kB
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    for keyword in _OF_THE_STUDY:
        if keyword in images.images[0]:
            made.add(images.images[0][keyword])
    for keyword in ("OperatorsName", "PositionReferenceIndicator", "ReferringPhysicianName", "StructureSetDate",
                    "StructureSetTime"):  # fmt: skip
        made.setdefault(keyword, "")
    now = datetime.now()
    made.InstanceCreationDate = made.SeriesDate = now.strftime("%Y%m%d")
    made.InstanceCreationTime = made.SeriesTime = now.strftime("%H%M%S")
    if images.identity is Identity.IDENTIFIED:
        made.StructureSetDate, made.StructureSetTime = made.SeriesDate, made.SeriesTime
    made.Modality, made.Manufacturer, made.ManufacturerModelName = "RTSTRUCT", MANUFACTURER, MODEL
    made.SoftwareVersions = grisaille.__version__
    made.SeriesDescription = made.StructureSetName = description[:_LONGEST_NAME]
    made.SeriesInstanceUID, made.SeriesNumber, made.InstanceNumber = generate_uid(prefix=None), SERIES["rtstruct"], 1
    made.StructureSetLabel, made.ApprovalStatus = "RESEARCH", "UNAPPROVED"
    made.StructureSetDescription = RESEARCH_USE
    finish(made, images.identity)
    return made


def _refer(structures: Dataset, images: Sources) -> None:
    """The frame of reference, its study, series and images."""
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = images.images[0].SeriesInstanceUID
    series.ContourImageSequence = Sequence([_reference(image) for image in images.images])
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = STUDY, structures.StudyInstanceUID
    study.RTReferencedSeriesSequence = Sequence([series])
    frame.FrameOfReferenceUID = structures.FrameOfReferenceUID
    frame.RTReferencedStudySequence = Sequence([study])
    structures.ReferencedFrameOfReferenceSequence = Sequence([frame])


def _reference(image: Dataset, frame: int | None = None) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    if frame is not None:
        made.ReferencedFrameNumber = frame
    return made


# -- what it draws --------------------------------------------------------------------


def _draw(structures: Dataset, labels: Labels, images: Sources, origins: Mapping[int, RoiOrigin]) -> None:
    rois, drawn, observed = [], [], []
    for order, label in enumerate(labels.ids, start=1):
        roi, contours, observation = Dataset(), Dataset(), Dataset()
        roi.ROINumber = contours.ReferencedROINumber = observation.ReferencedROINumber = label
        roi.ReferencedFrameOfReferenceUID = structures.FrameOfReferenceUID
        roi.ROIName = labels.names.get(label, f"label {label}").replace("\\", "/")[:_LONGEST_NAME]
        roi.ROIGenerationAlgorithm = origins[label].value
        contours.ROIDisplayColor = list(colour(label))
        contours.ContourSequence = Sequence(list(_contours(labels.voxels == label, images)))
        observation.ObservationNumber, observation.RTROIInterpretedType, observation.ROIInterpreter = order, "", ""
        rois.append(roi)
        drawn.append(contours)
        observed.append(observation)
    structures.StructureSetROISequence = Sequence(rois)
    structures.ROIContourSequence = Sequence(drawn)
    structures.RTROIObservationsSequence = Sequence(observed)


def _contours(mask: npt.NDArray[np.bool_], images: Sources) -> Iterator[Dataset]:
    """Contours on each slice, in the order of the series."""
    grid, source = images.volume.grid, images.volume.source
    axis = source.order.index(2)
    across = [other for other in range(3) if other != axis]
    number = 0
    for slice_number, frame in enumerate(images.frames.tolist()):
        index = grid.shape[axis] - 1 - slice_number if source.flipped[axis] else slice_number
        plane = np.moveaxis(mask, axis, 0)[index]
        for loop in traced(plane) if plane.any() else ():
            points = np.full((len(loop), 3), float(index))
            points[:, across] = loop
            number += 1
            contour = Dataset()
            of = _reference(images.images[0], frame + 1) if images.is_multi_frame else _reference(images.images[frame])
            contour.ContourImageSequence = Sequence([of])
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints, contour.ContourNumber = len(points), number
            _put_points(contour, grid.to_mm(points)[:, ::-1])
            yield contour


def _put_points(contour: Dataset, points_mm: npt.NDArray[np.float64]) -> None:
    """To a millionth of a millimetre, as bytes: pydicom makes an object of every number otherwise."""
    written = "\\".join(f"{value:.6f}".rstrip("0").rstrip(".") for value in points_mm.ravel()).encode()
    written += b" " * (len(written) % 2)
    tag = Tag("ContourData")
    contour[tag] = RawDataElement(tag, "DS", len(written), written, 0, True, True)


def _holds(path: Path, labels: Labels) -> bool:
    """Whether what is read back is what was to be written."""
    back = label_file(path)
    return back is not None and np.array_equal(read_rtstruct(back, labels.grid).voxels, labels.voxels)
