"""Small DICOM series with chosen tags, and chosen faults.

    write_series(folder, "PT", count=5, PatientWeight=None, change=lambda image, k: ...)

writes ``count`` files whose stored pixels are ``stored(k)``; keyword arguments set elements of all
images (None deletes one), ``change`` does what it likes to each image before it is written.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, FileDataset, Sequence, config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

ROOT = "1.2.826.0.1.3680043.8.498.42"
ROWS, COLUMNS = 4, 3
ORIGIN_MM = (-10.0, -20.0, -30.0)
BETWEEN_ROWS_MM, BETWEEN_COLUMNS_MM, BETWEEN_SLICES_MM = 2.0, 1.5, 3.0
PATIENT = "SMITH^JOHN"

WEIGHT_KG, DOSE_BQ, HALF_LIFE_S, UPTAKE_S = 70.0, 368.08e6, 6586.2, 3600.0
SUV_FACTOR = WEIGHT_KG * 1000 / (DOSE_BQ * 0.5 ** (UPTAKE_S / HALF_LIFE_S))
"""From Bq/ml to SUVbw for a PET series as it is written by default."""

_CLASSES = {"CT": CTImageStorage, "PT": PositronEmissionTomographyImageStorage, "MR": MRImageStorage}


def stored(k: int, rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """(row, column) int16: every voxel of a series has a value of its own."""
    return (100 * k + 10 * np.arange(rows)[:, None] + np.arange(columns)).astype(np.int16)


def write_series(
    folder: Path,
    modality: str = "CT",
    *,
    count: int = 5,
    series: int = 1,
    change: Callable[[Dataset, int], None] | None = None,
    **tags: Any,
) -> list[Path]:
    """``count`` images of one series, in the order of their places; tells the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for k in range(count):
        image = build_image(modality, k, series=series, **tags)
        if change is not None:
            change(image, k)
        files.append(save(image, folder / f"{modality}{series}_{k:03d}.dcm"))
    return files


def build_image(modality: str = "CT", k: int = 0, *, series: int = 1, **tags: Any) -> FileDataset:
    """Slice ``k`` of a series, in memory."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = _CLASSES[modality]
    meta.MediaStorageSOPInstanceUID = f"{ROOT}.{series}.{_number(modality)}.{k + 1}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    _identify(image, meta, modality, k, series)
    _place(image, k)
    image.RescaleSlope, image.RescaleIntercept = 1, -1024 if modality == "CT" else 0
    if modality == "PT":
        _inject(image)
    put_pixels(image, stored(k))
    put(image, **tags)
    return image


def put(image: Dataset, **tags: Any) -> None:
    """Set elements, whatever their worth; None deletes one."""
    for keyword, value in tags.items():
        if value is None:
            if keyword in image:
                delattr(image, keyword)
        elif isinstance(value, str) and dictionary_VR(keyword) == "DS":
            # As bytes: pydicom writes no number that it cannot read.
            tag = Tag(keyword)
            image[tag] = RawDataElement(tag, "DS", len(value), value.encode(), 0, False, True)
        else:
            with _careless():
                setattr(image, keyword, value)


def put_pixels(image: Dataset, pixels: np.ndarray) -> None:
    """Integer pixels of any width and sign."""
    bits = pixels.dtype.itemsize * 8
    image.Rows, image.Columns = pixels.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = bits, bits, bits - 1
    image.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.tobytes()
    image.PixelData = data + b"\0" * (len(data) % 2)
    image["PixelData"].VR = "OW"


def tracer(image: Dataset, **tags: Any) -> None:
    """Set elements of the first radiopharmaceutical."""
    put(image.RadiopharmaceuticalInformationSequence[0], **tags)


def save(image: FileDataset, file: Path) -> Path:
    """Write one image, faults and all."""
    with _careless():
        image.save_as(file, enforce_file_format=False)
    return file


def write_index(folder: Path, ids: list[list[str]]) -> Path:
    """A DICOMDIR with an image record for each file ID, after a patient's that names no file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID = f"{ROOT}.5"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    index = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    records = [Dataset()]
    records[0].DirectoryRecordType, records[0].PatientName = "PATIENT", "SMITH^JOHN"
    for parts in ids:
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        put(record, ReferencedFileID=parts)
        records.append(record)
    index.DirectoryRecordSequence = Sequence(records)
    return save(index, folder / "DICOMDIR")


def _identify(image: Dataset, meta: FileMetaDataset, modality: str, k: int, series: int) -> None:
    image.SOPClassUID, image.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    image.Modality = modality
    image.PatientName, image.PatientID, image.PatientBirthDate = PATIENT, "ID-4711", "19500101"
    image.StudyInstanceUID = f"{ROOT}.9"
    image.SeriesInstanceUID = f"{ROOT}.{series}.{_number(modality)}"
    image.FrameOfReferenceUID = f"{ROOT}.8"
    image.SeriesNumber, image.InstanceNumber = series, k + 1
    image.SeriesDate, image.SeriesTime = "20250101", "110000"
    image.AcquisitionDate, image.AcquisitionTime = "20250101", "110000"


def _number(modality: str) -> int:
    return list(_CLASSES).index(modality) + 1


def _place(image: Dataset, k: int) -> None:
    x, y, z = ORIGIN_MM
    image.ImagePositionPatient = [x, y, z + BETWEEN_SLICES_MM * k]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.PixelSpacing = [BETWEEN_ROWS_MM, BETWEEN_COLUMNS_MM]
    image.SliceThickness = 5.0  # not the spacing, on purpose


def _inject(image: Dataset) -> None:
    image.Units, image.DecayCorrection = "BQML", "START"
    image.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    image.SeriesType = ["STATIC", "IMAGE"]
    image.PatientWeight, image.PatientSize, image.PatientSex = WEIGHT_KG, 1.75, "O"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-111A1", "SRT", "^18^Fluorine"
    item = Dataset()
    item.RadionuclideTotalDose, item.RadionuclideHalfLife = DOSE_BQ, HALF_LIFE_S
    item.RadiopharmaceuticalStartTime = "100000"
    item.RadiopharmaceuticalStartDateTime = "20250101100000"
    item.RadionuclideCodeSequence = Sequence([code])
    image.RadiopharmaceuticalInformationSequence = Sequence([item])


class _careless:
    """Write values that DICOM forbids, in silence."""

    def __enter__(self) -> None:
        self._mode = config.settings.writing_validation_mode
        config.settings.writing_validation_mode = config.IGNORE
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        self._warnings.__exit__(None, None, None)
        config.settings.writing_validation_mode = self._mode
