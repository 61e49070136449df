"""The sound files that are spoilt: a small one of every kind that is read, compressed ones among them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import JPEGLSLossless, RLELossless

from dicom_builder import build_image, put_pixels, stored, write_index, write_series
from image_builder import numbers, oblique, save_itk, save_nifti

COUNT = 4
"""Slices of a series, of which one is spoilt."""


@dataclass(frozen=True)
class Seed:
    """How a sound file is made."""

    name: str
    write: Callable[[Path], list[Path]]
    """Writes into an empty folder; the first file is the one to spoil."""
    is_dicom: bool


def _dicom(modality: str, syntax: str | None = None) -> Callable[[Path], list[Path]]:
    def compress(image: Dataset, k: int) -> None:
        if syntax is not None:
            put_pixels(image, stored(k, 24, 16))  # JPEG-LS has no room in less
            image.compress(syntax)

    return lambda folder: write_series(folder, modality, count=COUNT, change=compress)[::-1]


def compress_with_gdcm(file: Path, syntax: str) -> None:
    """Compress an image by GDCM, which pydicom cannot ask to; ``syntax`` is GDCM's name."""
    import gdcm

    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(file))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(file))
    assert writer.Write()


def _gdcm(syntax: str) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        files = write_series(folder, count=COUNT, change=lambda image, k: put_pixels(image, stored(k, 24, 16)))
        for file in files:
            compress_with_gdcm(file, syntax)
        return files

    return write


def _implicit(folder: Path) -> list[Path]:
    files = write_series(folder, count=COUNT)
    for file in files:
        image, bare = dcmread(file), Dataset()
        bare.update({element.tag: element for element in image})
        bare.save_as(file, implicit_vr=True, little_endian=True)
    return files


def write_multi_frame(folder: Path) -> list[Path]:
    """As highdicom converts four slices into one enhanced image."""
    from highdicom.legacy import LegacyConvertedEnhancedCTImage

    sources = []
    for k in range(COUNT):
        image = build_image("CT", k)
        for keyword in ("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "PatientSex", "ReferringPhysicianName"):
            setattr(image, keyword, "")
        image.AcquisitionNumber, image.ImageType = 1, ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.Manufacturer = "grisaille"
        sources.append(image)
    converted = LegacyConvertedEnhancedCTImage(
        sources, "1.2.826.0.1.3680043.8.498.7", 9, "1.2.826.0.1.3680043.8.498.6", 1
    )
    converted.save_as(folder / "frames.dcm")
    return [folder / "frames.dcm"]


def _index(folder: Path) -> list[Path]:
    files = write_series(folder / "IMAGES", count=COUNT)
    return [write_index(folder, [["IMAGES", file.name] for file in files])]


def _zip(folder: Path) -> list[Path]:
    with zipfile.ZipFile(folder / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in write_series(folder / "in", count=COUNT):
            archive.write(file, f"SMITH/{file.name}")
            file.unlink()
    (folder / "in").rmdir()
    return [folder / "study.zip"]


def _image(suffix: str, *, compress: bool = False, version: int = 1) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        path, array = folder / f"CT{suffix}", numbers((4, 5, 6)) - 60
        if ".nii" not in suffix:
            return [save_itk(path, array, oblique(1), compress=compress)]
        save_nifti(path, array, oblique(1), qform=0)
        if version == 2:
            import nibabel as nib

            nib.save(nib.Nifti2Image.from_image(nib.load(path)), path)
        return [path]

    return write


SEEDS = (
    Seed("CT", _dicom("CT"), True),
    Seed("PET", _dicom("PT"), True),
    Seed("MR", _dicom("MR"), True),
    Seed("CT, implicit, no preamble", _implicit, True),
    Seed("CT, RLE", _dicom("CT", RLELossless), True),
    Seed("CT, JPEG-LS", _dicom("CT", JPEGLSLossless), True),
    Seed("CT, JPEG 2000", _gdcm("JPEG2000Lossless"), True),
    Seed("CT, JPEG lossless", _gdcm("JPEGLosslessProcess14_1"), True),
    Seed("CT, multi-frame", write_multi_frame, True),
    Seed("DICOMDIR", _index, True),
    Seed("ZIP", _zip, False),
    Seed("NIfTI", _image(".nii"), False),
    Seed("NIfTI, gzip", _image(".nii.gz"), False),
    Seed("NIfTI-2", _image(".nii", version=2), False),
    Seed("NRRD", _image(".nrrd"), False),
    Seed("NRRD, gzip", _image(".nrrd", compress=True), False),
    Seed("MetaImage", _image(".mha"), False),
    Seed("MetaImage, zlib", _image(".mha", compress=True), False),
)
