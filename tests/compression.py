"""DICOM files compressed by GDCM, which encodes what pydicom does not."""

from __future__ import annotations

from pathlib import Path


def compress(file: Path, syntax: str) -> None:
    """Write a file again in ``syntax``: a name of ``gdcm.TransferSyntax``, lossless ones only."""
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(file))
    assert reader.Read(), file
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change(), syntax
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(file))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write(), file
