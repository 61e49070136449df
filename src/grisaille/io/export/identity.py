"""Who an exported object says it is of: what the source says, or nobody.

Only what is listed here is ever copied from a source image into an export, so that a name in an element that
nobody thought of stays behind.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass, field
from typing import Any

from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.valuerep import VR, format_number_as_ds, validate_value

from grisaille.core.errors import InputError
from grisaille.io.dicom.tags import DAMAGE, quiet, text, values
from grisaille.io.export.whose import Identity

_PLACE = (
    "SOPClassUID", "Modality", "ImageType", "Rows", "Columns", "NumberOfFrames", "InstanceNumber", "PixelSpacing",
    "SliceThickness", "SpacingBetweenSlices", "ImagePositionPatient", "ImageOrientationPatient",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "LossyImageCompression",
    "LossyImageCompressionRatio", "LossyImageCompressionMethod", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation",
)  # fmt: skip
"""What an image is and where it lies: no patient in it, once the groups of frames are cut down too."""

_GROUPS = ("PixelMeasuresSequence", "PlaneOrientationSequence", "PlanePositionSequence")
"""The functional groups of a multi-frame image that are kept, those that give frames their place."""

_WHO = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientSize",
    "PatientWeight", "AccessionNumber", "StudyID", "StudyDate", "StudyTime", "StudyDescription",
    "ReferringPhysicianName", "Manufacturer", "ManufacturerModelName", "PatientIdentityRemoved",
    "DeidentificationMethod", "DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified",
    "TimezoneOffsetFromUTC", "PositionReferenceIndicator",
)  # fmt: skip

_UIDS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")

_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName", "PositionReferenceIndicator",
)  # fmt: skip
"""Type 2 in DICOM: there, though nothing may stand in them."""

NO_DATE, NO_TIME = "19000101", "000000"
"""Where DICOM demands the date of the content."""

_DATED = ("InstanceCreationDate", "InstanceCreationTime", "SeriesDate", "SeriesTime", "TimezoneOffsetFromUTC")


@dataclass(frozen=True)
class StandIns:
    """Stands in for the identifiers of one study, the same again each time, so that its exports still fit together.

    The key is the StudyInstanceUID of the source, which nobody knows who does not have the source: a patient's id
    cannot be found by trying all of them.
    """

    key: str = field(repr=False)

    def uid(self, uid: str) -> str:
        """Another UID, under 2.25, for ``uid``."""
        return f"2.25.{uuid.UUID(bytes=self._digest(uid)[:16], version=4).int}"

    @property
    def patient(self) -> str:
        """A pseudonym for the patient; other studies of the same patient get another one."""
        return f"GR{self._digest('patient')[:6].hex().upper()}"

    def _digest(self, what: str) -> bytes:
        return hmac.new(self.key.encode(), what.encode(), hashlib.sha256).digest()


def own_stand_in(uid: str) -> str:
    """Another UID where no images are at hand to make ``StandIns`` of; the same again for the same ``uid``."""
    return StandIns(uid).uid(uid)


def prepared(header: Dataset, identity: Identity, name: str) -> Dataset:
    """What an export may know of one source image.

    Parameters
    ----------
    header
        Of the image, without its pixels.
    identity
        Whether it keeps its patient.
    name
        Of the file, for errors.

    Raises
    ------
    InputError
        If the image lacks a UID to refer to it by.
    """
    source = Dataset()
    source.SpecificCharacterSet = "ISO_IR 192"
    with quiet():
        for keyword in _PLACE:
            _copy(header, source, keyword)
        _thin(source)
        _identify(header, source, name)
        if identity is Identity.IDENTIFIED:
            for keyword in _WHO:
                _copy(header, source, keyword)
            if text(source, "PatientSex") not in ("M", "F", "O"):
                source.PatientSex = ""
        else:
            _pseudonymise(source)
        for keyword in _EMPTY:
            if keyword not in source:
                setattr(source, keyword, "")
    return source


def finish(made: Dataset, identity: Identity) -> None:
    """Take the dates of the making out of a de-identified object, where DICOM lets them be empty."""
    if identity is Identity.IDENTIFIED:
        return
    for keyword in _DATED:
        if keyword in made:
            delattr(made, keyword)
    if "ContentDate" in made:
        made.ContentDate, made.ContentTime = NO_DATE, NO_TIME


def _identify(header: Dataset, source: Dataset, name: str) -> None:
    for keyword in _UIDS[:3]:
        uid = text(header, keyword)
        if not uid and keyword == "SOPInstanceUID":  # some anonymisers empty it, and forget where it stands again
            uid = text(header.file_meta, "MediaStorageSOPInstanceUID") if hasattr(header, "file_meta") else ""
        if not uid:
            raise InputError(
                f"{name} has no {keyword}, by which an export refers to it; write NIfTI or NRRD instead, or export the "
                "series again from where it came"
            )
        setattr(source, keyword, uid)
    # An image without a frame of reference lies in one of its own series' making.
    frame = text(header, "FrameOfReferenceUID") or StandIns(source.StudyInstanceUID).uid(source.SeriesInstanceUID)
    source.FrameOfReferenceUID = frame


def _pseudonymise(source: Dataset) -> None:
    stand_in = StandIns(source.StudyInstanceUID)
    for keyword in _UIDS:
        setattr(source, keyword, stand_in.uid(source[keyword].value))
    source.PatientID = stand_in.patient
    source.PatientName = f"{stand_in.patient}^RESEARCH"
    source.PatientIdentityRemoved = "YES"
    source.DeidentificationMethod = "grisaille: DICOM PS3.15 Annex E, Basic Profile"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "113100", "DCM"
    code.CodeMeaning = "Basic Application Confidentiality Profile"
    source.DeidentificationMethodCodeSequence = [code]
    source.LongitudinalTemporalInformationModified = "REMOVED"


def _thin(source: Dataset) -> None:
    """Leave of the groups of frames only what gives them a place."""
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        if keyword in source:
            setattr(source, keyword, [_groups(item) for item in source[keyword].value])


def _groups(item: Dataset) -> Dataset:
    kept = Dataset()
    for keyword in _GROUPS:
        if keyword in item:
            kept.add(item[keyword])
    return kept


def _copy(header: Dataset, source: Dataset, keyword: str) -> None:
    """Copy an element, unless it is absent or breaks the rules of its kind."""
    try:
        if keyword not in header:
            return
        element = header[keyword]
        if element.VR == VR.PN:  # as text: its bytes may be of another character set
            setattr(source, keyword, str(element.value))
        elif element.VR in (VR.SQ, VR.US) or _is_sound(element.value, dictionary_VR(keyword)):
            source.add(element)
        elif element.VR == VR.DS and keyword in _PLACE:  # many programs write more than the 16 characters allowed
            numbers = [format_number_as_ds(float(one)) for one in values(header, keyword) or ()]
            setattr(source, keyword, numbers if len(numbers) > 1 else numbers[0])
    except DAMAGE:
        return


def _is_sound(value: Any, vr: str) -> bool:
    from pydicom.config import RAISE

    try:
        for one in value if isinstance(value, list | tuple) or hasattr(value, "append") else [value]:
            written = getattr(one, "original_string", None) or str(one)
            validate_value(vr, written, RAISE)
    except ValueError:
        return False
    return True
