"""NIfTI to types and back. The file's world is RAS; ours is LPS.

Source: the NIfTI-1.1 header, nifti1.h, sections METHOD 1 to 3 and DATA SCALING.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from grisaille.core.errors import InputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.safe_write import replacing
from grisaille.core.volume import Source, SourceFormat
from grisaille.io.axes import Affine, canonical, to_source
from grisaille.io.image import (
    FileImage,
    require_file,
    require_memory,
    require_plausible,
    require_three_axes,
    require_written,
    writable,
)

AFFINE_TOLERANCE = 1e-3
"""How far qform and sform may differ, in voxels. A quaternion in float32 near half a turn errs by 7e-4."""

_MM = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}
_SLACK = 1 << 20
_BROKEN = (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, KeyError, OverflowError, zlib.error)


class _WrongLength(EOFError):
    """The file holds fewer or more bytes than its header declares."""


def read_nifti(path: Path, *, frame: int | None = None) -> FileImage:
    """Read a NIfTI-1 or NIfTI-2 file, ``.nii`` or ``.nii.gz``.

    Parameters
    ----------
    frame
        Which volume of a four-dimensional file, from 0.

    Raises
    ------
    UnreadableFile
        If the file is damaged, truncated, not NIfTI, or claims more than it can hold.
    InputError
        If it does not say, or contradicts itself on, where its voxels lie.
    UnsuitableVolume
        If it holds several volumes and none was chosen.
    OutOfMemory
        If it needs more than is free.
    """
    require_file(path)
    try:
        image = nib.load(path)
        affine, warnings = _affine(image.header, path.name)
        array = _voxels(image, path, frame)
    except _BROKEN as error:
        raise UnreadableFile(f"{path.name} is not a whole NIfTI file: {_reason(error)}; copy it again") from error
    voxels, grid, source = canonical(array, affine, format=SourceFormat.NIFTI, name=path.name)
    return FileImage(voxels, grid, source, warnings)


def write_nifti(
    array: npt.NDArray[Any], grid: Grid, source: Source, path: Path, beside: Mapping[Path, bytes] | None = None
) -> None:
    """Write (z, y, x) voxels in the order of their source; read back and compared before it takes its name."""
    ours = writable(array)
    array_ijk, affine = to_source(ours, grid, source)
    image = nib.Nifti1Image(array_ijk, _other_handed(affine), dtype=ours.dtype)
    image.header.set_xyzt_units("mm")
    image.set_sform(_other_handed(affine), code=1)
    image.set_qform(_other_handed(affine), code=1, strip_shears=True)
    # Some readers take the qform first, so it is left out where it cannot say the same: shear has no
    # quaternion, and near half a turn float32 is not enough for one.
    if not _agree(image.header.get_sform(), image.header.get_qform(), tolerance=AFFINE_TOLERANCE / 10):
        image.set_qform(None, code=0)
    with replacing(path, beside=beside) as temporary:
        nib.save(image, temporary)
        require_written(read_nifti, temporary, ours, grid, path.name)


def _affine(header: Any, name: str) -> tuple[Affine, tuple[str, ...]]:
    """(4, 4) index to LPS millimetres (x, y, z), and what to warn of."""
    sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    if sform is None and qform is None:
        raise InputError(
            f"{name} does not say how it lies in the patient (qform and sform codes are 0), so left and right are "
            "unknown; convert it again from its DICOM, or set its sform"
        )
    if sform is not None and qform is not None and not _agree(sform, qform, tolerance=AFFINE_TOLERANCE):
        raise InputError(
            f"{name} contradicts itself: its qform and its sform put the voxels at different places; "
            "remove the wrong one by setting its code to 0"
        )
    # float32, as the file has it: a quaternion would give more digits than can be written back.
    chosen = np.asarray(qform if sform is None else sform, dtype=np.float32).astype(np.float64)
    warnings = []
    unit = header.get_xyzt_units()[0]
    if _MM[unit] != 1.0:
        chosen[:3] *= _MM[unit]
        warnings.append(f"{name} gives places in {unit}; they were converted to millimetres")
    if not np.isfinite(chosen).all() or abs(np.linalg.det(chosen[:3, :3])) < 1e-12:
        raise InputError(f"the affine of {name} is singular or not finite; convert it again from its DICOM")
    columns = chosen[:3, :3] / np.linalg.norm(chosen[:3, :3], axis=0)
    if np.abs(columns.T @ columns - np.eye(3)).max() > AFFINE_TOLERANCE:
        warnings.append(f"the axes of {name} are not at right angles; other programs may refuse it")
    return _other_handed(chosen), tuple(warnings)


def _agree(sform: Affine, qform: Affine, *, tolerance: float) -> bool:
    if not (np.isfinite(sform).all() and np.isfinite(qform).all()):
        return False
    steps = np.linalg.norm(sform[:3, :3], axis=0)
    in_voxels = np.abs(sform - qform)[:3] / np.append(steps, max(steps.min(), 1e-12))
    return bool(in_voxels.max() <= tolerance)


def _other_handed(affine: Affine) -> Affine:
    """RAS to LPS and back: x and y change sign."""
    turned = np.array(affine)
    turned[:2] *= -1
    return turned


def _voxels(image: Any, path: Path, frame: int | None) -> npt.NDArray[Any]:
    """(i, j, k) of one frame, rescaled where the header asks for it."""
    dtype = image.header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise UnreadableFile(f"{path.name} holds {dtype} voxels, expected whole or real numbers; convert it first")
    shape, frame = require_three_axes(path.name, image.header.get_data_shape(), frame)
    start, slope, intercept = image.dataobj.offset, image.dataobj.slope, image.dataobj.inter
    size = math.prod(shape) * dtype.itemsize
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    stored = path.stat().st_size - (0 if compressed else start)
    total = math.prod(image.header.get_data_shape()) * dtype.itemsize
    scaled = (slope, intercept) != (1.0, 0.0)
    require_plausible(path.name, total, stored, compressed=compressed)
    require_memory(path.name, size * (3 if scaled else 2))
    with gzip.open(path) if compressed else path.open("rb") as file:
        raw = _bytes(file, start + size * frame, size)
        if compressed:
            _require_end(file, total - size * (frame + 1) + _SLACK)
    array: npt.NDArray[Any] = np.frombuffer(raw, dtype).reshape(shape, order="F")
    if scaled:
        return _rescaled(array, slope, intercept)
    return array.astype(f"{dtype.kind}{dtype.itemsize}", copy=False)


def _bytes(file: BufferedIOBase, start: int, size: int) -> bytearray:
    """``size`` bytes from ``start``."""
    file.seek(start)
    raw = bytearray(size)
    filled = 0
    while filled < size:
        got = file.readinto(memoryview(raw)[filled:])
        if not got:
            raise _WrongLength(f"{size - filled} of {size} bytes of voxels are missing")
        filled += got
    return raw


def _require_end(file: BufferedIOBase, most: int) -> None:
    """Read to the end, where the checksum is tested; more than ``most`` bytes are a bomb, or another file."""
    while chunk := file.read(min(most + 1, 1 << 20)):
        most -= len(chunk)
        if most < 0:
            raise _WrongLength("it holds more than its header declares")


def _rescaled(array: npt.NDArray[Any], slope: float, intercept: float) -> npt.NDArray[Any]:
    """Stored numbers times slope plus intercept; whole numbers stay whole where they fit into 16 bits."""
    if array.dtype.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer():
        ends = sorted(int(end) * int(slope) + int(intercept) for end in (array.min(), array.max()))
        if ends[0] >= -32768 and ends[1] <= 32767:
            return (array.astype(np.int32) * int(slope) + int(intercept)).astype(np.int16)
    scaled: npt.NDArray[np.floating[Any]] = array.astype(np.float32 if array.dtype.itemsize <= 2 else np.float64)
    scaled *= slope
    scaled += intercept
    return scaled.astype(np.float32, copy=False)


def _reason(error: BaseException) -> str:
    """The reason without the path that libraries put into it."""
    if isinstance(error, _WrongLength):
        return str(error)
    if isinstance(error, EOFError):
        return "it ends before its voxels do"
    if isinstance(error, (ImageFileError, gzip.BadGzipFile, zlib.error)):
        return "it is damaged, or a file of another kind under this name"
    return "its header makes no sense"
