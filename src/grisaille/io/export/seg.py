"""Segments as DICOM Segmentation, frame for frame on the images they were marked on."""

from __future__ import annotations

import colorsys
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from grisaille.core.errors import OutputError
from grisaille.core.safe_write import replacing
from grisaille.io.dicom.tags import DAMAGE, quiet
from grisaille.io.export.codes import ABNORMAL, AI, Term
from grisaille.io.export.identity import finish
from grisaille.io.export.segments import Maker, Segment, Segments
from grisaille.io.export.sources import Sources

MANUFACTURER, MODEL = "grisaille", "napari-grisaille"
SERIAL = "none"
SERIES = {"seg": 9001, "sr": 9002, "pm": 9003, "rtstruct": 9004}
"""Series numbers of exports, above those of scanners."""

_GOLDEN = 0.618
"""Turns of hue from one segment to the next: no two near numbers look alike."""


def write_seg(
    segments: Segments,
    sources: Sources,
    path: str | os.PathLike[str],
    *,
    maker: Maker | None,
    version: str,
    labelmap: bool = False,
) -> Any:
    """Write a DICOM SEG; it is read back and compared voxel for voxel before it takes its name.

    Parameters
    ----------
    maker
        The method that made the labels; None where a person drew them.
    version
        Of grisaille.
    labelmap
        One number a voxel (RLE), in place of one bit a voxel and segment, which more programs read.

    Returns
    -------
    The object as written, for reports that refer to it.

    Raises
    ------
    OutputError
        If it cannot be written whole.
    """
    import highdicom as hd

    numbers = sources.laid_out(segments.voxels)
    kind = hd.seg.SegmentationTypeValues.LABELMAP if labelmap else hd.seg.SegmentationTypeValues.BINARY
    with quiet():
        made = hd.seg.Segmentation(
            source_images=list(sources.images),
            pixel_array=numbers,
            segmentation_type=kind,
            segment_descriptions=[_described(one, sources, maker) for one in segments.listed],
            series_instance_uid=hd.UID(),
            series_number=SERIES["seg"],
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL,
            software_versions=version,
            device_serial_number=SERIAL,
            content_label="FINDINGS",
            content_description="Research use only; not for diagnosis",
            series_description=f"{maker.method} findings (research)" if maker else "Labels (research)",
            transfer_syntax_uid=RLELossless if labelmap else ExplicitVRLittleEndian,
        )
    finish(made, sources.identity)
    with replacing(path) as temporary:
        save(made, temporary)
        _require_same(temporary, numbers, sources, Path(path).name)
    return made


def save(made: Any, path: Path) -> None:
    """Write an object of highdicom's, with an empty preamble."""
    made.preamble = b"\0" * 128
    with quiet():
        made.save_as(path, enforce_file_format=True)


def code(term: Term) -> Any:
    """A term as highdicom has it."""
    import highdicom as hd

    return hd.sr.CodedConcept(term.value, term.scheme, term.meaning)


def _described(segment: Segment, sources: Sources, maker: Maker | None) -> Any:
    import highdicom as hd

    algorithm = None
    if maker is not None:
        algorithm = hd.AlgorithmIdentificationSequence(
            name=f"grisaille {maker.method}",
            family=code(AI),
            version=maker.version,
            source="grisaille",
            parameters=dict(maker.settings) or None,
        )
    return hd.seg.SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.title,
        segmented_property_category=code(ABNORMAL),
        segmented_property_type=code(segment.kind),
        algorithm_type=segment.author.value,
        algorithm_identification=algorithm,
        tracking_uid=sources.tracking_uid(segment.tracking_uid),
        tracking_id=segment.tracking_id,
        display_color=hd.color.CIELabColor.from_rgb(*colour(segment.number)),
    )


def colour(number: int) -> tuple[int, int, int]:
    """Red, green and blue from 0 to 255, far from those of the numbers before."""
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN % 1, 0.75, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def _require_same(path: Path, numbers: npt.NDArray[np.uint16], sources: Sources, name: str) -> None:
    """Raise ``OutputError`` unless every voxel of every image reads back as it was to be written."""
    import highdicom as hd

    try:
        with quiet():
            read = hd.seg.segread(path)
            if sources.is_multi_frame:
                back = read.get_pixels_by_source_frame(
                    sources.images[0].SOPInstanceUID, list(range(1, sources.frame_count + 1)), **_AS_NUMBERS
                )
            else:
                back = read.get_pixels_by_source_instance([one.SOPInstanceUID for one in sources.images], **_AS_NUMBERS)
        is_same = np.array_equal(back, numbers)
    except DAMAGE:
        is_same = False
    if not is_same:
        raise OutputError(
            f"{name} was not written whole: what was read back differs; check that the disk has room and is sound"
        )


_AS_NUMBERS = {
    "combine_segments": True,
    "assert_missing_frames_are_empty": True,
    "ignore_spatial_locations": True,
    "dtype": np.uint16,
}
