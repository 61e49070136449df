"""Small DICOM SEG and RTSTRUCT, sound and otherwise."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, FileDataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage

from dicom_builder import ROOT

FRAME, SERIES = f"{ROOT}.8", f"{ROOT}.1.1"
"""FrameOfReferenceUID and SeriesInstanceUID of the CT that ``dicom_builder`` writes."""


def write_seg(
    path: Path,
    images: Sequence[Path],
    pixels: np.ndarray,
    names: Mapping[int, str],
    kind: str = "BINARY",
    change: Callable[[Dataset], None] | None = None,
    **options: Any,
) -> Path:
    """A SEG by highdicom; ``pixels`` (slice, row, column) of numbers, or with a last axis of segments."""
    from highdicom import UID
    from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentDescription
    from highdicom.sr.coding import CodedConcept

    category = CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure")
    neoplasm = CodedConcept("108369006", "SCT", "Neoplasm")
    segments = [
        SegmentDescription(number, name, category, neoplasm, SegmentAlgorithmTypeValues.MANUAL)
        for number, name in names.items()
    ]
    sources = [dcmread(image) for image in images]
    for source in sources:
        source.StudyDate = source.StudyTime = source.AccessionNumber = source.StudyID = ""
        source.PatientSex, source.ReferringPhysicianName = "O", ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Segmentation(
            sources, pixels, kind, segments, UID(), 1, UID(), 1, "nobody", "nothing", "1", "1", **options
        )
        if change is not None:
            change(made)
        made.save_as(path)
    return path


def write_contours(
    path: Path,
    rois: Mapping[str, Sequence[Sequence[tuple[float, float, float]]]],
    *,
    frame: str = FRAME,
    series: str = SERIES,
    change: Callable[[Dataset], None] | None = None,
) -> Path:
    """An RTSTRUCT whose ROIs are closed contours of points (x, y, z) in mm, numbered from 1."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = RTStructureSetStorage, f"{ROOT}.77"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    plan = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    plan.SOPClassUID, plan.SOPInstanceUID, plan.Modality = RTStructureSetStorage, f"{ROOT}.77", "RTSTRUCT"
    plan.PatientName = "SMITH^JOHN"
    plan.ReferencedFrameOfReferenceSequence = Items(
        [_of(FrameOfReferenceUID=frame, RTReferencedStudySequence=Items([_of(
            RTReferencedSeriesSequence=Items([_of(SeriesInstanceUID=series)]))]))]
    )  # fmt: skip
    plan.StructureSetROISequence = Items(
        _of(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=frame)
        for number, name in enumerate(rois, start=1)
    )
    plan.ROIContourSequence = Items(
        _of(ReferencedROINumber=number, ContourSequence=Items(contour_of(points) for points in contours))
        for number, contours in enumerate(rois.values(), start=1)
    )
    if change is not None:
        change(plan)
    plan.save_as(path, enforce_file_format=True)
    return path


def contour_of(points: Sequence[tuple[float, float, float]], kind: str = "CLOSED_PLANAR") -> Dataset:
    """One contour."""
    flat = [f"{value:.6f}" for point in points for value in point]
    return _of(ContourGeometricType=kind, NumberOfContourPoints=len(points), ContourData=flat)


def _of(**tags: Any) -> Dataset:
    item = Dataset()
    for keyword, value in tags.items():
        setattr(item, keyword, value)
    return item
