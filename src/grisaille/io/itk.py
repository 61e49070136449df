"""NRRD and MetaImage to types and back, through SimpleITK. Their world is LPS, as ours.

SimpleITK reads the voxels; what it lets pass in silence is tested here first: files that do
not say how they lie in the patient, headers that claim more than there is, voxels in other
files, and damaged compressed MetaImage data.
Source: NRRD 5 definition (teem.sourceforge.net/nrrd/format.html); MetaIO documentation (itk.org).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import InputError, OutputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.safe_write import replacing
from grisaille.core.volume import Source, SourceFormat
from grisaille.io.axes import Affine, canonical, to_source
from grisaille.io.image import (
    SUFFIXES,
    FileImage,
    require_file,
    require_memory,
    require_plausible,
    require_three_axes,
    require_written,
    suffix_of,
    writable,
)
from grisaille.io.plain_names import named_plainly

_DIMENSIONS = ("1", "2", "3", "4", "5", "6")
"""More than ten in a MetaImage end the whole program in ITK, the viewer with it."""

_LONGEST_HEADER = 1 << 20
_LARGEST_NUMBER = 1e9
"""Of a place or a direction. From numbers near the end of float64 ITK works out an inverse for ever."""


@dataclass(frozen=True)
class _Header:
    """What is tested before the voxels are read: ``data`` is the file that holds them, from byte ``start`` on."""

    says_place: bool
    compressed: bool
    data: Path
    start: int


def read_itk(path: Path, *, frame: int | None = None) -> FileImage:
    """Read ``.nrrd``, ``.mha`` or ``.mhd``.

    Parameters
    ----------
    frame
        Which volume of a four-dimensional file, from 0.

    Raises
    ------
    UnreadableFile
        If the file is damaged, truncated, of another kind, or claims more than it can hold.
    InputError
        If it does not say how it lies in the patient.
    UnsuitableVolume
        If it holds several volumes and none was chosen.
    OutOfMemory
        If it needs more than is free.
    """
    import SimpleITK as sitk

    require_file(path)
    kind = SUFFIXES[suffix_of(path)]
    header = _nrrd_header(path) if kind is SourceFormat.NRRD else _meta_header(path)
    beside = () if header.data == path else (header.data,)
    with named_plainly(path, *beside) as readable:
        image = _image(readable, path, header, frame)
    if kind is SourceFormat.MHA and header.compressed:
        _require_whole(path, header, image.GetNumberOfPixels() * image.GetSizeOfPixelComponent())
    if image.GetDimension() == 4:
        image = image[:, :, :, frame or 0]
    elif image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
    array = sitk.GetArrayFromImage(image)
    voxels, grid, source = canonical(array.transpose(2, 1, 0), _affine(image), format=kind, name=path.name)
    return FileImage(voxels, grid, source)


def write_itk(
    array: npt.NDArray[Any], grid: Grid, source: Source, path: Path, beside: Mapping[Path, bytes] | None = None
) -> None:
    """Write (z, y, x) voxels to ``.nrrd`` or ``.mha`` in the order of their source.

    Read back and compared before it takes its name: SimpleITK returns normally on a full disk.
    """
    import SimpleITK as sitk

    if suffix_of(path) not in (".nrrd", ".mha"):
        raise OutputError(f"{path.name}: images are written as .nii, .nii.gz, .nrrd or .mha; give one of these names")
    ours = writable(array)
    array_ijk, affine = to_source(ours, grid, source)
    image = sitk.GetImageFromArray(np.ascontiguousarray(array_ijk.transpose(2, 1, 0)))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    with replacing(path, beside=beside) as temporary:
        try:
            with named_plainly(temporary) as writable_name:
                sitk.WriteImage(image, str(writable_name), useCompression=True)
        except RuntimeError as error:
            raise OutputError(f"{path.name} could not be written; check the place, its rights and its room") from error
        require_written(read_itk, temporary, ours, grid, path.name)


def _image(readable: Path, path: Path, header: _Header, frame: int | None) -> Any:
    """What SimpleITK reads of a file that it knows as ``readable``, after all that can be tested before."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(readable))
    try:
        reader.ReadImageInformation()
        _check(reader, path, header, frame)
        if not header.says_place:
            raise InputError(
                f"{path.name} does not say how it lies in the patient, so left and right are unknown; "
                "save it again with its directions"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            is_measured = bool((np.abs(_affine(reader)) <= _LARGEST_NUMBER).all())
        if not is_measured:
            raise InputError(
                f"{path.name} gives places beyond all measure, or none that are numbers; "
                "save it again with its directions"
            )
        return reader.Execute()
    except RuntimeError as error:
        raise _damaged(path) from error


def _check(reader: Any, path: Path, header: _Header, frame: int | None) -> None:
    """Test the sizes that the header declares, and that the frame asked for is there."""
    import SimpleITK as sitk

    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    bits = [number for number in (8, 16, 32, 64) if f"{number}-bit" in kind]
    if reader.GetNumberOfComponents() != 1 or "complex" in kind or not bits:
        raise UnreadableFile(
            f"{path.name} holds voxels of kind {kind!r}, expected one number a voxel; convert it first"
        )
    size = reader.GetSize()
    require_three_axes(path.name, tuple(size), frame)
    declared = math.prod(size) * bits[0] // 8
    stored = header.data.stat().st_size - header.start
    require_plausible(path.name, declared, stored, compressed=header.compressed)
    require_memory(path.name, declared * 2)


def _affine(image: Any) -> Affine:
    """(n + 1, n + 1) of an image of n axes."""
    axes = image.GetDimension()
    affine = np.eye(axes + 1)
    affine[:axes, :axes] = np.reshape(image.GetDirection(), (axes, axes)) * image.GetSpacing()
    affine[:axes, axes] = image.GetOrigin()
    return affine


def _nrrd_header(path: Path) -> _Header:
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        if not file.readline(_LONGEST_HEADER).startswith(b"NRRD"):
            raise _damaged(path)
        while (line := file.readline(_LONGEST_HEADER)).strip():
            if file.tell() > _LONGEST_HEADER:
                raise _damaged(path)
            key, _, value = line.decode("latin-1").partition(":")
            fields[key.strip().lower()] = value.strip()
        if not line:
            raise _damaged(path)
        start = file.tell()
    if "data file" in fields or "datafile" in fields:
        raise UnreadableFile(f"{path.name} keeps its voxels in other files; save it as one file")
    compressed = fields.get("encoding", "raw").lower() not in ("raw", "txt", "text", "ascii", "hex")
    return _Header("space" in fields and "space directions" in fields, compressed, path, start)


def _meta_header(path: Path) -> _Header:
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while "elementdatafile" not in fields:
            line = file.readline(_LONGEST_HEADER)
            key, equals, value = line.decode("latin-1").partition("=")
            if not equals or file.tell() > _LONGEST_HEADER:
                raise _damaged(path)
            fields[key.strip().lower()] = value.strip()
        start = file.tell()
    if fields.get("ndims") not in _DIMENSIONS:
        raise _damaged(path)
    data = fields["elementdatafile"]
    compressed = fields.get("compresseddata", "false").lower() == "true"
    says_place = bool({"transformmatrix", "rotation", "orientation"} & set(fields))
    if data.upper() == "LOCAL":
        return _Header(says_place, compressed, path, start)
    # A header may name any file of the machine; only one beside it is taken.
    beside = next((file for file in path.parent.iterdir() if file.name == data and file.is_file()), None)
    if beside is None:
        raise UnreadableFile(f"{path.name} names a file of voxels that is not beside it; keep the two together")
    return _Header(says_place, compressed, beside, 0)


def _require_whole(path: Path, header: _Header, expected_bytes: int) -> None:
    """Test the checksum of compressed MetaImage data: SimpleITK reads on over an error in it."""
    stream, inflated = zlib.decompressobj(), 0
    try:
        with header.data.open("rb") as file:
            file.seek(header.start)
            chunk = file.read(1 << 20)
            while chunk and not stream.eof and inflated <= expected_bytes:
                inflated += len(stream.decompress(chunk, 1 << 24))
                chunk = stream.unconsumed_tail or file.read(1 << 20)
    except zlib.error as error:
        raise _damaged(path) from error
    if not stream.eof or inflated != expected_bytes:
        raise _damaged(path)


def _damaged(path: Path) -> UnreadableFile:
    kind = {SourceFormat.NRRD: "NRRD", SourceFormat.MHA: "MetaImage"}[SUFFIXES[suffix_of(path)]]
    return UnreadableFile(f"{path.name} is not a whole {kind} file: it is damaged, truncated or of another kind")
