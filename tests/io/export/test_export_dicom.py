"""DICOM SEG, SR and parametric maps: on the images they were made on, of whom they say, and bit for bit."""

from __future__ import annotations

import errno
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread

import dicom_builder as dicom
from grisaille.core.errors import ConfigError, GridMismatch, InputError, OutputError, UnreadableFile
from grisaille.core.finding import Finding
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Volume
from grisaille.imaging.findings import find_findings
from grisaille.io.export.codes import Term
from grisaille.io.export.parametric import Scale, write_parametric_map
from grisaille.io.export.report import read_seg, write_sr
from grisaille.io.export.seg import write_seg
from grisaille.io.export.segments import Choice, Maker, Segments, segments_of
from grisaille.io.export.sources import Sources, read_sources
from grisaille.io.export.whose import Identity
from grisaille.io.study import read_volume
from multiframe_builder import build_enhanced

MAKER = Maker("MVG", "0.1.0", {"weights": "phantom sha256 abc"})
WHO = {
    "PatientName": "SMITH^JOHN",
    "PatientID": "ID-4711",
    "PatientBirthDate": "19500101",
    "AccessionNumber": "ACC-0815",
    "StudyID": "STUDY-99",
    "StudyDate": "20250607",
    "StudyTime": "070809",
    "ReferringPhysicianName": "HOUSE^GREGORY",
    "StudyDescription": "SMITH FOLLOW UP",
    "InstitutionName": "PRINCETON GENERAL",
    "PatientComments": "knows the mayor",
    "PatientAge": "075Y",
    "StationName": "SCANNER-1",
}


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    dicom.write_series(folder, "PT", count=6, **WHO)
    return folder


@pytest.fixture(scope="module")
def volume(series: Path) -> Volume:
    return read_volume(series)


def labelled(volume: Volume) -> Labels:
    """Label 3 in two pieces, label 7 in one."""
    voxels = np.zeros(volume.grid.shape, np.uint16)
    voxels[0, 0, 0] = voxels[0, 0, 1] = 3
    voxels[3, 3, 2] = 3
    voxels[1:3, 1:4, 0] = 7
    voxels[2, 2, 0] = 7
    return Labels(voxels, volume.grid, {3: "nodes"}, volume.source)


def parts(volume: Volume, identity: Identity = Identity.IDENTIFIED) -> tuple[Segments, Sources]:
    labels = labelled(volume)
    found = find_findings(labels, Study.of(volume, patient="x"))
    return segments_of(labels, found, MAKER), read_sources(volume, identity, Run())


def seg_at(path: Path, volume: Volume, identity: Identity = Identity.IDENTIFIED, **how: Any) -> Dataset:
    segments, sources = parts(volume, identity)
    write_seg(segments, sources, path, maker=MAKER, version="0.1.0", **how)
    return dcmread(path)


def by_hand(seg: Dataset, files: tuple[Path, ...]) -> np.ndarray:
    """(slice, row, column) segment numbers of a BINARY SEG, unpacked bit by bit, by the images it names."""
    order = {str(dcmread(file).SOPInstanceUID): k for k, file in enumerate(files)}
    rows, columns = seg.Rows, seg.Columns
    bits = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")
    numbers = np.zeros((len(files), rows, columns), np.uint16)
    for at, frame in enumerate(seg.PerFrameFunctionalGroupsSequence):
        source = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        mask = bits[at * rows * columns : (at + 1) * rows * columns].reshape(rows, columns).astype(bool)
        numbers[order[source]][mask] = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    return numbers


def test_each_frame_of_a_seg_lies_on_the_image_that_it_names(tmp_path: Path, volume: Volume) -> None:
    seg = seg_at(tmp_path / "a.dcm", volume)
    labels = labelled(volume).voxels
    numbers = by_hand(seg, volume.source.files)
    # The builder's slices run to superior, rows to posterior, columns to left: the same order as inside.
    expected = np.zeros_like(labels)
    expected[(labels == 3) & (np.arange(6)[:, None, None] == 0)] = 1
    expected[labels == 7] = 2
    expected[(labels == 3) & (np.arange(6)[:, None, None] == 3)] = 3
    np.testing.assert_array_equal(numbers, expected)
    for frame in seg.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        image = next(dcmread(file) for file in volume.source.files if dcmread(file).SOPInstanceUID == source)
        assert frame.PlanePositionSequence[0].ImagePositionPatient == image.ImagePositionPatient


