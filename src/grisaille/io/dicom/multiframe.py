"""Multi-frame images laid out as what they would be as single ones: a header for each frame.

An enhanced or legacy-converted CT, PET or MR image says in functional groups (DICOM PS3.3 C.7.6.16),
shared by all frames or each frame's own, what a single-frame image says by its plain elements. Here
each frame's are put back under the plain keywords, so that everything behind, the geometry, the
phases and SUV, sees one kind of series and has one kind of sentence for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pydicom import Dataset

from grisaille.core.volume import Modality
from grisaille.io.dicom.enhanced_pet import is_rescale, put_pet
from grisaille.io.dicom.guard import oversize
from grisaille.io.dicom.head import read_multi_frame_head
from grisaille.io.dicom.header import NotRead, SliceHeader, read_header, slice_header
from grisaille.io.dicom.tags import DAMAGE, items, number, parse_moment, quiet, text

_SHARED, _EACH = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_PLAIN_GROUPS = (
    "PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence", "PixelValueTransformationSequence",
)  # fmt: skip
"""Their elements have the same keywords in a single-frame image."""
_CONVERTED = ("UnassignedSharedConvertedAttributesSequence", "UnassignedPerFrameConvertedAttributesSequence")
"""Where a converter put the elements of the single images for which there is no functional group."""


def read_images(file: Path) -> tuple[SliceHeader, ...]:
    """The header of a single-frame image, or one of each frame of a multi-frame one.

    A multi-frame image without functional groups, whose frames have no places, is left in one header.

    Raises
    ------
    NotRead
        If the file is no image that grisaille reads, or is damaged.
    """
    header = read_header(file)
    if not header.is_multi_frame:
        return (header,)
    if reason := oversize(header):
        raise NotRead(reason, is_damaged=True)
    try:
        with quiet():
            image = read_multi_frame_head(file)
            each = items(image, _EACH)
            if not each and header.frames == 1:
                return (replace(header, is_multi_frame=False),)
            if not each:
                return (header,)
            if len(each) != header.frames:
                raise NotRead(
                    f"a multi-frame image of {header.frames} frames that describes {len(each)}", is_damaged=True
                )
            return tuple(_frames(file, image, each, header))
    except DAMAGE as error:
        raise NotRead(f"damaged DICOM header ({type(error).__name__})", is_damaged=True) from None


def _frames(file: Path, image: Dataset, each: list[Dataset], whole: SliceHeader) -> Iterator[SliceHeader]:
    common, shared = _plain(image), items(image, _SHARED)[:1]
    for group in shared:
        _lay_out(common, group)
    for number_, own in enumerate(each):
        flat = Dataset()
        flat.update(common)
        flat.file_meta = image.file_meta
        flat.InstanceNumber = number_ + 1
        groups = [*shared, own]
        _lay_out(flat, own)
        _keep_other_values(flat, groups)
        if whole.modality is Modality.PET:
            put_pet(flat, groups)
        # What stood in the single images is nearer to them than what a converter made of it.
        for keyword in _CONVERTED:
            for group in groups:
                for item in items(group, keyword)[:1]:
                    flat.update(item)
        yield replace(slice_header(file, flat, whole.pixels), is_multi_frame=False, frame=number_)


def _plain(image: Dataset) -> Dataset:
    """The plain elements, each read once and not again for every frame."""
    plain = Dataset()
    for tag in list(image.keys()):
        try:
            element = image[tag]
        except DAMAGE:
            continue
        if element.keyword not in (_SHARED, _EACH):
            plain[tag] = element
    return plain


def _lay_out(flat: Dataset, group: Dataset) -> None:
    """The functional groups of one item under the keywords of a single-frame image."""
    for keyword in _PLAIN_GROUPS:
        for item in items(group, keyword)[:1]:
            flat.update(item)
    for content in items(group, "FrameContentSequence")[:1]:
        _lay_out_times(flat, content)
    for heart in items(group, "CardiacSynchronizationSequence")[:1]:
        _copy(flat, heart, "NominalCardiacTriggerDelayTime", "TriggerTime")


def _lay_out_times(flat: Dataset, content: Dataset) -> None:
    _copy(flat, content, "TemporalPositionIndex", "TemporalPositionIdentifier")
    _copy(flat, content, "FrameAcquisitionNumber", "AcquisitionNumber")
    duration = number(content, "FrameAcquisitionDuration")
    if duration is not None and duration == duration:
        flat.ActualFrameDuration = str(round(duration))
    acquired = parse_moment(text(content, "FrameAcquisitionDateTime"), text(flat, "TimezoneOffsetFromUTC"))
    if acquired is not None:
        flat.AcquisitionDate, flat.AcquisitionTime = f"{acquired:%Y%m%d}", f"{acquired:%H%M%S.%f}"
    _copy(flat, content, "FrameReferenceDateTime", "FrameReferenceDateTime")


def _copy(flat: Dataset, item: Dataset, keyword: str, plain: str) -> None:
    if keyword in item and item[keyword].value not in (None, ""):
        setattr(flat, plain, item[keyword].value)


def _keep_other_values(flat: Dataset, groups: Sequence[Dataset]) -> None:
    """A second way to real values is kept for the reader to tell of, if it is another than the rescale."""
    for group in groups:
        for mapping in items(group, "RealWorldValueMappingSequence")[:1]:
            if not is_rescale(flat, mapping):
                flat.RealWorldValueMappingSequence = [mapping]
