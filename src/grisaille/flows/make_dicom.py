"""Synthetic volumes as single-frame DICOM, for the samples: CT in HU, PET in Bq/ml.

Source: DICOM PS3.3, CT Image IOD (A.3) and PET Image IOD (A.21).
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

from grisaille.core.grid import Grid
from grisaille.core.volume import Modality, Volume

_CLASSES = {Modality.CT: CTImageStorage, Modality.PET: PositronEmissionTomographyImageStorage}
_IMPLEMENTATION = generate_uid(entropy_srcs=["grisaille sample writer"])

F18_HALF_LIFE_S = 6586.2
_CT_ZERO_HU = -1024
_LARGEST_STORED = 32767


@dataclass(frozen=True)
class Visit:
    """The made-up examination that the series belong to."""

    name: str
    weight_kg: float = 72.0
    height_m: float = 1.70
    dose_bq: float = 3.5e8
    injected: datetime.datetime = datetime.datetime(2026, 1, 15, 9, 0, 0)
    scanned: datetime.datetime = datetime.datetime(2026, 1, 15, 10, 2, 0)
    frame_s: float = 120.0

    @property
    def suv_factor(self) -> float:
        """From Bq/ml to SUVbw, by hand: weight in g over the dose decayed to the scan's start."""
        uptake_s = (self.scanned - self.injected).total_seconds()
        decayed_bq = self.dose_bq * math.exp(-math.log(2) * uptake_s / F18_HALF_LIFE_S)
        return self.weight_kg * 1000 / decayed_bq

    def uid(self, *parts: object) -> UID:
        """A UID that is the same each time."""
        return generate_uid(entropy_srcs=["grisaille sample", self.name, *map(str, parts)])


def write_series(volume: Volume, visit: Visit, folder: Path) -> None:
    """Write a volume on a straight grid as one series, a file a slice, the topmost first."""
    folder.mkdir(parents=True)
    slices = volume.voxels.shape[0]
    for number in range(1, slices + 1):
        k = slices - number
        image = _image(volume, visit, number, k)
        if volume.modality is Modality.CT:
            _put_ct(image, volume.voxels[k])
        else:
            _put_pet(image, volume.voxels[k], visit, number, slices)
        image.save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)


