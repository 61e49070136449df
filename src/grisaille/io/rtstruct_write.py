"""Labels to RTSTRUCT: closed planar contours on the slices of the DICOM series that they were made on."""

from __future__ import annotations

import colorsys
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, FileDataset, Sequence, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

import grisaille
from grisaille.core.errors import GridMismatch, GrisailleError, OutputError
from grisaille.core.labels import Labels
from grisaille.core.result import RESEARCH_USE
from grisaille.core.safe_write import replacing
from grisaille.core.volume import Volume
from grisaille.imaging.polygons import traced
from grisaille.io.dicom_labels import label_file
from grisaille.io.dicom_tags import DAMAGE, quiet, text
from grisaille.io.image import path_of
from grisaille.io.pseudonym import pseudonym
from grisaille.io.rtstruct_read import read_rtstruct

STUDY = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management: retired, and still what an RTSTRUCT refers to its study by (PS3.3 C.8.8.5)."""

_OF_THE_PATIENT = (
    "AccessionNumber", "PatientBirthDate", "PatientID", "PatientName", "PatientSex", "ReferringPhysicianName",
    "StudyDate", "StudyID", "StudyTime",
)  # fmt: skip
"""Type 2: present in every file, empty where the patient is not named."""
_NEEDED = [*_OF_THE_PATIENT, "FrameOfReferenceUID", "PositionReferenceIndicator", "SeriesInstanceUID",
           "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID"]  # fmt: skip
_LONGEST_NAME = 64
_GOLDEN = 0.618
"""Turns of hue between neighbouring numbers, after which no two are near to one another."""


class RoiOrigin(StrEnum):
    """Who drew the regions: ROIGenerationAlgorithm (3006,0036)."""

    AUTOMATIC = "AUTOMATIC"
    SEMIAUTOMATIC = "SEMIAUTOMATIC"
    MANUAL = "MANUAL"


@dataclass(frozen=True)
class _Image:
    """One image of the series, by its UIDs."""

    sop_class: str
    sop_uid: str


def write_rtstruct(
    labels: Labels,
    volume: Volume,
    path: str | os.PathLike[str],
    *,
    identified: bool,
    origin: RoiOrigin = RoiOrigin.AUTOMATIC,
    description: str = "grisaille labels",
) -> None:
    """Write labels as an RTSTRUCT of the series that they were made on; one ROI a label.

    Contours run half-way between the pixel centres inside and outside, a hole is joined to its rim by a
    keyhole, so that whoever fills them by pixel centres gets the labels again. The file is read back and
    compared before it takes its name.

    Parameters
    ----------
    volume
        Read from DICOM, on the grid of the labels: its images are referred to, and say whose they are.
    identified
        Whether the patient's name, number, dates and so on are copied from the images. Without, the patient
        is a pseudonym; the UIDs of study, frame and images stay, for without them nothing fits together.
    origin
        Who drew the labels.
    description
        Of the series; ``(research)`` is added.

    Raises
    ------
    GridMismatch
        If the labels do not lie on the volume's grid.
    OutputError
        If there is nothing to write, the volume has no DICOM images, or the file cannot be written whole.
    """
    file = path_of(path)
    if not labels.grid.is_close(volume.grid):
        raise GridMismatch(f"the labels lie on {labels.grid}, the volume on {volume.grid}; resample them first")
    if not labels.ids:
        raise OutputError(f"nothing to export to {file.name}: no voxel has a label")
    headers = _headers(volume, file.name)
    structures = _described(headers[0], identified, f"{description} (research)", origin)
    _refer(structures, headers)
    _draw(structures, labels, volume, headers, origin)
    with replacing(file) as temporary:
        with quiet():
            structures.save_as(temporary, enforce_file_format=True)
        _require_written(temporary, labels, volume, file.name)


def _headers(volume: Volume, name: str) -> list[Dataset]:
    """The images in the order of the file's third axis."""
    if not volume.source.files:
        raise OutputError(
            f"{name} cannot be written: an RTSTRUCT refers to DICOM images, and {volume.name or 'the volume'} was not "
            "read from any or was resampled since; write NIfTI or NRRD, or give the DICOM series"
        )
    headers: list[Dataset] = []
    for one in dict.fromkeys(volume.source.files):
        try:
            with quiet():
                header = dcmread(one, stop_before_pixels=True, force=True, specific_tags=_NEEDED)
                if not (text(header, "SOPClassUID") and text(header, "SOPInstanceUID")):
                    raise ValueError
        except DAMAGE as error:
            raise OutputError(
                f"{name} cannot be written: {one.name}, an image of {volume.name}, cannot be read any more or has no "
                f"UID ({type(error).__name__}); put it back"
            ) from None
        headers.append(header)
    missing = [
        key for key in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID") if not text(headers[0], key)
    ]
    if missing:
        raise OutputError(
            f"{name} cannot be written: the images of {volume.name} have no {' and no '.join(missing)}, which an "
            "RTSTRUCT refers to; write NIfTI or NRRD"
        )
    return headers


# -- what it says of itself -----------------------------------------------------------


