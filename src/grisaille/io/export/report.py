"""The measures of findings as a DICOM structured report, TID 1500."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grisaille.core.errors import UnreadableFile
from grisaille.core.finding import Finding
from grisaille.io.dicom.tags import DAMAGE, quiet
from grisaille.io.export.codes import ABNORMAL, AI, MEASURES, OTHER_PROCEDURE, PROCEDURES, REPORT, SCORE
from grisaille.io.export.identity import finish
from grisaille.io.export.objects import MANUFACTURER, MODEL, SERIAL, SERIES, code, save_whole
from grisaille.io.export.segments import Author, Maker, Segment, Segments, require_apart
from grisaille.io.export.sources import Sources

_DIGITS = 9
"""Of a number: a decimal string of DICOM has 16 characters, so more would be cut off."""


def write_sr(
    segments: Segments,
    sources: Sources,
    path: str | os.PathLike[str],
    *,
    maker: Maker | None,
    version: str,
    seg: Any = None,
) -> Any:
    """Write a Comprehensive 3D SR with a group of measures for each finding: not verified, preliminary.

    Parameters
    ----------
    maker, version
        As of ``write_seg``.
    seg
        The DICOM SEG that holds the findings, as written or as ``read_seg`` gives it; each group then refers to its
        segment, and else to the images.

    Returns
    -------
    The object as written.

    Raises
    ------
    InputError
        If a segment is more than one finding.
    UnreadableFile
        If ``seg`` does not hold the findings.
    OutputError
        If it cannot be written whole.
    """
    import highdicom as hd

    require_apart(segments)
    # Those without a finding would say nothing, and hundreds of them make a report of a megabyte.
    under = {id(image): image for segment in segments.listed for image in _under(segment, sources)}
    images = list(under.values())
    with quiet():
        content = hd.sr.MeasurementReport(
            observation_context=hd.sr.ObservationContext(observer_device_context=_device(hd)),
            procedure_reported=code(PROCEDURES.get(sources.volume.modality.value, OTHER_PROCEDURE)),
            imaging_measurements=_groups(segments, sources, maker, seg),
            title=code(REPORT),
            referenced_images=images,
        )
        made = hd.sr.Comprehensive3DSR(
            evidence=[*images, *([] if seg is None else [seg])],
            content=content[0],
            series_instance_uid=hd.UID(),
            series_number=SERIES["sr"],
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL,
            software_versions=version,
            device_serial_number=SERIAL,
            series_description=f"{maker.method if maker else 'Label'} measures (research)",
            is_complete=True,
            is_final=False,
            is_verified=False,
            coding_schemes=[_scheme()],
        )
    finish(made, sources.identity)
    save_whole(made, path, lambda written: _holds(written, made))
    return made


def read_seg(path: Path, segments: Segments, sources: Sources) -> Any:
    """A DICOM SEG that holds these findings, by their tracking ids.

    Raises
    ------
    UnreadableFile
        If it is none, or holds others.
    """
    import highdicom as hd

    try:
        with quiet():
            read = hd.seg.segread(path)
            held = {one.get("TrackingUID") for one in read.SegmentSequence}
            is_of_study = read.StudyInstanceUID == sources.images[0].StudyInstanceUID
    except DAMAGE:
        raise UnreadableFile(f"{path.name} is no DICOM SEG; give the one that the findings were exported to") from None
    if not is_of_study or not {sources.tracking_uid(one.tracking_uid) for one in segments.listed} <= held:
        raise UnreadableFile(
            f"{path.name} does not hold these findings of this study; export the SEG again, as identified "
            "as the report, or both at once (--format seg,sr)"
        )
    return read


def _groups(segments: Segments, sources: Sources, maker: Maker | None, seg: Any) -> list[Any]:
    import highdicom as hd

    # A LABELMAP also lists its background, which nobody tracks.
    held = [] if seg is None else [one for one in seg.SegmentSequence if "TrackingUID" in one]
    numbers = {str(one.TrackingUID): int(one.SegmentNumber) for one in held}
    groups = []
    for segment in segments.listed:
        uid = sources.tracking_uid(segment.tracking_uid)
        shared = {
            "tracking_identifier": hd.sr.TrackingIdentifier(uid=uid, identifier=segment.tracking_id),
            "finding_type": code(segment.kind),
            "finding_category": code(ABNORMAL),
            "algorithm_id": _algorithm(segment, maker),
            "measurements": [] if segment.finding is None else _measurements(segment.finding),
        }
        if seg is not None:
            # Made by hand: highdicom's own way looks for the segment frame by frame, where LABELMAP and a SEG of one
            # segment do not say it.
            reference = hd.sr.ReferencedSegment(
                seg.SOPClassUID,
                seg.SOPInstanceUID,
                numbers[uid],
                # Not image by image: the SEG says that, and with tens of findings it makes thousands of items.
                source_series=hd.sr.SourceSeriesForSegmentation.from_source_image(sources.images[0]),
            )
            group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations
            groups.append(group(referenced_segment=reference, **shared))
        else:
            images = [hd.sr.SourceImageForMeasurementGroup.from_source_image(one) for one in _under(segment, sources)]
            groups.append(hd.sr.MeasurementsAndQualitativeEvaluations(source_images=images, **shared))
    return groups


def _under(segment: Segment, sources: Sources) -> Sequence[Any]:
    """The images that a finding lies on; all of them where that cannot be told by its slices."""
    source, finding = sources.volume.source, segment.finding
    if finding is None or sources.is_multi_frame or source.order[0] != 2:
        return sources.images
    first, last = finding.slice_first, finding.slice_last
    if source.flipped[0]:
        first, last = len(sources.images) - 1 - last, len(sources.images) - 1 - first
    return sources.images[first : last + 1]


def _measurements(finding: Finding) -> list[Any]:
    import highdicom as hd

    made = []
    for measure in MEASURES:
        value = measure.value(finding)
        if value is not None:
            derivation = None if measure.derivation is None else code(measure.derivation)
            value = float(f"{value:.{_DIGITS}g}")
            made.append(hd.sr.Measurement(code(measure.name), value, code(measure.unit), derivation=derivation))
    return made


def _algorithm(segment: Segment, maker: Maker | None) -> Any:
    import highdicom as hd

    if maker is None or segment.author is Author.PERSON:
        return None
    edited = ["edited by a person"] if segment.author is Author.BOTH else []
    settings = [f"{name}: {value}" for name, value in maker.settings.items()]
    return hd.sr.AlgorithmIdentification(
        name=f"grisaille {maker.method}",
        version=maker.version,
        parameters=[*settings, *edited] or None,
        family=code(AI),
    )


def _device(hd: Any) -> Any:
    """What observed: this program; it has no serial number, and a UID of its own for each report."""
    attributes = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=hd.UID(), name=MODEL, manufacturer_name=MANUFACTURER, model_name=MODEL
    )
    return hd.sr.ObserverContext(observer_type=_device_type(), observer_identifying_attributes=attributes)


def _device_type() -> Any:
    from pydicom.sr.codedict import codes

    return codes.DCM.Device


def _scheme() -> Any:
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    return CodingSchemeIdentificationItem(
        SCORE.scheme, name="grisaille", version="1", responsible_organization="grisaille"
    )


def _holds(path: Path, made: Any) -> bool:
    """Whether the whole content of a report reads back."""
    from pydicom import dcmread

    read = dcmread(path).ContentSequence
    return [one.to_json_dict() for one in read] == [one.to_json_dict() for one in made.ContentSequence]