def turned(image: Dataset, k: int) -> None:
    """Sagittal slices, read from the left, the last file first."""
    image.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    image.ImagePositionPatient = [30 - 3.0 * k, 5, 70]
    image.InstanceNumber = 50 - k


@pytest.mark.parametrize("labelmap", [False, True])
def test_a_sagittal_series_keeps_its_own_frames(tmp_path: Path, labelmap: bool) -> None:
    dicom.write_series(tmp_path / "s", "CT", count=5, change=turned)
    volume = read_volume(tmp_path / "s")
    rng = np.random.default_rng(0)
    labels = Labels((rng.random(volume.grid.shape) > 0.7).astype(np.uint16), volume.grid, source=volume.source)
    segments = segments_of(labels, find_findings(labels, Study.of(volume)), None, Choice(together=True))
    path = tmp_path / "a.dcm"
    write_seg(
        segments, read_sources(volume, Identity.IDENTIFIED, Run()), path, maker=None, version="1", labelmap=labelmap
    )
    import highdicom as hd

    read = hd.seg.segread(path)
    uids = [dcmread(file).SOPInstanceUID for file in volume.source.files]
    back = read.get_pixels_by_source_instance(uids, combine_segments=True, assert_missing_frames_are_empty=True)
    # By place: the centre of each marked pixel, from the images' own headers, is that of a marked voxel.
    places = []
    for mask, file in zip(back, volume.source.files, strict=True):
        image = dcmread(file)
        row, column = np.array(image.ImageOrientationPatient[:3]), np.array(image.ImageOrientationPatient[3:])
        for r, c in np.argwhere(mask):
            at = (
                np.array(image.ImagePositionPatient)
                + row * c * image.PixelSpacing[1]
                + column * r * image.PixelSpacing[0]
            )
            places.append(at[::-1])
    expected = labels.grid.to_mm(np.argwhere(labels.voxels))
    assert len(places) == len(expected)
    np.testing.assert_allclose(sorted(map(tuple, np.round(places, 4))), sorted(map(tuple, np.round(expected, 4))))
    assert read.SegmentSequence[-1].SegmentAlgorithmType == "MANUAL"


def test_segments_say_what_they_are_and_who_made_them(tmp_path: Path, volume: Volume) -> None:
    seg = seg_at(tmp_path / "a.dcm", volume)
    first, second, third = seg.SegmentSequence
    assert [one.SegmentLabel for one in seg.SegmentSequence] == ["nodes", "Finding 7", "nodes (8)"]
    assert first.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    assert first.SegmentedPropertyTypeCodeSequence[0].CodeValue == "108369006"
    assert first.SegmentAlgorithmType == "AUTOMATIC"
    algorithm = first.SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmName == "grisaille MVG"
    assert algorithm.AlgorithmVersion == "0.1.0"
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"
    assert "abc" in algorithm.AlgorithmParameters
    assert seg.SeriesDescription.endswith("(research)")
    assert seg.ContentLabel == "FINDINGS"
    assert len({first.TrackingUID, second.TrackingUID, third.TrackingUID}) == 3
    assert dcmread(volume.source.files[0]).SeriesInstanceUID != seg.SeriesInstanceUID
    assert (tmp_path / "a.dcm").read_bytes()[:128] == b"\0" * 128


def test_an_edited_finding_is_semiautomatic_and_the_type_is_the_users(volume: Volume) -> None:
    labels = labelled(volume)
    found = find_findings(labels, Study.of(volume))
    edited = [replace(one, edited=one.id == 7) for one in found]
    cyst = Term.parse("367643001, SCT, Cyst")
    segments = segments_of(labels, edited, MAKER, Choice(kind=cyst))
    assert [one.author.value for one in segments.listed] == ["AUTOMATIC", "SEMIAUTOMATIC", "AUTOMATIC"]
    assert {one.kind for one in segments.listed} == {cyst}
    with pytest.raises(ConfigError, match="VALUE,SCHEME,MEANING"):
        Term.parse("cyst")