def _image(volume: Volume, visit: Visit, number: int, k: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = _CLASSES[volume.modality]
    meta.MediaStorageSOPInstanceUID = visit.uid(volume.modality, number)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = "GRISAILLE"
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID, image.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"] if volume.modality is Modality.CT else ["ORIGINAL", "PRIMARY"]
    image.PatientName, image.PatientID = "PHANTOM^SYNTHETIC", visit.name
    image.PatientBirthDate, image.PatientSex = "", "F"
    image.PatientWeight, image.PatientSize = visit.weight_kg, visit.height_m
    image.PatientIdentityRemoved, image.DeidentificationMethod = "YES", "No patient: a synthetic phantom, CC0"
    image.StudyInstanceUID, image.StudyID, image.AccessionNumber = visit.uid("study"), "1", ""
    image.ReferringPhysicianName, image.StudyDescription = "", "Synthetic FDG PET/CT"
    image.SeriesInstanceUID = visit.uid("series", volume.modality)
    image.SeriesNumber = 1 if volume.modality is Modality.CT else 2
    image.Modality = volume.modality.value
    image.SeriesDescription = f"Synthetic {volume.name}"
    image.Manufacturer, image.ManufacturerModelName = "grisaille", "phantom"
    image.PatientPosition, image.BodyPartExamined = "HFS", "CHEST"
    date, time = visit.scanned.strftime("%Y%m%d"), visit.scanned.strftime("%H%M%S")
    for what in ("Study", "Series", "Acquisition", "Content"):
        setattr(image, f"{what}Date", date)
        setattr(image, f"{what}Time", time)
    image.AcquisitionNumber, image.InstanceNumber = 1, number
    image.FrameOfReferenceUID, image.PositionReferenceIndicator = visit.uid("frame of reference"), ""
    _put_place(image, volume.grid, k)
    return image


def _put_place(image: Dataset, grid: Grid, k: int) -> None:
    z, y, x = grid.to_mm((k, 0, 0))
    between_slices, between_rows, between_columns = grid.spacing_mm
    image.ImagePositionPatient = [_decimal(value) for value in (x, y, z)]
    image.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    image.PixelSpacing = [_decimal(between_rows), _decimal(between_columns)]
    image.SliceThickness, image.SliceLocation = _decimal(between_slices), _decimal(z)


def _put_ct(image: Dataset, hu: npt.NDArray[np.int16]) -> None:
    image.KVP, image.RescaleType = "120", "HU"
    image.RescaleIntercept, image.RescaleSlope = str(_CT_ZERO_HU), "1"
    image.WindowCenter, image.WindowWidth = "40", "400"
    _put_pixels(image, hu.astype(np.int32) - _CT_ZERO_HU, bits_stored=12)


def _put_pet(image: Dataset, suv: npt.NDArray[np.float32], visit: Visit, number: int, slices: int) -> None:
    activity = suv.astype(np.float64) / visit.suv_factor
    # Each slice uses the whole range, as scanners write it, with the slope as its decimals say it.
    slope = _decimal(max(float(activity.max()), 1.0) / _LARGEST_STORED * (1 + 1e-9))
    image.RescaleIntercept, image.RescaleSlope = "0", slope
    _put_pixels(image, np.rint(activity / float(slope)).astype(np.int32), bits_stored=16)
    image.SeriesType, image.Units, image.CountsSource = ["WHOLE BODY", "IMAGE"], "BQML", "EMISSION"
    image.NumberOfSlices, image.ImageIndex = slices, number
    image.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    image.RandomsCorrectionMethod, image.DecayCorrection = "NONE", "START"
    image.AttenuationCorrectionMethod, image.ScatterCorrectionMethod = "phantom", "phantom"
    image.ReconstructionMethod, image.CollimatorType = "phantom", "NONE"
    image.ActualFrameDuration = round(visit.frame_s * 1000)
    decay = np.log(2) / F18_HALF_LIFE_S * visit.frame_s
    mean_s = np.log(decay / -np.expm1(-decay)) / decay * visit.frame_s
    image.FrameReferenceTime, image.DecayFactor = _decimal(mean_s * 1000), _decimal(decay / -np.expm1(-decay))
    image.PatientOrientationCodeSequence = [_code("F-10450", "SRT", "recumbent")]
    image.PatientGantryRelationshipCodeSequence = [_code("F-10470", "SRT", "headfirst")]
    tracer = Dataset()
    tracer.Radiopharmaceutical = "Fluorodeoxyglucose F18"
    tracer.RadiopharmaceuticalStartTime = visit.injected.strftime("%H%M%S")
    tracer.RadiopharmaceuticalStartDateTime = visit.injected.strftime("%Y%m%d%H%M%S")
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = _decimal(visit.dose_bq), _decimal(F18_HALF_LIFE_S)
    tracer.RadionuclidePositronFraction = "0.9673"
    tracer.RadionuclideCodeSequence = [_code("C-111A1", "SRT", "^18^Fluorine")]
    tracer.RadiopharmaceuticalCodeSequence = [_code("C-B1031", "SRT", "Fluorodeoxyglucose F^18^")]
    image.RadiopharmaceuticalInformationSequence = [tracer]


def _put_pixels(image: Dataset, stored: npt.NDArray[np.int32], *, bits_stored: int) -> None:
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns = stored.shape
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, bits_stored, bits_stored - 1
    image.PixelRepresentation, image.LossyImageCompression = 0, "00"
    image.PixelData = stored.astype("<u2").tobytes()
    image["PixelData"].VR = "OW"


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _decimal(value: float) -> str:
    """A decimal string of at most 16 characters (VR DS)."""
    return f"{value:.10g}"
