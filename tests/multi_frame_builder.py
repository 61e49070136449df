"""A small Enhanced CT or PET: all slices in one file, each with its place and its slope."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import Dataset, Sequence
from pydicom.uid import EnhancedCTImageStorage, EnhancedPETImageStorage

from dicom_builder import BETWEEN_SLICES_MM, ORIGIN_MM, build_image, put, save, stored

_CLASSES = {"CT": EnhancedCTImageStorage, "PT": EnhancedPETImageStorage}
_TOP_LEVEL = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope",
              "RescaleIntercept")  # fmt: skip


def write_multi_frame(folder: Path, modality: str, slopes: np.ndarray, intercept: float = 0.0) -> Path:
    """One file of ``len(slopes)`` frames, the slices of ``write_series`` in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    image = build_image(modality)
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([_only(image, "PixelSpacing", "SliceThickness")])
    shared.PlaneOrientationSequence = Sequence([_only(image, "ImageOrientationPatient")])
    put(image, **dict.fromkeys(_TOP_LEVEL))
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = _CLASSES[modality]
    image.NumberOfFrames = len(slopes)
    image.SharedFunctionalGroupsSequence = Sequence([shared])
    image.PerFrameFunctionalGroupsSequence = Sequence(
        [_frame(modality, k, float(slope), intercept) for k, slope in enumerate(slopes)]
    )
    image.DimensionOrganizationSequence = Sequence([_item(DimensionOrganizationUID="1.2.826.0.1.3680043.8.498.42.6")])
    image.PixelData = np.stack([stored(k) for k in range(len(slopes))]).tobytes()
    return save(image, folder / f"{modality}.dcm")


def _frame(modality: str, k: int, slope: float, intercept: float) -> Dataset:
    x, y, z = ORIGIN_MM
    frame = Dataset()
    frame.FrameContentSequence = Sequence([_item(DimensionIndexValues=[k + 1], InStackPositionNumber=k + 1)])
    frame.PlanePositionSequence = Sequence([_item(ImagePositionPatient=[x, y, z + BETWEEN_SLICES_MM * k])])
    transformation = _item(RescaleSlope=slope, RescaleIntercept=intercept)
    transformation.RescaleType = "HU" if modality == "CT" else "BQML"
    frame.PixelValueTransformationSequence = Sequence([transformation])
    return frame


def _item(**tags: object) -> Dataset:
    item = Dataset()
    for keyword, value in tags.items():
        setattr(item, keyword, value)
    return item


def _only(image: Dataset, *keywords: str) -> Dataset:
    return _item(**{keyword: image[keyword].value for keyword in keywords})