def test_labels_taken_together_are_one_segment_each_and_no_report_is_made_of_them(
    tmp_path: Path, volume: Volume
) -> None:
    labels = labelled(volume)
    together = segments_of(labels, find_findings(labels, Study.of(volume)), MAKER, Choice(together=True))
    assert [one.title for one in together.listed] == ["nodes", "Label 7"]
    np.testing.assert_array_equal(together.voxels, np.select([labels.voxels == 3, labels.voxels == 7], [1, 2]))
    sources = read_sources(volume, Identity.IDENTIFIED, Run())
    with pytest.raises(InputError, match="several pieces"):
        write_sr(together, sources, tmp_path / "a.dcm", maker=MAKER, version="1")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_refused_with_the_remedy(volume: Volume) -> None:
    labels = labelled(volume)
    found = find_findings(labels, Study.of(volume))
    empty = Labels(np.zeros(volume.grid.shape, np.uint16), volume.grid)
    with pytest.raises(InputError, match="nothing to export"):
        segments_of(empty, (), MAKER)
    with pytest.raises(InputError, match=r"no finding 5; there are 3, 7, 8"):
        segments_of(labels, found, MAKER, Choice(include=(3, 5)))
    painted = labels.voxels.copy()
    painted[5, 0, 0] = 7
    with pytest.raises(InputError, match="changed after they were measured"):
        segments_of(replace(labels, voxels=painted), found, MAKER)
    moved = labels.voxels.copy()
    moved[1, 1, 0], moved[1, 1, 1] = 0, 7
    with pytest.raises(InputError, match="changed after they were measured"):
        segments_of(replace(labels, voxels=moved), found, MAKER)


def test_only_the_findings_chosen_are_segments(volume: Volume) -> None:
    labels = labelled(volume)
    segments = segments_of(labels, find_findings(labels, Study.of(volume)), MAKER, Choice(include=(8,)))
    assert [one.title for one in segments.listed] == ["nodes (8)"]
    assert np.argwhere(segments.voxels).tolist() == [[3, 3, 2]]


