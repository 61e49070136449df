"""Segments as DICOM Segmentation, frame for frame on the images they were marked on."""

from __future__ import annotations

import colorsys
import os
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from grisaille.io.dicom.tags import quiet
from grisaille.io.export.codes import ABNORMAL, AI
from grisaille.io.export.identity import finish
from grisaille.io.export.objects import MANUFACTURER, MODEL, SERIAL, SERIES, code, save_whole
from grisaille.io.export.segments import Maker, Segment, Segments
from grisaille.io.export.sources import Sources

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
    save_whole(made, path, lambda written: np.array_equal(_read_back(written, sources), numbers))
    return made


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


def _read_back(path: Path, sources: Sources) -> Any:
    """The numbers of the voxels of every image."""
    import highdicom as hd

    read = hd.seg.segread(path)
    if sources.is_multi_frame:
        frames = list(range(1, sources.frame_count + 1))
        return read.get_pixels_by_source_frame(sources.images[0].SOPInstanceUID, frames, **_AS_NUMBERS)
    return read.get_pixels_by_source_instance([one.SOPInstanceUID for one in sources.images], **_AS_NUMBERS)


_AS_NUMBERS = {
    "combine_segments": True,
    "assert_missing_frames_are_empty": True,
    "ignore_spatial_locations": True,
    "dtype": np.uint16,
}
