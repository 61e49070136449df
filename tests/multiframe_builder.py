"""Small multi-frame DICOM images: enhanced ones by hand, legacy-converted ones by highdicom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, FileDataset, Sequence, dcmread
from pydicom.uid import EnhancedCTImageStorage, EnhancedMRImageStorage, EnhancedPETImageStorage

from dicom_builder import (
    BETWEEN_COLUMNS_MM,
    BETWEEN_ROWS_MM,
    BETWEEN_SLICES_MM,
    COLUMNS,
    ORIGIN_MM,
    ROWS,
    build_image,
    put,
    save,
    stored,
    write_series,
)

_CLASSES = {"CT": EnhancedCTImageStorage, "PT": EnhancedPETImageStorage, "MR": EnhancedMRImageStorage}
_OF_SINGLE_FRAMES = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope",
    "RescaleIntercept", "AcquisitionDate", "AcquisitionTime", "InstanceNumber", "Units", "DecayCorrection",
    "CorrectedImage", "SeriesType",
)  # fmt: skip

Change = Callable[[Dataset, int], None]


def build_enhanced(modality: str = "CT", *, count: int = 5, change: Change | None = None, **tags: Any) -> FileDataset:
    """An enhanced image of ``count`` frames with the pixels and places of ``write_series``.

    ``change`` does what it likes to the functional groups of each frame.
    """
    image = build_image(modality)
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = _CLASSES[modality]
    put(image, **dict.fromkeys(_OF_SINGLE_FRAMES))
    image.NumberOfFrames = count
    image.PixelData = b"".join(stored(k).tobytes() for k in range(count))
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [BETWEEN_ROWS_MM, BETWEEN_COLUMNS_MM], 5.0
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    image.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for k in range(count):
        frames.append(_frame(modality, k))
        if change is not None:
            change(frames[-1], k)
    image.PerFrameFunctionalGroupsSequence = Sequence(frames)
    if modality == "PT":
        image.DecayCorrected = image.AttenuationCorrected = image.ScatterCorrected = "YES"
        image.DecayCorrectionDateTime = "20250101110000"
    put(image, **tags)
    return image


def write_enhanced(file: Path, modality: str = "CT", **options: Any) -> Path:
    """``build_enhanced``, written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    return save(build_enhanced(modality, **options), file)


def write_converted(file: Path, modality: str = "CT", **options: Any) -> Path:
    """The series of ``write_series`` as highdicom's legacy-converted enhanced image."""
    import highdicom

    kinds = {
        "CT": highdicom.legacy.LegacyConvertedEnhancedCTImage,
        "PT": highdicom.legacy.LegacyConvertedEnhancedPETImage,
        "MR": highdicom.legacy.LegacyConvertedEnhancedMRImage,
    }
    singles = [dcmread(one) for one in write_series(file.parent / "singles", modality, **options)]
    for single in singles:
        single.ImageType, single.StudyID, single.AccessionNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], "", ""
        single.PatientSex, single.ReferringPhysicianName, single.StudyDate = "O", "", "20250101"
        single.StudyTime, single.Manufacturer, single.ContentDate = "100000", "", "20250101"
        single.ContentTime, single.BodyPartExamined = "110000", "CHEST"
    converted = kinds[modality](
        singles,
        series_instance_uid="1.2.3.4",
        series_number=1,
        sop_instance_uid="1.2.3.4.5",
        instance_number=1,
        strict=False,
    )
    converted.save_as(file)
    return file


def set_rescale(frame: Dataset, slope: float, intercept: float) -> None:
    """Of one frame's functional groups."""
    frame.PixelValueTransformationSequence[0].RescaleSlope = slope
    frame.PixelValueTransformationSequence[0].RescaleIntercept = intercept


def set_unit(frame: Dataset, code: str, slope: float, intercept: float = 0.0) -> None:
    """A real world value mapping of one frame, with a unit."""
    unit, mapping = Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = code, "UCUM", code
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = float(slope), float(intercept)
    mapping.MeasurementUnitsCodeSequence = Sequence([unit])
    mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped = 0, 32767
    frame.RealWorldValueMappingSequence = Sequence([mapping])


def _frame(modality: str, k: int) -> Dataset:
    position, content, values = Dataset(), Dataset(), Dataset()
    x, y, z = ORIGIN_MM
    position.ImagePositionPatient = [x, y, z + BETWEEN_SLICES_MM * k]
    content.FrameAcquisitionDateTime, content.FrameReferenceDateTime = "20250101110000", "20250101110000"
    content.FrameAcquisitionDuration = 60000.0
    values.RescaleSlope, values.RescaleIntercept = 1, -1024 if modality == "CT" else 0
    values.RescaleType = "HU" if modality == "CT" else "US"
    frame = Dataset()
    frame.PlanePositionSequence = Sequence([position])
    frame.FrameContentSequence = Sequence([content])
    frame.PixelValueTransformationSequence = Sequence([values])
    return frame


PIXELS = np.stack([stored(k, ROWS, COLUMNS) for k in range(5)])
"""(frame, row, column) stored values of five frames."""
