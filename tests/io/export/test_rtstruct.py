"""RTSTRUCT written from labels: read again it is the same, voxel by voxel, and it says whose it is only if asked to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from scipy.ndimage import gaussian_filter

from dicom_builder import BETWEEN_SLICES_MM, ORIGIN_MM, PATIENT, ROOT, put_pixels, write_series
from grisaille.core.errors import GridMismatch, InputError, OutputError
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.volume import Volume
from grisaille.imaging.resample import resample
from grisaille.io.export import rtstruct
from grisaille.io.export.rtstruct import RoiOrigin, write_rtstruct
from grisaille.io.export.sources import read_sources
from grisaille.io.export.whose import Identity
from grisaille.io.labels import read_labels
from grisaille.io.study import read_volume
from image_builder import save_nifti

SHAPE = (6, 20, 16)


def read_series(folder: Path, place: Callable[[Dataset, int], None] | None = None, modality: str = "CT") -> Volume:
    """6 slices of 20 x 16 pixels."""

    def change(image: Dataset, k: int) -> None:
        put_pixels(image, np.full(SHAPE[1:], k, np.int16))
        if place is not None:
            place(image, k)

    write_series(folder, modality, count=SHAPE[0], change=change)
    return read_volume(folder)


def drawn_on(volume: Volume) -> Labels:
    """Blobs with holes, parts that touch at corners, noise, a single voxel and voxels at the border."""
    random = np.random.default_rng(3)
    voxels = np.zeros(volume.grid.shape, np.uint16)
    voxels[gaussian_filter(random.random(voxels.shape), 1.2) > 0.5] = 4
    voxels[random.random(voxels.shape) > 0.8] = 2
    voxels[tuple(size // 2 for size in voxels.shape)] = 9
    voxels[-1, -1, -1] = voxels[0, 0, 0] = 300
    return Labels(voxels, volume.grid, {2: "noise", 4: "blob \\ hole", 300: "ä" * 70}, volume.source)


def written(labels: Labels, volume: Volume, path: Path, whose: Identity, **how: Any) -> None:
    write_rtstruct(labels, read_sources(volume, whose, Run()), path, **how)


def turned(image: Dataset, k: int) -> None:
    image.ImageOrientationPatient = [0.8, 0.6, 0, 0, 0, -1]
    image.ImagePositionPatient = [
        float(value) for value in np.array([5.0, -7, 11]) + 3.0 * k * np.array([-0.6, 0.8, 0])
    ]


def upside_down(image: Dataset, k: int) -> None:
    image.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]


def tilted(image: Dataset, k: int) -> None:
    image.ImageOrientationPatient = [1, 0, 0, 0, float(np.cos(0.2)), float(np.sin(0.2))]
    across = np.array([0, -np.sin(0.2), np.cos(0.2)])
    image.ImagePositionPatient = [float(value) for value in 3.0 * k * across]


@pytest.mark.parametrize("place", [None, upside_down, turned, tilted])
def test_what_is_read_back_is_what_was_written(tmp_path: Path, place: Callable[[Dataset, int], None] | None) -> None:
    volume = read_series(tmp_path / "ct", place)
    labels = drawn_on(volume)
    written(labels, volume, tmp_path / "out.dcm", Identity.IDENTIFIED)
    back = read_labels(tmp_path / "out.dcm", like=volume)
    assert np.array_equal(back.voxels, labels.voxels)
    assert back.names == {2: "noise", 4: "blob / hole", 9: "label 9", 300: "ä" * 64}
    assert back.warnings == ()


def test_every_contour_lies_in_the_image_that_it_names(tmp_path: Path) -> None:
    volume = read_series(tmp_path / "ct", turned)
    written(drawn_on(volume), volume, tmp_path / "out.dcm", Identity.IDENTIFIED)
    plan = dcmread(tmp_path / "out.dcm")
    images = {image.SOPInstanceUID: image for image in map(dcmread, volume.source.files)}
    named = plan.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert [one.ReferencedSOPInstanceUID for one in named.ContourImageSequence] == list(images)
    for roi in plan.ROIContourSequence:
        for contour in roi.ContourSequence:
            image = images[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
            points = np.array(contour.ContourData, float).reshape(-1, 3)
            normal = np.cross(image.ImageOrientationPatient[:3], image.ImageOrientationPatient[3:])
            off = (points - np.array(image.ImagePositionPatient, float)) @ normal
            assert np.abs(off).max() < 1e-5
            assert len(points) == contour.NumberOfContourPoints >= 4


def test_the_patient_is_named_only_if_asked_for(tmp_path: Path) -> None:
    volume = read_series(tmp_path / "ct")
    labels = drawn_on(volume)
    written(labels, volume, tmp_path / "identified.dcm", Identity.IDENTIFIED)
    written(labels, volume, tmp_path / "pseudonym.dcm", Identity.DEIDENTIFIED)
    identified, bare = dcmread(tmp_path / "identified.dcm"), dcmread(tmp_path / "pseudonym.dcm")
    assert (identified.PatientName, identified.PatientID) == (PATIENT, "ID-4711")
    assert bare.PatientIdentityRemoved == "YES"
    today = datetime.now().strftime("%Y%m%d").encode()
    for secret in (b"SMITH", b"ID-4711", b"19500101", ROOT.encode(), today):
        assert secret in (tmp_path / "identified.dcm").read_bytes()
        assert secret not in (tmp_path / "pseudonym.dcm").read_bytes()
    source = dcmread(volume.source.files[0])
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        assert identified[keyword].value == source[keyword].value != bare[keyword].value
    assert len({one.SeriesInstanceUID for one in (identified, bare, source)}) == 3
    assert np.array_equal(read_labels(tmp_path / "pseudonym.dcm", like=volume.grid).voxels, labels.voxels)
    with pytest.raises(GridMismatch, match="another frame of reference"):
        read_labels(tmp_path / "pseudonym.dcm", like=volume)


def test_it_says_that_it_is_research_and_who_drew_it(tmp_path: Path) -> None:
    volume = read_series(tmp_path / "ct")
    written(
        drawn_on(volume),
        volume,
        tmp_path / "a.dcm",
        Identity.DEIDENTIFIED,
        origin=RoiOrigin.SEMIAUTOMATIC,
        description="MVG",
    )
    plan = dcmread(tmp_path / "a.dcm")
    assert plan.SeriesDescription == "MVG (research)"
    assert plan.StructureSetDescription.startswith("Research use only.")
    assert {roi.ROIGenerationAlgorithm for roi in plan.StructureSetROISequence} == {"SEMIAUTOMATIC"}
    colours = {tuple(roi.ROIDisplayColor) for roi in plan.ROIContourSequence}
    assert len(colours) == len(plan.StructureSetROISequence) == len(plan.RTROIObservationsSequence) == 4


def test_what_cannot_be_an_rtstruct_is_refused(tmp_path: Path) -> None:
    volume = read_series(tmp_path / "ct")
    labels = drawn_on(volume)
    out = tmp_path / "out.dcm"
    with pytest.raises(OutputError, match=r"nothing to export to out\.dcm"):
        written(Labels(np.zeros(volume.grid.shape), volume.grid), volume, out, Identity.DEIDENTIFIED)
    coarse = resample(volume, volume.grid.spaced(4.0))
    with pytest.raises(GridMismatch, match="resample the labels first"):
        written(resample(labels, coarse.grid), volume, out, Identity.DEIDENTIFIED)
    nifti = read_volume(save_nifti(tmp_path / "CT.nii.gz", np.zeros((3, 4, 5), np.int16)))
    for other in (coarse, nifti):
        with pytest.raises(InputError, match="write NIfTI or NRRD"):
            written(Labels(np.ones(other.grid.shape), other.grid), other, out, Identity.DEIDENTIFIED)
    volume.source.files[2].unlink()
    with pytest.raises(InputError, match=r"CT1_002\.dcm is no longer where it was read from"):
        written(labels, volume, out, Identity.DEIDENTIFIED)
    assert not out.exists()


def test_a_frame_of_a_many_framed_image_is_named_by_its_number(tmp_path: Path) -> None:
    volume = read_series(tmp_path / "ct")
    headers = read_sources(volume, Identity.IDENTIFIED, Run())
    multi = dcmread(volume.source.files[0])
    multi.NumberOfFrames = 6
    images = replace(headers, images=(multi,), frames=np.arange(6)[::-1])
    labels = drawn_on(volume)
    write_rtstruct(labels, images, tmp_path / "out.dcm")
    plan = dcmread(tmp_path / "out.dcm")
    for roi in plan.ROIContourSequence:
        for contour in roi.ContourSequence:
            (named,) = contour.ContourImageSequence
            k = round((float(contour.ContourData[2]) - ORIGIN_MM[2]) / BETWEEN_SLICES_MM)
            assert (named.ReferencedSOPInstanceUID, named.ReferencedFrameNumber) == (multi.SOPInstanceUID, 6 - k)
    assert np.array_equal(read_labels(tmp_path / "out.dcm", like=volume).voxels, labels.voxels)


def test_a_file_that_reads_back_otherwise_never_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = read_series(tmp_path / "ct")
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "out.dcm"
    written(drawn_on(volume), volume, out, Identity.DEIDENTIFIED)
    old = out.read_bytes()
    traced = rtstruct.traced
    monkeypatch.setattr(rtstruct, "traced", lambda mask: [loop + 0.6 for loop in traced(mask)])
    with pytest.raises(OutputError, match=r"out\.dcm was not written whole"):
        written(drawn_on(volume), volume, out, Identity.DEIDENTIFIED)
    assert out.read_bytes() == old
    assert list(out.parent.iterdir()) == [out]