@pytest.mark.parametrize("kind", ["seg", "labelmap", "sr", "pm"])
def test_a_deidentified_object_holds_nothing_of_the_patient(tmp_path: Path, volume: Volume, kind: str) -> None:
    path = tmp_path / "a.dcm"
    write(kind, path, volume, Identity.DEIDENTIFIED)
    content = path.read_bytes()
    source = dcmread(volume.source.files[0])
    uids = [source[name].value for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")]
    uids += [dcmread(file).SOPInstanceUID for file in volume.source.files]
    segments, _ = parts(volume)
    uids += [one.tracking_uid for one in segments.listed]
    for secret in (*WHO.values(), *uids, "SMITH"):
        assert secret.encode() not in content, secret
    made = dcmread(path)
    assert made.PatientIdentityRemoved == "YES"
    assert made.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert not made.PatientBirthDate
    assert not made.StudyDate
    assert made.ContentDate == "19000101"
    assert "InstanceCreationDate" not in made


@pytest.mark.parametrize("kind", ["seg", "sr"])
def test_an_identified_object_is_of_the_patient_of_its_source(tmp_path: Path, volume: Volume, kind: str) -> None:
    path = tmp_path / "a.dcm"
    write(kind, path, volume, Identity.IDENTIFIED)
    made, source = dcmread(path), dcmread(volume.source.files[0])
    for name in ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyID", "StudyDate"):
        assert made[name].value == source[name].value
    assert made.StudyInstanceUID == source.StudyInstanceUID
    for private in ("PRINCETON GENERAL", "knows the mayor", "SCANNER-1"):
        assert private.encode() not in path.read_bytes()


def write(kind: str, path: Path, volume: Volume, identity: Identity) -> None:
    segments, sources = parts(volume, identity)
    if kind == "pm":
        scores = np.zeros(volume.grid.shape, np.float32)
        write_parametric_map(scores, sources, path, scale=Scale("MVG", "no unit"), version="1")
    elif kind == "sr":
        write_sr(segments, sources, path, maker=MAKER, version="1")
    else:
        write_seg(segments, sources, path, maker=MAKER, version="1", labelmap=kind == "labelmap")


@pytest.mark.parametrize(("identity", "labelmap"), [(Identity.IDENTIFIED, False), (Identity.DEIDENTIFIED, True)])
def test_seg_and_report_know_each_other(tmp_path: Path, volume: Volume, identity: Identity, labelmap: bool) -> None:
    seg = seg_at(tmp_path / "seg.dcm", volume, identity, labelmap=labelmap)
    segments, sources = parts(volume, identity)  # read again: the pseudonyms are the same ones
    given = read_seg(tmp_path / "seg.dcm", segments, sources)
    write_sr(segments, sources, tmp_path / "sr.dcm", maker=MAKER, version="1", seg=given)
    report = dcmread(tmp_path / "sr.dcm")
    assert report.StudyInstanceUID == seg.StudyInstanceUID
    assert report.PatientID == seg.PatientID
    tracked = {int(one.SegmentNumber): one.TrackingUID for one in seg.SegmentSequence if "TrackingUID" in one}
    groups = groups_of(report)
    assert len(groups) == 3
    for group in groups:
        reference = item(group, "121191").ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        number = reference.ReferencedSegmentNumber
        assert tracked[int(number)] == item(group, "112040").UID
    assert report.VerificationFlag == "UNVERIFIED"
    assert report.PreliminaryFlag == "PRELIMINARY"


def test_a_report_tells_the_measures_with_codes_and_units(tmp_path: Path, volume: Volume) -> None:
    segments, sources = parts(volume)
    measured = replace(
        segments.listed[0],
        finding=Finding(3, 3, "2.25.1", 1.5, 9.25, 4.5, 8.125, 6.75, -12.5, 17.0, 11.5, 0, 0, 0, 1, 2, 5.5),
    )
    write_sr(Segments((measured,), segments.voxels), sources, tmp_path / "sr.dcm", maker=MAKER, version="1")
    (group,) = groups_of(dcmread(tmp_path / "sr.dcm"))
    told = {}
    for one in group.ContentSequence:
        if one.ValueType == "NUM":
            derived = [inner.ConceptCodeSequence[0].CodeValue for inner in one.get("ContentSequence", [])]
            value = one.MeasuredValueSequence[0]
            unit = value.MeasurementUnitsCodeSequence[0].CodeValue
            told[(one.ConceptNameCodeSequence[0].CodeValue, *derived)] = (float(value.NumericValue), unit)
    assert told == {
        ("118565006",): (1.5, "ml"),
        ("126400", "56851009"): (9.25, "g/ml{SUVbw}"),
        ("126400", "373098007"): (4.5, "g/ml{SUVbw}"),
        ("126400", "126031"): (8.125, "g/ml{SUVbw}"),
        ("126032",): (1.5, "ml"),
        ("126033",): (6.75, "g"),
        ("112031", "373098007"): (-12.5, "[hnsf'U]"),
        ("103339001",): (17.0, "mm"),
        ("103340004",): (11.5, "mm"),
        ("ANOMALY", "56851009"): (5.5, "1"),
    }
    # Without a SEG the group names the images under the finding, which lies in slices 1 and 2.
    images = [one for one in group.ContentSequence if one.ValueType == "IMAGE"]
    named = {one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for one in images}
    assert named == {dcmread(file).SOPInstanceUID for file in volume.source.files[1:3]}


def groups_of(report: Dataset) -> list[Dataset]:
    container = next(one for one in report.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue == "126010")
    return list(container.ContentSequence)


def item(group: Dataset, code: str) -> Dataset:
    return next(one for one in group.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue == code)


def test_a_seg_of_other_findings_is_not_referred_to(tmp_path: Path, volume: Volume) -> None:
    seg_at(tmp_path / "seg.dcm", volume, Identity.DEIDENTIFIED)
    segments, sources = parts(volume, Identity.IDENTIFIED)
    with pytest.raises(UnreadableFile, match="does not hold these findings"):
        read_seg(tmp_path / "seg.dcm", segments, sources)
    with pytest.raises(UnreadableFile, match="is no DICOM SEG"):
        read_seg(volume.source.files[0], segments, sources)


def test_a_map_is_cut_to_the_body_and_keeps_its_place(tmp_path: Path, volume: Volume) -> None:
    scores = np.random.default_rng(1).normal(size=volume.grid.shape).astype(np.float32)
    body = np.zeros(volume.grid.shape, bool)
    body[2:5, 1:4, 1:3] = True
    sources = read_sources(volume, Identity.IDENTIFIED, Run())
    write_parametric_map(scores, sources, tmp_path / "a.dcm", scale=Scale("MVG", "SD"), version="1", body=body)
    made = dcmread(tmp_path / "a.dcm")
    values = np.frombuffer(made.FloatPixelData, "<f4").reshape(3, 3, 2)
    for frame, pixels in zip(made.PerFrameFunctionalGroupsSequence, values, strict=True):
        x, y, z = (float(mm) for mm in frame.PlanePositionSequence[0].ImagePositionPatient)
        index = np.round(volume.grid.to_index((z, y, x))).astype(int)
        assert index[1:].tolist() == [1, 1]
        np.testing.assert_array_equal(pixels, scores[index[0], 1:4, 1:3])
    mapping = made.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert (mapping.LUTLabel, mapping.LUTExplanation) == ("MVG", "SD")


def test_a_volume_that_was_moved_or_is_not_dicom_is_refused(tmp_path: Path, volume: Volume) -> None:
    with pytest.raises(InputError, match="not read from a DICOM series"):
        read_sources(Volume(volume.voxels, volume.grid), Identity.IDENTIFIED, Run())
    resampled = replace(
        volume, grid=volume.grid.spaced(np.array(volume.grid.spacing_mm)).cropped((1, 0, 0), volume.grid.shape)
    )
    with pytest.raises(GridMismatch, match="do not lie where the images"):
        read_sources(resampled, Identity.IDENTIFIED, Run())
    gone = replace(volume, source=replace(volume.source, files=(*volume.source.files[:-1], tmp_path / "gone.dcm")))
    with pytest.raises(InputError, match=r"gone.dcm is no longer where it was"):
        read_sources(gone, Identity.IDENTIFIED, Run())


def test_an_image_without_uids_or_with_odd_values_is_refused_or_mended(tmp_path: Path) -> None:
    dicom.write_series(tmp_path / "a", "CT", count=2, StudyInstanceUID=None)
    with pytest.raises(InputError, match="no StudyInstanceUID"):
        read_sources(read_volume(tmp_path / "a"), Identity.IDENTIFIED, Run())
    odd = {
        "PatientBirthDate": "1950-01-01-SMITH",
        "PatientSex": "WEIBLICH",
        "FrameOfReferenceUID": None,
        "StudyDate": "x",
    }
    dicom.write_series(
        tmp_path / "b", "PT", count=6, SpecificCharacterSet="ISO_IR 100", PatientName="MÜLLER^JÖRG", **odd
    )
    seg = seg_at(tmp_path / "seg.dcm", read_volume(tmp_path / "b"))
    assert str(seg.PatientName) == "MÜLLER^JÖRG"
    assert not seg.PatientBirthDate
    assert not seg.PatientSex
    assert seg.FrameOfReferenceUID.startswith("2.25.")


def test_a_multi_frame_image_is_marked_frame_by_frame(tmp_path: Path) -> None:
    import highdicom as hd

    wanted = {
        **WHO,
        "Manufacturer": "x",
        "PositionReferenceIndicator": "",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    }
    files = dicom.write_series(tmp_path / "s", "CT", count=5, PatientSex="M", **wanted)
    images = [dcmread(file) for file in files]
    volume = read_volume(tmp_path / "s")
    enhanced = hd.legacy.LegacyConvertedEnhancedCTImage(images[::-1], hd.UID(), 1, hd.UID(), 1)
    enhanced.save_as(tmp_path / "multi.dcm")
    volume = replace(volume, source=replace(volume.source, files=(tmp_path / "multi.dcm",)))
    labels = labelled(replace(volume))
    segments = segments_of(labels, find_findings(labels, Study.of(volume)), MAKER)
    sources = read_sources(volume, Identity.DEIDENTIFIED, Run())
    write_seg(segments, sources, tmp_path / "seg.dcm", maker=MAKER, version="1")
    seg = dcmread(tmp_path / "seg.dcm")
    for frame in seg.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        at = enhanced.PerFrameFunctionalGroupsSequence[int(source.ReferencedFrameNumber) - 1]
        place = at.PlanePositionSequence[0].ImagePositionPatient
        assert frame.PlanePositionSequence[0].ImagePositionPatient == place
    for secret in ("SMITH", "ID-4711", *(image.SOPInstanceUID for image in images)):
        assert secret.encode() not in (tmp_path / "seg.dcm").read_bytes()


def test_a_full_disk_leaves_nothing(tmp_path: Path, volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    segments, sources = parts(volume)
    monkeypatch.setattr(os, "fsync", full)
    for name, write_one in {
        "seg": lambda path: write_seg(segments, sources, path, maker=MAKER, version="1"),
        "sr": lambda path: write_sr(segments, sources, path, maker=MAKER, version="1"),
    }.items():
        with pytest.raises(OutputError, match="disk is full"):
            write_one(tmp_path / f"{name}.dcm")
    assert list(tmp_path.iterdir()) == []


def test_what_reads_back_otherwise_does_not_take_its_name(
    tmp_path: Path, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grisaille.io.export import objects

    real = objects.write

    def torn(made: Dataset, path: Path) -> None:
        real(made, path)
        content = bytearray(path.read_bytes())
        at = content.rfind(b"\x03\x00")  # in the pixels, or in the content
        content[at - 40 : at] = bytes(40) if at > 40 else b""
        path.write_bytes(content[: len(content) - 12])

    monkeypatch.setattr(objects, "write", torn)
    segments, sources = parts(volume)
    with pytest.raises(OutputError, match="not written whole"):
        write_seg(segments, sources, tmp_path / "a.dcm", maker=MAKER, version="1")
    with pytest.raises(OutputError, match="not written whole"):
        write_sr(segments, sources, tmp_path / "b.dcm", maker=MAKER, version="1")
    assert list(tmp_path.iterdir()) == []


def test_images_that_share_a_uid_cannot_be_referred_to(tmp_path: Path) -> None:
    dicom.write_series(tmp_path, count=4, SOPInstanceUID=f"{dicom.ROOT}.77")
    with pytest.raises(InputError, match=r"share one SOPInstanceUID .* write NIfTI"):
        read_sources(read_volume(tmp_path), Identity.IDENTIFIED, Run())


def test_numbers_longer_than_dicom_allows_still_place_the_images(tmp_path: Path) -> None:
    def change(image: Dataset, k: int) -> None:
        image.ImagePositionPatient = [-10.0, -20.0 + 3 * k * math.tan(math.radians(15)), -30.0 + 3 * k]

    dicom.write_series(tmp_path / "ct", count=6, change=change)
    tilted = read_volume(tmp_path / "ct")
    assert max(len(str(one)) for file in tilted.source.files for one in dcmread(file).ImagePositionPatient) > 16
    segments, sources = parts(tilted)
    write_seg(segments, sources, tmp_path / "seg.dcm", maker=MAKER, version="0.1.0")
    numbers = by_hand(dcmread(tmp_path / "seg.dcm"), tilted.source.files)
    np.testing.assert_array_equal(numbers > 0, labelled(tilted).voxels > 0)
    write_sr(segments, sources, tmp_path / "sr.dcm", maker=MAKER, version="0.1.0")
    for one, file in zip(sources.images, tilted.source.files, strict=True):
        apart = np.subtract(one.ImagePositionPatient, dcmread(file).ImagePositionPatient)
        assert np.abs(apart).max() < 1e-9


@pytest.mark.parametrize(
    ("files", "phases", "sentence"),
    [(2, 1, "lies in 2 multi-frame images, expected one"), (1, 2, "one of several phases or time frames")],
)
def test_what_no_export_can_refer_to_frame_by_frame_is_refused(
    tmp_path: Path, files: int, phases: int, sentence: str
) -> None:
    x, y, z = dicom.ORIGIN_MM
    for number in range(files):

        def place(groups: Dataset, k: int, first: int = 3 * number) -> None:
            groups.PlanePositionSequence[0].ImagePositionPatient = [x, y, z + 3.0 * (first + k % 3)]
            groups.FrameContentSequence[0].FrameAcquisitionNumber = k // 3 + 1

        image = build_enhanced(count=3 * phases, change=place, SOPInstanceUID=f"{dicom.ROOT}.9{number}")
        dicom.save(image, tmp_path / f"{number}.dcm")
    volume = read_volume(tmp_path, frame=1 if phases > 1 else None)
    with pytest.raises(InputError, match=sentence):
        read_sources(volume, Identity.IDENTIFIED, Run())
