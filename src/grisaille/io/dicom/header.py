"""The header of one DICOM file, as plain values; patient data stays in the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

from grisaille.core.volume import Modality
from grisaille.imaging.pet_series import PetSeries
from grisaille.io.dicom.doubts import Doubt, doubts_of
from grisaille.io.dicom.head import EndlessHeader, read_head
from grisaille.io.dicom.phase_tags import phase_of
from grisaille.io.dicom.stored import PixelLayout, layout_of
from grisaille.io.dicom.suv import pet_image
from grisaille.io.dicom.tags import DAMAGE, count, number, quiet, text, values, vector, words
from grisaille.io.pseudonym import pseudonym

_SINGLE_FRAME = {
    CTImageStorage: Modality.CT,
    PositronEmissionTomographyImageStorage: Modality.PET,
    MRImageStorage: Modality.MR,
}
_MULTI_FRAME = {
    EnhancedCTImageStorage: Modality.CT,
    LegacyConvertedEnhancedCTImageStorage: Modality.CT,
    EnhancedPETImageStorage: Modality.PET,
    LegacyConvertedEnhancedPETImageStorage: Modality.PET,
    EnhancedMRImageStorage: Modality.MR,
    LegacyConvertedEnhancedMRImageStorage: Modality.MR,
}
_LABELS = (SegmentationStorage, "1.2.840.10008.5.1.4.1.1.66.7", RTStructureSetStorage)
_PREAMBLE = 128


class NotRead(Exception):
    """A file is passed over; the message is the reason, and ``is_damaged`` if it was meant to be DICOM."""

    def __init__(self, reason: str, *, is_damaged: bool = False) -> None:
        super().__init__(reason)
        self.is_damaged = is_damaged


@dataclass(frozen=True)
class SliceHeader:
    """What reading needs to know of one image.

    Numbers that the file lacks are None, those that cannot be read are NaN.

    Parameters
    ----------
    file
        Where it lies.
    modality, is_multi_frame
        By SOP class, and by the number of frames.
    sop_uid, series_uid, frame_of_reference, patient
        Identifiers, the last as a pseudonym already.
    series_number, instance_number
        As the scanner counted.
    transfer_syntax, photometric, samples, bits_allocated, rows, columns
        Of the pixels.
    position, orientation, pixel_spacing, thickness
        ImagePositionPatient, ImageOrientationPatient (row, column), PixelSpacing (between rows,
        between columns) and SliceThickness, in mm.
    slope, intercept
        From stored to real values.
    pet
        For PET.
    phase
        What may tell apart several images at one place, in the order of ``phase_tags.PHASE_TAGS``.
    has_value_map
        Whether a RealWorldValueMappingSequence offers another way from stored to real values.
    pixels
        How they lie in the file.
    frames, frame
        NumberOfFrames, and which of them, from 0, a slice of a multi-frame image is.
    doubts
        What a user should know of the file though its values are sound.
    """

    file: Path
    modality: Modality
    is_multi_frame: bool
    sop_uid: str = field(repr=False)
    series_uid: str = field(repr=False)
    frame_of_reference: str = field(repr=False)
    patient: str
    series_number: int | None
    instance_number: int | None
    transfer_syntax: str
    photometric: str
    samples: int
    bits_allocated: int
    rows: int
    columns: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    thickness: float | None
    slope: float | None
    intercept: float | None
    pet: PetSeries | None = field(default=None, repr=False)
    phase: tuple[float | None, ...] = ()
    has_value_map: bool = False
    pixels: PixelLayout = field(default=PixelLayout(), repr=False)
    frames: int = 1
    frame: int | None = None
    doubts: tuple[Doubt, ...] = ()

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.file.name if self.frame is None else f"{self.file.name} (frame {self.frame})"

    @property
    def declared_bytes(self) -> int:
        """Size of the decoded pixels of one frame by what the header says."""
        return self.rows * self.columns * self.samples * max(self.bits_allocated, 8) // 8


def read_header(file: Path) -> SliceHeader:
    """The header of an image that grisaille reads.

    Raises
    ------
    NotRead
        If the file is no such image or is damaged.
    """
    _sniff(file)
    try:
        with quiet():
            header, place, size = read_head(file)
            return slice_header(file, header, layout_of(header, place, size))
    except EndlessHeader:
        raise NotRead("its header is longer than any real one; damaged or made to do harm", is_damaged=True) from None
    except DAMAGE as error:
        raise NotRead(f"damaged DICOM header ({type(error).__name__})", is_damaged=True) from None


def _sniff(file: Path) -> None:
    """A DICOM file has its preamble; without it only a plausible first element is believed."""
    try:
        with file.open("rb") as stream:
            head = stream.read(_PREAMBLE + 4)
    except OSError as error:
        raise NotRead(f"cannot be opened ({type(error).__name__})") from None
    if not head:
        raise NotRead("empty file")
    if head[_PREAMBLE:] == b"DICM":
        return
    group, element = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little")
    length = int.from_bytes(head[4:8], "little")
    is_explicit = head[4:6] in (b"UL", b"UI", b"CS", b"OB", b"SH", b"DA")
    is_plausible = group in (2, 8) and element <= 0x0022 and (is_explicit or length <= 64)
    if len(head) <= _PREAMBLE or not is_plausible:
        raise NotRead("not a DICOM file")


_NO_IMAGE = "no image but labels; open it in the viewer on its images, or give it to read_labels or 'grisaille export'"


def slice_header(file: Path, header: Dataset, pixels: PixelLayout) -> SliceHeader:
    """What a header says of one image, or of one frame if its functional groups were laid out flat."""
    sop_class = text(header, "SOPClassUID") or text(header.file_meta, "MediaStorageSOPClassUID")
    modality = _SINGLE_FRAME.get(UID(sop_class)) or _MULTI_FRAME.get(UID(sop_class))
    if modality is None and not sop_class:
        modality = {one.value: one for one in _SINGLE_FRAME.values()}.get(text(header, "Modality"))
    if modality is None:
        is_labels = UID(sop_class) in _LABELS
        verdict = _NO_IMAGE if is_labels else "not an image that grisaille reads"
        raise NotRead(f"{_class_name(sop_class)} is {verdict}")
    if "LOCALIZER" in words(header, "ImageType"):
        raise NotRead("a localizer (scout), not a slice")
    rows, columns = count(header, "Rows"), count(header, "Columns")
    if rows < 1 or columns < 1:
        raise NotRead("damaged DICOM header (no Rows or Columns)", is_damaged=True)
    patient = text(header, "PatientID") or text(header, "PatientName")
    return SliceHeader(
        file=file,
        modality=modality,
        is_multi_frame=UID(sop_class) in _MULTI_FRAME or count(header, "NumberOfFrames", 1) != 1,
        sop_uid=text(header, "SOPInstanceUID") or text(header.file_meta, "MediaStorageSOPInstanceUID"),
        series_uid=text(header, "SeriesInstanceUID"),
        frame_of_reference=text(header, "FrameOfReferenceUID"),
        patient=pseudonym(patient),
        series_number=_integer(header, "SeriesNumber"),
        instance_number=_integer(header, "InstanceNumber"),
        transfer_syntax=text(header.file_meta, "TransferSyntaxUID"),
        photometric=text(header, "PhotometricInterpretation").upper(),
        samples=count(header, "SamplesPerPixel", 1),
        bits_allocated=count(header, "BitsAllocated"),
        rows=rows,
        columns=columns,
        position=vector(header, "ImagePositionPatient", 3),
        orientation=vector(header, "ImageOrientationPatient", 6),
        pixel_spacing=vector(header, "PixelSpacing", 2),
        thickness=number(header, "SliceThickness"),
        slope=number(header, "RescaleSlope"),
        intercept=number(header, "RescaleIntercept"),
        pet=pet_image(header) if modality is Modality.PET else None,
        phase=phase_of(header),
        has_value_map=values(header, "RealWorldValueMappingSequence") is not None,
        pixels=pixels,
        frames=max(count(header, "NumberOfFrames", 1), 1),
        doubts=doubts_of(file, header),
    )


def _integer(header: Dataset, keyword: str) -> int | None:
    value = number(header, keyword)
    return int(value) if value is not None and value == value and abs(value) < 2**31 else None


def _class_name(sop_class: str) -> str:
    """The standard's name of a SOP class; an unknown one is not repeated, since anything may stand there."""
    name = UID(sop_class).name if sop_class else ""
    return name if name and name != sop_class else "an unknown kind of DICOM object"