def _described(first: Dataset, identified: bool, description: str, origin: RoiOrigin) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = RTStructureSetStorage, generate_uid(prefix=None)
    meta.TransferSyntaxUID = ImplicitVRLittleEndian  # explicit VR has no room for contours over 64 kB
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    with quiet():
        for keyword in _OF_THE_PATIENT:
            setattr(made, keyword, text(first, keyword) if identified else "")
    made.PatientIdentityRemoved = "NO" if identified else "YES"
    if not identified:
        made.PatientID = pseudonym(text(first, "PatientID") or text(first, "PatientName"))
        made.DeidentificationMethod = "patient and dates left out, UIDs kept"
    now = datetime.now()
    made.InstanceCreationDate = made.SeriesDate = made.StructureSetDate = now.strftime("%Y%m%d")
    made.InstanceCreationTime = made.SeriesTime = made.StructureSetTime = now.strftime("%H%M%S")
    made.Modality, made.Manufacturer, made.ManufacturerModelName = "RTSTRUCT", "grisaille", "grisaille"
    made.SoftwareVersions = grisaille.__version__
    made.SeriesDescription, made.OperatorsName = description[:_LONGEST_NAME], ""
    made.StudyInstanceUID, made.SeriesInstanceUID = text(first, "StudyInstanceUID"), generate_uid(prefix=None)
    made.SeriesNumber, made.InstanceNumber = "1", "1"
    made.FrameOfReferenceUID = text(first, "FrameOfReferenceUID")
    made.PositionReferenceIndicator = text(first, "PositionReferenceIndicator")
    made.StructureSetLabel, made.StructureSetName = "RESEARCH", description[:_LONGEST_NAME]
    made.StructureSetDescription = f"{RESEARCH_USE} Drawn: {origin.value.lower()}."
    made.ApprovalStatus = "UNAPPROVED"
    return made


def _refer(structures: Dataset, headers: list[Dataset]) -> None:
    """The frame of reference, its study, series and images."""
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = text(headers[0], "SeriesInstanceUID")
    series.ContourImageSequence = Sequence([_reference(header) for header in headers])
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = STUDY, structures.StudyInstanceUID
    study.RTReferencedSeriesSequence = Sequence([series])
    frame.FrameOfReferenceUID = structures.FrameOfReferenceUID
    frame.RTReferencedStudySequence = Sequence([study])
    structures.ReferencedFrameOfReferenceSequence = Sequence([frame])


def _reference(header: Dataset) -> Dataset:
    image = Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = (
        text(header, "SOPClassUID"),
        text(header, "SOPInstanceUID"),
    )
    return image


# -- what it draws --------------------------------------------------------------------


def _draw(structures: Dataset, labels: Labels, volume: Volume, headers: list[Dataset], origin: RoiOrigin) -> None:
    rois, drawn, observed = [], [], []
    for order, label in enumerate(labels.ids, start=1):
        roi, contours, observation = Dataset(), Dataset(), Dataset()
        roi.ROINumber = contours.ReferencedROINumber = observation.ReferencedROINumber = label
        roi.ReferencedFrameOfReferenceUID = structures.FrameOfReferenceUID
        roi.ROIName = labels.names.get(label, f"label {label}").replace("\\", "/")[:_LONGEST_NAME]
        roi.ROIGenerationAlgorithm = origin.value
        contours.ROIDisplayColor = [round(255 * part) for part in colorsys.hsv_to_rgb(label * _GOLDEN % 1, 0.8, 1.0)]
        contours.ContourSequence = Sequence(list(_contours(labels.voxels == label, volume, headers)))
        observation.ObservationNumber, observation.RTROIInterpretedType, observation.ROIInterpreter = order, "", ""
        rois.append(roi)
        drawn.append(contours)
        observed.append(observation)
    structures.StructureSetROISequence = Sequence(rois)
    structures.ROIContourSequence = Sequence(drawn)
    structures.RTROIObservationsSequence = Sequence(observed)


def _contours(mask: npt.NDArray[np.bool_], volume: Volume, headers: list[Dataset]) -> Iterator[Dataset]:
    """Contours on each slice of the series, in the order of the series."""
    source = volume.source
    axis = source.order.index(2)
    across = [other for other in range(3) if other != axis]
    count = volume.grid.shape[axis]
    number = 0
    for image in range(count):
        index = count - 1 - image if source.flipped[axis] else image
        plane = np.moveaxis(mask, axis, 0)[index]
        for loop in traced(plane) if plane.any() else ():
            points = np.full((len(loop), 3), float(index))
            points[:, across] = loop
            number += 1
            contour = Dataset()
            if len(headers) == count:  # a multi-frame image is named once, for all its frames
                contour.ContourImageSequence = Sequence([_reference(headers[image])])
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints, contour.ContourNumber = len(points), number
            _put_points(contour, volume.grid.to_mm(points)[:, ::-1])
            yield contour


def _put_points(contour: Dataset, points_mm: npt.NDArray[np.float64]) -> None:
    """To a millionth of a millimetre, as bytes: pydicom makes an object of every number otherwise."""
    written = "\\".join(f"{value:.6f}".rstrip("0").rstrip(".") for value in points_mm.ravel()).encode()
    written += b" " * (len(written) % 2)
    tag = Tag("ContourData")
    contour[tag] = RawDataElement(tag, "DS", len(written), written, 0, True, True)


def _require_written(temporary: Path, labels: Labels, volume: Volume, name: str) -> None:
    """Raise ``OutputError`` unless what is read back is what was to be written."""
    sentence = f"{name} was not written whole: what was read back differs; check that the disk has room and is sound"
    back = label_file(temporary)
    try:
        is_same = back is not None and np.array_equal(read_rtstruct(back, volume).voxels, labels.voxels)
    except GrisailleError as error:
        raise OutputError(sentence) from error
    if not is_same:
        raise OutputError(sentence)
